//! The engine: one connection, read and write transactions, and what makes a commit durable.
//!
//! Stores see [`ReadTx`], [`WriteTx`], [`Row`] and [`params!`](crate::params); nothing here knows the name of a table.

mod apart;
mod check;
mod copy;
mod create;
mod error;
mod go;
mod identity;
mod log;
mod migrate;
mod older;
mod sqlite;
mod value;

use std::cell::Cell;
use std::ops::Deref;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use apart::Peer;
pub use copy::{Draft, Replaced, restore};
pub use create::{Prepared, make_room, migrate, prepare, private_dir};
pub use error::DbError;
pub use go::{GoDb, NewDb};
pub use migrate::{MIGRATIONS, Migration, newest};
pub use value::{Column, Row, Value};

use sqlite::{Begin, Conn};

/// A writer that leaves at least this many frames in the log moves them into the database. Moving them costs
/// four syncs, leaving them costs every opener a read per frame, whatever the size of the pages. Between 30
/// and 150 frames the sum is about the same, and from 80 on sixty advances stay below 78 syncs.
const CHECKPOINT_FRAMES: usize = 80;

/// What lies beside a database while it is open.
const LOGS: [&str; 2] = ["-wal", "-shm"];

/// An open database: one connection for the whole call.
pub struct Db {
    conn: Conn,
    schema: Cell<i64>,
}

impl Db {
    /// Opens an existing database of ours: a current one, or an older one that lacks nothing but additive migrations.
    /// Such a file is read as if it had what it lacks, and is left as it is; [`migrate`] has to come before a write.
    ///
    /// Never creates or changes a file, and leaves none behind when it refuses (K-09).
    ///
    /// # Errors
    /// [`DbError`] saying what the file is instead: missing, empty, foreign, damaged, too old, newer, a symlink.
    pub fn open(path: &Path, busy_timeout: Duration) -> Result<Self, DbError> {
        create::refuse_symlinks(path)?;
        let conn = Conn::open(path, busy_timeout)?;
        let found = match identity::require_readable(&conn, migrate::MIGRATIONS) {
            Ok(found) if found < newest() => older::complete(&conn),
            found => found,
        };
        match found {
            Ok(schema) => Ok(Self { conn, schema: Cell::new(schema) }),
            Err(err) => {
                // A proper close takes away the log files that looking at the file may have made.
                let _ = conn.close();
                Err(err)
            }
        }
    }

    /// A private database in memory with the newest schema, for tests.
    #[doc(hidden)]
    pub fn in_memory() -> Result<Self, DbError> {
        let conn = Conn::in_memory()?;
        migrate::apply(&conn, migrate::MIGRATIONS, 0)?;
        Ok(Self::current(conn))
    }

    /// A database that has the newest schema.
    fn current(conn: Conn) -> Self {
        Self { conn, schema: Cell::new(newest()) }
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        self.conn.path()
    }

    /// The schema version of the file.
    pub fn schema(&self) -> i64 {
        self.schema.get()
    }

    /// Whether the file lacks additive migrations: it can be read, and has to be migrated before it is written to.
    pub fn is_older(&self) -> bool {
        self.schema() < newest()
    }

    /// A number that another one's commit changes: for waiting without a transaction.
    ///
    /// # Errors
    /// What the engine says.
    pub fn version(&self) -> Result<i64, DbError> {
        self.conn.pragma("data_version")
    }

    /// Which file is at the database's path now.
    ///
    /// # Errors
    /// What the file system says.
    pub fn place(&self) -> Result<Place, DbError> {
        let found = std::fs::metadata(self.path()).map_err(DbError::file("looking at", self.path()))?;
        Ok(Place { device: found.dev(), inode: found.ino() })
    }

    /// Says so when another file is at the database's path by now: who waits for commits to this one would wait for ever.
    ///
    /// # Errors
    /// [`DbError::Moved`].
    pub fn require_at(&self, place: Place) -> Result<(), DbError> {
        match self.place() {
            Ok(now) if now == place => Ok(()),
            _ => Err(DbError::Moved(self.path().to_owned())),
        }
    }

