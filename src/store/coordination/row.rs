//! Reading rows that other programs may have written, with any content in any cell. A cell that cannot be
//! understood is read as all that it may mean, and is recorded.

use crate::db::{Column, Row, Value};
use crate::domain::coordination::{Lock, LockKind, Unreadable};
use crate::domain::text::escaped;
use crate::store::{StoreError, cells};

/// A row, and its cells that could not be understood so far.
pub(super) struct Reader<'a> {
    row: &'a Row,
    /// By the names of our columns.
    pub(super) unreadable: Vec<Unreadable>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(row: &'a Row) -> Self {
        Self { row, unreadable: Vec::new() }
    }

    /// Returns the text in the cell `from`, which corresponds to our column `column`. Bytes that are not
    /// UTF-8 are escaped.
    pub(super) fn text_from(&mut self, from: &str, column: &'static str) -> Result<String, StoreError> {
        let bytes = match self.row.cell(from)? {
            Value::Text(text) => return Ok(text.clone()),
            Value::Bytes(bytes) => match String::from_utf8(bytes.clone()) {
                Ok(text) => return Ok(text),
                Err(err) => err.into_bytes(),
            },
            // Not a text: stored as one that cannot be read either.
            _ => vec![0xff],
        };
        let text = escaped(&bytes);
        self.unreadable.push(Unreadable { column, bytes });
        Ok(text)
    }

    fn text(&mut self, column: &'static str) -> Result<String, StoreError> {
        self.text_from(column, column)
    }

    pub(super) fn optional_text(&mut self, column: &'static str) -> Result<Option<String>, StoreError> {
        if *self.row.cell(column)? == Value::Null { Ok(None) } else { self.text(column).map(Some) }
    }

    /// Returns the content of a cell, or the widest meaning that it may have.
    pub(super) fn get<T: Column>(&mut self, column: &'static str, at_most: T) -> Result<T, StoreError> {
        let cell = self.row.cell(column)?;
        Ok(T::decode(cell).unwrap_or_else(|_| {
            let bytes = match cell {
                Value::Text(text) => text.clone().into_bytes(),
                Value::Bytes(bytes) => bytes.clone(),
                _ => Vec::new(),
            };
            self.unreadable.push(Unreadable { column, bytes });
            at_most
        }))
    }
}

/// Returns a row of `coordination_locks`.
pub(super) fn lock(row: &Row) -> Result<Lock, StoreError> {
    let mut read = Reader::new(row);
    let (id, owner) = (read.text("id")?, read.text("owner")?);
    let kind = read.get("type", LockKind::FileReservation)?;
    let (scope, pattern) = (read.text("scope")?, read.text("pattern")?);
    let created_at = read.get("created_at", 0)?;
    let mirrored = read.get("mirrored", None::<bool>)?.unwrap_or(false);
    let expires_at = read.get("expires_at", None)?;
    if mirrored && expires_at.is_none() {
        // Each row of the other program has an end, which could not be read.
        read.unreadable.push(Unreadable { column: "expires_at", bytes: Vec::new() });
    }
    let process = cells::process_of(row).unwrap_or_else(|_| {
        read.unreadable.push(Unreadable { column: "pid", bytes: Vec::new() });
        None
    });
    Ok(Lock {
        id,
        kind,
        owner,
        scope,
        pattern,
        file: read.get("suffix_key", None::<String>)?.is_some_and(|key| !key.is_empty()),
        exclusive: read.get("exclusive", true)?,
        reason: read.optional_text("reason")?,
        ttl_seconds: read.get("ttl_seconds", None)?,
        created_at,
        expires_at,
        expires_at_ms: read.get("expires_at_ms", None)?,
        // The queries leave out released rows.
        released_at: read.get("released_at", Some(created_at))?,
        dispatch_id: read.optional_text("dispatch_id")?,
        run_id: read.optional_text("run_id")?,
        fence: read.get("fence", 0)?,
        process,
        mirrored,
        automatic: read.get("automatic", None::<bool>)?.unwrap_or(false),
        unreadable: read.unreadable,
    })
}

/// Returns the cell for a text column of a lock, as it is stored.
pub(super) fn stored(lock: &Lock, column: &str, text: &str) -> Value {
    match lock.unreadable(column) {
        Some(found) if !found.bytes.is_empty() => Value::Bytes(found.bytes.clone()),
        _ => Value::Text(text.to_owned()),
    }
}

/// Returns the cell by which the row of a lock is found.
pub(super) fn key(lock: &Lock) -> Value {
    stored(lock, "id", &lock.id)
}
