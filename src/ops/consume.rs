//! Consumers: where one goes on reading the log, and moving on.

use super::OpsError;
use crate::db::{ReadTx, WriteTx};
use crate::domain::time::{Stamp, secs_up};
use crate::store::cursor::Cursor;
use crate::store::{self, StoreError};

/// How long a cursor that is not durable is kept after it was moved, in seconds: a day.
pub const KEPT: i64 = 24 * 3600;

/// Who reads, and whose events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    pub name: String,
    /// The run whose events it reads; empty for those of all runs.
    pub run_id: String,
}

/// Returns where the consumer goes on: the number of the last event that it has seen, 0 for a new one.
///
/// # Errors
/// * [`OpsError::CursorExpired`] if it was away for too long: going on at the start would tell it everything
///   again.
/// * [`OpsError::CursorAhead`] if it has seen events that the log does not have any more.
pub fn position(tx: &ReadTx<'_>, consumer: &Consumer, stamp: &Stamp) -> Result<i64, OpsError> {
    let Some(cursor) = find(tx, consumer)? else { return Ok(0) };
    if has_expired(&cursor, stamp) {
        return Err(OpsError::CursorExpired { consumer: consumer.name.clone(), position: cursor.position });
    }
    let known = known(tx, &cursor.epoch)?;
    if cursor.position > known {
        return Err(OpsError::CursorAhead { position: cursor.position, known });
    }
    Ok(cursor.position)
}

/// Holds that the log still has all that was read of it up to `position`, when it was the one of `epoch`.
/// Returns which one it is now.
///
/// # Errors
/// [`OpsError::CursorAhead`] if the log was restored from a backup that does not reach that far: what comes
/// now under the numbers that were read are other events.
pub fn go_on(tx: &ReadTx<'_>, position: i64, epoch: &str) -> Result<String, OpsError> {
    let now = store::event::epoch(tx)?;
    if now != epoch {
        let known = known(tx, epoch)?;
        if position > known {
            return Err(OpsError::CursorAhead { position, known });
        }
    }
    Ok(now)
}

/// Refuses a position that the log does not have.
///
/// # Errors
/// [`OpsError::CursorAhead`].
pub fn require_known(tx: &ReadTx<'_>, position: i64) -> Result<(), OpsError> {
    let head = store::event::head(tx)?.id;
    if position > head { Err(OpsError::CursorAhead { position, known: head }) } else { Ok(()) }
}

/// Moves the consumer on to `to`, which was read when the log was the one of `epoch`; and never back: another
/// process may have come further under the same name.
///
/// If the log was replaced since by one without these events, they stay events of the old one: the consumer's
/// next call is told that it is ahead, instead of skipping what comes under their numbers.
pub fn advance(
    tx: &WriteTx<'_>,
    consumer: &Consumer,
    to: i64,
    epoch: &str,
    stamp: &Stamp,
) -> Result<(), OpsError> {
    let cursor = found_or_new(tx, consumer, stamp)?;
    let now = store::event::epoch(tx)?;
    if now != epoch && to > known(tx, epoch)? {
        if find(tx, consumer)?.is_some_and(|cursor| cursor.epoch == now) {
            // Somebody has put it into the new log on purpose.
            return Ok(());
        }
        let durable = cursor.durable;
        let cursor = Cursor { position: to, epoch: epoch.to_owned(), ..kept(cursor, durable, stamp) };
        return Ok(store::cursor::put(tx, &cursor)?);
    }
    let position = if cursor.position <= known(tx, &cursor.epoch)? { cursor.position.max(to) } else { to };
    store_at(tx, cursor, position, stamp)
}

/// Puts the consumer at `to`, on request.
///
/// # Errors
/// * [`OpsError::CursorAhead`] if the log does not reach that far.
/// * [`OpsError::CursorRewind`] if that is a step back and not `forced`: what lies between would be told
///   again.
pub fn set(
    tx: &WriteTx<'_>,
    consumer: &Consumer,
    to: i64,
    forced: bool,
    stamp: &Stamp,
) -> Result<(), OpsError> {
    require_known(tx, to)?;
    let cursor = found_or_new(tx, consumer, stamp)?;
    if to < cursor.position && !forced {
        return Err(OpsError::CursorRewind { from: cursor.position, to });
    }
    store_at(tx, cursor, to, stamp)
}

/// Makes a consumer known. One that is known keeps its position, and its place if it is durable; one whose
/// time was over goes on where it stopped. Returns whether it is durable.
pub fn register(
    tx: &WriteTx<'_>,
    consumer: &Consumer,
    durable: bool,
    stamp: &Stamp,
) -> Result<bool, OpsError> {
    let cursor = found_or_new(tx, consumer, stamp)?;
    let durable = durable || cursor.durable;
    // Neither the position nor which log it is from changes.
    store::cursor::put(tx, &kept(cursor, durable, stamp))?;
    Ok(durable)
}

/// Returns true if the cursor's time is over.
pub fn has_expired(cursor: &Cursor, stamp: &Stamp) -> bool {
    cursor.expires_at.is_some_and(|at| at <= stamp.secs())
}

/// Returns the consumer's cursor. One of a run's events is as durable as the same consumer's for all runs.
pub fn find(tx: &ReadTx<'_>, consumer: &Consumer) -> Result<Option<Cursor>, StoreError> {
    let Some(cursor) = store::cursor::find(tx, &consumer.name, &consumer.run_id)? else { return Ok(None) };
    if !cursor.durable && is_durable(tx, consumer)? {
        return Ok(Some(Cursor { durable: true, expires_at: None, ..cursor }));
    }
    Ok(Some(cursor))
}

fn is_durable(tx: &ReadTx<'_>, consumer: &Consumer) -> Result<bool, StoreError> {
    if consumer.run_id.is_empty() {
        return Ok(false);
    }
    Ok(store::cursor::find(tx, &consumer.name, "")?.is_some_and(|general| general.durable))
}

fn found_or_new(tx: &ReadTx<'_>, consumer: &Consumer, stamp: &Stamp) -> Result<Cursor, StoreError> {
    if let Some(cursor) = find(tx, consumer)? {
        return Ok(cursor);
    }
    Ok(Cursor {
        consumer: consumer.name.clone(),
        run_id: consumer.run_id.clone(),
        position: 0,
        epoch: store::event::epoch(tx)?,
        durable: is_durable(tx, consumer)?,
        expires_at: None,
        updated_at: stamp.secs(),
    })
}

fn store_at(tx: &WriteTx<'_>, cursor: Cursor, position: i64, stamp: &Stamp) -> Result<(), OpsError> {
    let epoch = store::event::epoch(tx)?;
    let durable = cursor.durable;
    Ok(store::cursor::put(tx, &Cursor { position, epoch, ..kept(cursor, durable, stamp) })?)
}

/// Returns the cursor with its time begun anew.
fn kept(cursor: Cursor, durable: bool, stamp: &Stamp) -> Cursor {
    let expires_at = (!durable).then(|| secs_up(stamp.after(KEPT)));
    Cursor { durable, expires_at, updated_at: stamp.secs(), ..cursor }
}

/// Returns how far this log is the one that it was in `epoch`.
fn known(tx: &ReadTx<'_>, epoch: &str) -> Result<i64, StoreError> {
    let head = store::event::head(tx)?.id;
    if epoch == store::event::epoch(tx)? {
        return Ok(head);
    }
    Ok(store::event::parted(tx, epoch)?.map_or(head, |restore| restore - 1))
}
