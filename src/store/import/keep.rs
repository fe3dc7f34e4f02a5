//! Importing the quiet tables: state, sentinels, and the cursors that the Go program stores as state.

use serde_json::{Map, Value as Json};

use super::column::{Columns, is_json, shown};
use super::history::Waiting;
use super::{Count, Import};
use crate::db::{DbError, Value};
use crate::domain::state::{Key, Scope};
use crate::params;
use crate::store::quiet::{self, Quiet};
use crate::store::{StoreError, event};

/// The key of state under which the Go program stores cursors.
const CURSOR: &str = "cursor";

/// The epoch of positions: that of a log without a restore.
const EPOCH: &str = "";

/// A row of a quiet table.
struct Kept {
    key: String,
    row: Map<String, Json>,
    /// The columns that the new table does not have.
    rest: Map<String, Json>,
}

/// A cursor that is being converted.
pub(super) struct Cursor {
    consumer: String,
    run_id: String,
    expires_at: Option<i64>,
    updated_at: i64,
    kept: Kept,
    /// The number of the last event that was read, once an unread one was found.
    position: Option<i64>,
}

impl Import<'_, '_> {
    /// Reads the cursors. Their positions are determined while the history is merged.
    pub(super) fn read_cursors(&mut self) -> Result<Vec<(Cursor, Waiting)>, StoreError> {
        let mut cursors = Vec::new();
        self.source.clone().rows("state", &mut |row| {
            if row.get("key").and_then(Json::as_str) != Some(CURSOR) {
                return Ok(());
            }
            let original = row.clone();
            let mut columns = Columns::new("state", &["key", "scope_id"], row, &mut self.report.remarks);
            let scope = columns.text("scope_id").unwrap_or_default();
            let (consumer, run_id) = match scope.rsplit_once(':') {
                Some((consumer, run)) if !consumer.is_empty() && self.runs.contains(run) => (consumer, run),
                _ => (scope.as_str(), ""),
            };
            let payload = columns.text("payload").unwrap_or_default();
            let positions = serde_json::from_str::<Map<String, Json>>(&payload).unwrap_or_else(|_| {
                columns.refuse("payload", payload, "not a cursor: everything counts as unread");
                Map::new()
            });
            let (expires_at, updated_at) = (columns.int("expires_at"), columns.time("updated_at"));
            columns.text("key");
            let cursor = Cursor {
                consumer: consumer.to_owned(),
                run_id: run_id.to_owned(),
                expires_at,
                updated_at,
                kept: Kept { key: columns.key(), row: original, rest: columns.rest() },
                position: None,
            };
            let run = (!run_id.is_empty()).then(|| run_id.to_owned());
            cursors.push((cursor, Waiting { run, positions }));
            Ok(())
        })?;
        Ok(cursors)
    }

    /// Stores the cursors. One that has read everything is set to the end of the log, so that it does not get
    /// the events of the import itself.
    pub(super) fn cursors(&mut self, cursors: Vec<Cursor>) -> Result<(), StoreError> {
        let mut count = Count { table: "event_cursors".to_owned(), read: 0, written: 0, only_in_log: 0 };
        for cursor in cursors {
            count.read += 1;
            let position = match cursor.position {
                Some(position) => position,
                None => event::head(self.tx)?.id,
            };
            let sql = "INSERT INTO event_cursors (consumer, run_id, position, epoch, durable, expires_at, updated_at) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7)";
            let values = params![
                cursor.consumer,
                cursor.run_id,
                position,
                EPOCH.to_owned(),
                cursor.expires_at.is_none(),
                cursor.expires_at,
                cursor.updated_at,
            ];
            self.keep(&mut count, Quiet::Cursors, sql, values, cursor.kept)?;
        }
        self.report.tables.push(count);
        Ok(())
    }

    pub(super) fn state(&mut self) -> Result<(), StoreError> {
        let mut count = Count { table: "state".to_owned(), read: 0, written: 0, only_in_log: 0 };
        self.source.clone().rows("state", &mut |row| {
            if row.get("key").and_then(Json::as_str) == Some(CURSOR) {
                return Ok(());
            }
            count.read += 1;
            let original = row.clone();
            let named = |name: &str| row.get(name).map(shown).unwrap_or_default();
            let (key, scope, payload) = (named("key"), named("scope_id"), named("payload"));
            let mut columns = Columns::new("state", &["key", "scope_id"], row, &mut self.report.remarks);
            if let Err(why) = key.parse::<Key>().map(drop).and_then(|()| scope.parse::<Scope>().map(drop)) {
                columns.remark("key", format!("kept, but no command can name it: {why}"));
            }
            if let Err(why) = is_json(&payload) {
                columns.remark("payload", format!("kept as it is: {why}"));
            }
            let values = params![key, scope, payload, columns.time("updated_at"), columns.int("expires_at")];
            let rest = columns.without(&["key", "scope_id", "payload"]);
            let kept = Kept { key: format!("{key}/{scope}"), row: original, rest };
            let sql = "INSERT INTO state (key, scope_id, payload, updated_at, expires_at) VALUES ($1, $2, $3, $4, $5)";
            self.keep(&mut count, Quiet::State, sql, values, kept)
        })?;
        self.report.tables.push(count);
        Ok(())
    }

    /// Stores the sentinels. The old table has no interval: 0 means unknown, and the next check sets it.
    pub(super) fn sentinels(&mut self) -> Result<(), StoreError> {
        let mut count = Count { table: "sentinels".to_owned(), read: 0, written: 0, only_in_log: 0 };
        self.source.clone().rows("sentinels", &mut |row| {
            count.read += 1;
            let original = row.clone();
            let named = |name: &str| row.get(name).map(shown).unwrap_or_default();
            let (name, scope) = (named("name"), named("scope_id"));
            let mut columns = Columns::new("sentinels", &["name", "scope_id"], row, &mut self.report.remarks);
            if let Err(why) = name.parse::<Scope>().and_then(|_| scope.parse::<Scope>()) {
                columns.remark("name", format!("kept, but no command can name it: {why}"));
            }
            let values = params![name, scope, columns.time("last_fired"), 0_i64];
            let rest = columns.without(&["name", "scope_id"]);
            let kept = Kept { key: format!("{name}/{scope}"), row: original, rest };
            let sql =
                "INSERT INTO sentinels (name, scope_id, last_fired, interval_secs) VALUES ($1, $2, $3, $4)";
            self.keep(&mut count, Quiet::Sentinels, sql, values, kept)
        })?;
        self.report.tables.push(count);
        Ok(())
    }

    fn keep(
        &mut self,
        count: &mut Count,
        what: Quiet,
        sql: &str,
        values: &[Value],
        kept: Kept,
    ) -> Result<(), StoreError> {
        match quiet::execute(self.tx, what, sql, values) {
            Ok(_) => {
                count.written += 1;
                if kept.rest.is_empty() {
                    Ok(())
                } else {
                    self.note(&count.table, &kept.key, kept.rest, None)
                }
            }
            Err(StoreError::Db(DbError::Constraint(said))) => {
                count.only_in_log += 1;
                self.note(&count.table, &kept.key, kept.row, Some(&said))
            }
            Err(err) => Err(err),
        }
    }
}

impl Cursor {
    /// Records that the event after `position` is the first that the consumer has not read.
    pub(super) fn unread_after(&mut self, position: i64) {
        self.position = Some(position);
    }
}
