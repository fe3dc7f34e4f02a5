//! The migration runner: numbered files, applied in order inside the write lock, each exactly once (K-10).

use super::error::DbError;
use super::sqlite::Conn;

/// One step of the schema.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// The version that the file brings the schema to.
    pub version: i64,
    /// The file's name without number and ending.
    pub name: &'static str,
    /// Its content.
    pub sql: &'static str,
}

macro_rules! migrations {
    ($($version:literal $name:literal),+ $(,)?) => {
        &[$(Migration {
            version: $version,
            name: $name,
            sql: include_str!(concat!("../../migrations/sqlite/", $version, "_", $name, ".sql")),
        },)+]
    };
}

/// Every shipped migration, oldest first. Forward only; a file is never edited once shipped.
pub const MIGRATIONS: &[Migration] = migrations![1001 "kernel", 1002 "state", 1003 "cursors", 1004 "locks", 1005 "dispatch", 1006 "coordination", 1007 "intents", 1008 "waiters", 1009 "routing", 1010 "leases"];

/// The schema version that this program needs.
pub fn newest() -> i64 {
    MIGRATIONS.last().map_or(0, |migration| migration.version)
}

/// Applies what is newer than `found`. The caller holds the write lock, and took it before reading `found`: reading
/// first is how two processes apply the same step.
///
/// # Errors
/// What the engine says, with the step named.
pub(super) fn apply(conn: &Conn, migrations: &[Migration], found: i64) -> Result<(), DbError> {
    for migration in migrations.iter().filter(|migration| migration.version > found) {
        conn.batch(migration.sql).map_err(|err| match err {
            DbError::Engine(said) => {
                DbError::Engine(format!("migration {}_{}: {said}", migration.version, migration.name))
            }
            other => other,
        })?;
        conn.set_pragma("user_version", migration.version)?;
    }
    Ok(())
}
