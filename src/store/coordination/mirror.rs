//! Reservations of another program, in the table `file_reservations` of its own file.

use super::row::Reader;
use crate::db::{ReadTx, Row, Value};
use crate::domain::coordination::Unreadable;
use crate::params;
use crate::store::StoreError;

/// A reservation of the other program that has not expired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirrored {
    /// Its identifier there and here.
    pub id: String,
    pub owner: String,
    /// The other program's name for the scope.
    pub project: String,
    /// The path pattern.
    pub pattern: String,
    /// Whether no other owner may hold an overlapping lock.
    pub exclusive: bool,
    pub reason: Option<String>,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub expires_at: String,
    /// Whether it was released early.
    pub released: bool,
    /// The cells that cannot be understood, by the names of our columns.
    pub unreadable: Vec<Unreadable>,
}

/// Returns the reservations that end after `since` (RFC 3339, whole seconds, UTC), oldest first. Also those
/// that were released early, and those whose end is not a date.
///
/// # Errors
/// Errors of the database, for instance if there is no such table.
pub fn reservations(peer: &ReadTx<'_>, since: &str) -> Result<Vec<Mirrored>, StoreError> {
    // Times are texts of one form up to their seconds, so that they sort by time.
    let sql = "SELECT id, agent_id, project, path_pattern, exclusive, reason, created_at, expires_at, released_at \
               FROM file_reservations WHERE expires_at >= $1 OR expires_at IS NULL \
               OR expires_at NOT LIKE '____-__-__%' ORDER BY created_at, id";
    peer.query(sql, params![since.to_owned()], |row: &Row| {
        let mut read = Reader::new(row);
        // The caller reads the times.
        let time = |column: &str| row.get::<String>(column).unwrap_or_default();
        Ok(Mirrored {
            id: read.text_from("id", "id")?,
            owner: read.text_from("agent_id", "owner")?,
            project: read.text_from("project", "scope")?,
            pattern: read.text_from("path_pattern", "pattern")?,
            exclusive: read.get("exclusive", true)?,
            reason: read.optional_text("reason")?,
            created_at: time("created_at"),
            expires_at: time("expires_at"),
            released: *row.cell("released_at")? != Value::Null,
            unreadable: read.unreadable,
        })
    })
}
