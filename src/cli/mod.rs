//! The command line: arguments, transactions, output, exit codes, the clock, and effects after a commit.
//!
//! The only code that prints, exits or reads the clock. A command is one `Args` struct whose doc comment is its help, one
//! [`verb::Verb::run`], and the views that it shows; `tree::ROOT` lists them all.

mod action;
mod agent;
mod args;
mod artifact;
mod backup;
mod caller;
mod compat;
mod completions;
mod config;
mod coordination;
mod demo;
mod dispatch;
mod effects;
mod error;
mod events;
mod gate;
mod globals;
mod health;
mod help;
mod hook;
mod hook_watch;
mod identity;
mod import;
mod init;
mod interspect;
mod keep_out;
mod listing;
mod locate;
mod lock;
mod man;
mod output;
mod restore;
mod run;
mod sentinel;
mod state;
mod task;
mod tree;
mod verb;
mod version;

use std::ffi::OsString;
use std::mem::ManuallyDrop;
use std::path::Path;
use std::process::ExitCode;
use std::time::SystemTime;

use crate::db::{self, Db, DbError, Prepared, ReadTx, WriteTx};
use crate::domain::state::holds_secret;
use crate::domain::time::{Stamp, Trace};
use crate::os::limits;
use error::CliError;
use globals::Globals;
use output::Output;

pub use error::ERRORS;
pub use listing::{Argument, arguments, listing};

/// How a command ended, when it ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// Done, found, allowed.
    Yes,
    /// The expected negative: its result is on stdout, the exit code is 1.
    No,
}

/// What a command has to work with. Nothing is open until it asks.
struct Cx {
    out: Output,
    stamp: Stamp,
    globals: Globals,
    /// Where the database of this call is, for a command that looks for it elsewhere than from the working
    /// directory.
    place: Option<locate::Located>,
    /// Never closed: the process ends right after its answer, and closing would move the log into the database and sync
    /// it four times over (design rule: exit without close, checkpoint by size).
    db: Option<ManuallyDrop<Db>>,
    /// Whether something was committed: from then on a closed stdout is not an error any more.
    committed: bool,
}

/// Runs `ic` with the given arguments, the program's name left out.
pub fn main(args: Vec<OsString>) -> ExitCode {
    limits::fail_beyond_file_size();
    let (globals, words) = match globals::scan(args) {
        Ok(scanned) => scanned,
        Err((globals, err)) => return Output::new(globals.json, globals.verbosity).fail(&err),
    };
    let mut cx = Cx {
        out: Output::new(globals.json, globals.verbosity),
        stamp: Stamp::new(now(), trace()),
        globals,
        place: None,
        db: None,
        committed: false,
    };
    match tree::dispatch(&words, &mut cx) {
        Ok(Answer::Yes) => ExitCode::SUCCESS,
        Ok(Answer::No) => ExitCode::from(1),
        Err(CliError::Output(err)) if err.kind() == std::io::ErrorKind::BrokenPipe => {
            if !cx.committed {
                // What a reader expects of a program whose output nobody wants any more.
                let _ = signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGPIPE);
            }
            ExitCode::SUCCESS
        }
        Err(err) => cx.out.fail(&err),
    }
}

