//! A database of the Go program, read table by table and written into a new one of ours.
//!
//! The one store that writes the tables of others: what it inserts was inserted before, by their own rules.
//! Its order is that of [`Import::run`]: the history first, then every row with an event that tells of it, so
//! that the fold holds.

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

/// What became of one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Count {
    /// The table that was read; `event_cursors` are rows of `state` there, `phase_skips` are events.
    pub table: String,
    /// Rows read.
    pub read: i64,
    /// Rows written, or events for a table of events.
    pub written: i64,
    /// Rows that the new tables cannot hold: they are in the event log, whole, and nowhere else.
    pub only_in_log: i64,
}

/// Something about a row that did not go over as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Remark {
    /// The table that was read.
    pub table: String,
    /// Which row, by its key.
    pub row: String,
    /// Which column, or empty for the row as a whole.
    pub column: String,
    /// What was done about it.
    pub said: String,
}

/// A table that has rows and is not imported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LeftBehind {
    /// Its name.
    pub table: String,
    pub rows: i64,
}

/// What an import did.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Report {
    /// Table by table.
    pub tables: Vec<Count>,
    /// What did not go over as it was.
    pub remarks: Vec<Remark>,
    /// What did not go over at all.
    pub left_behind: Vec<LeftBehind>,
    /// Events of the history.
    pub history: i64,
    /// Events that tell of imported rows.
    pub row_events: i64,
}

/// An import under way.
pub struct Import<'a, 'b> {
    tx: &'a WriteTx<'b>,
    source: Source<'a>,
    stamp: &'a Stamp,
    key: &'a dyn Fn(&str) -> String,
    runs: BTreeSet<String>,
    report: Report,
}

/// A row of ours with what its event says.
struct Made {
    cells: Cells,
    /// Columns that no event tells.
    telemetry: Cells,
    source: EventSource,
    run_id: Option<RunId>,
    subject: String,
    from: String,
    to: String,
}

impl<'a, 'b> Import<'a, 'b> {
    /// Reads which tables there are. `key` resolves the symlinks of a project's directory.
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

    /// Inserts a row and appends the event that tells of it. Returns whether the tables could take it. If
    /// not, the event holds it whole. `rest` are the columns that have no place of their own, and the
    /// originals of what was changed.
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

    /// Tells of a row of a quiet table, of which no event tells otherwise: of one that the new table cannot
    /// hold, whole and with what is wrong with it, or of columns that could not go over as they were.
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

/// Returns where something came from, and the columns that have no place of their own.
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

/// Returns how many rows a table of ours has; for tables that an import writes.
pub fn stored(tx: &ReadTx<'_>, table: &str) -> Result<i64, StoreError> {
    Ok(tx.scalar(&format!("SELECT count(*) FROM {table}"), &[])?)
}

/// Returns true if a table goes over row by row, and not as events.
pub fn is_row_table(table: &str) -> bool {
    ["phase_skips", "event_cursors"].contains(&table) || source::ROWS.contains(&table)
}

/// Returns how many rows a table of the old database has; 0 if there is no such table.
pub fn found(go: &GoDb, table: &str) -> Result<i64, StoreError> {
    Source::new(go)?.count(table)
}
