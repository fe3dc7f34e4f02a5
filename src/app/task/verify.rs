//! The checks that follow every change, without a change.

use schemars::JsonSchema;
use serde::Serialize;

use super::files::TaskDirectory;
use super::report::{OutcomeStatus, failure};
use crate::app::{CommandContext, Error, Reply};
use crate::domain::task::problem::Problem;
use crate::domain::task::status::Status;
use crate::domain::task::verify::{Wanted, verify as check};

/// The state that a task should have.
#[derive(Debug)]
pub(crate) struct VerifyRequest {
    pub task: u64,
    pub dir: Option<String>,
    pub status: Status,
    /// The files to which the task's entry should have links.
    pub artifacts: Vec<String>,
    /// The plan that should have the same status.
    pub plan: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TaskVerification {
    pub ok: bool,
    pub status: OutcomeStatus,
    pub task: u64,
    pub errors: Vec<Problem>,
}

/// Verifies that the files hold the state that a task should have. A refusal with exit code 2 if they do not.
///
/// # Errors
/// [`Error::NoTasks`].
pub(crate) fn verify(cx: &CommandContext, request: &VerifyRequest) -> Result<Reply<TaskVerification>, Error> {
    let directory = TaskDirectory::find(cx, request.dir.as_deref())?;
    let plan = request.plan.as_ref().map(|plan| directory.plan(&directory.stored_path(plan)));
    let paths: Vec<String> = request.artifacts.iter().map(|path| directory.stored_path(path)).collect();
    let dir = &directory.relative;
    let wanted = Wanted { task: request.task, status: request.status, paths: &paths, dir };
    let errors = match directory.read(plan.as_ref()) {
        Ok(texts) => check(texts.as_texts(), &wanted),
        Err(problems) => problems,
    };
    let ok = errors.is_empty();
    let answer = TaskVerification { ok, status: OutcomeStatus::of(ok), task: request.task, errors };
    if ok {
        return Ok(Reply::yes(answer));
    }
    let message = format!("task {}: verification failed", answer.task);
    let hint = "look at `git diff` of TODO.md and state.json".to_owned();
    let error = failure(message, &answer.errors, hint);
    Ok(Reply::refused(answer, error))
}
