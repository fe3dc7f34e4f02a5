//! The context of one call: the database, the clock, the environment, and where notes go.

use std::fmt::{self, Display};
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};

use super::git_exclude::exclude_from_git;
use super::locate::{self, Located};
use super::{Environment, Error};
use crate::db::{self, Db, DbError, Prepared, ReadTx, WriteTx};
use crate::domain::state::holds_secret;
use crate::domain::time::{Stamp, Trace, compact_time};
use crate::os::stream;

/// How a note is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoteKind {
    /// Something may be wrong.
    Warning,
    /// A fact about a change that was made.
    Remark,
    /// What happens besides the result.
    Info,
    /// How far a long step has come. Empty text takes the last one away.
    Progress,
}

/// Where notes go as they come. They are no part of the answer.
pub(crate) trait Notes {
    /// Takes a note.
    fn take(&self, kind: NoteKind, text: &str);

    /// Checks whether notes of this kind are wanted; text for others need not be made.
    fn wants(&self, kind: NoteKind) -> bool;
}

/// Where the database is, as far as the caller says.
#[derive(Clone, Debug)]
pub(crate) struct DatabaseOptions {
    /// The path that was given, if one was.
    pub path: Option<PathBuf>,
    /// How long a call waits for other writers.
    pub timeout: Duration,
}

enum Database {
    Unopened,
    /// Never closed: the process ends right after its answer, and closing would move the log into the database and sync it
    /// four times over (design rule: exit without close, checkpoint by size).
    Open(ManuallyDrop<Db>),
}

/// What a command works with. No database is open until the command asks for one.
pub(crate) struct CommandContext {
    /// The variables and the working directory.
    pub env: Environment,
    /// The moment at which the call began, and its trace.
    pub stamp: Stamp,
    /// Where the database is, and how long to wait for it.
    pub options: DatabaseOptions,
    /// Where the database of this call is, for a command that looks for it elsewhere than from the working directory.
    place: Option<Located>,
    database: Database,
    committed: bool,
    notes: Box<dyn Notes>,
}

impl CommandContext {
    /// Returns the context of a call that begins now.
    pub(crate) fn new(env: Environment, options: DatabaseOptions, notes: Box<dyn Notes>) -> Self {
        let stamp = Stamp::new(clock(), trace(&env));
        Self { env, stamp, options, place: None, database: Database::Unopened, committed: false, notes }
    }

    /// Returns the present moment, for commands that outlive the moment at which their call began.
    pub(crate) fn now(&self) -> Stamp {
        Stamp::new(clock(), self.stamp.trace.clone())
    }

    /// Returns the clock, to be read under the write lock: the time spent waiting for that lock is not part of a lease.
    pub(crate) fn clock(&self) -> impl Fn() -> Stamp + use<> {
        let trace = self.stamp.trace.clone();
        move || Stamp::new(clock(), trace.clone())
    }

    /// Checks whether something was committed: from then on a closed output is no error.
    pub(crate) fn has_committed(&self) -> bool {
        self.committed
    }

    /// Returns a flag that is raised when the caller is asked to end. From then on SIGINT, SIGTERM and SIGHUP raise it and do
    /// not end the process.
    ///
    /// # Errors
    /// [`Error::Unexpected`] if the signal handlers cannot be installed.
    #[expect(clippy::unused_self, reason = "how a call is asked to end is the context's to know")]
    pub(crate) fn stop_flag(&self) -> Result<Arc<AtomicBool>, Error> {
        stream::stop_flag().map_err(|err| Error::Unexpected(err.into()))
    }

    /// Records that something was committed by other means than [`Self::write`].
    pub(crate) fn mark_committed(&mut self) {
        self.committed = true;
    }

    /// Returns the working directory by the name that the caller knows it under.
    ///
    /// # Errors
    /// As [`Environment::cwd`].
    pub(crate) fn cwd(&self) -> Result<PathBuf, Error> {
        self.env.cwd()
    }

