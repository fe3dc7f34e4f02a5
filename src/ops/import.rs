//! Importing a database of the Go program, with a comparison of counts.

use std::path::Path;

use super::OpsError;
use crate::db::{DbError, GoDb, WriteTx};
use crate::domain::time::Stamp;
use crate::store::event;
use crate::store::import::{self, Import, Report};

/// Copies everything from `go` into the database of `tx`, which is the one at `to` and must be empty. `key`
/// resolves the symlinks of a project's directory.
///
/// # Errors
/// [`DbError::Occupied`] if the database has content, [`OpsError::ImportMismatch`] if the numbers of rows
/// differ; also errors of the database.
pub fn import(
    tx: &WriteTx<'_>,
    go: &GoDb,
    to: &Path,
    key: &dyn Fn(&str) -> String,
    stamp: &Stamp,
) -> Result<(Report, event::Head), OpsError> {
    if !import::is_fresh(tx)? {
        return Err(DbError::Occupied(to.to_owned()).into());
    }
    let report = Import::new(tx, go, key, stamp)?.run()?;
    check_counts(tx, go, &report)?;
    let head = event::verify(tx)?.map_err(|broken| {
        DbError::Corrupt(format!(
            "the imported log does not verify: event {} is {}",
            broken.id, broken.problem
        ))
    })?;
    Ok((report, head))
}

/// Counts the rows of both databases again, independently of the counts during copying.
fn check_counts(tx: &WriteTx<'_>, go: &GoDb, report: &Report) -> Result<(), OpsError> {
    let hold = |what: &str, read: i64, written: i64| {
        if read == written {
            Ok(())
        } else {
            Err(OpsError::ImportMismatch { what: what.to_owned(), read, written })
        }
    };
    let cursors =
        report.tables.iter().find(|count| count.table == "event_cursors").map_or(0, |count| count.read);
    let mut log = report.row_events;
    for count in &report.tables {
        let name = count.table.as_str();
        hold(name, count.read, count.written + count.only_in_log)?;
        let source = match name {
            "phase_skips" | "event_cursors" => count.read,
            "state" => import::found(go, name)? - cursors,
            _ => import::found(go, name)?,
        };
        hold(name, source, count.read)?;
        if import::is_row_table(name) {
            hold(name, count.written, import::stored(tx, name)?)?;
        } else {
            log += source;
        }
    }
    hold("events", log, import::stored(tx, "events")?)
}
