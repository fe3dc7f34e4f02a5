//! The migration runner: numbered files, applied in order inside the write lock, each exactly once.

use super::error::DbError;
use super::sqlite::Conn;

/// One step of the schema.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// The version that the file brings the schema to.
    pub version: i64,
    /// The file's name without number and extension.
    pub name: &'static str,
    /// The content of the file.
    pub sql: &'static str,
    /// Whether it only creates tables and indexes and adds columns, so that a file without it can be read as
    /// if those were there and empty, and the first command that writes may apply it.
    pub additive: bool,
}

macro_rules! migrations {
    ($($version:literal $name:literal additive: $additive:literal),+ $(,)?) => {
        &[$(Migration {
            version: $version,
            name: $name,
            sql: include_str!(concat!("../../migrations/sqlite/", $version, "_", $name, ".sql")),
            additive: $additive,
        },)+]
    };
}

/// Every shipped migration, oldest first. Forward only; a file is never edited once shipped.
pub const MIGRATIONS: &[Migration] = migrations![
    1001 "kernel" additive: false,
    1002 "state" additive: true,
    1003 "cursors" additive: true,
    1004 "locks" additive: true,
    1005 "dispatch" additive: true,
    1006 "coordination" additive: true,
    1007 "intents" additive: true,
    1008 "waiters" additive: true,
    1009 "routing" additive: true,
    1010 "leases" additive: true,
];

/// Returns the schema version that this program needs.
pub fn newest() -> i64 {
    MIGRATIONS.last().map_or(0, |migration| migration.version)
}

/// Returns the migrations of a file at `version`.
pub(super) fn up_to(version: i64) -> &'static [Migration] {
    let newer = MIGRATIONS.iter().position(|migration| migration.version > version);
    newer.and_then(|end| MIGRATIONS.get(..end)).unwrap_or(MIGRATIONS)
}

/// Returns true if all migrations after `found` only add to the schema.
pub(super) fn only_adds(migrations: &[Migration], found: i64) -> bool {
    migrations.iter().filter(|migration| migration.version > found).all(|migration| migration.additive)
}

/// Applies the migrations after `found`. The caller has the write lock, and took it before it read `found`:
/// otherwise two processes could apply the same step.
///
/// # Errors
/// Errors of the database, with the step named.
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
