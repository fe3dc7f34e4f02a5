//! The answer to a change of a task.

use schemars::JsonSchema;
use serde::Serialize;

use super::job::SyncJob;
use super::rewrite::FileChange;
use crate::app::error::TaskFailure;
use crate::app::{CommandContext, Error, Reply};
use crate::domain::ids::{ArtifactId, RunId};
use crate::domain::phase::Phase;
use crate::domain::task::problem::{Problem, any_critical};
use crate::ops::advance::Outcome;
use crate::ops::task::OnRun;

/// How a change or a verification ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OutcomeStatus {
    Completed,
    Failed,
}

impl OutcomeStatus {
    pub(super) fn of(ok: bool) -> Self {
        if ok { Self::Completed } else { Self::Failed }
    }
}

/// The outcome of a change of a task.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TaskChange {
    /// The paths of the artifacts that were given.
    pub artifacts: Vec<String>,
    /// The number of times that the change was computed.
    pub attempts: u32,
    pub commit: GitCommit,
    /// Present and true if nothing was to be written.
    #[serde(skip_serializing_if = "is_false")]
    pub dry_run: bool,
    pub errors: Vec<Problem>,
    pub files_updated: Vec<String>,
    /// The status before; null if the change was refused.
    pub from: Option<String>,
    /// The artifacts to which the task's entry had no link before.
    pub links_added: Vec<String>,
    pub ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<TaskRun>,
    pub status: OutcomeStatus,
    /// The summary that was given, otherwise the change in one line.
    pub summary: String,
    pub task: u64,
    /// The status that was asked for; null if only links were.
    pub to: Option<String>,
    /// The change in one line.
    #[serde(skip)]
    pub headline: String,
    /// The summary that was given.
    #[serde(skip)]
    pub given_summary: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct GitCommit {
    /// Null if git got no commit.
    pub hash: Option<String>,
}

/// What was recorded on the run of a task.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TaskRun {
    /// Whether the run went on to its next phase; absent if it was not asked to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advanced: Option<bool>,
    /// The artifacts that were filed on the run.
    pub artifacts: Vec<ArtifactId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub from_phase: Option<Phase>,
    pub id: RunId,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub to_phase: Option<Phase>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// What is known of a change while it is made.
#[derive(Debug, Default)]
pub(super) struct SyncReport {
    verb: &'static str,
    task: u64,
    pub from: Option<String>,
    pub to: Option<String>,
    summary: Option<String>,
    files_updated: Vec<String>,
    artifacts: Vec<String>,
    pub links_added: Vec<String>,
    pub errors: Vec<Problem>,
    pub commit: Option<String>,
    pub attempts: u32,
    pub run: Option<(RunId, Box<OnRun>)>,
    dry_run: bool,
}

impl SyncReport {
    /// Returns the report of a change that begins.
    pub(super) fn of(job: &SyncJob) -> Self {
        Self {
            verb: job.kind.verb(),
            task: job.request.task,
            to: job.request.to.map(|to| to.to_string()),
            summary: job.request.summary.clone(),
            artifacts: job.artifact_paths(),
            dry_run: job.dry_run,
            attempts: 1,
            ..Self::default()
        }
    }

    pub(super) fn add_files(&mut self, files: &[FileChange]) {
        self.files_updated.extend(files.iter().map(|change| change.file.name.clone()));
    }

    /// Returns the reply. Problems that are not critical are warnings; a critical one makes the reply a
    /// refusal.
    pub(super) fn into_reply(self, cx: &CommandContext) -> Reply<TaskChange> {
        let (task, dry_run) = (self.task, self.dry_run);
        let answer = self.into_answer();
        if answer.ok {
            let more = if dry_run { String::new() } else { format!(" (`ic task errors {task}`)") };
            for problem in &answer.errors {
                cx.warn(format_args!("task {task}: {}{more}", problem.message));
            }
            return Reply::yes(answer);
        }
        let hint = if dry_run {
            "nothing was written".to_owned()
        } else {
            format!("`ic task errors {task}` has this and what to do")
        };
        let error = failure(answer.headline.clone(), &answer.errors, hint);
        Reply::refused(answer, error)
    }

    fn into_answer(self) -> TaskChange {
        let ok = !any_critical(&self.errors);
        let headline = self.headline(ok);
        TaskChange {
            artifacts: self.artifacts,
            attempts: self.attempts,
            commit: GitCommit { hash: self.commit },
            dry_run: self.dry_run,
            errors: self.errors,
            files_updated: self.files_updated,
            from: self.from,
            links_added: self.links_added,
            ok,
            run: self.run.map(|(id, on_run)| TaskRun::new(id, *on_run)),
            status: OutcomeStatus::of(ok),
            summary: self.summary.clone().unwrap_or_else(|| headline.clone()),
            task: self.task,
            to: self.to,
            headline,
            given_summary: self.summary,
        }
    }

    fn headline(&self, ok: bool) -> String {
        let Self { verb, task, .. } = self;
        if !ok {
            return format!("task {task}: {verb} failed");
        }
        let (from, to) = (self.from.as_deref().unwrap_or("?"), self.to.as_deref().unwrap_or("?"));
        let step = if from == to { to.to_owned() } else { format!("{from} → {to}") };
        let names = self.artifacts.iter().map(|path| path.rsplit('/').next().unwrap_or(path));
        let names = names.collect::<Vec<_>>().join(", ");
        let artifacts = if names.is_empty() { String::new() } else { format!(" ({names})") };
        let note = match (self.dry_run, self.files_updated.is_empty()) {
            (true, _) => " [dry run]",
            (false, true) => " [nothing to change]",
            (false, false) => "",
        };
        format!("task {task}: {step}{artifacts}{note}")
    }
}

impl TaskRun {
    fn new(id: RunId, on_run: OnRun) -> Self {
        let OnRun { filed: artifacts, advance } = on_run;
        let advanced = advance.as_ref().map(|advance| advance.outcome == Outcome::Advanced);
        let (from_phase, to_phase) = advance.map(|advance| (advance.step.from, advance.step.to)).unzip();
        Self { advanced, artifacts, from_phase, id, to_phase }
    }
}

/// Returns the error that names everything that is wrong.
pub(super) fn failure(message: String, problems: &[Problem], hint: String) -> Error {
    Error::Task(Box::new(TaskFailure {
        failed: problems.iter().any(|problem| problem.kind.is_failure()),
        message,
        problems: problems.iter().map(|problem| problem.message.clone()).collect(),
        hint,
    }))
}
