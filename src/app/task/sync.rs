//! One change of one task, from the check of its artifacts to the commit in git. The order is fixed:
//! artifacts, validation, files, verification, git.

use std::mem;
use std::ops::ControlFlow;
use std::thread;
use std::time::Duration;

use super::job::{Reading, SyncJob};
use super::report::SyncReport;
use super::rewrite::{FileChange, Rewrite, RewriteError};
use super::turns::await_turn;
use super::{commit, probe, run, settle};
use crate::app::{CommandContext, Error};
use crate::db::WriteTx;
use crate::domain::task::problem::{Kind, Problem, any_critical};
use crate::domain::time::Stamp;
use crate::ops::task::{self, OnRun};

/// The number of attempts to write the files.
const MAX_WRITE_ATTEMPTS: u32 = 3;

/// The pause before the second attempt to write; the pause before the third is twice as long.
const RETRY_DELAY: Duration = Duration::from_secs(2);

/// The number of times that a change is computed anew because another program changed the files.
const MAX_READINGS: u32 = 500;

/// Makes a change, and returns what came of it.
pub(super) fn sync(cx: &mut CommandContext, mut job: SyncJob) -> Result<SyncReport, Error> {
    let mut report = SyncReport::of(&job);
    if !job.dry_run {
        report.errors.extend(settle::settle_leftovers(cx, &job.directory)?);
    }
    let mut problems = job.directory.check_artifacts(&job.request.artifacts());
    run::hash_artifacts(&mut job);
    pass("artifacts")?;
    let reading = job.read();
    problems.extend(job.run.as_ref().and_then(|wanted| run::check(cx, wanted)));
    pass("validated")?;
    let reading = match reading {
        Ok(reading) if problems.is_empty() => reading,
        reading => {
            problems.extend(reading.err().into_iter().flatten());
            return refuse(cx, &job, report, problems);
        }
    };
    run::read_evidence(cx, job.run.as_mut())?;
    report.from = Some(reading.change.from.clone());
    report.to = Some(reading.change.to.to_string());
    if job.dry_run {
        report.add_files(&reading.files);
        report.links_added = reading.change.links;
        report.errors.extend(reading.change.notes);
        return Ok(report);
    }
    Sync::new(&job, report, &reading).run(cx, reading)
}

/// The next step of a change that is being made.
enum Phase {
    /// Compute the change from the present contents of the files.
    Read,
    /// Record the intent, and let earlier changes go first.
    Turn(Reading),
    /// Write the new contents beside the files and, under the write lock, replace the files and read them
    /// back.
    Write(Reading),
    /// Judge what the attempt has left in the files.
    Verify(Reading, Attempt),
}

/// What came of an attempt to write the files.
enum Attempt {
    /// The files hold the change, unless a problem is critical.
    Done(Vec<Problem>, Option<Box<OnRun>>),
    /// The files are no longer what was read; nothing was changed. Changes of dead processes may have been
    /// settled.
    Stale(Vec<Problem>),
    /// Nothing was changed, unless the sync is split.
    Failed(String),
    /// The database failed, or something else that is not retried.
    Aborted {
        error: Error,
        /// Whether the files could not be restored.
        left: bool,
    },
}

type Step = Result<ControlFlow<SyncReport, Phase>, Error>;

/// A change that is being made: the phases share this state.
struct Sync<'a> {
    job: &'a SyncJob,
    report: SyncReport,
    /// The status of the task before the first attempt.
    first: String,
    /// The recorded intent, if there is one now.
    rewrite: Option<Rewrite>,
    write_failures: u32,
    /// Whether the change has waited for its turn: it does so once.
    has_waited: bool,
    /// Whether some of the files hold the change and others do not.
    is_split: bool,
}

impl<'a> Sync<'a> {
    fn new(job: &'a SyncJob, report: SyncReport, first: &Reading) -> Self {
        Self {
            job,
            report,
            first: first.change.from.clone(),
            rewrite: None,
            write_failures: 0,
            has_waited: false,
            is_split: false,
        }
    }

    fn run(mut self, cx: &mut CommandContext, first: Reading) -> Result<SyncReport, Error> {
        let mut phase = Phase::Turn(first);
        loop {
            let step = match phase {
                Phase::Read => self.read(cx),
                Phase::Turn(reading) => self.take_turn(cx, reading),
                Phase::Write(reading) => Ok(ControlFlow::Continue(self.write(cx, reading))),
                Phase::Verify(reading, attempt) => self.verify(cx, &reading, attempt),
            };
            match step? {
                ControlFlow::Continue(next) => phase = next,
                ControlFlow::Break(report) => return Ok(report),
            }
        }
    }

