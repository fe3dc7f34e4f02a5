//! Reservations in another program's file, which count here as ours do.

use super::strangers::readable;
use super::{Held, OpsError, Outside, Theirs};
use crate::db::{ReadTx, WriteTx};
use crate::domain::coordination::Lock;
use crate::domain::time::Stamp;
use crate::store::StoreError;
use crate::store::coordination::{self as locks, End};

/// The changes that a mirroring made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Locks that were not known here.
    pub added: usize,
    /// Locks whose end has changed.
    pub renewed: usize,
    /// Locks that were released there.
    pub ended: usize,
}

/// Adopts the locks of another program, and ends those that it has released. Idempotent.
///
/// A lock that was released here stays released, whatever the other program says.
///
/// # Errors
/// [`OpsError::MirrorConflict`] if the identifier belongs to another lock here.
pub fn mirror(tx: &WriteTx<'_>, outside: Outside<'_>, stamp: &Stamp) -> Result<Changes, OpsError> {
    let mut changes = Changes::default();
    for row in outside.theirs {
        take_in(tx, row, outside, &mut changes, stamp)?;
    }
    Ok(changes)
}

/// Does the same as [`mirror`] before a decision of ours, which an identifier that stands for another lock
/// here does not prevent.
pub(super) fn read_through(tx: &WriteTx<'_>, outside: Outside<'_>, stamp: &Stamp) -> Result<(), OpsError> {
    for row in outside.theirs {
        match take_in(tx, row, outside, &mut Changes::default(), stamp) {
            Ok(()) | Err(OpsError::MirrorConflict(_)) => {}
            Err(err) => return Err(err),
        }
    }
    Ok(())
}

fn take_in(
    tx: &WriteTx<'_>,
    row: &Theirs,
    outside: Outside<'_>,
    changes: &mut Changes,
    stamp: &Stamp,
) -> Result<(), OpsError> {
    let held = Held::as_seen(&row.lock, outside);
    let pattern = if readable(&row.lock) { held.text() } else { &row.lock.pattern };
    let meant = Lock { pattern: pattern.to_owned(), ..row.lock.clone() };
    let known = locks::find_same(tx, &meant)?;
    let keys = meant.unreadable.is_empty().then(|| held.keys());
    let holds = !row.released && meant.is_live(stamp);
    let Some(known) = known else {
        if holds {
            locks::mirror(tx, &meant, None, keys.as_ref(), stamp)?;
            changes.added += 1;
        }
        return Ok(());
    };
    let live = known.released_at.is_none();
    if row.released {
        if live {
            locks::end(tx, &known, End::Released, Some("released in the other store"), stamp)?;
            changes.ended += 1;
        }
        return Ok(());
    }
    // The scope may not have been resolvable when the lock was first found.
    let explained = known.scope == meant.scope || known.scope == row.project;
    let same = known.kind == meant.kind
        && known.owner == meant.owner
        && known.pattern == meant.pattern
        && known.exclusive == meant.exclusive;
    if !(same && explained) {
        return Err(OpsError::MirrorConflict(known.id));
    }
    let as_it_was = known.scope == meant.scope && known.expires_at == meant.expires_at;
    if !holds || is_settled_here(&known) || live && known.mirrored && as_it_was {
        return Ok(());
    }
    locks::mirror(tx, &meant, Some(&known), keys.as_ref(), stamp)?;
    changes.renewed += 1;
    Ok(())
}

/// Returns true if the lock was released here, by its identifier.
fn is_settled_here(known: &Lock) -> bool {
    known.ended_early()
}

/// Changes `found` as [`read_through`] would change the table, for a caller that only reads.
pub(super) fn apply(tx: &ReadTx<'_>, found: &mut Vec<Lock>, outside: Outside<'_>) -> Result<(), StoreError> {
    for row in outside.theirs {
        let known = locks::find_same(tx, &row.lock)?;
        if known.as_ref().is_some_and(is_settled_here) {
            continue;
        }
        found.retain(|lock| lock.id != row.lock.id);
        if !row.released {
            found.push(Lock { file: Held::as_seen(&row.lock, outside).is_file(), ..row.lock.clone() });
        }
    }
    Ok(())
}
