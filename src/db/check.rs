//! Checking whether a database is sound: its pages, references and schema.

use std::collections::BTreeSet;

use super::error::DbError;
use super::sqlite::{Begin, Conn};
use super::{Db, log, migrate};

/// The number of faults that an error names.
const NAMED: usize = 5;

impl Db {
    /// Reads the whole file: every page and index, every reference between tables, and the schema against the
    /// one that this program creates at the file's version.
    ///
    /// # Errors
    /// [`DbError::Corrupt`] and [`DbError::Altered`] naming the first few faults; also errors of the
    /// database.
    pub fn check(&self) -> Result<(), DbError> {
        pages(&self.conn)?;
        references(&self.conn)?;
        schema(&self.conn)
    }
}

/// Checks pages, rows and indexes, and that the file does not end early. A row that breaks a CHECK is not
/// damage: other programs write rows too, and the stores read what such a row may mean.
///
/// # Errors
/// [`DbError::Corrupt`] naming the first few faults.
pub(super) fn pages(conn: &Conn) -> Result<(), DbError> {
    length(conn)?;
    let mut faults: Vec<String> = Vec::new();
    conn.set_pragma("ignore_check_constraints", 1)?;
    let read = conn.query(&format!("PRAGMA integrity_check({NAMED})"), &[], |row| {
        faults.push(row.get("integrity_check")?);
        Ok::<_, DbError>(true)
    });
    conn.set_pragma("ignore_check_constraints", 0)?;
    read?;
    faults.retain(|fault| fault != "ok");
    found(&faults, DbError::Corrupt)
}

/// Checks that the file holds every page that its log does not hold. The engine reads missing pages as zeros,
/// which may pass for content, and does not compare sizes unless the log is empty.
fn length(conn: &Conn) -> Result<(), DbError> {
    // A snapshot keeps the frames that it needs in the log.
    conn.begin(Begin::Deferred)?;
    let counted = counted(conn);
    conn.rollback();
    let (count, size, logged) = counted?;
    let last = (1..=count).rev().find(|page| !logged.contains(page)).unwrap_or(0);
    let needed = u64::try_from(last * size).unwrap_or(0);
    match conn.path().metadata().map(|file| file.len()) {
        Ok(found) if found < needed => {
            Err(DbError::Corrupt(format!("the file ends after {found} bytes, and should have {needed}")))
        }
        // An error: the database is in memory, or its file was removed since it was opened.
        _ => Ok(()),
    }
}

/// Returns the number of pages, their size in bytes, and those that are in the log.
fn counted(conn: &Conn) -> Result<(i64, i64, BTreeSet<i64>), DbError> {
    Ok((conn.pragma("page_count")?, conn.pragma("page_size")?, log::pages(conn.path())?))
}

fn references(conn: &Conn) -> Result<(), DbError> {
    let mut faults = Vec::new();
    conn.query("PRAGMA foreign_key_check", &[], |row| {
        let (table, parent): (String, String) = (row.get("table")?, row.get("parent")?);
        faults.push(format!("a row of {table} refers to a row of {parent} that is not there"));
        Ok::<_, DbError>(faults.len() < NAMED)
    })?;
    found(&faults, DbError::Corrupt)
}

fn schema(conn: &Conn) -> Result<(), DbError> {
    let model = Conn::in_memory()?;
    migrate::apply(&model, migrate::up_to(conn.pragma("user_version")?), 0)?;
    let (want, have) = (objects(&model)?, objects(conn)?);
    let mut faults = Vec::new();
    for (name, sql) in &want {
        match have.iter().find(|(other, _)| other == name) {
            None => faults.push(format!("{name} is missing")),
            Some((_, other)) if other != sql => faults.push(format!("{name} is different")),
            Some(_) => {}
        }
    }
    for (name, _) in have {
        if !want.iter().any(|(other, _)| *other == name) {
            faults.push(format!("{name} is not part of it"));
        }
    }
    faults.truncate(NAMED);
    found(&faults, DbError::Altered)
}

/// Returns every table, index, view and trigger with its SQL; named like `table runs`.
fn objects(conn: &Conn) -> Result<Vec<(String, String)>, DbError> {
    // Objects that the engine adds, for `ANALYZE` and for unique columns, do not count.
    let sql =
        "SELECT type, name, sql FROM sqlite_schema WHERE substr(name, 1, 7) <> 'sqlite_' ORDER BY type, name";
    let mut objects = Vec::new();
    conn.query(sql, &[], |row| {
        let (kind, name): (String, String) = (row.get("type")?, row.get("name")?);
        objects.push((format!("{kind} {name}"), row.get("sql")?));
        Ok::<_, DbError>(true)
    })?;
    Ok(objects)
}

fn found(faults: &[String], kind: fn(String) -> DbError) -> Result<(), DbError> {
    if faults.is_empty() { Ok(()) } else { Err(kind(faults.join("; "))) }
}
