//! What a change of a task answers: one line for people and one per problem, everything for programs (TS-41 to TS-43, TS-63).

use std::io::{self, Write};

use serde::Serialize;
use serde_json::json;

use crate::app::Error;
use crate::app::error::TaskFailure;
use crate::cli::output::View;
use crate::cli::{Answer, Cx};
use crate::domain::task::problem::{Problem, any_critical};
use crate::domain::text::one_line;
use crate::ops::advance::Outcome as Step;
use crate::ops::task::OnRun;

/// What became of a change.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// `preflight`, `postflight` or `set`.
    pub what: &'static str,
    /// The task.
    pub task: u64,
    /// The status before, if it was found.
    pub from: Option<String>,
    /// The status that was asked for, or is there.
    pub to: Option<String>,
    /// What the caller has to say of the artifacts.
    pub summary: Option<String>,
    /// The files that were changed.
    pub files: Vec<String>,
    /// The artifacts, by their paths.
    pub artifacts: Vec<String>,
    /// The paths to which the entry did not lead before.
    pub links: Vec<String>,
    /// Everything that is wrong, critical or not.
    pub errors: Vec<Problem>,
    /// The commit.
    pub commit: Option<String>,
    /// How often the change was worked out.
    pub attempts: u32,
    /// What the run was told.
    pub run: Option<(String, Box<OnRun>)>,
    /// Whether nothing was to be written.
    pub dry_run: bool,
}

impl Serialize for Report {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ok = !any_critical(&self.errors);
        let mut map = json!({
            "ok": ok,
            "status": if ok { "completed" } else { "failed" },
            "task": self.task,
            "from": self.from,
            "to": self.to,
            "summary": self.summary.clone().unwrap_or_else(|| self.line()),
            "files_updated": self.files,
            "artifacts": self.artifacts,
            "links_added": self.links,
            "errors": self.errors,
            "commit": { "hash": self.commit },
            "attempts": self.attempts,
        });
        if self.dry_run {
            map["dry_run"] = true.into();
        }
        if let Some((id, on)) = &self.run {
            map["run"] = json!({ "id": id, "artifacts": on.filed });
            if let Some(advance) = &on.advance {
                map["run"]["advanced"] = (advance.outcome == Step::Advanced).into();
                map["run"]["from_phase"] = json!(advance.step.from);
                map["run"]["to_phase"] = json!(advance.step.to);
            }
        }
        map.serialize(serializer)
    }
}

impl View for Report {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        if any_critical(&self.errors) {
            return Ok(());
        }
        writeln!(w, "{}", one_line(&self.line()))?;
        self.summary.iter().try_for_each(|summary| writeln!(w, "{}", one_line(summary)))
    }
}

impl Report {
    fn line(&self) -> String {
        let Self { what, task, .. } = self;
        if any_critical(&self.errors) {
            return format!("task {task}: {what} failed");
        }
        let (from, to) = (self.from.as_deref().unwrap_or("?"), self.to.as_deref().unwrap_or("?"));
        let step = if from == to { to.to_owned() } else { format!("{from} → {to}") };
        let names = self.artifacts.iter().map(|path| path.rsplit('/').next().unwrap_or(path));
        let names = names.collect::<Vec<_>>().join(", ");
        let artifacts = if names.is_empty() { String::new() } else { format!(" ({names})") };
        let note = match (self.dry_run, self.files.is_empty()) {
            (true, _) => " [dry run]",
            (false, true) => " [nothing to change]",
            (false, false) => "",
        };
        format!("task {task}: {step}{artifacts}{note}")
    }

    /// Shows it; a critical problem is the call's error.
    pub(super) fn show(&self, cx: &Cx) -> Result<Answer, Error> {
        if !any_critical(&self.errors) {
            cx.out.show(self)?;
            let task = self.task;
            let more = if self.dry_run { String::new() } else { format!(" (`ic task errors {task}`)") };
            for problem in &self.errors {
                cx.out.warn(format_args!("task {task}: {}{more}", problem.message));
            }
            return Ok(Answer::Yes);
        }
        if cx.out.is_json() {
            cx.out.show(self)?;
        }
        let hint = if self.dry_run {
            "nothing was written".to_owned()
        } else {
            format!("`ic task errors {}` has this and what to do", self.task)
        };
        Err(failure(self.line(), &self.errors, hint))
    }
}

/// The call's error, made of everything that is wrong.
pub(super) fn failure(message: String, errors: &[Problem], hint: String) -> Error {
    Error::Task(Box::new(TaskFailure {
        failed: errors.iter().any(|problem| problem.kind.is_failure()),
        message,
        problems: errors.iter().map(|problem| problem.message.clone()).collect(),
        hint,
    }))
}
