//! Importing a database of the Go program, table by table, into a new one of ours.
//!
//! This is the only store that writes tables of other stores. Its order is that of [`Import::run`]: first the
//! history, then every row with its event, so that folding the events gives the tables.

mod column;
mod history;
mod keep;
mod rows;
mod source;

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use super::cells::{self, Cells};
use super::{StoreError, event};
use crate::db::{DbError, GoDb, ReadTx, WriteTx};
use crate::domain::event::{NewEvent, Source as EventSource};
use crate::domain::ids::RunId;
use crate::domain::time::Stamp;
use source::Source;

/// The outcome for one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Count {
    /// The table that was read. Rows of `event_cursors` are in `state` there, and those of `phase_skips` are
    /// events.
    pub table: String,
    /// Rows read.
    pub read: i64,
    /// Rows written, or events for a table of events.
    pub written: i64,
    /// Rows that the new tables cannot hold. They are completely in the event log.
    pub only_in_log: i64,
}

/// A remark about a row that was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Remark {
    /// The table that was read.
    pub table: String,
    /// The key of the row.
    pub row: String,
    /// The column; empty for the whole row.
    pub column: String,
    /// What was done.
    pub said: String,
}

/// A table that has rows and is not imported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LeftBehind {
    /// Its name.
    pub table: String,
    pub rows: i64,
}

/// The outcome of an import.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Report {
    /// Table by table.
    pub tables: Vec<Count>,
    /// The changes of rows.
    pub remarks: Vec<Remark>,
    /// The tables that were not imported.
    pub left_behind: Vec<LeftBehind>,
    /// Events of the history.
    pub history: i64,
    /// Events of imported rows.
    pub row_events: i64,
}

/// An import in progress.
pub struct Import<'a, 'b> {
    tx: &'a WriteTx<'b>,
    source: Source<'a>,
    stamp: &'a Stamp,
    key: &'a dyn Fn(&str) -> String,
    runs: BTreeSet<String>,
    report: Report,
}

/// A row to insert, and the content of its event.
struct Made {
    cells: Cells,
    /// Columns that are in no event.
    telemetry: Cells,
    source: EventSource,
    run_id: Option<RunId>,
    subject: String,
    from: String,
    to: String,
}

impl<'a, 'b> Import<'a, 'b> {
    /// Lists the tables. `key` resolves the symlinks of a project's directory.
    pub fn new(
        tx: &'a WriteTx<'b>,
        go: &'a GoDb,
        key: &'a dyn Fn(&str) -> String,
        stamp: &'a Stamp,
    ) -> Result<Self, StoreError> {
        let source = Source::new(go)?;
        let mut runs = BTreeSet::new();
        source.rows("runs", &mut |row| {
            runs.extend(row.get("id").and_then(Json::as_str).map(ToOwned::to_owned));
            Ok(())
        })?;
        runs.remove("");
        Ok(Self { tx, source, stamp, key, runs, report: Report::default() })
    }

    /// Imports everything.
    pub fn run(mut self) -> Result<Report, StoreError> {
        let cursors = self.read_cursors()?;
        let (skips, cursors) = self.history(cursors)?;
        self.runs()?;
        self.skips(skips)?;
        self.each("run_agents", Self::agent)?;
        self.each("run_artifacts", Self::artifact)?;
        self.each("phase_actions", Self::action)?;
        self.each("dispatches", Self::dispatch)?;
        self.each("coordination_locks", Self::lock)?;
        self.state()?;
        self.sentinels()?;
        self.cursors(cursors)?;
        self.report.left_behind = self.source.left_behind()?;
        Ok(self.report)
    }

    /// Imports the rows of a table one by one.
    fn each(
        &mut self,
        table: &'static str,
        make: fn(&mut Self, Map<String, Json>) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let mut count = Count { table: table.to_owned(), read: 0, written: 0, only_in_log: 0 };
        self.source.clone().rows(table, &mut |row| {
            count.read += 1;
            if make(self, row)? {
                count.written += 1;
            } else {
                count.only_in_log += 1;
            }
            Ok(())
        })?;
        self.report.tables.push(count);
        Ok(())
    }

