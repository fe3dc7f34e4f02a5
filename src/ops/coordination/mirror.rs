//! Reservations that another program holds in a file of its own count here as if they were ours (CO-08, CO-11).

use super::strangers::readable;
use super::{Held, OpsError, Outside};
use crate::db::{ReadTx, WriteTx};
use crate::domain::coordination::Lock;
use crate::domain::time::Stamp;
use crate::store::StoreError;
use crate::store::coordination::{self as locks, End};

/// A reservation of the other program, and whether it was given back there before its time.
#[derive(Clone, Debug)]
pub struct Theirs {
    /// As a lock of ours: its scope is what this machine calls it.
    pub lock: Lock,
    /// What the other program calls the scope.
    pub project: String,
    /// Given back.
    pub released: bool,
}

/// What a mirroring changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Locks that were not known here.
    pub added: usize,
    /// Locks whose time is another one now.
    pub renewed: usize,
    /// Locks that were given back there.
    pub ended: usize,
}

/// Takes in what another program holds, and ends what it has given back. Said twice it changes nothing the second time.
///
/// What was released here stays released, whatever the other program says.
///
/// # Errors
/// [`OpsError::MirrorConflict`] if a lock of the same identifier is another one.
pub fn mirror(tx: &WriteTx<'_>, outside: Outside<'_>, stamp: &Stamp) -> Result<Changes, OpsError> {
    let mut changes = Changes::default();
    for row in outside.theirs {
        take_in(tx, row, outside, &mut changes, stamp)?;
    }
    Ok(changes)
}

/// The same before a decision of ours: an identifier that stands for something else here is no reason to decide nothing.
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
    // A scope that nobody could explain when it was met is explained now.
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

/// Whether somebody released it here, by its identifier: then it stays released, whatever the other program says.
fn is_settled_here(known: &Lock) -> bool {
    known.ended_early()
}

/// As [`read_through`] for a caller who only looks: the locks that would be there, and those that would not any more.
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
