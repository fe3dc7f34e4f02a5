//! The commit of a change in git: the last step, and one that decides nothing (TS-44 to TS-47).

use crate::domain::order;
use std::path::PathBuf;
use std::time::Duration;

use super::place::{Held, Place};
use super::sync::Job;
use crate::domain::task::change::Change;
use crate::domain::task::problem::{Kind, Problem};
use crate::domain::task::status::Status;
use crate::os::git::{self, Commit, Content, GitError, Hooks, Repository};
use crate::os::paths;

/// How long each of the repository's hooks may take.
const HOOK_LIMIT: Duration = Duration::from_mins(2);

/// The longest subject.
const SUBJECT: usize = 72;

/// Commits the files of a change and its artifacts, and nothing else. Returns the commit's name, and a
/// problem if git's index could not follow it.
pub(super) fn commit(job: &Job, held: &Held, made: &Change) -> Result<(String, Option<Problem>), Problem> {
    let failed = |err: GitError| {
        let names: Vec<_> =
            job.request.artifacts().iter().map(|artifact| artifact.name().to_owned()).collect();
        let names =
            if names.is_empty() { String::new() } else { format!("{} is in place; ", names.join(", ")) };
        Problem::new(Kind::GitCommitFailed, format!("{names}the git commit failed: {err}"))
    };
    let repository = Repository::discover(&job.place.path).map_err(failed)?;
    let artifacts = job.request.artifacts();
    let mut places: Vec<PathBuf> =
        artifacts.iter().map(|artifact| paths::canonical_key(&job.place.resolve(&artifact.path))).collect();
    places.extend(
        [job.place.todo(), job.place.state()]
            .into_iter()
            .chain(job.plan.clone())
            .map(|place: Place| place.path),
    );
    order::natural(&mut places);
    places.dedup();
    let [todo, state] = [job.place.todo(), job.place.state()].map(|place| place.path);
    let plan = job.plan.as_ref().map(|place| &place.path);
    let from = |path: &PathBuf| match &held.plan {
        _ if *path == todo => Some(&held.todo),
        _ if *path == state => Some(&held.state),
        old => old.as_ref().filter(|_| plan == Some(path)),
    };
    let changes: Vec<git::Change<'_>> = places
        .iter()
        .map(|path| git::Change {
            path: path.strip_prefix(repository.top()).unwrap_or(path),
            content: from(path).map_or(Content::WorkTree, |old| Content::WorkTreeFrom(old.as_bytes())),
        })
        .collect();
    let commit = Commit {
        changes: &changes,
        message: &message(job, made),
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

fn message(job: &Job, made: &Change) -> String {
    let what = match made.to {
        Status::Researched => "complete research",
        Status::Planned => "create implementation plan",
        Status::Revised => "revise plan",
        Status::Completed => "complete implementation",
        Status::Partial => "partial implementation",
        other => other.as_str(),
    };
    let mut subject = format!("task {}: {what}", job.request.task);
    // Only a number of many digits can make it that long.
    subject.truncate(SUBJECT);
    match &job.session {
        Some(session) => format!("{subject}\n\nSession: {session}"),
        None => subject,
    }
}