    /// `Read` → `Turn`; ends if the change is no longer possible.
    fn read(&mut self, cx: &mut CommandContext) -> Step {
        let read = self.job.read().and_then(|reading| {
            self.job.check_status(&self.first, &reading.change)?;
            Ok(reading)
        });
        let mut reading = match read {
            Ok(reading) => reading,
            Err(problems) => {
                self.give_up(cx, &[], self.is_split)?;
                return self.refuse(cx, problems);
            }
        };
        let Reading { change, .. } = &mut reading;
        if self.is_split && change.from == change.to.as_str() {
            // One of the files has the new status from an earlier attempt.
            change.from.clone_from(&self.first);
        }
        Ok(ControlFlow::Continue(Phase::Turn(reading)))
    }

    /// `Turn` → `Write`, or back to `Read` if earlier changes went first.
    fn take_turn(&mut self, cx: &mut CommandContext, reading: Reading) -> Step {
        let detail = self.job.intent_detail(&reading);
        let rewrite = match self.rewrite.take() {
            None => Rewrite::begin(cx, &self.job.directory, &detail)?,
            Some(rewrite) => {
                rewrite.update(cx, &detail)?;
                rewrite
            }
        };
        let rewrite = self.rewrite.insert(rewrite);
        pass("intent")?;
        let has_waited = mem::replace(&mut self.has_waited, true);
        if !has_waited && await_turn(cx, rewrite)? {
            return Ok(ControlFlow::Continue(Phase::Read));
        }
        Ok(ControlFlow::Continue(Phase::Write(reading)))
    }

    /// `Write` → `Verify`.
    fn write(&mut self, cx: &mut CommandContext, reading: Reading) -> Phase {
        let Some(rewrite) = &self.rewrite else { return Phase::Turn(reading) };
        let (job, mut left) = (self.job, false);
        let tried = rewrite.prepare(&reading.files).map_err(RewriteError::Write).and_then(|()| {
            pass("prepared")?;
            let (mut renamed, stamp) = (0, cx.stamp.clone());
            let tried = cx.exclusive(|tx| replace_files(tx, job, rewrite, &reading, &mut renamed, &stamp));
            if tried.is_err() && renamed > 0 {
                // The files were changed and the transaction was rolled back. The files are restored under
                // the lock, because other processes may have gone on.
                let restored = cx.exclusive(|_| rewrite.restore(&reading.files).map_err(RewriteError::Write));
                left = restored.is_err();
            }
            tried
        });
        let attempt = match tried {
            Ok(attempt) => attempt,
            Err(RewriteError::Write(message)) => Attempt::Failed(message),
            Err(RewriteError::Split(message)) => {
                self.is_split = true;
                Attempt::Failed(message)
            }
            Err(RewriteError::Other(error)) => Attempt::Aborted { error, left },
        };
        Phase::Verify(reading, attempt)
    }

    /// `Verify` → back to `Read` after an attempt that may be repeated; otherwise ends.
    fn verify(&mut self, cx: &mut CommandContext, reading: &Reading, attempt: Attempt) -> Step {
        match attempt {
            Attempt::Done(problems, on_run) => {
                self.finish(cx, reading, problems, on_run).map(ControlFlow::Break)
            }
            Attempt::Stale(notes) => self.read_again(cx, &reading.files, notes),
            Attempt::Failed(message) => self.retry(cx, &reading.files, &message),
            Attempt::Aborted { error, left } => {
                // The first error is the one to report.
                let _ = self.give_up(cx, &reading.files, self.is_split || left);
                Err(error)
            }
        }
    }

    fn read_again(&mut self, cx: &mut CommandContext, files: &[FileChange], notes: Vec<Problem>) -> Step {
        if let Some(rewrite) = &self.rewrite {
            rewrite.discard(files);
        }
        self.report.errors.extend(notes);
        if self.report.attempts == MAX_READINGS {
            self.give_up(cx, files, self.is_split)?;
            let message = "the files are changed by others all the time";
            return self.refuse(cx, vec![Problem::new(Kind::StatusSyncFailed, message)]);
        }
        self.report.attempts += 1;
        Ok(ControlFlow::Continue(Phase::Read))
    }