/// Nanoseconds since the Unix epoch. Debug builds take seconds, with or without a fraction, from `IC_TEST_NOW`, so that
/// tests can pin the clock.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
fn now() -> i64 {
    #[cfg(debug_assertions)]
    if let Some(pinned) = std::env::var("IC_TEST_NOW").ok().and_then(|text| pinned(&text)) {
        return pinned;
    }
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// Reads seconds with up to nine decimal places, as nanoseconds.
#[cfg(debug_assertions)]
fn pinned(text: &str) -> Option<i64> {
    let (secs, fraction) = text.split_once('.').unwrap_or((text, ""));
    let nanos: i64 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    Some(secs.parse::<i64>().ok()?.saturating_mul(1_000_000_000).saturating_add(nanos))
}

/// The caller's place in a distributed trace, from the environment.
fn trace() -> Trace {
    // It goes into every event: what looks like a secret is no trace (K-16).
    let fit = |text: &String| !text.is_empty() && !holds_secret(text);
    let read = |name| std::env::var(name).ok().filter(fit);
    Trace {
        trace_id: read("IC_TRACE_ID"),
        span_id: read("IC_SPAN_ID"),
        parent_span_id: read("IC_PARENT_SPAN_ID"),
    }
}

impl Cx {
    /// The present moment, for commands that outlive their call's.
    fn now(&self) -> Stamp {
        Stamp::new(now(), self.stamp.trace.clone())
    }

    /// Returns the clock, to be read under the write lock: the time spent waiting for that lock is not part of a lease.
    fn clock(&self) -> impl Fn() -> Stamp + use<> {
        let trace = self.stamp.trace.clone();
        move || Stamp::new(now(), trace.clone())
    }

    /// Reads from a database that is there.
    fn read<T, E: From<DbError>>(
        &mut self,
        f: impl FnOnce(&ReadTx<'_>) -> Result<T, E>,
    ) -> Result<T, CliError>
    where
        CliError: From<E>,
    {
        Ok(self.existing()?.read(f)?)
    }

    /// Runs the command's one write transaction, in a database that is there or may be made (K-09).
    fn write<T, E: From<DbError>>(
        &mut self,
        f: impl FnMut(&WriteTx<'_>) -> Result<T, E>,
    ) -> Result<T, CliError>
    where
        CliError: From<E>,
    {
        let done = self.writable()?.write(f)?;
        self.committed = true;
        Ok(done)
    }

    /// As [`Self::write`], with a closure that runs once and changes files under the write lock ([`Db::exclusive`]).
    fn exclusive<T, E: From<DbError> + From<CliError>>(
        &mut self,
        f: impl FnOnce(&WriteTx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let done = self.writable()?.exclusive(f)?;
        self.committed = true;
        Ok(done)
    }

    /// Uses the database at `place` from now on.
    fn turn_to(&mut self, place: locate::Located) {
        self.place = Some(place);
        self.db = None;
    }

    fn located(&self) -> Result<locate::Located, CliError> {
        self.place.clone().map_or_else(|| locate::locate(&self.globals), Ok)
    }

    fn existing(&mut self) -> Result<&mut Db, CliError> {
        if self.db.is_none() {
            let found = self.located()?;
            self.open(&found.path)?;
        }
        self.opened()
    }

    fn writable(&mut self) -> Result<&mut Db, CliError> {
        if self.db.is_none() {
            let found = self.located()?;
            match self.open(&found.path) {
                Err(CliError::Ops(err)) if found.may_create && err.is_missing_database() => {
                    self.prepare(&found.path)?;
                    self.open(&found.path)?;
                }
                other => other?,
            }
        }
        if self.opened()?.is_older() {
            self.migrate()?;
        }
        self.opened()
    }

    /// Creates or migrates the database at `path`, and keeps it out of git.
    fn prepare(&self, path: &Path) -> Result<Prepared, CliError> {
        let is_new = path.try_exists().is_ok_and(|exists| !exists);
        if is_new {
            // Before there is a database, so that no `git add` can come between.
            db::make_room(path)?;
            keep_out::keep_out(self.out, path);
        }
        let done = db::prepare(path, self.globals.timeout, &self.label())?;
        if !is_new {
            // Only now is it known to be no other program's file.
            keep_out::keep_out(self.out, path);
        }
        Ok(done)
    }

    /// Migrates the open database, which lacks nothing but additive migrations, and opens it again.
    fn migrate(&mut self) -> Result<(), CliError> {
        let path = self.opened()?.path().to_owned();
        drop(self.db.take().map(ManuallyDrop::into_inner));
        if let Prepared::Migrated { from, backup } = db::migrate(&path, self.globals.timeout, &self.label())?
        {
            self.committed = true;
            keep_out::keep_out(self.out, &path);
            self.out.remark(format_args!(
                "the database was migrated from schema v{from} to v{}; a backup is in {}",
                db::newest(),
                backup.display()
            ));
        }
        self.open(&path)
    }

    /// Names a backup after the time of the call.
    fn label(&self) -> String {
        output::compact_time(self.stamp.secs())
    }

    fn open(&mut self, path: &Path) -> Result<(), CliError> {
        self.db = Some(ManuallyDrop::new(Db::open(path, self.globals.timeout)?));
        Ok(())
    }

    fn opened(&mut self) -> Result<&mut Db, CliError> {
        match &mut self.db {
            Some(db) => Ok(db),
            None => Err(CliError::Unexpected(anyhow::anyhow!("BUG: no database is open"))),
        }
    }
}
