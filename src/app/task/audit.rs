//! The audit of both files.

use schemars::JsonSchema;
use serde::Serialize;

use super::files::{FilePath, TaskDirectory, read_text};
use crate::app::{CommandContext, Error, Reply};
use crate::domain::task::audit::{self, Finding};
use crate::domain::task::state::State;
use crate::domain::task::todo::Todo;

#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct Findings {
    pub findings: Vec<Finding>,
}

/// Returns everything on which the files disagree and everything else that is wrong with them: the negative
/// if there is anything, a failure if one of the files cannot be used.
///
/// # Errors
/// [`Error::NoTasks`].
pub(crate) fn audit(cx: &CommandContext, dir: Option<&str>) -> Result<Reply<Findings>, Error> {
    let directory = TaskDirectory::find(cx, dir)?;
    let mut findings = Vec::new();
    let mut read = |file: FilePath| {
        read_text(&file)
            .map_err(|problem| findings.push(Finding::general("unusable", problem.message)))
            .unwrap_or_default()
    };
    let (todo, state) = (read(directory.todo()), read(directory.state()));
    let todo = Todo::scan(&todo);
    let state = if state.is_empty() { None } else { Some(State::scan(&state)) };
    let state = state.and_then(|state| {
        state.map_err(|err| findings.push(Finding::general("unusable", format!("state.json: {err}")))).ok()
    });
    let is_unusable = !findings.is_empty();
    findings.extend(audit::findings(&todo, state.as_ref()));
    for task in audit::tasks(&todo, state.as_ref()) {
        let is_gone = |path: &&String| !path.contains("://") && !directory.resolve(path).exists();
        let gone = task.paths.iter().filter(is_gone);
        findings.extend(gone.map(|path| Finding::of("dangling_link", task.number, path.as_str())));
    }
    let is_sound = findings.is_empty();
    let answer = Findings { findings };
    Ok(if is_unusable {
        Reply::refused_list(answer, Error::Input("the task files cannot be used as they are".to_owned()))
    } else if is_sound {
        Reply::yes(answer)
    } else {
        Reply::no_list(answer)
    })
}
