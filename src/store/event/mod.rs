//! The event log: appending, reading, verifying, counting.

mod read;
mod stats;
mod verify;

use std::fmt;

use serde_json::{Map, Value as Json};

use super::StoreError;
use crate::db::{ReadTx, Row, WriteTx};
use crate::domain::chain::{self, Fields, GENESIS};
use crate::domain::event::{Event, NewEvent, Origin, Source};
use crate::domain::ids::RunId;
use crate::domain::time::Stamp;
use crate::params;

pub use read::{Filter, first_of_run, for_each, last_move, list};
pub use stats::stats;
pub use verify::{follows, verify, verify_range};

const COLUMNS: &str =
    "id, at_ms, origin, run_id, source, type, subject, from_state, to_state, reason, data, envelope, hash";

/// The end of the log: the number and the hash of its last event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The number of the last event, 0 for an empty log.
    pub id: i64,
    pub hash: String,
}

impl Head {
    /// Returns the end of an empty log.
    pub fn genesis() -> Self {
        Self { id: 0, hash: GENESIS.to_owned() }
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.id, self.hash)
    }
}

/// Appends an event of the kernel. Returns its number, which is the last one plus one, determined under the
/// write lock.
pub fn append(tx: &WriteTx<'_>, event: &NewEvent, stamp: &Stamp) -> Result<i64, StoreError> {
    append_as(tx, Origin::Kernel, event, stamp)
}

/// Does the same as [`append`], for an event of any origin.
pub fn append_as(
    tx: &WriteTx<'_>,
    origin: Origin,
    event: &NewEvent,
    stamp: &Stamp,
) -> Result<i64, StoreError> {
    let head = head(tx)?;
    let mut event = Event {
        id: head.id + 1,
        at_ms: stamp.millis(),
        origin,
        run_id: event.run_id.clone(),
        source: event.source.clone(),
        kind: event.kind.clone(),
        subject: event.subject.clone(),
        from: event.from.clone(),
        to: event.to.clone(),
        reason: event.reason.clone(),
        data: text(&event.data),
        envelope: text(&event.envelope),
        hash: String::new(),
    };
    event.hash = chain::link(&head.hash, &fields_of(&event));
    insert(tx, &event)?;
    Ok(event.id)
}

/// Appends an event exactly as it was written elsewhere, with its hash.
///
/// # Errors
/// [`StoreError::ChainBroken`] if it does not follow the last one; also errors of the database.
pub fn append_verbatim(tx: &WriteTx<'_>, event: &Event, head: &Head) -> Result<Head, StoreError> {
    let next = verify::follows(head, event).map_err(StoreError::ChainBroken)?;
    insert(tx, event)?;
    Ok(next)
}

fn insert(tx: &WriteTx<'_>, event: &Event) -> Result<(), StoreError> {
    let sql = format!(
        "INSERT INTO events ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
    );
    let values = params![
        event.id,
        event.at_ms,
        event.origin,
        event.run_id,
        event.source,
        event.kind,
        event.subject,
        event.from,
        event.to,
        event.reason,
        event.data,
        event.envelope,
        event.hash,
    ];
    tx.execute(&sql, values)?;
    tx.note_event();
    Ok(())
}

fn text(map: &Map<String, Json>) -> Option<String> {
    (!map.is_empty()).then(|| serde_json::Value::from(map.clone()).to_string())
}

/// Returns the end of the log.
pub fn head(tx: &ReadTx<'_>) -> Result<Head, StoreError> {
    let last = tx.query_opt("SELECT id, hash FROM events ORDER BY id DESC LIMIT 1", &[], |row| {
        Ok::<_, StoreError>(Head { id: row.get("id")?, hash: row.get("hash")? })
    })?;
    Ok(last.unwrap_or_else(Head::genesis))
}

/// Returns the identity of the log: the hash of its last restore, or an empty text.
pub fn epoch(tx: &ReadTx<'_>) -> Result<String, StoreError> {
    let sql = "SELECT hash FROM events WHERE source = $1 AND type = $2 ORDER BY id DESC LIMIT 1";
    let last = tx.query_opt(sql, params![Source::LOG, "restore".to_owned()], |row| {
        Ok::<_, StoreError>(row.get("hash")?)
    })?;
    Ok(last.unwrap_or_default())
}

/// Returns the number of the first restore after `epoch`, if there was one: from there on this log differs
/// from the one that was read then. For an unknown epoch, that is the first restore of all.
pub fn parted(tx: &ReadTx<'_>, epoch: &str) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT id, hash FROM events WHERE source = $1 AND type = $2 ORDER BY id";
    let restores = tx.query(sql, params![Source::LOG, "restore".to_owned()], |row| {
        Ok::<_, StoreError>((row.get::<i64>("id")?, row.get::<String>("hash")?))
    })?;
    let known = restores.iter().position(|(_, hash)| hash == epoch);
    Ok(restores.get(known.map_or(0, |at| at + 1)).map(|(id, _)| *id))
}

/// Returns an event by its number.
///
/// # Errors
/// [`StoreError::EventNotFound`] if there is none.
pub fn get(tx: &ReadTx<'_>, id: i64) -> Result<Event, StoreError> {
    tx.query_opt(&format!("SELECT {COLUMNS} FROM events WHERE id = $1"), params![id], from_row)?
        .ok_or(StoreError::EventNotFound(id))
}

/// Returns the fields that the chain covers.
fn fields_of(event: &Event) -> Fields<'_> {
    Fields {
        id: event.id,
        at_ms: event.at_ms,
        origin: event.origin.as_str(),
        run_id: event.run_id.as_ref().map(RunId::as_str),
        source: event.source.as_str(),
        kind: &event.kind,
        subject: &event.subject,
        from: &event.from,
        to: &event.to,
        reason: event.reason.as_deref(),
        data: event.data.as_deref(),
        envelope: event.envelope.as_deref(),
    }
}

fn from_row(row: &Row) -> Result<Event, StoreError> {
    Ok(Event {
        id: row.get("id")?,
        at_ms: row.get("at_ms")?,
        origin: row.get("origin")?,
        run_id: row.get("run_id")?,
        source: row.get("source")?,
        kind: row.get("type")?,
        subject: row.get("subject")?,
        from: row.get("from_state")?,
        to: row.get("to_state")?,
        reason: row.get("reason")?,
        data: row.get("data")?,
        envelope: row.get("envelope")?,
        hash: row.get("hash")?,
    })
}
