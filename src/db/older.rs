//! Reads of an older file: tables and columns that it lacks are added, empty, as temporary objects of the
//! connection.
//!
//! Tables and views of the connection's temporary database come before those of the file, so every statement
//! finds the schema that it was written for. The file is not touched.

use super::error::DbError;
use super::migrate;
use super::newest;
use super::sqlite::{Begin, Conn};
use super::value::Value;

/// Replaces the temporary objects by those that the file lacks now. Returns the file's version, which is the
/// newest one if it lacks nothing.
///
/// # Errors
/// [`DbError::SchemaTooNew`], or an error of the engine.
pub(super) fn complete(conn: &Conn) -> Result<i64, DbError> {
    // In memory, so that reading needs no writable directory.
    conn.batch("PRAGMA temp_store = MEMORY")?;
    // One snapshot of the version and its tables.
    conn.begin(Begin::Deferred)?;
    let found = lay_over(conn);
    match &found {
        Ok(_) => conn.commit()?,
        Err(_) => conn.rollback(),
    }
    found
}

fn lay_over(conn: &Conn) -> Result<i64, DbError> {
    let overlay = "SELECT type AS a, name AS b FROM sqlite_temp_schema WHERE type IN ('table', 'view')";
    for (kind, name) in names(conn, overlay)? {
        conn.batch(&format!("DROP {kind} temp.\"{name}\""))?;
    }
    let found = conn.pragma("user_version")?;
    if found > newest() {
        return Err(DbError::SchemaTooNew { found, known: newest() });
    }
    if found == newest() {
        return Ok(found);
    }
    let model = Conn::in_memory()?;
    migrate::apply(&model, migrate::MIGRATIONS, 0)?;
    let tables = "SELECT name AS a, sql AS b FROM sqlite_schema WHERE type = 'table' \
                  AND substr(name, 1, 7) <> 'sqlite_'";
    let present = names(conn, tables)?;
    for (table, sql) in names(&model, tables)? {
        if !present.iter().any(|(name, _)| *name == table) {
            conn.batch(&sql.replacen("CREATE TABLE", "CREATE TEMP TABLE", 1))?;
            continue;
        }
        let (have, want) = (columns(conn, &table)?, columns(&model, &table)?);
        let has = |column: &str| have.iter().any(|(name, _)| name == column);
        if want.iter().all(|(column, _)| has(column)) {
            continue;
        }
        let shown = want.iter().map(|(column, default)| {
            if has(column) { format!("\"{column}\"") } else { format!("{default} AS \"{column}\"") }
        });
        let shown = shown.collect::<Vec<_>>().join(", ");
        conn.batch(&format!("CREATE TEMP VIEW \"{table}\" AS SELECT {shown} FROM main.\"{table}\""))?;
    }
    Ok(found)
}

/// Returns the two columns `a` and `b` of a query.
fn names(conn: &Conn, sql: &str) -> Result<Vec<(String, String)>, DbError> {
    let mut found = Vec::new();
    conn.query(sql, &[], |row| {
        found.push((row.get("a")?, row.get("b")?));
        Ok::<_, DbError>(true)
    })?;
    Ok(found)
}

/// Returns the columns of a table of the file, each with its default as SQL.
fn columns(conn: &Conn, table: &str) -> Result<Vec<(String, String)>, DbError> {
    let sql = "SELECT name, dflt_value FROM pragma_table_info($1, 'main')";
    let mut found = Vec::new();
    conn.query(sql, &[Value::Text(table.to_owned())], |row| {
        let default: Option<String> = row.get("dflt_value")?;
        found.push((row.get("name")?, default.unwrap_or_else(|| "NULL".to_owned())));
        Ok::<_, DbError>(true)
    })?;
    Ok(found)
}
