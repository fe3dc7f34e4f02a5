//! Changing a task: preflight, postflight and set.

use super::files::TaskDirectory;
use super::job::{ChangeKind, SyncJob};
use super::report::TaskChange;
use super::sync::sync;
use crate::app::{CommandContext, Error, Reply};
use crate::domain::ids::RunId;
use crate::domain::task::link::Artifact;
use crate::domain::task::request::Request;
use crate::domain::task::status::Status;
use crate::domain::time::{rfc3339_seconds, utc_date};
use crate::ops::task::ForRun;

/// The change that a caller asks for.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "flags of the command line, each on its own")]
pub(crate) struct TaskChangeRequest {
    pub kind: ChangeKind,
    pub task: u64,
    /// The directory of the task files, instead of the default ones.
    pub dir: Option<String>,
    /// The new status; none if only links are added.
    pub to: Option<Status>,
    pub plan: Option<String>,
    pub session: Option<String>,
    pub reason: Option<String>,
    pub subtasks: Vec<u64>,
    /// `YYYY-MM-DD`; none for today, in UTC.
    pub date: Option<String>,
    pub no_dates: bool,
    pub strict: bool,
    pub force: bool,
    pub dry_run: bool,
    pub run: Option<RunId>,
    pub advance: bool,
    pub artifacts: Vec<Artifact>,
    pub summary: Option<String>,
    /// Whether the links to older plans stay.
    pub keep_plans: bool,
    /// Whether git gets a commit.
    pub commit: bool,
}

/// Changes a task in all of its files, or in none. A refusal if anything is wrong: exit code 1 if the change
/// was not possible, 2 if the files could not be used or written, or do not hold the change.
///
/// # Errors
/// [`Error::Usage`] if there is nothing to change; [`Error::NoTasks`].
pub(crate) fn change(
    cx: &mut CommandContext,
    request: TaskChangeRequest,
) -> Result<Reply<TaskChange>, Error> {
    let kind = request.kind;
    if request.to.is_none() && (kind != ChangeKind::Set || request.artifacts.is_empty()) {
        return Err(Error::usage(format!("task {}: --to is needed", kind.verb())));
    }
    let directory = TaskDirectory::find(cx, request.dir.as_deref())?;
    let artifacts = request.artifacts.iter();
    let artifacts = artifacts
        .map(|artifact| format!("{}:{}", artifact.kind.word(), directory.stored_path(&artifact.path)))
        .collect();
    let now = rfc3339_seconds(cx.stamp.secs());
    let staged = request.date.as_ref().map_or_else(|| now.clone(), |date| format!("{date}T00:00:00Z"));
    let job = SyncJob {
        kind,
        request: Request {
            task: request.task,
            to: request.to,
            artifacts,
            summary: request.summary,
            reason: request.reason,
            subtasks: request.subtasks,
            date: request.date.unwrap_or_else(|| utc_date(cx.stamp.secs())),
            staged,
            now,
            dates: !request.no_dates,
            force: request.force,
            strict: request.strict,
            keep_plans: request.keep_plans,
            dir: directory.relative.clone(),
        },
        plan: request.plan.map(|plan| directory.plan(&directory.stored_path(&plan))),
        session: request.session,
        commit: request.commit,
        dry_run: request.dry_run,
        run: request.run.map(|id| ForRun {
            id,
            artifacts: Vec::new(),
            unchanged: Vec::new(),
            advance: request.advance,
        }),
        directory,
    };
    Ok(sync(cx, job)?.into_reply(cx))
}
