//! Locks that another program has inserted into our table. They are adopted if they can be understood;
//! otherwise they hold all that they may mean.

use super::{Held, Outside, Theirs};
use crate::db::{ReadTx, WriteTx};
use crate::domain::coordination::Lock;
use crate::domain::glob::Pattern;
use crate::domain::time::Stamp;
use crate::store::StoreError;
use crate::store::coordination as locks;

/// Adopts the locks that other programs have inserted since the last look. Runs before a lock is released,
/// renewed or transferred, so that theirs can be.
pub fn meet(tx: &WriteTx<'_>, outside: Outside<'_>, stamp: &Stamp) -> Result<(), StoreError> {
    if locks::pending(tx, stamp.secs())?.strangers { adopt(tx, outside, stamp).map(drop) } else { Ok(()) }
}

/// Adopts them. Returns the locks that cannot be understood, as everything that they may mean: they are left
/// unchanged, and are read again before every reservation.
pub(super) fn adopt(tx: &WriteTx<'_>, outside: Outside<'_>, stamp: &Stamp) -> Result<Vec<Lock>, StoreError> {
    let mut odd = Vec::new();
    for lock in locks::strangers(tx)? {
        let (meant, held) = meant(lock.clone(), outside);
        if !lock.unreadable.is_empty() {
            odd.push(meant);
            continue;
        }
        // A text that cannot be read stays as it is. Its keys cover all that it may mean.
        let pattern = if readable(&meant) { held.text() } else { &meant.pattern };
        locks::adopt(tx, &lock, &meant.scope, pattern, &held.keys(), stamp)?;
    }
    Ok(odd)
}

/// Returns such a lock with its canonical scope, and what it holds.
pub(super) fn meant(lock: Lock, outside: Outside<'_>) -> (Lock, Held) {
    let there = match lock.unreadable("scope") {
        Some(_) => lock,
        None => Lock { scope: (outside.canonical)(&lock.scope), ..lock },
    };
    let held = Held::as_seen(&there, outside);
    (Lock { file: held.is_file(), ..there }, held)
}

/// Returns true if the pattern of a lock can be read.
pub(super) fn readable(lock: &Lock) -> bool {
    lock.unreadable("pattern").is_none()
        && (lock.kind.is_named() || Pattern::parse_in(&lock.scope, &lock.pattern).is_ok())
}

/// Returns the locks that cannot be understood: those of our table, and those that are held in another
/// program's file.
pub fn odd(tx: &ReadTx<'_>, theirs: &[Theirs]) -> Result<Vec<Lock>, StoreError> {
    let mut found = locks::unreadable(tx)?;
    for row in theirs.iter().filter(|row| !row.released && !row.lock.unreadable.is_empty()) {
        if locks::find_same(tx, &row.lock)?.is_none() {
            found.push(row.lock.clone());
        }
    }
    Ok(found)
}
