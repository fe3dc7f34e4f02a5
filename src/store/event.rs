//! The event log: append, read, verify.

use std::fmt;

use serde_json::{Map, Value as Json};

use super::StoreError;
use crate::db::{ReadTx, Row, Value, WriteTx};
use crate::domain::chain::{self, Fields, GENESIS};
use crate::domain::event::{Event, NewEvent, Origin, Source};
use crate::domain::ids::RunId;
use crate::domain::time::Stamp;
use crate::params;

const COLUMNS: &str =
    "id, at_ms, origin, run_id, source, type, subject, from_state, to_state, reason, data, envelope, hash";

/// Which events to read: all conditions hold together.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only this run's.
    pub run_id: Option<RunId>,
    /// Only of this source.
    pub source: Option<Source>,
    /// Only of this type.
    pub kind: Option<String>,
    /// Only with a greater number.
    pub since: i64,
    /// At most so many.
    pub limit: Option<i64>,
}

/// The end of the log: its last event's number and hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Number of the last event, 0 for an empty log.
    pub id: i64,
    /// Its hash.
    pub hash: String,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.id, self.hash)
    }
}

/// Appends an event of the kernel and answers its number (K-03: the last number plus one, drawn under the write lock).
///
/// # Errors
/// What the engine says.
pub fn append(tx: &WriteTx<'_>, event: &NewEvent, stamp: &Stamp) -> Result<i64, StoreError> {
    append_as(tx, Origin::Kernel, event, stamp)
}

/// As [`append`], for an event that somebody else may have written.
///
/// # Errors
/// What the engine says.
pub fn append_as(
    tx: &WriteTx<'_>,
    origin: Origin,
    event: &NewEvent,
    stamp: &Stamp,
) -> Result<i64, StoreError> {
    let head = head(tx)?;
    let data = text(&event.data);
    let envelope = text(&event.envelope);
    let fields = Fields {
        id: head.id + 1,
        at_ms: stamp.millis(),
        origin: origin.as_str(),
        run_id: event.run_id.as_ref().map(RunId::as_str),
        source: event.source.as_str(),
        kind: &event.kind,
        subject: &event.subject,
        from: &event.from,
        to: &event.to,
        reason: event.reason.as_deref(),
        data: data.as_deref(),
        envelope: envelope.as_deref(),
    };
    let hash = chain::link(&head.hash, &fields);
    let sql = format!(
        "INSERT INTO events ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
    );
    let id = fields.id;
    tx.execute(
        &sql,
        params![
            id,
            fields.at_ms,
            origin,
            event.run_id,
            event.source,
            event.kind,
            event.subject,
            event.from,
            event.to,
            event.reason,
            data,
            envelope,
            hash,
        ],
    )?;
    tx.note_event();
    Ok(id)
}

fn text(map: &Map<String, Json>) -> Option<String> {
    (!map.is_empty()).then(|| serde_json::Value::from(map.clone()).to_string())
}

/// The end of the log.
///
/// # Errors
/// What the engine says.
pub fn head(tx: &ReadTx<'_>) -> Result<Head, StoreError> {
    let last = tx.query_opt("SELECT id, hash FROM events ORDER BY id DESC LIMIT 1", &[], |row| {
        Ok::<_, StoreError>(Head { id: row.get("id")?, hash: row.get("hash")? })
    })?;
    Ok(last.unwrap_or(Head { id: 0, hash: GENESIS.to_owned() }))
}

/// One event.
///
/// # Errors
/// [`StoreError::EventNotFound`] if there is none with this number.
pub fn get(tx: &ReadTx<'_>, id: i64) -> Result<Event, StoreError> {
    tx.query_opt(&format!("SELECT {COLUMNS} FROM events WHERE id = $1"), params![id], from_row)?
        .ok_or(StoreError::EventNotFound(id))
}

/// Hands the matching events to `each`, in order of their numbers, one at a time; `each` says whether to go on.
///
/// # Errors
/// What `each` returns, or what the engine says.
pub fn for_each<E: From<StoreError> + From<crate::db::DbError>>(
    tx: &ReadTx<'_>,
    filter: &Filter,
    mut each: impl FnMut(Event) -> Result<bool, E>,
) -> Result<(), E> {
    let mut sql = format!("SELECT {COLUMNS} FROM events WHERE id > $1");
    let mut values: Vec<Value> = params![filter.since].to_vec();
    let mut and = |clause: &str, value: Value| {
        values.push(value);
        sql.push_str(&clause.replace("$n", &format!("${}", values.len())));
    };
    if let Some(run_id) = &filter.run_id {
        and(" AND run_id = $n", crate::db::Column::encode(run_id));
    }
    if let Some(source) = &filter.source {
        // Where a run is given its index is the better one: the unary plus keeps the other out of the plan.
        let clause = if filter.run_id.is_some() { " AND source || '' = $n" } else { " AND source = $n" };
        and(clause, crate::db::Column::encode(source));
    }
    if let Some(kind) = &filter.kind {
        and(" AND type = $n", crate::db::Column::encode(kind));
    }
    sql.push_str(" ORDER BY id");
    if let Some(limit) = filter.limit {
        values.push(Value::Int(limit));
        sql.push_str(" LIMIT $");
        sql.push_str(&values.len().to_string());
    }
    tx.for_each(&sql, &values, |row| each(from_row(row)?))
}

/// The matching events.
///
/// # Errors
/// What the engine says.
pub fn list(tx: &ReadTx<'_>, filter: &Filter) -> Result<Vec<Event>, StoreError> {
    let mut events = Vec::new();
    for_each(tx, filter, |event| {
        events.push(event);
        Ok::<_, StoreError>(true)
    })?;
    Ok(events)
}

/// The first place where the log is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    /// Number of the first event that is altered, missing or inserted.
    pub id: i64,
    /// What is wrong there.
    pub problem: &'static str,
}

/// Walks the whole chain; answers its head, or the first break (K-17).
///
/// # Errors
/// What the engine says.
pub fn verify(tx: &ReadTx<'_>) -> Result<Result<Head, Break>, StoreError> {
    let mut head = Head { id: 0, hash: GENESIS.to_owned() };
    let mut broken = None;
    tx.for_each(&format!("SELECT {COLUMNS} FROM events ORDER BY id"), &[], |row| {
        let expected = head.id + 1;
        broken = match from_row(row) {
            Ok(event) if event.id > expected => Some(Break { id: expected, problem: "removed" }),
            Ok(event) if event.id < expected => Some(Break { id: event.id, problem: "inserted" }),
            Ok(event) if chain::link(&head.hash, &fields_of(&event)) != event.hash => {
                Some(Break { id: expected, problem: "altered" })
            }
            Ok(event) => {
                head = Head { id: event.id, hash: event.hash };
                None
            }
            Err(_) => Some(Break { id: expected, problem: "unreadable" }),
        };
        Ok::<_, StoreError>(broken.is_none())
    })?;
    Ok(broken.map_or(Ok(head), Err))
}

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
