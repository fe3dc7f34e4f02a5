//! Reading the log in the order of event numbers.

use super::{COLUMNS, from_row};
use crate::db::{ReadTx, Value};
use crate::domain::event::{Event, MOVING, Source};
use crate::domain::ids::RunId;
use crate::params;
use crate::store::StoreError;

/// The events to read. All conditions must hold.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only of this run.
    pub run_id: Option<RunId>,
    /// Only of this source.
    pub source: Option<Source>,
    /// Only of this type.
    pub kind: Option<String>,
    /// Only with a greater number than this.
    pub since: i64,
    /// Only with a number up to this.
    pub until: Option<i64>,
    /// The maximum number.
    pub limit: Option<i64>,
}

/// Passes the matching events to `each`, in the order of their numbers, until `each` returns false.
///
/// # Errors
/// Errors of `each` and of the database.
pub fn for_each<E: From<StoreError> + From<crate::db::DbError>>(
    tx: &ReadTx<'_>,
    filter: &Filter,
    mut each: impl FnMut(Event) -> Result<bool, E>,
) -> Result<(), E> {
    let mut sql = format!("SELECT {COLUMNS} FROM events WHERE id > $1");
    let mut values: Vec<Value> = params![filter.since].to_vec();
    let mut and = |clause: &str, value: Value| {
        values.push(value);
        sql.push_str(&clause.replace("$n", &format!("${}", values.len())));
    };
    if let Some(run_id) = &filter.run_id {
        and(" AND run_id = $n", crate::db::Column::encode(run_id));
    }
    if let Some(source) = &filter.source {
        // The index by run is the better one: the concatenation keeps the other one out of the plan.
        let clause = if filter.run_id.is_some() { " AND source || '' = $n" } else { " AND source = $n" };
        and(clause, crate::db::Column::encode(source));
    }
    if let Some(kind) = &filter.kind {
        and(" AND type = $n", crate::db::Column::encode(kind));
    }
    if let Some(until) = filter.until {
        and(" AND id <= $n", Value::Int(until));
    }
    sql.push_str(" ORDER BY id");
    if let Some(limit) = filter.limit {
        values.push(Value::Int(limit));
        sql.push_str(" LIMIT $");
        sql.push_str(&values.len().to_string());
    }
    tx.for_each(&sql, &values, |row| each(from_row(row)?))
}

/// Returns the matching events.
pub fn list(tx: &ReadTx<'_>, filter: &Filter) -> Result<Vec<Event>, StoreError> {
    let mut events = Vec::new();
    for_each(tx, filter, |event| {
        events.push(event);
        Ok::<_, StoreError>(true)
    })?;
    Ok(events)
}

/// Returns the run's last move with a number below `before`. Reads the run's own events only, newest first.
///
/// # Errors
/// Fails if the log cannot be read.
pub fn last_move(tx: &ReadTx<'_>, run_id: &RunId, before: i64) -> Result<Option<Event>, StoreError> {
    // As in [`for_each`], the expression keeps the index by source out of the plan.
    let sql = format!(
        "SELECT {COLUMNS} FROM events WHERE run_id = $1 AND id < $2 AND source || '' = $3 \
         AND type IN ($4, $5, $6, $7) ORDER BY id DESC LIMIT 1"
    );
    let [advance, over, rollback, undo] = MOVING.map(ToOwned::to_owned);
    let values = params![*run_id, before, Source::PHASE, advance, over, rollback, undo];
    tx.query_opt(&sql, values, from_row)
}

/// Returns the number of the first event that is the run's: that of its creation, or the first of its
/// imported history.
///
/// # Errors
/// Fails if the log cannot be read.
pub fn first_of_run(tx: &ReadTx<'_>, run_id: &RunId) -> Result<Option<i64>, StoreError> {
    Ok(tx.scalar("SELECT min(id) FROM events WHERE run_id = $1", params![*run_id])?)
}
