//! Identifying the program that a file belongs to. Read through SQLite and not from the file's header,
//! because both marks may still be in the write-ahead log only.

use super::error::DbError;
use super::migrate::{self, Migration};
use super::sqlite::{Begin, Conn};

/// The mark in the header of our files: "icdb".
pub(super) const APPLICATION_ID: i64 = 0x6963_6462;

/// Schema versions of the Go program are lower than this, and ours are higher, so that it takes our files for
/// newer than itself.
const OURS_FROM: i64 = 1000;

/// The identity of a readable SQLite file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// A database of ours, with its schema version.
    Ours(i64),
    /// A file without content.
    Empty,
}

/// Identifies a file.
///
/// # Errors
/// [`DbError::GoProgram`] and [`DbError::Foreign`] for files of other programs; errors of reading it.
pub(super) fn of(conn: &Conn) -> Result<Identity, DbError> {
    let application_id = conn.pragma("application_id")?;
    let version = conn.pragma("user_version")?;
    if application_id == APPLICATION_ID {
        return Ok(Identity::Ours(version));
    }
    let path = conn.path().to_owned();
    if application_id != 0 {
        return Err(DbError::Foreign { path, application_id });
    }
    if version == 0 && count(conn, "SELECT count(*) AS n FROM sqlite_schema")? == 0 {
        return Ok(Identity::Empty);
    }
    let go_tables = "SELECT count(*) AS n FROM sqlite_schema WHERE name IN ('state', 'sentinels')";
    if (1..OURS_FROM).contains(&version) && count(conn, go_tables)? == 2 {
        return Err(DbError::GoProgram { path, version });
    }
    Err(DbError::Foreign { path, application_id })
}

/// Checks that a file is one of ours at the newest version of `migrations`, or at one that lacks only
/// additive migrations. Returns its version.
pub(super) fn require_readable(conn: &Conn, migrations: &[Migration]) -> Result<i64, DbError> {
    let known = migrations.last().map_or(0, |migration| migration.version);
    // A transaction takes one lock for both marks.
    conn.begin(Begin::Deferred)?;
    let found = of(conn);
    conn.rollback();
    match found? {
        Identity::Empty => Err(DbError::NotInitialised(conn.path().to_owned())),
        Identity::Ours(found) if found > known => Err(DbError::SchemaTooNew { found, known }),
        Identity::Ours(found) if !migrate::only_adds(migrations, found) => {
            Err(DbError::SchemaTooOld { path: conn.path().to_owned(), found, known })
        }
        Identity::Ours(found) => Ok(found),
    }
}

fn count(conn: &Conn, sql: &str) -> Result<i64, DbError> {
    let mut found = 0;
    conn.query(sql, &[], |row| {
        found = row.get("n")?;
        Ok::<_, DbError>(false)
    })?;
    Ok(found)
}
