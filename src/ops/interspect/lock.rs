//! The lock of the file: a named lock in the scope of its repository, which ends with its process.

use crate::db::WriteTx;
use crate::domain::coordination::{Lock, LockKind};
use crate::domain::process::ProcessKey;
use crate::domain::time::Stamp;
use crate::ops::OpsError;
use crate::ops::coordination::{self, Asked, Held, Outside, Request, Reserved, Turn};

/// The lease of the lock in seconds, longer than any change takes. After it the intent still keeps other
/// processes apart.
pub const LEASE_SECONDS: i64 = 900;

/// The outcome of an attempt to take the lock.
#[derive(Clone, Debug)]
pub enum LockOutcome {
    /// This process holds it now.
    Acquired(Lock),
    /// Another owner holds it.
    Blocked(Lock),
}

/// Takes the lock of a file. The lock of a process that has exited does not count. An attempt in vain leaves
/// no trace.
pub fn take(
    tx: &WriteTx<'_>,
    (scope, path): (&str, &str),
    process: &ProcessKey,
    outside: Outside<'_>,
    stamp: &Stamp,
) -> Result<LockOutcome, OpsError> {
    let held = Held::Name(format!("interspect:{path}"));
    let kind = LockKind::NamedLock;
    let owner = format!("{}:{}", process.pid, process.host);
    let query = Asked { scope, kind, held: &held, exclusive: true, but: None, ticket: None };
    if let Some(blocker) = coordination::check(tx, &query, outside, stamp)?.into_iter().next() {
        return Ok(LockOutcome::Blocked(blocker));
    }
    let request = Request {
        kind,
        owner,
        scope: scope.to_owned(),
        held,
        exclusive: true,
        ttl_seconds: Some(LEASE_SECONDS),
        at_least: false,
        automatic: false,
        reason: Some("changing routing overrides".to_owned()),
        dispatch_id: None,
        run_id: None,
        process: Some(process.clone()),
    };
    Ok(match coordination::reserve(tx, &request, &Turn::default(), outside, stamp)? {
        Reserved::Granted(lock) => LockOutcome::Acquired(lock),
        Reserved::Conflict { blocker, .. }
        | Reserved::Waiting { blocker, .. }
        | Reserved::Deadlock { blocker, .. } => LockOutcome::Blocked(blocker),
    })
}
