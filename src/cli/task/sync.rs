//! One change of one task, from the look at its artifacts to the commit in git. The order is fixed (TS-53): artifacts,
//! validation, files, verification, git.

use std::thread;
use std::time::Duration;

use serde_json::json;

use super::place::{Directory, Held, Place};
use super::report::Report;
use super::write::{Detail, Failed, File, Mark, Work, digest, files};
use super::{commit, probe, settle};
use crate::app::Error;
use crate::cli::Cx;
use crate::cli::gate::evidence;
use crate::cli::run::advance::follow;
use crate::db::WriteTx;
use crate::domain::task::change::{Change, change};
use crate::domain::task::problem::{Kind, Problem, any_critical};
use crate::domain::task::request::Request;
use crate::domain::task::verify::{Wanted, verify};
use crate::domain::time::Stamp;
use crate::ops::advance::Outcome;
use crate::ops::task::{self, Changed, ForRun, OnRun};
use crate::os::{self, swap};

/// How often a change is tried that cannot be written (TS-31); before the second time it waits for this long, before the
/// third twice as long.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(2);

/// How often a change is worked out anew because somebody else has changed the files.
const ROUNDS: u32 = 500;

/// How long those go first who came first and come no further. Whoever is stopped for longer is not waited for: their files
/// are looked at again before anything is renamed, and so are ours.
const COURTESY: Duration = Duration::from_secs(1);

/// A change with everything around it.
pub(super) struct Job {
    pub what: &'static str,
    pub request: Request,
    pub place: Directory,
    pub plan: Option<Place>,
    pub session: Option<String>,
    pub commit: bool,
    pub dry_run: bool,
    pub run: Option<ForRun>,
}

/// What came of an attempt under the write lock.
enum Attempt {
    /// The files hold it, unless there is something critical among the problems.
    Done(Vec<Problem>, Option<Box<OnRun>>),
    /// The files are not what was read.
    Stale(Vec<Problem>),
}

/// Carries a job out, and answers what there is to show.
pub(super) fn sync(cx: &mut Cx, mut job: Job) -> Result<Report, Error> {
    let mut report = job.report();
    if !job.dry_run {
        report.errors.extend(settle::leftovers(cx, &job.place)?);
    }
    let mut wrong = job.place.check(&job.request.artifacts());
    job.hash();
    step("artifacts")?;
    let read = job.work_out();
    wrong.extend(job.run_is_there(cx));
    step("validated")?;
    let (held, made) = match read {
        Ok(read) if wrong.is_empty() => read,
        read => {
            wrong.extend(read.err().into_iter().flatten());
            return job.refused(cx, report, wrong);
        }
    };
    if let Some(run) = job.run.as_mut().filter(|run| run.advance) {
        run.unchanged = evidence::unchanged(cx, &run.id)?;
    }
    report.from = Some(made.from.clone());
    report.to = Some(made.to.to_string());
    if job.dry_run {
        report.files = files(&job.place, job.plan.as_ref(), &held, &made)
            .into_iter()
            .map(|file| file.place.shown)
            .collect();
        report.links = made.links;
        report.errors.extend(made.notes);
        return Ok(report);
    }
    job.carry_out(cx, report, held, made)
}

impl Job {
    fn report(&self) -> Report {
        Report {
            what: self.what,
            task: self.request.task,
            to: self.request.to.map(|to| to.to_string()),
            summary: self.request.summary.clone(),
            artifacts: self.paths(),
            dry_run: self.dry_run,
            attempts: 1,
            ..Report::default()
        }
    }

    fn paths(&self) -> Vec<String> {
        self.request.artifacts().into_iter().map(|artifact| artifact.path).collect()
    }

    /// What the run is told of the artifacts: now that they are there.
    fn hash(&mut self) {
        let artifacts = self.request.artifacts().into_iter().map(|artifact| {
            let hash = os::files::sha256_file(&self.place.resolve(&artifact.path)).ok().flatten();
            (artifact.path, artifact.kind.word().to_owned(), hash)
        });
        if let Some(run) = &mut self.run {
            run.artifacts = artifacts.collect();
        }
    }

    /// One reading of the files, and what becomes of them.
    fn work_out(&self) -> Result<(Held, Change), Vec<Problem>> {
        let held = self.place.read(self.plan.as_ref())?;
        let made = change(held.texts(), &self.request)?;
        Ok((held, made))
    }

    fn run_is_there(&self, cx: &mut Cx) -> Option<Problem> {
        let wanted = self.run.as_ref()?;
        let found = cx.read(|tx| crate::store::run::get(tx, &wanted.id));
        let over = |status: crate::domain::run::RunStatus| {
            (wanted.advance && status.is_terminal()).then(|| format!("run {} is {status}", wanted.id))
        };
        let message = found.map_or_else(|err| Some(err.to_string()), |run| over(run.status))?;
        Some(Problem::new(Kind::ValidationFailed, message))
    }

