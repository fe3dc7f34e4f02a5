//! Evidence: reading the recorded events of source `interspect` as rows, and recording the rows of another
//! store as such events.

use std::collections::HashSet;

use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};

use crate::db::{Peer, ReadTx, WriteTx};
use crate::domain::event::{Event, NewEvent, Origin, Source};
use crate::domain::interspect::evidence::Row;
use crate::domain::state::holds_secret;
use crate::domain::text::hex;
use crate::domain::time::Stamp;
use crate::store::StoreError;
use crate::store::event::{self, Filter};

/// Checks whether an event is evidence, and not a step of this program.
pub fn is_evidence(event: &Event) -> bool {
    event.source == Source::INTERSPECT && event.origin == Origin::External
}

/// Returns the evidence in the order in which it was recorded. A row counts `quarantine` seconds after it was
/// noticed, unless it has a time of its own.
pub fn evidence(tx: &ReadTx<'_>, quarantine: i64) -> Result<Vec<Row>, StoreError> {
    let filter = Filter { source: Some(Source::INTERSPECT), ..Filter::default() };
    let mut rows = Vec::new();
    event::for_each(tx, &filter, |event| {
        if is_evidence(&event) {
            rows.push(row(&event, quarantine));
        }
        Ok::<_, StoreError>(true)
    })?;
    Ok(rows)
}

fn row(event: &Event, quarantine: i64) -> Row {
    let data = event.data();
    // Events that were imported from a database of the Go program have their columns there.
    let columns = data.get("imported").and_then(|imported| imported.get("columns"));
    let member = |key: &str| data.get(key).or_else(|| columns.and_then(|columns| columns.get(key)));
    let text = |key: &str| member(key).and_then(Json::as_str).unwrap_or_default().to_owned();
    let at = data.get("noticed_at").and_then(Json::as_i64).unwrap_or_else(|| event.secs());
    Row {
        id: event.id,
        at,
        source: event.subject.clone(),
        event: event.kind.clone(),
        reason: event.reason.clone().unwrap_or_default(),
        session: text("session_id"),
        project: text("project_dir"),
        counts_from: data
            .get("counts_from")
            .and_then(Json::as_i64)
            .unwrap_or_else(|| at.saturating_add(quarantine)),
    }
}

/// The counts of an import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportCounts {
    pub read: i64,
    pub written: i64,
    /// Rows that an earlier import recorded.
    pub known: i64,
    /// Rows that cannot be read, or hold a secret.
    pub left_out: i64,
}

/// Records every row of another store's `evidence` that was not recorded before. A row is identified by a
/// digest of all its columns, so that one store can be imported repeatedly, and several stores side by side.
/// `seconds` reads a time of the other store.
pub fn import(
    tx: &WriteTx<'_>,
    other: &Peer,
    seconds: &dyn Fn(&str) -> Option<i64>,
    stamp: &Stamp,
) -> Result<ImportCounts, StoreError> {
    let mut known = known(tx)?;
    let mut done = ImportCounts::default();
    other.for_each("SELECT * FROM evidence ORDER BY rowid", &mut |columns| {
        done.read += 1;
        let text = Json::from(columns.clone()).to_string();
        let digest = hex(&Sha256::digest(text.as_bytes()));
        if known.contains(&digest) {
            done.known += 1;
        } else if let Some(new) = recorded(&columns, &digest, seconds).filter(|_| !holds_secret(&text)) {
            event::append_as(tx, Origin::External, &new, stamp)?;
            known.insert(digest);
            done.written += 1;
        } else {
            done.left_out += 1;
        }
        Ok::<_, StoreError>(true)
    })?;
    Ok(done)
}

/// Returns the digests of the rows that were imported before.
fn known(tx: &ReadTx<'_>) -> Result<HashSet<String>, StoreError> {
    let filter = Filter { source: Some(Source::INTERSPECT), ..Filter::default() };
    let mut known = HashSet::new();
    event::for_each(tx, &filter, |event| {
        let data = event.data();
        let digest = data.get("imported").and_then(|imported| imported.get("digest")).and_then(Json::as_str);
        known.extend(digest.map(ToOwned::to_owned));
        Ok::<_, StoreError>(true)
    })?;
    Ok(known)
}

/// Converts a row of the other store to an event. `None` if the row cannot be read.
fn recorded(
    columns: &Map<String, Json>,
    digest: &str,
    seconds: &dyn Fn(&str) -> Option<i64>,
) -> Option<NewEvent> {
    let text = |key: &str| columns.get(key).and_then(Json::as_str).filter(|text| !text.is_empty());
    let agent = text("source")?;
    let kind = text("event").filter(|kind| kind.len() <= 200 && !kind.chars().any(char::is_control))?;
    let at = seconds(text("ts")?)?;
    let until = columns.get("quarantine_until").and_then(Json::as_i64).unwrap_or(0);
    let reason = text("override_reason");
    let imported = Map::from_iter([
        ("table".to_owned(), "evidence".into()),
        ("digest".to_owned(), digest.into()),
        ("columns".to_owned(), columns.clone().into()),
    ]);
    let mut data = Map::from_iter([
        ("agent_name".to_owned(), agent.into()),
        ("noticed_at".to_owned(), at.into()),
        ("counts_from".to_owned(), until.max(at).into()),
        ("imported".to_owned(), imported.into()),
    ]);
    for (member, column) in [("session_id", "session_id"), ("project_dir", "project"), ("context", "context")]
    {
        data.extend(text(column).map(|value| (member.to_owned(), value.into())));
    }
    Some(NewEvent {
        run_id: None,
        source: Source::INTERSPECT,
        kind: kind.to_owned(),
        subject: agent.to_owned(),
        from: agent.to_owned(),
        to: String::new(),
        reason: reason.map(ToOwned::to_owned),
        data,
        envelope: Map::new(),
    })
}
