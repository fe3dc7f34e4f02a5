//! Cursors: the position of each consumer in the event log.

use super::StoreError;
use super::quiet::{self, Quiet};
use crate::db::{ReadTx, Row, WriteTx};
use crate::params;

const COLUMNS: &str = "consumer, run_id, position, epoch, durable, expires_at, updated_at";

/// The position of one consumer, in the events of one run or of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub consumer: String,
    /// Empty for the events of all runs.
    pub run_id: String,
    /// The number of the last event that was read.
    pub position: i64,
    /// The [`epoch`] of the log at that time.
    pub epoch: String,
    /// Whether it stays until it is reset.
    pub durable: bool,
    /// When it expires otherwise, in Unix seconds.
    pub expires_at: Option<i64>,
    /// In Unix seconds.
    pub updated_at: i64,
}

/// Returns every cursor, by consumer and run.
pub fn list(tx: &ReadTx<'_>) -> Result<Vec<Cursor>, StoreError> {
    tx.query(&format!("SELECT {COLUMNS} FROM event_cursors ORDER BY consumer, run_id"), &[], from_row)
}

/// Returns a cursor, if there is one.
pub fn find(tx: &ReadTx<'_>, consumer: &str, run_id: &str) -> Result<Option<Cursor>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM event_cursors WHERE consumer = $1 AND run_id = $2");
    tx.query_opt(&sql, params![consumer.to_owned(), run_id.to_owned()], from_row)
}

/// Stores a cursor, replacing that of the same consumer and run.
pub fn put(tx: &WriteTx<'_>, cursor: &Cursor) -> Result<(), StoreError> {
    let sql = format!(
        "INSERT INTO event_cursors ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (consumer, run_id) DO UPDATE SET position = excluded.position, epoch = excluded.epoch, \
         durable = excluded.durable, expires_at = excluded.expires_at, updated_at = excluded.updated_at"
    );
    let values = params![
        cursor.consumer,
        cursor.run_id,
        cursor.position,
        cursor.epoch,
        cursor.durable,
        cursor.expires_at,
        cursor.updated_at,
    ];
    quiet::execute(tx, Quiet::Cursors, &sql, values).map(drop)
}

/// Removes a cursor. Returns whether there was one.
pub fn remove(tx: &WriteTx<'_>, consumer: &str, run_id: &str) -> Result<bool, StoreError> {
    let sql = "DELETE FROM event_cursors WHERE consumer = $1 AND run_id = $2";
    Ok(quiet::execute(tx, Quiet::Cursors, sql, params![consumer.to_owned(), run_id.to_owned()])? > 0)
}

/// Replaces all cursors.
pub fn replace_all(tx: &WriteTx<'_>, cursors: &[Cursor]) -> Result<(), StoreError> {
    quiet::execute(tx, Quiet::Cursors, "DELETE FROM event_cursors", &[])?;
    cursors.iter().try_for_each(|cursor| put(tx, cursor))
}

fn from_row(row: &Row) -> Result<Cursor, StoreError> {
    Ok(Cursor {
        consumer: row.get("consumer")?,
        run_id: row.get("run_id")?,
        position: row.get("position")?,
        epoch: row.get("epoch")?,
        durable: row.get("durable")?,
        expires_at: row.get("expires_at")?,
        updated_at: row.get("updated_at")?,
    })
}
