//! The event log in numbers.

use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use crate::app::{CommandContext, Error, Reply};
use crate::domain::event::{Origin, Source};
use crate::domain::time::rfc3339;
use crate::store;

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LogStats {
    pub events: i64,
    /// Time of the first event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// Time of the last event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// Number and hash of the last event, as `ID:HASH`.
    pub head: String,
    /// Size of the database file and its write-ahead log.
    pub bytes: u64,
    pub kinds: Vec<EventCount>,
}

/// The number of events of one source, type and origin.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct EventCount {
    pub source: Source,
    pub r#type: String,
    pub origin: Origin,
    pub count: i64,
}

/// Counts the events of the whole log.
///
/// # Errors
/// [`Error::Ops`] if the log cannot be read.
pub(crate) fn stats(cx: &mut CommandContext) -> Result<Reply<LogStats>, Error> {
    let stats = cx.read(store::event::stats)?;
    let path = cx.existing()?.path();
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let size = |path: &Path| path.metadata().map_or(0, |found| found.len());
    let kinds = stats.counts.into_iter().map(|kind| EventCount {
        source: kind.source,
        r#type: kind.kind,
        origin: kind.origin,
        count: kind.number,
    });
    Ok(Reply::yes(LogStats {
        events: stats.head.id,
        first: stats.first_ms.map(rfc3339),
        last: stats.last_ms.map(rfc3339),
        head: stats.head.to_string(),
        bytes: size(path) + size(log.as_ref()),
        kinds: kinds.collect(),
    }))
}
