//! The audit of both files: the tasks that they have, and everything on which they disagree.

use crate::domain::order;
use schemars::JsonSchema;
use serde::Serialize;

use super::entry::{self, Editor};
use super::state::State;
use super::status::Status;
use super::todo::{Missing, Todo, marker};

/// A task as both files have it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Task {
    #[serde(rename = "task")]
    pub number: u64,
    /// The heading in `TODO.md`, otherwise the name in `state.json`.
    pub title: String,
    /// The status in `state.json`.
    pub status: Option<String>,
    /// The status in `TODO.md`, without its brackets.
    pub marker: Option<String>,
    /// Whether both files have the same status.
    pub agree: bool,
    /// The files to which the entry and the object have links.
    pub paths: Vec<String>,
}

/// A fault of the files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Finding {
    /// One word.
    pub kind: &'static str,
    /// Null if the fault is not one of a single task.
    pub task: Option<u64>,
    /// One sentence without a full stop.
    pub message: String,
}

impl Finding {
    /// Returns a finding about one task.
    pub fn of(kind: &'static str, task: u64, message: impl Into<String>) -> Self {
        Self { kind, task: Some(task), message: message.into() }
    }

    /// Returns a finding about a file.
    pub fn general(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, task: None, message: message.into() }
    }
}

/// Returns every task that has a status in `TODO.md` or an active object in `state.json`, by number.
pub fn tasks(todo: &Todo<'_>, state: Option<&State<'_>>) -> Vec<Task> {
    let mut out: Vec<Task> = Vec::new();
    for entry in &todo.entries {
        let Some(status) = todo.status(entry) else { continue };
        let task = of(&mut out, entry.number);
        task.title.clone_from(&entry.title);
        let found = marker(todo.text, &status.value).map_or_else(|| status.value.clone(), |found| found.span);
        task.marker = Some(todo.text[found].to_owned());
        task.paths.extend(entry::links(todo, entry));
    }
    for (object, state) in state.iter().flat_map(|state| state.tasks().iter().map(move |task| (task, state)))
    {
        let Some(number) = state.number(object) else { continue };
        let task = of(&mut out, number);
        task.status = state.text_of(object, "status");
        if task.title.is_empty() {
            task.title = state.text_of(object, "project_name").unwrap_or_default();
        }
        task.paths.extend(state.paths(object));
    }
    for task in &mut out {
        let (status, marker) = (task.status.as_deref(), task.marker.as_deref());
        task.agree = status.is_some() && status.and_then(Status::read) == marker.and_then(Status::read);
        order::natural(&mut task.paths);
        task.paths.dedup();
    }
    out
}

/// Returns the task of a number in a list by number, and adds it if it is missing.
fn of(tasks: &mut Vec<Task>, number: u64) -> &mut Task {
    let at = tasks.partition_point(|task| task.number < number);
    if tasks.get(at).is_none_or(|task| task.number != number) {
        tasks.insert(at, Task { number, ..Task::default() });
    }
    &mut tasks[at]
}

/// Returns everything on which the texts disagree, and everything for which a change of a task would be
/// refused. The files that the texts link to are not checked.
pub fn findings(todo: &Todo<'_>, state: Option<&State<'_>>) -> Vec<Finding> {
    let mut out = Vec::new();
    for task in tasks(todo, state) {
        let number = task.number;
        let entry = todo.find(number);
        if let Err(Missing::Ambiguous(count)) = entry {
            out.push(Finding::of("duplicate", number, format!("TODO.md has {count} entries")));
        }
        if entry.is_ok_and(|entry| Editor::new(todo, entry, "").is_none()) {
            out.push(Finding::of(
                "unknown_status",
                number,
                "TODO.md: the status is none that can be changed",
            ));
        }
        let Some(state) = state else { continue };
        match state.find(number) {
            Err(super::state::Missing::Ambiguous(count)) => {
                out.push(Finding::of("duplicate", number, format!("state.json has {count} active tasks")));
            }
            Err(super::state::Missing::Absent(elsewhere)) => {
                let elsewhere = elsewhere.map_or_else(String::new, |list| format!(", but in {list}"));
                out.push(Finding::of(
                    "only_in_todo",
                    number,
                    format!("not among the active tasks of state.json{elsewhere}"),
                ));
            }
            Ok(_) if task.marker.is_none() => {
                let why = match entry {
                    Err(Missing::Status) => "TODO.md has a heading without a status line",
                    _ => "TODO.md has no entry",
                };
                out.push(Finding::of("only_in_state", number, why));
            }
            Ok(_) if !task.agree => {
                let (marker, status) = (task.marker.unwrap_or_default(), task.status.unwrap_or_default());
                out.push(Finding::of(
                    "status_mismatch",
                    number,
                    format!("TODO.md says [{marker}], state.json {status}"),
                ));
            }
            Ok(_) => {
                if let Some(word) = task.status.filter(|word| Status::read(word).is_none()) {
                    out.push(Finding::of(
                        "unknown_status",
                        number,
                        format!("state.json: {word} is no status"),
                    ));
                }
            }
        }
    }
    let mut matter = (0..todo.lines.len()).take_while(|at| todo.lines[*at].fenced).map(|at| todo.line(at));
    let next = matter.find_map(|line| line.trim().strip_prefix("next_project_number:"));
    let known = state.and_then(|state| state.root("next_project_number")?.number(state.text));
    if let (Some(next), Some(known)) = (next.and_then(|text| text.trim().parse::<u64>().ok()), known)
        && next != known
    {
        let message = format!("next_project_number is {next} in TODO.md and {known} in state.json");
        out.push(Finding::general("next_number", message));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_disagreement_is_found() {
        let todo = "---\nnext_project_number: 9\n---\n### 1. a\n**Status**: [PLANNED]\n### 2. b\n**Status**: [X]\n### 2. c\n\
                    **Status**: [X]\n### 3. d\n### 4. e\n**Status**: [PLANNING]\n### 5. f\n**Status**: soon\n";
        let state = r#"{"next_project_number": 8, "active_projects": [{"project_number": 1, "status": "planning"},
            {"project_number": 3, "status": "planned"}, {"project_number": 4, "status": "planning"},
            {"project_number": 6, "status": "planned"}, {"project_number": 6, "status": "planned"}],
            "completed_projects": [{"project_number": 2}]}"#;
        let (todo, state) = (Todo::scan(todo), State::scan(state).unwrap());
        let found: Vec<_> =
            findings(&todo, Some(&state)).into_iter().map(|found| (found.kind, found.task)).collect();
        assert_eq!(
            found,
            [
                ("status_mismatch", Some(1)),
                ("duplicate", Some(2)),
                ("only_in_todo", Some(2)),
                ("only_in_state", Some(3)),
                ("unknown_status", Some(5)),
                ("only_in_todo", Some(5)),
                ("duplicate", Some(6)),
                ("next_number", None),
            ]
        );
    }
}
