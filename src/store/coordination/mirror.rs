//! Reservations as another program keeps them in a file of its own, `file_reservations`.

use super::row::Reader;
use crate::db::{ReadTx, Row, Value};
use crate::domain::coordination::Unreadable;
use crate::params;
use crate::store::StoreError;

/// A reservation of the other program whose time is not over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirrored {
    /// Identifier there, and here.
    pub id: String,
    pub owner: String,
    /// What the other program calls the scope.
    pub project: String,
    /// What is held.
    pub pattern: String,
    /// Whether no other owner may hold what overlaps.
    pub exclusive: bool,
    /// Why.
    pub reason: Option<String>,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub expires_at: String,
    /// Whether it was given back before its time.
    pub released: bool,
    /// What of it cannot be understood, by the names of our columns.
    pub unreadable: Vec<Unreadable>,
}

/// Returns the reservations whose time ends after `since` (RFC 3339, whole seconds, UTC), oldest first; also
/// those that were given back before, and those whose time is no date.
///
/// # Errors
/// Errors of the database: no such table, say.
pub fn reservations(peer: &ReadTx<'_>, since: &str) -> Result<Vec<Mirrored>, StoreError> {
    // Times are texts of one form up to their seconds, so that they compare as what they mean.
    let sql = "SELECT id, agent_id, project, path_pattern, exclusive, reason, created_at, expires_at, released_at \
               FROM file_reservations WHERE expires_at >= $1 OR expires_at IS NULL \
               OR expires_at NOT LIKE '____-__-__%' ORDER BY created_at, id";
    peer.query(sql, params![since.to_owned()], |row: &Row| {
        let mut read = Reader::new(row);
        // What they say of times is read by the caller.
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