    /// Nothing was written, and why is on record.
    fn refused(&self, cx: &mut Cx, mut report: Report, wrong: Vec<Problem>) -> Result<Report, Error> {
        if !self.dry_run {
            let (task, stamp) = (self.request.task, cx.stamp.clone());
            cx.write(|tx| task::went_wrong(tx, task, &wrong, &stamp))?;
        }
        report.errors.extend(wrong);
        Ok(report)
    }

    fn carry_out(&self, cx: &mut Cx, mut report: Report, held: Held, made: Change) -> Result<Report, Error> {
        let first = made.from.clone();
        let mut ready = Some((held, made));
        let mut work: Option<Work> = None;
        let (mut failures, mut polite, mut split) = (0, true, false);
        loop {
            let read = ready.take().map_or_else(|| self.work_out(), Ok);
            let (held, mut made) = match read
                .and_then(|(held, made)| self.still_wanted(&first, made).map(|made| (held, made)))
            {
                Ok(read) => read,
                Err(wrong) => {
                    give_up(cx, work, &[], split)?;
                    return self.refused(cx, report, wrong);
                }
            };
            if split && made.from == made.to.as_str() {
                // One of the files has it from us.
                made.from.clone_from(&first);
            }
            let files = files(&self.place, self.plan.as_ref(), &held, &made);
            let detail = self.detail(&made, &files);
            let begun = match work.take() {
                None => Work::begin(cx, &self.place, &detail)?,
                Some(work) => {
                    work.change(cx, &detail)?;
                    work
                }
            };
            let begun = &*work.insert(begun);
            step("intent")?;
            if std::mem::take(&mut polite) && begun.await_turn(cx, COURTESY)? {
                continue;
            }
            let (read, mut left) = ((held, made, files), false);
            let tried = begun.prepare(&read.2).map_err(Failed::Write).and_then(|()| {
                step("prepared")?;
                let (mut renamed, stamp) = (0, cx.stamp.clone());
                let tried = cx.exclusive(|tx| self.attempt(tx, begun, &read, &mut renamed, &stamp));
                if tried.is_err() && renamed > 0 {
                    // The files were changed and the log was not told. Under the lock again: others may have gone on.
                    left = cx.exclusive(|_| begun.restore(&read.2).map_err(Failed::Write)).is_err();
                }
                tried
            });
            let (held, made, files) = read;
            split |= matches!(tried, Err(Failed::Split(_)));
            match tried {
                Ok(Attempt::Done(problems, on)) => {
                    report.from = Some(made.from.clone());
                    report.files = files.into_iter().map(|file| file.place.shown).collect();
                    report.links.clone_from(&made.links);
                    report.errors.extend(problems);
                    report.run = self.run.as_ref().map(|run| run.id.to_string()).zip(on);
                    return self.finish(cx, report, &held, &made);
                }
                Ok(Attempt::Stale(notes)) => {
                    begun.discard(&files);
                    report.errors.extend(notes);
                    if report.attempts == ROUNDS {
                        give_up(cx, work, &files, split)?;
                        let message = "the files are changed by others all the time";
                        return self.refused(cx, report, vec![Problem::new(Kind::StatusSyncFailed, message)]);
                    }
                }
                Err(Failed::Other(err)) => {
                    let _ = give_up(cx, work, &files, split || left);
                    return Err(err);
                }
                Err(Failed::Write(message) | Failed::Split(message)) => {
                    failures += 1;
                    if failures == TRIES {
                        give_up(cx, work, &files, split)?;
                        let so = if split { "the next call completes it" } else { "nothing was changed" };
                        let message = format!("{message} ({TRIES} attempts); {so}");
                        return self.refused(cx, report, vec![Problem::new(Kind::StatusSyncFailed, message)]);
                    }
                    if !split && let Some(work) = work.take() {
                        // Nobody waits for a turn behind one who waits.
                        work.abandon(cx, &files)?;
                    }
                    thread::sleep(PAUSE * failures);
                }
            }
            report.attempts += 1;
        }
    }

    /// Refuses a change whose task was moved elsewhere by somebody else meanwhile (TS-51).
    fn still_wanted(&self, first: &str, made: Change) -> Result<Change, Vec<Problem>> {
        let (task, now) = (self.request.task, &made.from);
        if now == first || *now == made.to.as_str() || self.request.force {
            return Ok(made);
        }
        let message =
            format!("task {task} is {now} by now (it was {first}): {} is not made of that", made.to);
        Err(vec![Problem::new(Kind::InvalidTransition, message)])
    }

    fn detail(&self, made: &Change, files: &[File]) -> Detail {
        let mark = |file: &File| Mark {
            shown: file.place.shown.clone(),
            path: file.place.path.clone(),
            old: digest(file.old.as_bytes()),
            new: digest(file.new.as_bytes()),
        };
        Detail {
            request: self.request.clone(),
            from: made.from.clone(),
            to: made.to.to_string(),
            plan: self.plan.as_ref().map(|plan| plan.shown.clone()),
            files: files.iter().map(mark).collect(),
        }
    }

