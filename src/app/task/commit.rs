//! The commit of a change in git: the last step, whose failure is a warning.

use std::path::PathBuf;
use std::time::Duration;

use super::files::FilePath;
use super::job::{Reading, SyncJob};
use crate::domain::order;
use crate::domain::task::problem::{Kind, Problem};
use crate::domain::task::status::Status;
use crate::os::git::{self, Commit, Content, GitError, Hooks, Repository};
use crate::os::paths;

/// The time that each of the repository's hooks may take.
const HOOK_LIMIT: Duration = Duration::from_mins(2);

/// The maximum length of a subject, in bytes.
const MAX_SUBJECT: usize = 72;

/// Commits the files of a change and its artifacts, and nothing else. Returns the name of the commit, and a
/// problem if git's index could not be updated.
///
/// # Errors
/// The problem that there is no commit for.
pub(super) fn commit(job: &SyncJob, reading: &Reading) -> Result<(String, Option<Problem>), Problem> {
    let failed = |err: GitError| {
        let names: Vec<_> =
            job.request.artifacts().iter().map(|artifact| artifact.name().to_owned()).collect();
        let names =
            if names.is_empty() { String::new() } else { format!("{} is in place; ", names.join(", ")) };
        Problem::new(Kind::GitCommitFailed, format!("{names}the git commit failed: {err}"))
    };
    let repository = Repository::discover(&job.directory.path).map_err(failed)?;
    let artifacts = job.request.artifacts();
    let mut paths: Vec<PathBuf> = artifacts
        .iter()
        .map(|artifact| paths::canonical_key(&job.directory.resolve(&artifact.path)))
        .collect();
    let [todo, state] = [job.directory.todo(), job.directory.state()].map(|file: FilePath| file.path);
    let plan = job.plan.as_ref().map(|file| &file.path);
    paths.extend([&todo, &state].into_iter().chain(plan).cloned());
    order::natural(&mut paths);
    paths.dedup();
    let texts = &reading.texts;
    let old_text = |path: &PathBuf| match &texts.plan {
        _ if *path == todo => Some(&texts.todo),
        _ if *path == state => Some(&texts.state),
        old => old.as_ref().filter(|_| plan == Some(path)),
    };
    let changes: Vec<git::Change<'_>> = paths
        .iter()
        .map(|path| git::Change {
            path: path.strip_prefix(repository.top()).unwrap_or(path),
            content: old_text(path).map_or(Content::WorkTree, |old| Content::WorkTreeFrom(old.as_bytes())),
        })
        .collect();
    let commit = Commit {
        changes: &changes,
        message: &message(job, reading.change.to),
        trailer: None,
        hooks: Hooks::Run(HOOK_LIMIT),
        detached: true,
        step: &|_| (),
    };
    let done = repository.commit(&commit).map_err(failed)?;
    let behind = done.behind.map(|why| {
        let message = format!("{} is committed, but git's index could not be updated: {why}", done.commit);
        Problem::new(Kind::GitIndexBehind, message)
    });
    Ok((done.commit, behind))
}

fn message(job: &SyncJob, to: Status) -> String {
    let step = match to {
        Status::Researched => "complete research",
        Status::Planned => "create implementation plan",
        Status::Revised => "revise plan",
        Status::Completed => "complete implementation",
        Status::Partial => "partial implementation",
        other => other.as_str(),
    };
    let mut subject = format!("task {}: {step}", job.request.task);
    // Only a number with many digits makes the subject too long, and it is ASCII.
    subject.truncate(MAX_SUBJECT);
    match &job.session {
        Some(session) => format!("{subject}\n\nSession: {session}"),
        None => subject,
    }
}
