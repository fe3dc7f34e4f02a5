//! Reservations as another program keeps them in a file of its own, `file_reservations` (CO-11).

use crate::db::{ReadTx, Row};
use crate::params;
use crate::store::StoreError;

/// A reservation of the other program whose time is not over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirrored {
    /// Identifier there, and here.
    pub id: String,
    /// Whose.
    pub owner: String,
    /// What the other program calls the scope.
    pub project: String,
    /// What is held.
    pub pattern: String,
    /// Whether nobody else may.
    pub exclusive: bool,
    /// Why.
    pub reason: Option<String>,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub expires_at: String,
    /// Whether it was given back before its time.
    pub released: bool,
}

/// The reservations whose time ends after `since` (RFC 3339, whole seconds, UTC), oldest first; also those that were given
/// back before.
///
/// # Errors
/// What the engine says: no such table, say.
pub fn reservations(peer: &ReadTx<'_>, since: &str) -> Result<Vec<Mirrored>, StoreError> {
    // Times are texts of one form up to their seconds, so that they compare as what they mean.
    let sql = "SELECT id, agent_id, project, path_pattern, exclusive, reason, created_at, expires_at, released_at \
               FROM file_reservations WHERE expires_at >= $1 ORDER BY created_at, id";
    peer.query(sql, params![since.to_owned()], |row: &Row| {
        Ok(Mirrored {
            id: row.get("id")?,
            owner: row.get("agent_id")?,
            project: row.get("project")?,
            pattern: row.get("path_pattern")?,
            exclusive: row.get("exclusive")?,
            reason: row.get("reason")?,
            created_at: row.get("created_at")?,
            expires_at: row.get("expires_at")?,
            released: row.get::<Option<String>>("released_at")?.is_some(),
        })
    })
}