    /// Runs `f` over one snapshot of the database.
    ///
    /// # Errors
    /// What `f` returns, or what the engine says.
    pub fn read<T, E: From<DbError>>(&self, f: impl FnOnce(&ReadTx<'_>) -> Result<T, E>) -> Result<T, E> {
        self.begin_read()?;
        let out = f(&ReadTx { conn: &self.conn });
        self.conn.rollback();
        out
    }

    /// Begins a snapshot. An older file may have been migrated by another process since the last one: what was laid over
    /// it would then hide what is there.
    fn begin_read(&self) -> Result<(), DbError> {
        self.conn.begin(Begin::Deferred)?;
        while self.is_older() && self.conn.pragma("user_version")? != self.schema() {
            self.conn.rollback();
            self.schema.set(older::complete(&self.conn)?);
            self.conn.begin(Begin::Deferred)?;
        }
        Ok(())
    }

    /// Runs `f` in one serialisable write transaction: all of it commits, or none of it does (K-02, K-04).
    ///
    /// `f` may run again after a serialisation failure of an engine that has those, so it must touch nothing but the
    /// transaction. An `Err` rolls back; an expected negative that must be remembered is an `Ok`.
    ///
    /// # Errors
    /// What `f` returns, or what the engine says.
    ///
    /// # Panics
    /// In debug builds, if `f` changed rows and appended no event.
    pub fn write<T, E: From<DbError>>(
        &mut self,
        mut f: impl FnMut(&WriteTx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.exclusive(|tx| f(tx))
    }

    /// As [`Self::write`], but `f` runs once at most, on every engine: for the one case in which files have to change under the
    /// write lock, because that is what keeps their writers apart. Nothing may be waited for in there (TS-60).
    ///
    /// # Errors
    /// What `f` returns, or what the engine says. A failed commit is one: what `f` did to files stands then.
    ///
    /// # Panics
    /// As [`Self::write`].
    pub fn exclusive<T, E: From<DbError>>(
        &mut self,
        f: impl FnOnce(&WriteTx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        if self.is_older() {
            let (path, found) = (self.path().to_owned(), self.schema());
            return Err(DbError::SchemaTooOld { path, found, known: newest() }.into());
        }
        // The schema is parsed here and not while everybody waits for the lock.
        self.conn.read_schema()?;
        self.conn.begin(Begin::Immediate)?;
        // Asked now and not before the commit: a large transaction writes to the log before it commits.
        let new_log = self.log_is_empty();
        let tx = WriteTx { read: ReadTx { conn: &self.conn }, changed: Cell::new(0), events: Cell::new(0) };
        let out = self.check_schema().map_err(E::from).and_then(|()| f(&tx));
        let explained = tx.changed.get() == 0 || tx.events.get() > 0;
        match out {
            Ok(value) => {
                debug_assert!(explained, "rows changed but no event was appended");
                if let Err(err) = self.commit(new_log) {
                    self.conn.rollback();
                    return Err(err.into());
                }
                self.checkpoint_if_due();
                Ok(value)
            }
            Err(err) => {
                self.conn.rollback();
                Err(err)
            }
        }
    }

    /// A newer program may have migrated the file between our opening it and our getting the lock.
    fn check_schema(&self) -> Result<(), DbError> {
        let found = self.conn.pragma("user_version")?;
        if found > self.schema() {
            return Err(DbError::SchemaTooNew { found, known: newest() });
        }
        Ok(())
    }

    fn commit(&self, new_log: bool) -> Result<(), DbError> {
        if new_log && self.conn.has_changed() {
            self.sync_directory().map_err(DbError::before_commit)?;
        }
        crash_point("before_commit");
        log::commit(&self.conn)?;
        crash_point("after_commit");
        Ok(())
    }

    /// Whether nobody has written to the log since it was made or emptied. Asked under the write lock.
    fn log_is_empty(&self) -> bool {
        std::fs::metadata(side_file(self.conn.path(), "-wal")).is_ok_and(|log| log.len() == 0)
    }

    /// Makes the log's directory entry durable.
    ///
    /// SQLite would do this once per process, which doubles the price of a commit; it is built without
    /// (`SQLITE_DISABLE_DIRSYNC`). An empty log may be a file that a mere reader created a moment ago; one with content was
    /// synced by whoever wrote first.
    fn sync_directory(&self) -> Result<(), DbError> {
        create::sync_directory(self.conn.path())
    }

    /// Moves a long log into the database. The commit stands whatever becomes of this: a failure, say for lack of space, is
    /// left to the next writer.
    fn checkpoint_if_due(&mut self) {
        if self.conn.log_frames() >= CHECKPOINT_FRAMES {
            let _ = self.conn.checkpoint();
        }
    }
}

/// Which file a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    device: u64,
    inode: u64,
}

/// A view of the database in which nothing changes until it ends.
pub struct ReadTx<'a> {
    conn: &'a Conn,
}

impl ReadTx<'_> {
    /// Runs a query and hands each row to `each` as it comes, so that a million rows need no more memory than one.
    /// `each` says whether to go on.
    ///
    /// # Errors
    /// What `each` returns, or what the engine says.
    pub fn for_each<E: From<DbError>>(
        &self,
        sql: &str,
        params: &[Value],
        each: impl FnMut(&Row) -> Result<bool, E>,
    ) -> Result<(), E> {
        self.conn.query(sql, params, each)
    }

