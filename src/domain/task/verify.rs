//! The checks of a change: on the task's own entry and object, not anywhere in the files.

use super::change::Texts;
use super::entry::Editor;
use super::plan;
use super::problem::{Kind, Problem};
use super::state::State;
use super::status::Status;
use super::todo::Todo;

/// The state that the files should hold.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    pub task: u64,
    pub status: Status,
    /// The files to which the entry should have links.
    pub paths: &'a [String],
    /// The directory of the files, relative to the top of the repository.
    pub dir: &'a str,
}

/// Returns a problem for everything that the files do not hold.
pub fn verify(texts: Texts<'_>, wanted: &Wanted<'_>) -> Vec<Problem> {
    let Wanted { task, status, paths, dir } = *wanted;
    let mut found = Vec::new();
    let mut fail = |kind, message: String| found.push(Problem::new(kind, message));
    let marker = status.marker();
    let todo = Todo::scan(texts.todo);
    let entry = todo.find(task);
    match entry.ok().and_then(|entry| Editor::new(&todo, entry, dir)) {
        None => {
            fail(Kind::VerificationFailed, format!("TODO.md has no one entry with a status for task {task}"));
        }
        Some(entry) => {
            if entry.shown() != marker {
                let message = format!(
                    "status marker not updated in TODO.md: task {task} has [{}], not [{marker}]",
                    entry.shown()
                );
                fail(Kind::VerificationFailed, message);
            }
            for path in paths.iter().filter(|path| !entry.links(path)) {
                fail(
                    Kind::ArtifactLinkFailed,
                    format!(
                        "artifact link not added to TODO.md: the entry of task {task} does not lead to {path}"
                    ),
                );
            }
        }
    }
    match State::scan(texts.state) {
        Err(err) => fail(Kind::ParseError, format!("state.json: {err}")),
        Ok(state) => {
            let word = state.find(task).ok().and_then(|object| state.text_of(object, "status"));
            if word.as_deref() != Some(status.as_str()) {
                let word = word.as_deref().unwrap_or("not there");
                let message =
                    format!("status not updated in state.json: task {task} is {word}, not {status}");
                fail(Kind::VerificationFailed, message);
            }
        }
    }
    if let Some(text) = texts.plan {
        let shown = plan::overall(text).map(|found| text[found.span].to_owned());
        if shown.as_deref() != Some(&marker) {
            let shown = shown.as_deref().unwrap_or("nothing");
            let message = format!("status not updated in the plan: it says {shown}, not [{marker}]");
            fail(Kind::VerificationFailed, message);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// TS-36, TS-37, TS-38, TS-39: another task's marker or link, or a word elsewhere, does not satisfy.
    #[test]
    fn only_the_task_s_own_entry_counts() {
        let todo = "### 1. a\n- **Status**: [PLANNING]\n---\n[p.md](x/p.md)\n### 2. b\n- **Status**: [PLANNED]\n- **Plan**: [p.md](x/p.md)\n";
        let state = r#"{"active_projects": [{"project_number": 1, "status": "planning"}, {"project_number": 2, "status": "planned"}]}"#;
        let paths = ["x/p.md".to_owned()];
        let kinds = |task, plan| {
            let wanted = Wanted { task, status: Status::Planned, paths: &paths, dir: "specs" };
            verify(Texts { todo, state, plan }, &wanted)
                .into_iter()
                .map(|problem| problem.kind)
                .collect::<Vec<_>>()
        };
        assert!(kinds(2, Some("**Status**: [PLANNED]\n")).is_empty());
        assert_eq!(
            kinds(1, None),
            [Kind::VerificationFailed, Kind::ArtifactLinkFailed, Kind::VerificationFailed]
        );
        assert_eq!(kinds(2, Some("**Status**: [PLANNING]\n")), [Kind::VerificationFailed]);
        assert_eq!(kinds(3, None).len(), 2);
    }
}
