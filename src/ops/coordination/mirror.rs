//! Reservations that another program holds in a file of its own count here as if they were ours (CO-08, CO-11).

use super::grant::readable;
use super::{Held, OpsError, Outside};
use crate::db::WriteTx;
use crate::domain::coordination::Lock;
use crate::domain::time::Stamp;
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
    let Some(mut known) = locks::find(tx, &meant.id)? else {
        if !row.released && meant.is_live(stamp.secs()) {
            locks::mirror(tx, &meant, &held.keys(), stamp)?;
            changes.added += 1;
        }
        return Ok(());
    };
    if known.scope == row.project && known.scope != meant.scope && known.released_at.is_none() {
        // Met before anybody could say what the name means.
        known = locks::adopt(tx, &known, &meant.scope, &meant.pattern, &held.keys(), stamp)?;
        changes.renewed += 1;
    }
    let same = known.kind == meant.kind
        && known.owner == meant.owner
        && known.scope == meant.scope
        && known.pattern == meant.pattern
        && known.exclusive == meant.exclusive;
    if !same {
        return Err(OpsError::MirrorConflict(known.id));
    }
    if known.released_at.is_some() {
        return Ok(());
    }
    if row.released {
        locks::end(tx, &known, End::Released, Some("released in the other store"), stamp)?;
        changes.ended += 1;
    } else if known.expires_at != meant.expires_at {
        let left = meant.expires_at.map(|at| at.saturating_sub(stamp.secs()));
        locks::renew(tx, &known, left, false, None, stamp)?;
        changes.renewed += 1;
    }
    Ok(())
}

/// As [`read_through`] for a caller who only looks: the locks that would be there, and those that would not any more.
pub(super) fn apply(found: &mut Vec<Lock>, outside: Outside<'_>) {
    for row in outside.theirs {
        if row.released {
            found.retain(|lock| lock.id != row.lock.id);
        } else if found.iter().all(|lock| lock.id != row.lock.id) {
            found.push(Lock { file: Held::as_seen(&row.lock, outside).is_file(), ..row.lock.clone() });
        }
    }
}