    fn retry(&mut self, cx: &mut CommandContext, files: &[FileChange], message: &str) -> Step {
        self.write_failures += 1;
        if self.write_failures == MAX_WRITE_ATTEMPTS {
            self.give_up(cx, files, self.is_split)?;
            let rest = if self.is_split { "the next call completes it" } else { "nothing was changed" };
            let message = format!("{message} ({MAX_WRITE_ATTEMPTS} attempts); {rest}");
            return self.refuse(cx, vec![Problem::new(Kind::StatusSyncFailed, message)]);
        }
        if !self.is_split {
            // Releases the turn before the pause, so that later changes are not blocked.
            self.give_up(cx, files, false)?;
        }
        thread::sleep(RETRY_DELAY * self.write_failures);
        self.report.attempts += 1;
        Ok(ControlFlow::Continue(Phase::Read))
    }

    /// Takes the steps that follow the commit of the change: the run's hook, and the commit in git.
    fn finish(
        &mut self,
        cx: &mut CommandContext,
        reading: &Reading,
        problems: Vec<Problem>,
        on_run: Option<Box<OnRun>>,
    ) -> Result<SyncReport, Error> {
        let mut report = mem::take(&mut self.report);
        report.from = Some(reading.change.from.clone());
        report.add_files(&reading.files);
        report.links_added.clone_from(&reading.change.links);
        report.errors.extend(problems);
        if let Some(advance) = on_run.as_ref().and_then(|on| on.advance.as_ref()) {
            run::follow_up(cx, advance);
        }
        report.run = self.job.run.as_ref().map(|run| run.id.clone()).zip(on_run);
        if self.job.commit && !any_critical(&report.errors) {
            pass("git")?;
            let problem = match commit::commit(self.job, reading) {
                Ok((hash, problem)) => {
                    report.commit = Some(hash);
                    problem
                }
                Err(problem) => Some(problem),
            };
            if let Some(problem) = problem {
                let (task, stamp) = (self.job.request.task, cx.stamp.clone());
                cx.write(|tx| task::went_wrong(tx, task, std::slice::from_ref(&problem), &stamp))?;
                report.errors.push(problem);
            }
        }
        Ok(report)
    }

    fn refuse(&mut self, cx: &mut CommandContext, problems: Vec<Problem>) -> Step {
        refuse(cx, self.job, mem::take(&mut self.report), problems).map(ControlFlow::Break)
    }

    /// Ends work that came to nothing. With `leave` the intent and the files stay as they are: the next call
    /// settles them.
    fn give_up(&mut self, cx: &mut CommandContext, files: &[FileChange], leave: bool) -> Result<(), Error> {
        match self.rewrite.take() {
            Some(rewrite) if !leave => rewrite.abandon(cx, files),
            _ => Ok(()),
        }
    }
}

/// Records why nothing was written.
fn refuse(
    cx: &mut CommandContext,
    job: &SyncJob,
    mut report: SyncReport,
    problems: Vec<Problem>,
) -> Result<SyncReport, Error> {
    if !job.dry_run {
        let (task, stamp) = (job.request.task, cx.stamp.clone());
        cx.write(|tx| task::went_wrong(tx, task, &problems, &stamp))?;
    }
    report.errors.extend(problems);
    Ok(report)
}

/// Replaces the files under the write lock. Nothing is waited for here, and it runs once.
fn replace_files(
    tx: &WriteTx<'_>,
    job: &SyncJob,
    rewrite: &Rewrite,
    reading: &Reading,
    renamed: &mut usize,
    stamp: &Stamp,
) -> Result<Attempt, RewriteError> {
    probe::pass("locked").map_err(|err| RewriteError::Write(err.to_string()))?;
    let settled = settle::settle_within(tx, &job.directory, stamp)?;
    if !settled.is_empty() || !job.is_current(&reading.texts) {
        return Ok(Attempt::Stale(settled));
    }
    let on_run = job.run.as_ref().map(|run| task::on_run(tx, run, stamp)).transpose()?;
    let mut problems = reading.change.notes.clone();
    problems.extend(on_run.as_ref().and_then(run::not_advanced));
    if probe::is_on_network(&job.directory.path) {
        let message = format!("{} is on a network file system", job.directory.relative);
        problems.push(Problem::new(Kind::NetworkFileSystem, message));
    }
    if !reading.files.is_empty() {
        task::changed(tx, job.event(reading), stamp)?;
    }
    rewrite.settle(tx)?;
    rewrite.rename(&reading.files, renamed)?;
    let _ = probe::pass("written");
    // Still under the lock: the next change of the task must not be mistaken for a fault of this one.
    problems.extend(job.verify(&reading.change));
    let _ = probe::pass("verified");
    task::went_wrong(tx, job.request.task, &problems, stamp)?;
    Ok(Attempt::Done(problems, on_run.map(Box::new)))
}

/// Passes a point of tests at which a failure ends the call.
fn pass(point: &str) -> Result<(), Error> {
    probe::pass(point).map_err(|err| Error::Unexpected(err.into()))
}