    /// Runs a read transaction in a database that is there.
    pub(crate) fn read<T, E: From<DbError>>(
        &mut self,
        f: impl FnOnce(&ReadTx<'_>) -> Result<T, E>,
    ) -> Result<T, Error>
    where
        Error: From<E>,
    {
        Ok(self.existing()?.read(f)?)
    }

    /// Runs the command's one write transaction, in a database that is there or may be created.
    pub(crate) fn write<T, E: From<DbError>>(
        &mut self,
        f: impl FnMut(&WriteTx<'_>) -> Result<T, E>,
    ) -> Result<T, Error>
    where
        Error: From<E>,
    {
        let done = self.writable()?.write(f)?;
        self.committed = true;
        Ok(done)
    }

    /// Runs a write transaction as [`Self::write`], with a closure that runs once and changes files under the write lock
    /// ([`Db::exclusive`]).
    pub(crate) fn exclusive<T, E: From<DbError> + From<Error>>(
        &mut self,
        f: impl FnOnce(&WriteTx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let done = self.writable()?.exclusive(f)?;
        self.committed = true;
        Ok(done)
    }

    /// Uses the database at `place` from now on.
    pub(crate) fn turn_to(&mut self, place: Located) {
        self.place = Some(place);
        self.database = Database::Unopened;
    }

    fn located(&self) -> Result<Located, Error> {
        self.place.clone().map_or_else(|| locate::locate(self), Ok)
    }

    /// Returns the database, which has to exist.
    pub(crate) fn existing(&mut self) -> Result<&mut Db, Error> {
        if matches!(self.database, Database::Unopened) {
            let found = self.located()?;
            return self.open(&found.path);
        }
        self.opened()
    }

    /// Returns the database for writing. Where the first command that writes may do so, it is created; where it lacks
    /// additive migrations only, it is migrated.
    pub(crate) fn writable(&mut self) -> Result<&mut Db, Error> {
        if matches!(self.database, Database::Unopened) {
            let found = self.located()?;
            let missing = match self.open(&found.path) {
                Err(Error::Ops(err)) if found.may_create && err.is_missing_database() => true,
                opened => opened.map(|_| false)?,
            };
            if missing {
                self.prepare(&found.path)?;
                self.open(&found.path)?;
            }
        }
        if self.opened()?.is_older() {
            self.migrate()?;
        }
        self.opened()
    }

    /// Creates or migrates the database at `path`, and keeps it out of git.
    pub(crate) fn prepare(&self, path: &Path) -> Result<Prepared, Error> {
        let is_new = path.try_exists().is_ok_and(|exists| !exists);
        if is_new {
            // Before there is a database, so that no `git add` can come between.
            db::make_room(path)?;
            exclude_from_git(self, path);
        }
        let done = db::prepare(path, self.options.timeout, &self.label())?;
        if !is_new {
            // Only now is it known that no other program made the file.
            exclude_from_git(self, path);
        }
        Ok(done)
    }

    /// Migrates the open database, which lacks nothing but additive migrations, and opens it again.
    fn migrate(&mut self) -> Result<(), Error> {
        let path = self.opened()?.path().to_owned();
        if let Database::Open(db) = std::mem::replace(&mut self.database, Database::Unopened) {
            drop(ManuallyDrop::into_inner(db));
        }
        if let Prepared::Migrated { from, backup } = db::migrate(&path, self.options.timeout, &self.label())?
        {
            self.committed = true;
            exclude_from_git(self, &path);
            self.remark(format_args!(
                "the database was migrated from schema v{from} to v{}; a backup is in {}",
                db::newest(),
                backup.display()
            ));
        }
        self.open(&path).map(drop)
    }

    /// Returns a name for a backup, after the time of the call.
    fn label(&self) -> String {
        compact_time(self.stamp.secs())
    }

    fn open(&mut self, path: &Path) -> Result<&mut Db, Error> {
        self.database = Database::Open(ManuallyDrop::new(Db::open(path, self.options.timeout)?));
        self.opened()
    }

    fn opened(&mut self) -> Result<&mut Db, Error> {
        match &mut self.database {
            Database::Open(db) => Ok(db),
            Database::Unopened => Err(Error::Unexpected(anyhow::anyhow!("BUG: no database is open"))),
        }
    }

    /// Notes that something may be wrong.
    pub(crate) fn warn(&self, message: impl Display) {
        self.note(NoteKind::Warning, message);
    }

    /// Notes a fact about a change that was made.
    pub(crate) fn remark(&self, message: impl Display) {
        self.note(NoteKind::Remark, message);
    }

    /// Notes what happens besides the result.
    pub(crate) fn info(&self, message: impl Display) {
        self.note(NoteKind::Info, message);
    }

    /// Notes how far a long step has come; empty text takes the last note away.
    pub(crate) fn progress(&self, message: impl Display) {
        self.note(NoteKind::Progress, message);
    }

    fn note(&self, kind: NoteKind, message: impl Display) {
        if self.notes.wants(kind) {
            self.notes.take(kind, &message.to_string());
        }
    }

    /// Checks whether the caller wants to see what happens besides the result.
    pub(crate) fn is_verbose(&self) -> bool {
        self.notes.wants(NoteKind::Info)
    }
}

impl fmt::Debug for CommandContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandContext").field("stamp", &self.stamp).finish_non_exhaustive()
    }
}

/// Returns the nanoseconds since the Unix epoch. Debug builds take seconds, with or without a fraction, from
/// `IC_TEST_NOW`, so that tests can pin the clock.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
fn clock() -> i64 {
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

/// Returns the caller's place in a distributed trace.
fn trace(env: &Environment) -> Trace {
    // It goes into every event: what looks like a secret is no trace.
    let read = |name| env.var(name).filter(|text| !holds_secret(text));
    Trace {
        trace_id: read("IC_TRACE_ID"),
        span_id: read("IC_SPAN_ID"),
        parent_span_id: read("IC_PARENT_SPAN_ID"),
    }
}
