//! One change of one task with everything that it needs to know.

use serde_json::json;

use super::files::{FilePath, TaskDirectory, TaskTexts};
use super::intent::{FileDigests, IntentDetail, digest};
use super::rewrite::{FileChange, file_changes};
use crate::domain::task::change::{Change, change};
use crate::domain::task::problem::{Kind, Problem};
use crate::domain::task::request::Request;
use crate::domain::task::verify::{Wanted, verify};
use crate::ops::task::{self, Changed, ForRun};

/// The step of the work on a task that a change stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChangeKind {
    Preflight,
    Postflight,
    Set,
}

impl ChangeKind {
    /// Returns the verb of the command.
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::Postflight => "postflight",
            Self::Set => "set",
        }
    }
}

/// A change that is to be made.
pub(super) struct SyncJob {
    pub kind: ChangeKind,
    pub request: Request,
    pub directory: TaskDirectory,
    pub plan: Option<FilePath>,
    pub session: Option<String>,
    /// Whether git gets a commit.
    pub commit: bool,
    pub dry_run: bool,
    pub run: Option<ForRun>,
}

/// One reading of the files, and what the change makes of it.
pub(super) struct Reading {
    pub texts: TaskTexts,
    pub change: Change,
    pub files: Vec<FileChange>,
}

impl SyncJob {
    /// Returns the paths of the artifacts.
    pub(super) fn artifact_paths(&self) -> Vec<String> {
        self.request.artifacts().into_iter().map(|artifact| artifact.path).collect()
    }

    /// Reads the files and computes the change.
    ///
    /// # Errors
    /// Everything that is wrong with the files or the change.
    pub(super) fn read(&self) -> Result<Reading, Vec<Problem>> {
        let texts = self.directory.read(self.plan.as_ref())?;
        let change = change(texts.as_texts(), &self.request)?;
        let files = file_changes(&self.directory, self.plan.as_ref(), &texts, &change);
        Ok(Reading { texts, change, files })
    }

    /// Checks that the status of the task allows the change: another process may have moved the task since it
    /// was `first`.
    ///
    /// # Errors
    /// The problem that the change is refused for.
    pub(super) fn check_status(&self, first: &str, change: &Change) -> Result<(), Vec<Problem>> {
        let (task, now) = (self.request.task, &change.from);
        if now == first || *now == change.to.as_str() || self.request.force {
            return Ok(());
        }
        let message =
            format!("task {task} is {now} by now (it was {first}): {} is not made of that", change.to);
        Err(vec![Problem::new(Kind::InvalidTransition, message)])
    }

    /// Checks whether the files still hold what was read.
    pub(super) fn is_current(&self, texts: &TaskTexts) -> bool {
        self.directory.read(self.plan.as_ref()).as_ref() == Ok(texts)
    }

    /// Reads the files back and verifies that they hold the change.
    pub(super) fn verify(&self, change: &Change) -> Vec<Problem> {
        let paths = self.artifact_paths();
        let dir = &self.directory.relative;
        let wanted = Wanted { task: self.request.task, status: change.to, paths: &paths, dir };
        match self.directory.read(self.plan.as_ref()) {
            Ok(texts) => verify(texts.as_texts(), &wanted),
            Err(problems) => problems,
        }
    }

    /// Returns the detail of the change's intent.
    pub(super) fn intent_detail(&self, Reading { change, files, .. }: &Reading) -> IntentDetail {
        let digests = |FileChange { file, old, new }: &FileChange| FileDigests {
            name: file.name.clone(),
            path: file.path.clone(),
            old: digest(old.as_bytes()),
            new: digest(new.as_bytes()),
        };
        IntentDetail {
            request: self.request.clone(),
            from: change.from.clone(),
            to: change.to.to_string(),
            plan: self.plan.as_ref().map(|plan| plan.name.clone()),
            files: files.iter().map(digests).collect(),
        }
    }

    /// Returns the event of the change.
    pub(super) fn event(&self, Reading { change, files, .. }: &Reading) -> Changed {
        let files: Vec<&str> = files.iter().map(|change| change.file.name.as_str()).collect();
        Changed {
            task: self.request.task,
            run: self.run.as_ref().map(|run| run.id.clone()),
            from: change.from.clone(),
            to: change.to.to_string(),
            reason: self.request.reason.clone(),
            data: task::data(&[
                ("dir", json!(self.request.dir)),
                ("files", json!(files)),
                ("artifacts", json!(self.request.artifacts)),
                ("links_added", json!(change.links)),
                ("subtasks", json!(self.request.subtasks)),
                ("summary", json!(self.request.summary)),
                ("session", json!(self.session)),
                ("forced", json!(self.request.force)),
            ]),
        }
    }
}
