//! Is the log what was written? (K-17)

use std::fmt;

use super::{COLUMNS, Head, fields_of, from_row};
use crate::db::ReadTx;
use crate::domain::chain;
use crate::domain::event::Event;
use crate::params;
use crate::store::StoreError;

/// The first place where the log is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    /// Number of the first event that is altered, missing or inserted.
    pub id: i64,
    /// What is wrong there.
    pub problem: &'static str,
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event {}: {}", self.id, self.problem)
    }
}

/// Walks the whole chain; answers its head, or the first break (K-17).
///
/// # Errors
/// What the engine says.
pub fn verify(tx: &ReadTx<'_>) -> Result<Result<Head, Break>, StoreError> {
    verify_range(tx, 1, i64::MAX)
}

/// Walks the chain from event `from` to event `to`, both included; answers the last one's number and hash, or the first
/// break. The event before `from` is taken at its word.
///
/// # Errors
/// What the engine says.
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
        // Numbers below the first are not in the range above.
        let sql = "SELECT min(id) AS first FROM events WHERE id < 1";
        let first = tx.query_opt(sql, &[], |row| Ok::<_, StoreError>(row.get::<Option<i64>>("first")?))?;
        broken = first.flatten().map(|id| Break { id, problem: "inserted" });
    }
    Ok(broken.map_or(Ok(head), Err))
}

/// Checks that `event` is the one that was written after `head`; answers the head with it.
///
/// # Errors
/// [`Break`] saying what is wrong with it.
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
