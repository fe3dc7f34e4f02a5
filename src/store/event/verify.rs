//! Verifying that the log is what was written.

use super::{COLUMNS, Head, fields_of, from_row};
use crate::db::ReadTx;
use crate::domain::chain::{self, Break};
use crate::domain::event::Event;
use crate::params;
use crate::store::StoreError;

/// Walks the whole chain. Returns its head, or the first break.
///
/// # Errors
/// If the database cannot be read.
pub fn verify(tx: &ReadTx<'_>) -> Result<Result<Head, Break>, StoreError> {
    verify_range(tx, 1, i64::MAX)
}

/// Walks the chain from event `from` to event `to`, both included. Returns the number and the hash of the
/// last one, or the first break. The hash of the event before `from` is not verified.
///
/// # Errors
/// If the database cannot be read.
pub fn verify_range(tx: &ReadTx<'_>, from: i64, to: i64) -> Result<Result<Head, Break>, StoreError> {
    let mut head = Head::genesis();
    if from > 1 {
        let before = tx.query_opt("SELECT hash FROM events WHERE id = $1", params![from - 1], |row| {
            Ok::<_, StoreError>(row.get::<String>("hash")?)
        })?;
        match before {
            Some(hash) => head = Head { id: from - 1, hash },
            None => return Ok(Err(Break { id: from - 1, problem: "removed" })),
        }
    }
    let mut broken = None;
    let sql = format!("SELECT {COLUMNS} FROM events WHERE id > $1 AND id <= $2 ORDER BY id");
    tx.for_each(&sql, params![head.id, to], |row| {
        broken = match from_row(row) {
            Ok(event) => match follows(&head, &event) {
                Ok(next) => {
                    head = next;
                    None
                }
                Err(broken) => Some(broken),
            },
            Err(_) => Some(Break { id: head.id + 1, problem: "unreadable" }),
        };
        Ok::<_, StoreError>(broken.is_none())
    })?;
    if from == 1 && broken.is_none() {
        // Numbers below 1 are not in the range above.
        let sql = "SELECT min(id) AS first FROM events WHERE id < 1";
        let first = tx.query_opt(sql, &[], |row| Ok::<_, StoreError>(row.get::<Option<i64>>("first")?))?;
        broken = first.flatten().map(|id| Break { id, problem: "inserted" });
    }
    Ok(broken.map_or(Ok(head), Err))
}

/// Checks that `event` is the one that was written after `head`. Returns the new head.
///
/// # Errors
/// [`Break`] with the reason.
pub fn follows(head: &Head, event: &Event) -> Result<Head, Break> {
    let expected = head.id + 1;
    if event.id > expected {
        return Err(Break { id: expected, problem: "removed" });
    }
    if event.id < expected {
        return Err(Break { id: event.id, problem: "inserted" });
    }
    if chain::link(&head.hash, &fields_of(event)) != event.hash {
        return Err(Break { id: expected, problem: "altered" });
    }
    Ok(Head { id: event.id, hash: event.hash.clone() })
}
