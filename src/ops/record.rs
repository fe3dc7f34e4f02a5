//! Events that callers record besides the kernel's own.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::OpsError;
use super::once::{self, Key};
use crate::db::WriteTx;
use crate::domain::event::{NewEvent, Origin, Source};
use crate::domain::ids::RunId;
use crate::domain::record::{Content, RecordError};
use crate::domain::time::Stamp;
use crate::store;

/// An event to record.
#[derive(Clone, Debug)]
pub struct Request {
    pub source: Source,
    pub kind: String,
    /// The run that it belongs to.
    pub run_id: Option<RunId>,
    /// The caller's session.
    pub session: Option<String>,
    /// The caller's project directory.
    pub project: Option<String>,
    /// The content of the payload.
    pub content: Content,
    /// The caller's key. A repeat returns the number of the first event.
    pub key: Option<String>,
}

/// The number of an event, as it is stored under its key.
#[derive(Serialize, Deserialize)]
struct Recorded {
    id: i64,
}

/// Checks an event as far as possible without a database.
///
/// # Errors
/// [`RecordError::NoKey`] for an event of an agency without a key, because agencies repeat events.
pub fn check(request: &Request) -> Result<(), RecordError> {
    if request.source.as_str() == "agency" && request.key.is_none() {
        return Err(RecordError::NoKey("agency".to_owned()));
    }
    Ok(())
}

/// Records the event, once per key. Returns its number.
///
/// # Errors
/// * [`StoreError::RunNotFound`](store::StoreError::RunNotFound) if its run does not exist.
/// * [`OpsError::IdempotencyConflict`] if the key was used for another event.
pub fn record(tx: &WriteTx<'_>, request: &Request, stamp: &Stamp) -> Result<i64, OpsError> {
    if let Some(run) = &request.run_id {
        store::run::get(tx, run)?;
    }
    let event = event(request);
    let scope = scope(request);
    let name = request.key.as_ref().or(request.content.key.as_ref());
    let name = name.map(|key| Value::from([&scope[..], std::slice::from_ref(key)].concat()).to_string());
    let key = Key { command: "events record", key: name.as_deref() };
    let act = || Ok(Recorded { id: store::event::append_as(tx, Origin::External, &event, stamp)? });
    let recorded = if first_wins(request) {
        once::once(tx, key, &scope, stamp, act)?
    } else {
        once::once(tx, key, &arguments(request), stamp, act)?
    };
    Ok(recorded.id)
}

/// Returns the scope of a key: keys of different agencies, or of different agents of a run, are independent.
fn scope(request: &Request) -> Vec<String> {
    let run = request.run_id.as_ref().map_or("", RunId::as_str);
    let mut scope = vec![request.source.to_string()];
    match request.source.as_str() {
        "agency" => scope.push(request.content.subject.clone()),
        "interspect" => {
            scope.extend([run.to_owned(), request.content.subject.clone(), request.kind.clone()]);
        }
        _ => {}
    }
    scope
}

/// Returns true for sources that report the same thing repeatedly in other words: the first event stays.
fn first_wins(request: &Request) -> bool {
    ["agency", "interspect"].contains(&request.source.as_str())
}

fn arguments(request: &Request) -> impl Serialize {
    (
        request.source.clone(),
        request.kind.clone(),
        request.run_id.clone(),
        request.content.reason.clone(),
        request.content.data.clone(),
    )
}

fn event(request: &Request) -> NewEvent {
    let content = request.content.clone();
    let mut data = content.data;
    for (member, value) in [("session_id", &request.session), ("project_dir", &request.project)] {
        // A member of the payload is not overwritten.
        if let Some(value) = value
            && !data.contains_key(member)
        {
            data.insert(member.to_owned(), value.clone().into());
        }
    }
    if let Some(key) = &request.key {
        data.entry("idempotency_key").or_insert_with(|| key.clone().into());
    }
    NewEvent {
        run_id: request.run_id.clone(),
        source: request.source.clone(),
        kind: request.kind.clone(),
        subject: content.subject,
        from: content.from,
        to: content.to,
        reason: content.reason,
        data,
        envelope: Map::new(),
    }
}
