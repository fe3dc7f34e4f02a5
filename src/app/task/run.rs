//! The run that a task belongs to.

use super::job::SyncJob;
use crate::app::gate::evidence;
use crate::app::{CommandContext, Error, effects};
use crate::domain::task::problem::{Kind, Problem};
use crate::ops::advance::{Advance, Outcome};
use crate::ops::task::{ForRun, OnRun};
use crate::os::files;
use crate::store;

/// Adds the content hashes of the artifacts to what is filed on the run.
pub(super) fn hash_artifacts(job: &mut SyncJob) {
    if job.run.is_none() {
        return;
    }
    let artifacts = job.request.artifacts().into_iter().map(|artifact| {
        let hash = files::sha256_file(&job.directory.resolve(&artifact.path)).ok().flatten();
        (artifact.path, artifact.kind.word().to_owned(), hash)
    });
    let artifacts = artifacts.collect();
    if let Some(run) = &mut job.run {
        run.artifacts = artifacts;
    }
}

/// Checks that the run exists and, if it is to advance, has not ended.
pub(super) fn check(cx: &mut CommandContext, wanted: &ForRun) -> Option<Problem> {
    let message = match cx.read(|tx| store::run::get(tx, &wanted.id)) {
        Err(err) => err.to_string(),
        Ok(run) if wanted.advance && run.status.is_terminal() => {
            format!("run {} is {}", wanted.id, run.status)
        }
        Ok(_) => return None,
    };
    Some(Problem::new(Kind::ValidationFailed, message))
}

/// Adds the unchanged evidence that the run may need for its step: files are not read inside the transaction.
pub(super) fn read_evidence(cx: &mut CommandContext, run: Option<&mut ForRun>) -> Result<(), Error> {
    if let Some(run) = run.filter(|run| run.advance) {
        run.unchanged = evidence::unchanged(cx, &run.id)?;
    }
    Ok(())
}

/// Returns why the run did not advance, if it was asked to.
pub(super) fn not_advanced(on: &OnRun) -> Option<Problem> {
    let advance = on.advance.as_ref().filter(|advance| advance.outcome != Outcome::Advanced)?;
    let why = advance.reason.as_deref().unwrap_or("the gate is shut");
    let message = format!("run {} stays in {}: {why}", advance.run.id, advance.step.from);
    Some(Problem::new(Kind::RunNotAdvanced, message))
}

/// Starts what follows the commit of the run's step: its hook and its agents.
pub(super) fn follow_up(cx: &mut CommandContext, advance: &Advance) {
    effects::follow(cx, advance);
}
