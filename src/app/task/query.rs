//! Tasks as the files have them, the problems of past changes, and the table of transitions.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::files::{TaskDirectory, read_text};
use crate::app::{CommandContext, Error, Reply};
use crate::domain::event::Event;
use crate::domain::task::audit::{self, Task};
use crate::domain::task::problem::Problem;
use crate::domain::task::state::State;
use crate::domain::task::status::{ALL, Status};
use crate::domain::task::todo::Todo;
use crate::domain::time::rfc3339;
use crate::ops;

/// A task as both files have it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct TaskDetails {
    pub task: Task,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct Tasks {
    pub tasks: Vec<Task>,
}

/// A problem of a past change.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TaskError {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    pub event_id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What the caller can do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recommendation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recoverable: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    pub task: Option<u64>,
    /// RFC 3339 in UTC.
    pub timestamp: String,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct TaskErrors {
    pub errors: Vec<TaskError>,
}

/// The statuses that may follow a status.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TaskTransitions {
    pub status: Status,
    /// The form of the status in `TODO.md`, without its brackets.
    pub marker: String,
    pub next: &'static [Status],
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct TransitionTable {
    pub rows: Vec<TaskTransitions>,
}

/// Returns a task as both files have it.
///
/// # Errors
/// [`Error::NoTask`], [`Error::NoTasks`]; [`Error::Input`] if a file cannot be used.
pub(crate) fn show(cx: &CommandContext, dir: Option<&str>, number: u64) -> Result<Reply<TaskDetails>, Error> {
    let found = read_tasks(cx, dir)?.into_iter().find(|task| task.number == number);
    Ok(Reply::yes(TaskDetails { task: found.ok_or(Error::NoTask(number))? }))
}

/// Returns the tasks of both files by number, optionally those of one status.
///
/// # Errors
/// [`Error::NoTasks`]; [`Error::Input`] if a file cannot be used.
pub(crate) fn list(
    cx: &CommandContext,
    dir: Option<&str>,
    status: Option<Status>,
) -> Result<Reply<Tasks>, Error> {
    let mut tasks = read_tasks(cx, dir)?;
    if let Some(status) = status {
        tasks.retain(|task| {
            let word = task.status.as_ref().or(task.marker.as_ref());
            word.and_then(|word| Status::read(word)) == Some(status)
        });
    }
    Ok(Reply::yes(Tasks { tasks }))
}

fn read_tasks(cx: &CommandContext, dir: Option<&str>) -> Result<Vec<Task>, Error> {
    let directory = TaskDirectory::find(cx, dir)?;
    let unusable = |problem: Problem| Error::Input(problem.message);
    let todo = read_text(&directory.todo()).map_err(unusable)?;
    let state = read_text(&directory.state()).map_err(unusable)?;
    let state = State::scan(&state).map_err(|err| Error::Input(format!("state.json: {err}")))?;
    Ok(audit::tasks(&Todo::scan(&todo), Some(&state)))
}

/// Returns the last `limit` problems of one task or of all, oldest first.
pub(crate) fn errors(
    cx: &mut CommandContext,
    task: Option<u64>,
    limit: usize,
) -> Result<Reply<TaskErrors>, Error> {
    let events = cx.read(|tx| ops::task::errors(tx, task, limit))?;
    Ok(Reply::yes(TaskErrors { errors: events.into_iter().map(TaskError::from).collect() }))
}

impl From<Event> for TaskError {
    fn from(event: Event) -> Self {
        let mut data = event.data();
        Self {
            code: take_text(&mut data, "code"),
            event_id: event.id,
            message: take_text(&mut data, "message"),
            recommendation: take_text(&mut data, "recommendation"),
            recoverable: data.get("recoverable").and_then(Value::as_bool),
            severity: take_text(&mut data, "severity"),
            task: event.subject.parse().ok(),
            timestamp: rfc3339(event.at_ms),
            kind: take_text(&mut data, "type"),
        }
    }
}

fn take_text(data: &mut Map<String, Value>, key: &str) -> Option<String> {
    match data.remove(key)? {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// Returns the table of transitions, or its row for one status.
pub(crate) fn transitions(status: Option<Status>) -> Reply<TransitionTable> {
    let wanted = ALL.into_iter().filter(|one| status.is_none_or(|status| status == *one));
    let row = |status: Status| TaskTransitions { status, marker: status.marker(), next: status.next() };
    Reply::yes(TransitionTable { rows: wanted.map(row).collect() })
}
