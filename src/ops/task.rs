//! Events of tasks: changes and problems. The tasks themselves are in files.

use serde_json::{Map, json};

use super::OpsError;
use super::advance::{self, Advance, Request};
use super::gate::Terms;
use crate::db::{ReadTx, WriteTx};
use crate::domain::event::{Event, NewEvent, Source};
use crate::domain::ids::{ArtifactId, RunId};
use crate::domain::secret::redact;
use crate::domain::task::problem::Problem;
use crate::domain::time::Stamp;
use crate::store;
use crate::store::artifact::NewArtifact;
use crate::store::event::Filter;

/// The type of the events of problems.
const ERROR: &str = "error";

/// A change that was made.
#[derive(Clone, Debug, Default)]
pub struct Changed {
    pub task: u64,
    /// The run that it belongs to.
    pub run: Option<RunId>,
    /// The status before.
    pub from: String,
    /// The status after.
    pub to: String,
    pub reason: Option<String>,
    /// Everything else: directory, files, artifacts, links, caller.
    pub data: Map<String, serde_json::Value>,
}

/// Appends the event of a changed task: `status`, or `link` if it only got links. Returns the event's number.
pub fn changed(tx: &WriteTx<'_>, change: Changed, stamp: &Stamp) -> Result<i64, OpsError> {
    let kind = if change.from == change.to { "link" } else { "status" };
    let event = NewEvent {
        run_id: change.run,
        source: Source::TASK,
        kind: kind.to_owned(),
        subject: change.task.to_string(),
        from: change.from,
        to: change.to,
        reason: change.reason,
        data: change.data,
        envelope: Map::new(),
    };
    Ok(store::event::append(tx, &event, stamp)?)
}

/// Appends an event for each problem of a task.
pub fn went_wrong(tx: &WriteTx<'_>, task: u64, problems: &[Problem], stamp: &Stamp) -> Result<(), OpsError> {
    for problem in problems {
        let event = NewEvent {
            run_id: None,
            source: Source::TASK,
            kind: ERROR.to_owned(),
            subject: task.to_string(),
            from: String::new(),
            to: String::new(),
            reason: None,
            // The message may quote a file.
            data: Problem::new(problem.kind, redact(&problem.message)).members(),
            envelope: Map::new(),
        };
        store::event::append(tx, &event, stamp)?;
    }
    Ok(())
}

/// Returns the last `limit` problems of one task or of all, oldest first.
pub fn errors(tx: &ReadTx<'_>, task: Option<u64>, limit: usize) -> Result<Vec<Event>, OpsError> {
    let filter = Filter { source: Some(Source::TASK), kind: Some(ERROR.to_owned()), ..Filter::default() };
    let subject = task.map(|task| task.to_string());
    let mut found = std::collections::VecDeque::new();
    store::event::for_each(tx, &filter, |event| {
        if subject.as_ref().is_none_or(|subject| *subject == event.subject) {
            found.push_back(event);
        }
        if found.len() > limit {
            found.pop_front();
        }
        Ok::<_, OpsError>(true)
    })?;
    Ok(found.into())
}

/// The changes of a task's run.
#[derive(Clone, Debug)]
pub struct ForRun {
    pub id: RunId,
    /// Path, type and content hash of each artifact.
    pub artifacts: Vec<(String, String, Option<String>)>,
    /// The artifacts with runtime evidence whose files are unchanged, for its last step.
    pub unchanged: Vec<ArtifactId>,
    /// Whether it advances to its next phase.
    pub advance: bool,
}

/// The outcome for a task's run.
#[derive(Clone, Debug)]
pub struct OnRun {
    /// The artifacts that were filed. One that was filed before with the same content is not filed again.
    pub filed: Vec<ArtifactId>,
    /// The advance, if it was requested.
    pub advance: Option<Advance>,
}

/// Files the artifacts of a task under its run's phase, and then advances the run if requested.
///
/// # Errors
/// As [`advance::advance`].
pub fn on_run(tx: &WriteTx<'_>, wanted: &ForRun, stamp: &Stamp) -> Result<OnRun, OpsError> {
    let run = store::run::get(tx, &wanted.id)?;
    let there = store::artifact::list(tx, &run.id, Some(&run.phase))?;
    let mut filed = Vec::new();
    for (path, kind, content_hash) in &wanted.artifacts {
        let known = there.iter().any(|artifact| {
            artifact.path == *path && artifact.kind == *kind && artifact.content_hash == *content_hash
        });
        if !known {
            let new = NewArtifact {
                run_id: run.id.clone(),
                phase: run.phase.clone(),
                path: path.clone(),
                kind: kind.clone(),
                content_hash: content_hash.clone(),
                dispatch_id: None,
            };
            filed.push(store::artifact::insert(tx, &new, stamp)?.id);
        }
    }
    // Artifacts that were just filed were also just hashed.
    let unchanged = wanted.unchanged.iter().chain(&filed).cloned().collect();
    let terms = Terms { evidence: Some(unchanged), ..Terms::at(1) };
    let request = Request { id: run.id, expect: None, terms, skip_reason: None };
    let advance = wanted.advance.then(|| advance::advance(tx, &request, stamp)).transpose()?;
    Ok(OnRun { filed, advance })
}

/// Returns the members of a change's event that are not empty.
pub fn data(members: &[(&str, serde_json::Value)]) -> Map<String, serde_json::Value> {
    let empty = |value: &serde_json::Value| value.is_null() || *value == json!([]) || *value == json!(false);
    let mut out = Map::new();
    for (key, value) in members.iter().filter(|(_, value)| !empty(value)) {
        out.insert((*key).to_owned(), value.clone());
    }
    out
}