    /// Every row of a query, mapped.
    ///
    /// # Errors
    /// What `map` returns, or what the engine says.
    pub fn query<T, E: From<DbError>>(
        &self,
        sql: &str,
        params: &[Value],
        map: impl Fn(&Row) -> Result<T, E>,
    ) -> Result<Vec<T>, E> {
        let mut out = Vec::new();
        self.for_each(sql, params, |row| {
            out.push(map(row)?);
            Ok::<_, E>(true)
        })?;
        Ok(out)
    }

    /// The first row of a query, mapped, if there is one.
    ///
    /// # Errors
    /// What `map` returns, or what the engine says.
    pub fn query_opt<T, E: From<DbError>>(
        &self,
        sql: &str,
        params: &[Value],
        map: impl Fn(&Row) -> Result<T, E>,
    ) -> Result<Option<T>, E> {
        let mut out = None;
        self.for_each(sql, params, |row| {
            out = Some(map(row)?);
            Ok::<_, E>(false)
        })?;
        Ok(out)
    }

    /// The first cell of the first row: for counts, sums and questions of existence.
    ///
    /// # Errors
    /// [`DbError`] when there is no row or the cell is of another type.
    pub fn scalar<T: Column>(&self, sql: &str, params: &[Value]) -> Result<T, DbError> {
        let first = |row: &Row| {
            let (name, _) = row.cells().next().ok_or_else(|| DbError::Engine("no columns".to_owned()))?;
            row.get(name)
        };
        self.query_opt(sql, params, first)?.ok_or_else(|| DbError::Engine(format!("no row from: {sql}")))
    }
}

/// The one transaction of a command that writes. Derefs to [`ReadTx`].
pub struct WriteTx<'a> {
    read: ReadTx<'a>,
    changed: Cell<usize>,
    events: Cell<usize>,
}

impl<'a> Deref for WriteTx<'a> {
    type Target = ReadTx<'a>;

    fn deref(&self) -> &ReadTx<'a> {
        &self.read
    }
}

impl WriteTx<'_> {
    /// Changes rows of which an event has to tell; answers how many.
    ///
    /// # Errors
    /// What the engine says.
    pub fn execute(&self, sql: &str, params: &[Value]) -> Result<usize, DbError> {
        let changed = self.read.conn.execute(sql, params)?;
        self.changed.set(self.changed.get() + changed);
        Ok(changed)
    }

    /// Changes rows that are quiet by design (`store::quiet` lists them all); answers how many.
    ///
    /// # Errors
    /// What the engine says.
    pub fn execute_quiet(&self, sql: &str, params: &[Value]) -> Result<usize, DbError> {
        self.read.conn.execute(sql, params)
    }

    /// Says that an event was appended in this transaction.
    pub fn note_event(&self) {
        self.events.set(self.events.get() + 1);
    }
}

/// `<database>-wal`, `<database>-shm`, …
fn side_file(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Ends the process where a crash test says so: `IC_TEST_CRASH=<point>` or `<point>:<n>` for the n-th time the point is
/// passed. Debug builds only.
pub fn crash_point(point: &str) {
    #[cfg(debug_assertions)]
    {
        thread_local!(static PASSED: Cell<usize> = const { Cell::new(0) });
        let Ok(wanted) = std::env::var("IC_TEST_CRASH") else { return };
        let (name, nth) = wanted.split_once(':').unwrap_or((&wanted, "1"));
        if name == point {
            PASSED.set(PASSED.get() + 1);
            if nth.parse() == Ok(PASSED.get()) {
                std::process::abort();
            }
        }
    }
    #[cfg(not(debug_assertions))]
    let _ = point;
}

#[cfg(test)]
mod tests;
