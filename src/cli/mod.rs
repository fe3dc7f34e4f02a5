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

/// Nanoseconds since the Unix epoch. Debug builds take seconds from `IC_TEST_NOW`, so that tests can pin the clock.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
fn now() -> i64 {
    #[cfg(debug_assertions)]
    if let Some(pinned) = std::env::var("IC_TEST_NOW").ok().and_then(|text| text.parse::<i64>().ok()) {
        return pinned.saturating_mul(1_000_000_000);
    }
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
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
        self.opened()
    }

    /// Creates or migrates the database at `path`.
    fn prepare(&self, path: &Path) -> Result<Prepared, CliError> {
        let label = output::compact_time(self.stamp.secs());
        Ok(db::prepare(path, self.globals.timeout, &label)?)
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
