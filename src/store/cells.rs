//! Rows as lists of cells. The same list is inserted and put into the event, so that they cannot differ.

use serde_json::{Map, Value as Json};

use super::StoreError;
use crate::db::{Column, ReadTx, Row, Value, WriteTx};
use crate::domain::process::ProcessKey;

/// Columns with their values.
pub(super) type Cells = Vec<(&'static str, Value)>;

/// Returns true if a table has a row with this id.
pub(super) fn taken(tx: &ReadTx<'_>, table: &str, id: &impl Column) -> Result<bool, StoreError> {
    let found: i64 = tx.scalar(&format!("SELECT count(*) FROM {table} WHERE id = $1"), &[id.encode()])?;
    Ok(found > 0)
}

/// Inserts a row.
pub(super) fn insert(tx: &WriteTx<'_>, table: &str, cells: &Cells) -> Result<(), StoreError> {
    let columns = cells.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let holders = (1..=cells.len()).map(|at| format!("${at}")).collect::<Vec<_>>().join(", ");
    let values: Vec<Value> = cells.iter().map(|(_, value)| value.clone()).collect();
    tx.execute(&format!("INSERT INTO {table} ({columns}) VALUES ({holders})"), &values)?;
    Ok(())
}

/// Changes the cells of the row whose guard cells are still as given. Returns `false` if there is no such
/// row.
pub(super) fn update(
    tx: &WriteTx<'_>,
    table: &str,
    guard: &[(&'static str, Value)],
    cells: &Cells,
) -> Result<bool, StoreError> {
    let equals = |first: usize, cells: &[(&'static str, Value)], between: &str| {
        let each = cells.iter().zip(first..).map(|((name, _), at)| format!("{name} = ${at}"));
        each.collect::<Vec<_>>().join(between)
    };
    let set = equals(1, cells, ", ");
    let still = equals(cells.len() + 1, guard, " AND ");
    let values: Vec<Value> = cells.iter().chain(guard).map(|(_, value)| value.clone()).collect();
    Ok(tx.execute(&format!("UPDATE {table} SET {set} WHERE {still}"), &values)? > 0)
}

/// Returns the cells as an object, for `data.new` and `data.old` of an event.
pub(super) fn object(cells: &Cells) -> Json {
    cells.iter().map(|(name, value)| ((*name).to_owned(), value.to_json())).collect::<Map<_, _>>().into()
}

/// Returns `data` of an event of a new row.
pub(super) fn created(cells: &Cells) -> Map<String, Json> {
    Map::from_iter([("new".to_owned(), object(cells))])
}

/// Returns `data` of an event of changed columns.
pub(super) fn changed(old: &Cells, new: &Cells) -> Map<String, Json> {
    Map::from_iter([("old".to_owned(), object(old)), ("new".to_owned(), object(new))])
}

/// Returns `data` of an event of a removed row.
pub(super) fn removed(old: &Cells) -> Map<String, Json> {
    Map::from_iter([("old".to_owned(), object(old)), ("new".to_owned(), Json::Null)])
}

/// Returns the cells of the process of a row.
pub(super) fn process(process: Option<&ProcessKey>) -> Cells {
    vec![
        ("pid", process.map(|p| p.pid).encode()),
        ("pid_start", process.map(|p| p.start_time).encode()),
        ("boot_id", process.map(|p| p.boot_id.clone()).encode()),
        ("host", process.map(|p| p.host.clone()).encode()),
        ("pid_namespace", space(process).encode()),
    ]
}

/// Returns the cell with the PID namespace of a process.
pub(super) fn space(process: Option<&ProcessKey>) -> Option<String> {
    process.and_then(|p| p.space.clone())
}

/// Reads the process of a row, from the columns of [`process`].
pub(super) fn process_of(row: &Row) -> Result<Option<ProcessKey>, StoreError> {
    process_in(row, "pid", "pid_start")
}

/// Reads the process whose pid and start time are in these columns of a row.
pub(super) fn process_in(row: &Row, pid: &str, start: &str) -> Result<Option<ProcessKey>, StoreError> {
    let Some(pid) = row.get::<Option<i64>>(pid)? else { return Ok(None) };
    Ok(Some(ProcessKey {
        pid,
        start_time: row.get::<Option<i64>>(start)?.unwrap_or(0),
        boot_id: row.get::<Option<String>>("boot_id")?.unwrap_or_default(),
        host: row.get::<Option<String>>("host")?.unwrap_or_default(),
        space: space_in(row)?,
    }))
}

/// Reads the PID namespace of a row; `None` for a row of an older version.
pub(super) fn space_in(row: &Row) -> Result<Option<String>, StoreError> {
    Ok(row.get("pid_namespace")?)
}