    /// The part under the write lock: nothing is waited for here, and it happens once.
    fn attempt(
        &self,
        tx: &WriteTx<'_>,
        work: &Work,
        read: &(Held, Change, Vec<File>),
        renamed: &mut usize,
        stamp: &Stamp,
    ) -> Result<Attempt, Failed> {
        let (held, made, files) = read;
        probe::pass("locked").map_err(|err| Failed::Write(err.to_string()))?;
        let settled = settle::within(tx, &self.place, stamp)?;
        let now = self.place.read(self.plan.as_ref());
        if !settled.is_empty() || now.as_ref() != Ok(held) {
            return Ok(Attempt::Stale(settled));
        }
        let on = self.run.as_ref().map(|run| task::on_run(tx, run, stamp)).transpose()?;
        let mut problems = made.notes.clone();
        problems.extend(on.as_ref().and_then(stayed));
        if swap::is_on_network(&self.place.path) || probe::says_network() {
            let message = format!("{} is on a network file system", self.place.relative);
            problems.push(Problem::new(Kind::NetworkFileSystem, message));
        }
        if !files.is_empty() {
            task::changed(tx, self.told(made, files), stamp)?;
        }
        work.settle(tx)?;
        work.rename(files, renamed)?;
        let _ = probe::pass("written");
        problems.extend(self.look_again(made));
        let _ = probe::pass("verified");
        task::went_wrong(tx, self.request.task, &problems, stamp)?;
        Ok(Attempt::Done(problems, on.map(Box::new)))
    }

    /// Whether the files hold it (TS-36 to TS-39). Under the write lock, so that what the next one makes of the task is not
    /// taken for a fault of ours.
    fn look_again(&self, made: &Change) -> Vec<Problem> {
        let paths = self.paths();
        let wanted =
            Wanted { task: self.request.task, status: made.to, paths: &paths, dir: &self.place.relative };
        match self.place.read(self.plan.as_ref()) {
            Ok(held) => verify(held.texts(), &wanted),
            Err(problems) => problems,
        }
    }

    fn told(&self, made: &Change, files: &[File]) -> Changed {
        let files: Vec<&str> = files.iter().map(|file| file.place.shown.as_str()).collect();
        Changed {
            task: self.request.task,
            run: self.run.as_ref().map(|run| run.id.clone()),
            from: made.from.clone(),
            to: made.to.to_string(),
            reason: self.request.reason.clone(),
            data: task::data(&[
                ("dir", json!(self.request.dir)),
                ("files", json!(files)),
                ("artifacts", json!(self.request.artifacts)),
                ("links_added", json!(made.links)),
                ("subtasks", json!(self.request.subtasks)),
                ("summary", json!(self.request.summary)),
                ("session", json!(self.session)),
                ("forced", json!(self.request.force)),
            ]),
        }
    }

    /// What follows the commit of the change: the commit in git, and the run's hook.
    fn finish(&self, cx: &mut Cx, mut report: Report, held: &Held, made: &Change) -> Result<Report, Error> {
        if let Some(advance) = report.run.as_ref().and_then(|(_, on)| on.advance.clone()) {
            follow(cx, &advance);
        }
        if self.commit && !any_critical(&report.errors) {
            step("git")?;
            let problem = match commit::commit(self, held, made) {
                Ok((hash, problem)) => {
                    report.commit = Some(hash);
                    problem
                }
                Err(problem) => Some(problem),
            };
            if let Some(problem) = problem {
                let (task, stamp) = (self.request.task, cx.stamp.clone());
                cx.write(|tx| task::went_wrong(tx, task, std::slice::from_ref(&problem), &stamp))?;
                report.errors.push(problem);
            }
        }
        Ok(report)
    }
}

/// Ends work that came to nothing. What cannot be taken back is left as its intent tells of it: the next call settles it.
fn give_up(cx: &mut Cx, work: Option<Work>, files: &[File], leave: bool) -> Result<(), Error> {
    work.filter(|_| !leave).map_or(Ok(()), |work| work.abandon(cx, files))
}

/// Why the run stayed where it is, if it was to go on.
fn stayed(on: &OnRun) -> Option<Problem> {
    let advance = on.advance.as_ref().filter(|advance| advance.outcome != Outcome::Advanced)?;
    let why = advance.reason.as_deref().unwrap_or("the gate is shut");
    let message = format!("run {} stays in {}: {why}", advance.run.id, advance.step.from);
    Some(Problem::new(Kind::RunNotAdvanced, message))
}

/// Passes a place that cannot fail.
fn step(place: &str) -> Result<(), Error> {
    probe::pass(place).map_err(|err| Error::Unexpected(err.into()))
}