    /// Inserts a row and appends its event. Returns whether the tables could hold it; if not, the event has
    /// all of it. `rest` are the columns that the table does not have, and the originals of changed values.
    fn put(&mut self, table: &'static str, made: Made, rest: Map<String, Json>) -> Result<bool, StoreError> {
        let mut row = made.cells.clone();
        row.extend(made.telemetry);
        let fault = if made.subject.is_empty() {
            Some("it has no id".to_owned())
        } else {
            match cells::insert(self.tx, table, &row) {
                Ok(()) => None,
                Err(StoreError::Db(DbError::Constraint(said))) => Some(said),
                Err(err) => return Err(err),
            }
        };
        let mut imported = about(table, rest);
        let mut data = Map::new();
        let kind = match &fault {
            None => {
                data = cells::created(&made.cells);
                "import"
            }
            Some(fault) => {
                imported.insert("row".to_owned(), cells::object(&row));
                imported.insert("fault".to_owned(), fault.as_str().into());
                self.remark(table, &made.subject, "", format!("kept in the event log alone: {fault}"));
                "not_imported"
            }
        };
        data.insert("imported".to_owned(), imported.into());
        let told = NewEvent {
            run_id: made.run_id,
            source: made.source,
            kind: kind.to_owned(),
            subject: made.subject,
            from: made.from,
            to: made.to,
            reason: None,
            data,
            envelope: Map::new(),
        };
        event::append(self.tx, &told, self.stamp)?;
        self.report.row_events += 1;
        Ok(fault.is_none())
    }

    /// Appends an event for a row of a quiet table, which has none otherwise: with the whole row and the
    /// reason if the new table cannot hold it, or with the columns that were changed.
    fn note(
        &mut self,
        table: &str,
        key: &str,
        columns: Map<String, Json>,
        fault: Option<&str>,
    ) -> Result<(), StoreError> {
        let mut imported = about(table, columns);
        if let Some(fault) = fault {
            self.remark(table, key, "", format!("kept in the event log alone: {fault}"));
            imported.insert("fault".to_owned(), fault.into());
        }
        let told = NewEvent {
            run_id: None,
            source: EventSource::IMPORT,
            kind: if fault.is_some() { "not_imported" } else { "import" }.to_owned(),
            subject: key.to_owned(),
            from: String::new(),
            to: String::new(),
            reason: None,
            data: Map::from_iter([("imported".to_owned(), imported.into())]),
            envelope: Map::new(),
        };
        event::append(self.tx, &told, self.stamp)?;
        self.report.row_events += 1;
        Ok(())
    }

    fn remark(&mut self, table: &str, row: &str, column: &str, said: String) {
        self.report.remarks.push(Remark {
            table: table.to_owned(),
            row: row.to_owned(),
            column: column.to_owned(),
            said,
        });
    }
}

/// Returns the source table, and the columns that the new table does not have.
fn about(table: &str, columns: Map<String, Json>) -> Map<String, Json> {
    let mut about = Map::from_iter([("table".to_owned(), json!(table))]);
    if !columns.is_empty() {
        about.insert("columns".to_owned(), columns.into());
    }
    about
}

/// Returns true if nothing has ever been written into this database.
pub fn is_fresh(tx: &ReadTx<'_>) -> Result<bool, StoreError> {
    for table in ["events", "state", "sentinels", "event_cursors", "coordination_locks", "idempotency"] {
        let found: i64 = tx.scalar(&format!("SELECT count(*) FROM {table}"), &[])?;
        if found > 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Returns the number of rows of a table of ours that an import writes.
pub fn stored(tx: &ReadTx<'_>, table: &str) -> Result<i64, StoreError> {
    Ok(tx.scalar(&format!("SELECT count(*) FROM {table}"), &[])?)
}

/// Returns true if a table is imported row by row, and not as events.
pub fn is_row_table(table: &str) -> bool {
    ["phase_skips", "event_cursors"].contains(&table) || source::ROWS.contains(&table)
}

/// Returns the number of rows of a table of the old database; 0 if there is no such table.
pub fn found(go: &GoDb, table: &str) -> Result<i64, StoreError> {
    Source::new(go)?.count(table)
}
