//! Checking the files of a commit against the locks of other owners.

use super::check::check;
use super::grant::refuse;
use super::{Asked, OpsError, Outside, Request};
use crate::db::{ReadTx, WriteTx};
use crate::domain::coordination::Lock;
use crate::domain::time::Stamp;

/// A lock that is in the way of a request.
#[derive(Clone, Debug)]
pub struct InTheWay {
    /// The first of the requests that it is in the way of.
    pub request: Request,
    pub lock: Lock,
}

/// Returns the locks that are in the way of any of the requests, each lock once. Reserves and changes
/// nothing.
pub fn gate(
    tx: &ReadTx<'_>,
    requests: &[Request],
    outside: Outside<'_>,
    stamp: &Stamp,
) -> Result<Vec<InTheWay>, OpsError> {
    let mut blockers: Vec<InTheWay> = Vec::new();
    for request in requests {
        for lock in check(tx, &Asked::of(request, None), outside, stamp)? {
            if blockers.iter().all(|known| known.lock.id != lock.id) {
                blockers.push(InTheWay { request: request.clone(), lock });
            }
        }
    }
    Ok(blockers)
}

/// Records refusals: one event for each lock that is in the way.
pub fn record_refusals(tx: &WriteTx<'_>, refused: &[InTheWay], stamp: &Stamp) -> Result<(), OpsError> {
    for InTheWay { request, lock } in refused {
        refuse(tx, request, lock, stamp)?;
    }
    Ok(())
}
