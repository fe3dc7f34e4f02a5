//! Cursors: the number of the last event that each consumer has seen.

use schemars::JsonSchema;
use serde::Serialize;

use crate::app::{CommandContext, Error, Reply};
use crate::db::ReadTx;
use crate::domain::time::Stamp;
use crate::ops::consume::{self, Consumer};
use crate::store::cursor::Cursor;
use crate::store::{self, StoreError};

/// The name of a consumer, and the run whose events it reads.
#[derive(Clone, Debug)]
pub(crate) struct CursorName {
    pub consumer: String,
    /// `None` for the events of all runs.
    pub run_id: Option<String>,
}

impl From<CursorName> for Consumer {
    fn from(name: CursorName) -> Self {
        Self { name: name.consumer, run_id: name.run_id.unwrap_or_default() }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CursorStatus {
    /// The consumer, with `:RUN` after it if the cursor is of one run's events.
    pub scope: String,
    pub consumer: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub run_id: String,
    /// Number of the last event that the consumer has seen.
    pub position: i64,
    pub durable: bool,
    /// Unix seconds; absent if the cursor is durable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    pub expired: bool,
    /// Unix seconds.
    pub updated_at: i64,
}

impl CursorStatus {
    fn new(cursor: Cursor, now: &Stamp) -> Self {
        let expired = consume::has_expired(&cursor, now);
        let scope = if cursor.run_id.is_empty() {
            cursor.consumer.clone()
        } else {
            format!("{}:{}", cursor.consumer, cursor.run_id)
        };
        Self {
            scope,
            consumer: cursor.consumer,
            run_id: cursor.run_id,
            position: cursor.position,
            durable: cursor.durable,
            expires_at: cursor.expires_at,
            expired,
            updated_at: cursor.updated_at,
        }
    }
}

/// Cursors, by consumer and run.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct Cursors(pub Vec<CursorStatus>);

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ConsumerRegistered {
    pub consumer: String,
    pub durable: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CursorReset {
    /// Whether there was a cursor.
    pub reset: bool,
}

/// Reads the name of a consumer: text on one line, of 1 to 200 bytes.
pub(crate) fn consumer_name(text: &str) -> Result<String, String> {
    match text.len() {
        0 => Err("must not be empty".to_owned()),
        1..=200 if text.chars().any(char::is_control) => {
            Err("must not contain control characters".to_owned())
        }
        1..=200 => Ok(text.to_owned()),
        _ => Err("must have at most 200 bytes".to_owned()),
    }
}

/// Returns every cursor.
///
/// # Errors
/// [`Error::Ops`] if the database cannot be read.
pub(crate) fn list(cx: &mut CommandContext) -> Result<Reply<Cursors>, Error> {
    let cursors = cx.read(store::cursor::list)?;
    let status = cursors.into_iter().map(|cursor| CursorStatus::new(cursor, &cx.stamp));
    Ok(Reply::yes(Cursors(status.collect())))
}

/// Returns a cursor.
///
/// # Errors
/// [`Error::Ops`] if the consumer has no cursor, or one that has expired or is ahead of the log.
pub(crate) fn get(cx: &mut CommandContext, name: CursorName) -> Result<Reply<CursorStatus>, Error> {
    let (consumer, stamp) = (Consumer::from(name), cx.stamp.clone());
    let cursor = cx.read(|tx| {
        let cursor = require(tx, &consumer)?;
        consume::position(tx, &consumer, &stamp)?;
        Ok::<_, Error>(cursor)
    })?;
    Ok(Reply::yes(CursorStatus::new(cursor, &stamp)))
}

/// Moves a cursor; backwards only with `force`.
///
/// # Errors
/// [`Error::Ops`] if the log does not reach that far, or the step goes back and is not forced.
pub(crate) fn set(
    cx: &mut CommandContext,
    name: CursorName,
    position: i64,
    force: bool,
) -> Result<Reply<CursorStatus>, Error> {
    let (consumer, stamp) = (Consumer::from(name), cx.stamp.clone());
    let cursor = cx.write(|tx| {
        consume::set(tx, &consumer, position, force, &stamp)?;
        Ok::<_, Error>(require(tx, &consumer)?)
    })?;
    Ok(Reply::yes(CursorStatus::new(cursor, &stamp)))
}

/// Registers a consumer. A known consumer keeps its position, and stays durable.
///
/// # Errors
/// [`Error::Ops`] if the database cannot be used.
pub(crate) fn register(
    cx: &mut CommandContext,
    name: CursorName,
    durable: bool,
) -> Result<Reply<ConsumerRegistered>, Error> {
    let (consumer, stamp) = (Consumer::from(name), cx.stamp.clone());
    let durable = cx.write(|tx| consume::register(tx, &consumer, durable, &stamp))?;
    Ok(Reply::yes(ConsumerRegistered { consumer: consumer.name, durable }))
}

/// Removes a cursor. Without a run, `CONSUMER:RUN` names a cursor of that run's events.
///
/// # Errors
/// [`Error::Ops`] if the database cannot be used.
pub(crate) fn reset(cx: &mut CommandContext, name: CursorName) -> Result<Reply<CursorReset>, Error> {
    let consumer = Consumer::from(name);
    let split = consumer.name.rsplit_once(':').filter(|_| consumer.run_id.is_empty());
    let reset = cx.write(|tx| {
        if store::cursor::remove(tx, &consumer.name, &consumer.run_id)? {
            return Ok(true);
        }
        split.map_or(Ok(false), |(name, run)| store::cursor::remove(tx, name, run))
    })?;
    Ok(Reply::yes(CursorReset { reset }))
}

fn require(tx: &ReadTx<'_>, consumer: &Consumer) -> Result<Cursor, StoreError> {
    consume::find(tx, consumer)?.ok_or_else(|| StoreError::CursorNotFound(consumer.name.clone()))
}
