//! Statistics of the log.

use super::Head;
use crate::db::{ReadTx, Row};
use crate::domain::event::{Origin, Source};
use crate::store::StoreError;

/// Statistics of the log.
#[derive(Clone, Debug)]
pub struct Stats {
    /// The first event's time, in Unix milliseconds.
    pub first_ms: Option<i64>,
    /// The last event's time, in Unix milliseconds.
    pub last_ms: Option<i64>,
    /// The end of the log. Its number is that of all events.
    pub head: Head,
    /// By source, type and origin.
    pub counts: Vec<Count>,
}

/// The number of events of one kind.
#[derive(Clone, Debug)]
pub struct Count {
    pub source: Source,
    pub kind: String,
    pub origin: Origin,
    pub number: i64,
}

/// Counts the whole log.
pub fn stats(tx: &ReadTx<'_>) -> Result<Stats, StoreError> {
    let at = |sql: &str| tx.query_opt(sql, &[], |row| Ok::<_, StoreError>(row.get::<i64>("at_ms")?));
    let count = |row: &Row| {
        Ok::<_, StoreError>(Count {
            source: row.get("source")?,
            kind: row.get("type")?,
            origin: row.get("origin")?,
            number: row.get("n")?,
        })
    };
    let sql = "SELECT source, type, origin, count(*) AS n FROM events GROUP BY source, type, origin \
               ORDER BY source, type, origin";
    Ok(Stats {
        first_ms: at("SELECT at_ms FROM events ORDER BY id LIMIT 1")?,
        last_ms: at("SELECT at_ms FROM events ORDER BY id DESC LIMIT 1")?,
        head: super::head(tx)?,
        counts: tx.query(sql, &[], count)?,
    })
}
