//! The tables of the old database, which are listed, because its version says little about them.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::LeftBehind;
use super::history;
use crate::db::{Column, DbError, GoDb, Value};
use crate::store::StoreError;

/// Tables that are imported row by row.
pub(super) const ROWS: [&str; 8] = [
    "runs",
    "run_agents",
    "run_artifacts",
    "phase_actions",
    "dispatches",
    "coordination_locks",
    "state",
    "sentinels",
];

/// The columns of a table.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    columns: Vec<String>,
    /// Whether rows have a number besides their key, in the order of insertion.
    numbered: bool,
}

impl Shape {
    pub(super) fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|known| known == column)
    }

    pub(super) fn is_numbered(&self) -> bool {
        self.numbered
    }
}

/// The old database with its tables.
#[derive(Clone)]
pub(super) struct Source<'a> {
    go: &'a GoDb,
    tables: BTreeMap<String, Shape>,
}

/// Quotes a name for SQL.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl<'a> Source<'a> {
    pub(super) fn new(go: &'a GoDb) -> Result<Self, StoreError> {
        let mut tables = BTreeMap::new();
        let sql =
            "SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type = 'table' ORDER BY name";
        go.for_each(sql, &[], &mut |row| {
            let name = row.get("name").and_then(Json::as_str).unwrap_or_default();
            if !name.starts_with("sqlite_") && !name.starts_with('_') {
                let numbered = row.get("wr").and_then(Json::as_i64) == Some(0);
                tables.insert(name.to_owned(), Shape { columns: Vec::new(), numbered });
            }
            Ok::<_, StoreError>(true)
        })?;
        for (name, shape) in &mut tables {
            let sql = "SELECT name FROM pragma_table_info($1) ORDER BY cid";
            go.for_each(sql, &[name.encode()], &mut |row| {
                shape.columns.extend(row.get("name").and_then(Json::as_str).map(ToOwned::to_owned));
                Ok::<_, StoreError>(true)
            })?;
        }
        Ok(Self { go, tables })
    }

    pub(super) fn tables(&self) -> impl Iterator<Item = (&str, &Shape)> {
        self.tables.iter().map(|(name, shape)| (name.as_str(), shape))
    }

    /// Returns the rows of a table in the order of their insertion; none if there is no such table.
    pub(super) fn rows(
        &self,
        table: &str,
        each: &mut dyn FnMut(Map<String, Json>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let Some(shape) = self.tables.get(table) else { return Ok(()) };
        let order = if shape.numbered { "rowid" } else { "1, 2" };
        self.query(&format!("SELECT * FROM {} ORDER BY {order}", quoted(table)), &[], &mut |row| {
            each(row).map(|()| true)
        })
    }

    pub(super) fn query(
        &self,
        sql: &str,
        params: &[Value],
        each: &mut dyn FnMut(Map<String, Json>) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        self.go.for_each(sql, params, each)
    }

    pub(super) fn count(&self, table: &str) -> Result<i64, StoreError> {
        if !self.tables.contains_key(table) {
            return Ok(0);
        }
        let mut found = None;
        self.query(&format!("SELECT count(*) AS n FROM {}", quoted(table)), &[], &mut |row| {
            found = row.get("n").and_then(Json::as_i64);
            Ok(false)
        })?;
        Ok(found.ok_or_else(|| DbError::Engine(format!("no count of {table}")))?)
    }

    /// Returns the tables with rows that are not imported.
    pub(super) fn left_behind(&self) -> Result<Vec<LeftBehind>, StoreError> {
        let mut left = Vec::new();
        for (name, shape) in &self.tables {
            if !ROWS.contains(&name.as_str()) && !history::is_history(name, shape) {
                let rows = self.count(name)?;
                if rows > 0 {
                    left.push(LeftBehind { table: name.clone(), rows });
                }
            }
        }
        Ok(left)
    }
}
