//! The critical section: a named lock of the file in its repository, which lives with its process.

use super::super::OpsError;
use super::super::coordination::{self, Asked, Held, Outside, Request, Reserved, Turn};
use crate::db::WriteTx;
use crate::domain::coordination::{Lock, LockKind};
use crate::domain::process::ProcessKey;
use crate::domain::time::Stamp;

/// How long it holds at most, in seconds: longer than any change takes. Beyond that the intent still tells others apart.
pub const TTL: i64 = 900;

/// What came of asking for it.
#[derive(Clone, Debug)]
pub enum Taken {
    /// It is ours.
    Mine(Lock),
    /// It is somebody else's.
    Theirs(Lock),
}

/// Takes the lock of a file, also from a process that is gone. Whoever does not get it leaves no trace.
///
/// # Errors
/// What the engine says.
pub fn take(
    tx: &WriteTx<'_>,
    (scope, path): (&str, &str),
    process: &ProcessKey,
    outside: Outside<'_>,
    stamp: &Stamp,
) -> Result<Taken, OpsError> {
    let held = Held::Name(format!("interspect:{path}"));
    let kind = LockKind::NamedLock;
    let owner = format!("{}:{}", process.pid, process.host);
    let asked = Asked { scope, kind, held: &held, exclusive: true, but: None, ticket: None };
    if let Some(blocker) = coordination::check(tx, &asked, outside, stamp)?.into_iter().next() {
        return Ok(Taken::Theirs(blocker));
    }
    let request = Request {
        kind,
        owner,
        scope: scope.to_owned(),
        held,
        exclusive: true,
        ttl_seconds: Some(TTL),
        at_least: false,
        automatic: false,
        reason: Some("changing routing overrides".to_owned()),
        dispatch_id: None,
        run_id: None,
        process: Some(process.clone()),
    };
    Ok(match coordination::reserve(tx, &request, &Turn::default(), outside, stamp)? {
        Reserved::Granted(lock) => Taken::Mine(lock),
        Reserved::Conflict { blocker, .. }
        | Reserved::Waiting { blocker, .. }
        | Reserved::Deadlock { blocker, .. } => Taken::Theirs(blocker),
    })
}
