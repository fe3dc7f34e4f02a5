//! Consumers: the position from which one continues to read the log, and moving it.

use super::OpsError;
use crate::db::{ReadTx, WriteTx};
use crate::domain::time::{Stamp, secs_up};
use crate::store::cursor::Cursor;
use crate::store::{self, StoreError};

/// The time that a cursor that is not durable is kept after a move, in seconds (one day).
pub const KEPT: i64 = 24 * 3600;

/// A consumer of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    pub name: String,
    /// The run whose events it reads; empty for those of all runs.
    pub run_id: String,
}

/// Returns the position of a consumer: the number of the last event that it has seen, 0 for a new one.
///
/// # Errors
/// * [`OpsError::CursorExpired`] if its cursor has expired: starting over would repeat all events.
/// * [`OpsError::CursorAhead`] if it has seen events that the log does not have.
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

/// Checks that the log still has the events up to `position` that were read in `epoch`. Returns the current
/// epoch.
///
/// # Errors
/// [`OpsError::CursorAhead`] if the log was restored from a backup that ends before `position`: the next
/// events have the same numbers as those that were read.
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

/// Moves the consumer forward to `to`, which was read in `epoch`. Never moves it back, because another
/// process may have moved it further under the same name.
///
/// If the log was replaced since by one without these events, the position stays one of the old epoch: the
/// next call fails with `cursor_ahead`, and does not skip the new events with their numbers.
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
            // A caller has set it in the new log on purpose.
            return Ok(());
        }
        let durable = cursor.durable;
        let cursor = Cursor { position: to, epoch: epoch.to_owned(), ..kept(cursor, durable, stamp) };
        return Ok(store::cursor::put(tx, &cursor)?);
    }
    let position = if cursor.position <= known(tx, &cursor.epoch)? { cursor.position.max(to) } else { to };
    store_at(tx, cursor, position, stamp)
}

/// Sets the position of a consumer to `to`.
///
/// # Errors
/// * [`OpsError::CursorAhead`] if the log does not reach that far.
/// * [`OpsError::CursorRewind`] if that is a step back and not `forced`: the events in between would be
///   repeated.
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

/// Registers a consumer. A known consumer keeps its position, also after its cursor has expired, and stays
/// durable if it was. Returns whether it is durable.
pub fn register(
    tx: &WriteTx<'_>,
    consumer: &Consumer,
    durable: bool,
    stamp: &Stamp,
) -> Result<bool, OpsError> {
    let cursor = found_or_new(tx, consumer, stamp)?;
    let durable = durable || cursor.durable;
    // Neither the position nor its epoch changes.
    store::cursor::put(tx, &kept(cursor, durable, stamp))?;
    Ok(durable)
}

/// Returns true if the cursor has expired.
pub fn has_expired(cursor: &Cursor, stamp: &Stamp) -> bool {
    cursor.expires_at.is_some_and(|at| at <= stamp.secs())
}

/// Returns the consumer's cursor. A cursor of a run is as durable as that of the same consumer for all runs.
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

/// Returns the cursor with a new time of expiry.
fn kept(cursor: Cursor, durable: bool, stamp: &Stamp) -> Cursor {
    let expires_at = (!durable).then(|| secs_up(stamp.after(KEPT)));
    Cursor { durable, expires_at, updated_at: stamp.secs(), ..cursor }
}

/// Returns the last event up to which this log is the same as in `epoch`.
fn known(tx: &ReadTx<'_>, epoch: &str) -> Result<i64, StoreError> {
    let head = store::event::head(tx)?.id;
    if epoch == store::event::epoch(tx)? {
        return Ok(head);
    }
    Ok(store::event::parted(tx, epoch)?.map_or(head, |restore| restore - 1))
}
