//! Finding the locks that are in the way of a reservation.

use super::{Held, Outside, Request};
use crate::db::ReadTx;
use crate::domain::coordination::{Lock, LockKind};
use crate::domain::time::Stamp;
use crate::store::StoreError;
use crate::store::coordination as locks;

/// The paths or the name that a caller requests.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Canonical.
    pub scope: &'a str,
    pub kind: LockKind,
    pub held: &'a Held,
    pub exclusive: bool,
    /// An owner that is not in its own way.
    pub but: Option<&'a str>,
    /// Its place in the queue, if it has one.
    pub ticket: Option<i64>,
}

impl<'a> Asked<'a> {
    /// Returns the requested paths or name, with a place in the queue.
    pub fn of(request: &'a Request, ticket: Option<i64>) -> Self {
        Self {
            scope: &request.scope,
            kind: request.kind,
            held: &request.held,
            exclusive: request.exclusive,
            but: Some(&request.owner),
            ticket,
        }
    }
}

/// Returns true if a lock conflicts with a request, regardless of owner and scope.
pub(super) fn blocks(lock: &Lock, held: &Held, exclusive: bool) -> bool {
    (lock.exclusive || exclusive) && Held::of(lock).meets(held)
}

/// Returns the name that other programs may use for a scope that is a directory: its base name. A scope of
/// named locks has no such name.
pub(super) fn alias(scope: &str, kind: LockKind) -> Option<&str> {
    let name = scope.strip_prefix('/')?.rsplit('/').next()?;
    (!kind.is_named() && !name.is_empty()).then_some(name)
}

/// Finds by their keys the locks that may be in the way.
pub(super) fn candidates(tx: &ReadTx<'_>, asked: &Asked<'_>) -> Result<Vec<Lock>, StoreError> {
    let Asked { scope, kind, held, .. } = *asked;
    locks::candidates(tx, scope, alias(scope, kind), kind, &held.reach())
}

/// Returns the live locks of other owners that are in the way, oldest first.
pub(super) fn holders(tx: &ReadTx<'_>, asked: &Asked<'_>, stamp: &Stamp) -> Result<Vec<Lock>, StoreError> {
    let mut found = candidates(tx, asked)?;
    found.retain(|lock| is_in_the_way(lock, asked, stamp));
    Ok(found)
}

pub(super) fn is_in_the_way(lock: &Lock, asked: &Asked<'_>, stamp: &Stamp) -> bool {
    lock.is_live(stamp)
        && is_in_scope(lock, asked)
        && Some(lock.owner.as_str()) != asked.but
        && blocks(lock, asked.held, asked.exclusive)
}

/// Returns true if a lock counts in the requested scope. A lock whose scope cannot be understood counts in
/// all.
pub(super) fn is_in_scope(lock: &Lock, asked: &Asked<'_>) -> bool {
    lock.scope == asked.scope
        || Some(lock.scope.as_str()) == alias(asked.scope, asked.kind)
        || lock.unreadable("scope").is_some()
}

/// Returns true if the process that a lock ends with is gone: the next command that finds the lock ends it.
pub(super) fn is_abandoned(lock: &Lock, outside: Outside<'_>) -> bool {
    lock.process.as_ref().is_some_and(outside.is_gone)
}
