//! The engine: one connection, read and write transactions, and what makes a commit durable.
//!
//! Stores see [`ReadTx`], [`WriteTx`], [`Row`] and [`params!`](crate::params); no table is named here.

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

/// The number of frames in the log from which a writer moves them into the database. Moving costs four syncs,
/// and leaving them costs every opener a read per frame, whatever the size of the pages. Between 30 and 150
/// frames the sum is about the same, and from 80 on sixty advances need fewer than 78 syncs.
const CHECKPOINT_FRAMES: usize = 80;

/// The suffixes of the files beside an open database.
const LOGS: [&str; 2] = ["-wal", "-shm"];

/// An open database: one connection for the whole call.
pub struct Db {
    conn: Conn,
    schema: Cell<i64>,
}

impl Db {
    /// Opens an existing database of ours: a current one, or an older one that lacks only additive
    /// migrations. An older one is read as if it had them, and is not changed; it must be migrated
    /// ([`migrate`]) before a write.
    ///
    /// Never creates or changes a file, also if it refuses.
    ///
    /// # Errors
    /// [`DbError`] if the file is missing, empty, foreign, damaged, too old, newer than this program, or a
    /// symlink.
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
                // Closing removes the log files that reading the file may have created.
                let _ = conn.close();
                Err(err)
            }
        }
    }

    /// Creates a private database in memory with the newest schema.
    #[cfg(test)]
    pub fn in_memory() -> Result<Self, DbError> {
        let conn = Conn::in_memory()?;
        migrate::apply(&conn, migrate::MIGRATIONS, 0)?;
        Ok(Self::current(conn))
    }

    /// Wraps a connection to a database with the newest schema.
    fn current(conn: Conn) -> Self {
        Self { conn, schema: Cell::new(newest()) }
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        self.conn.path()
    }

    /// Returns the schema version of the file.
    pub fn schema(&self) -> i64 {
        self.schema.get()
    }

    /// Returns true if the file lacks additive migrations: it can be read, and must be migrated before a
    /// write.
    pub fn is_older(&self) -> bool {
        self.schema() < newest()
    }

    /// Returns a number that changes with every commit of another process, for waiting without a transaction.
    pub fn version(&self) -> Result<i64, DbError> {
        self.conn.pragma("data_version")
    }

    /// Identifies the file that is at the database's path now.
    pub fn place(&self) -> Result<Place, DbError> {
        let found = std::fs::metadata(self.path()).map_err(DbError::file("looking at", self.path()))?;
        Ok(Place { device: found.dev(), inode: found.ino() })
    }

    /// Checks that the file at the database's path is still `place`. A process that waits for commits to a
    /// replaced file would wait for ever.
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
    /// Errors of `f` and of the database.
    pub fn read<T, E: From<DbError>>(&self, f: impl FnOnce(&ReadTx<'_>) -> Result<T, E>) -> Result<T, E> {
        self.begin_read()?;
        let out = f(&ReadTx { conn: &self.conn });
        self.conn.rollback();
        out
    }

    /// Begins a snapshot. If another process has migrated an older file since the last one, the temporary
    /// schema is removed, because it would hide the tables of the file.
    fn begin_read(&self) -> Result<(), DbError> {
        self.conn.begin(Begin::Deferred)?;
        while self.is_older() && self.conn.pragma("user_version")? != self.schema() {
            self.conn.rollback();
            self.schema.set(older::complete(&self.conn)?);
            self.conn.begin(Begin::Deferred)?;
        }
        Ok(())
    }

    /// Runs `f` in one serialisable write transaction: all of it commits, or none of it does.
    ///
    /// `f` may run again after a serialisation failure of an engine that has those, so it must touch nothing
    /// but the transaction. An `Err` rolls back; an expected negative that must be remembered is an `Ok`.
    ///
    /// # Errors
    /// Errors of `f` and of the database.
    ///
    /// # Panics
    /// In debug builds, if `f` changed rows and appended no event.
    pub fn write<T, E: From<DbError>>(
        &mut self,
        mut f: impl FnMut(&WriteTx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.exclusive(|tx| f(tx))
    }

    /// Does the same as [`Self::write`], but runs `f` once at most, on every engine: for files that must
    /// change under the write lock, which keeps their writers apart. `f` must not wait for anything.
    ///
    /// # Errors
    /// Errors of `f` and of the database. After a failed commit, changes of files by `f` stay.
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
        // The schema is parsed before the lock is taken, so that other processes do not wait for it.
        self.conn.read_schema()?;
        self.conn.begin(Begin::Immediate)?;
        // Read now and not before the commit: a large transaction writes to the log before it commits.
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

    /// Checks the version again, because a newer program may have migrated the file before this process got
    /// the lock.
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

    /// Returns true if no process has written to the log since it was created or emptied. Must be called
    /// under the write lock.
    fn log_is_empty(&self) -> bool {
        std::fs::metadata(side_file(self.conn.path(), "-wal")).is_ok_and(|log| log.len() == 0)
    }

    /// Makes the log's directory entry durable.
    ///
    /// SQLite would do this once per process, which doubles the cost of a commit, so it is built without
    /// (`SQLITE_DISABLE_DIRSYNC`). An empty log may have just been created by a reader; a log with content
    /// was synced by its first writer.
    fn sync_directory(&self) -> Result<(), DbError> {
        create::sync_directory(self.conn.path())
    }

    /// Moves a long log into the database. The commit stands even if this fails, for lack of space, say: the
    /// next writer tries again.
    fn checkpoint_if_due(&mut self) {
        if self.conn.log_frames() >= CHECKPOINT_FRAMES {
            let _ = self.conn.checkpoint();
        }
    }
}

/// The identity of the file at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    device: u64,
    inode: u64,
}

/// A snapshot of the database.
pub struct ReadTx<'a> {
    conn: &'a Conn,
}

impl ReadTx<'_> {
    /// Runs a query and passes each row to `each` as it is read, until `each` returns false. A million rows
    /// need no more memory than one.
    ///
    /// # Errors
    /// Errors of `each` and of the database.
    pub fn for_each<E: From<DbError>>(
        &self,
        sql: &str,
        params: &[Value],
        each: impl FnMut(&Row) -> Result<bool, E>,
    ) -> Result<(), E> {
        self.conn.query(sql, params, each)
    }

    /// Returns the mapped rows of a query.
    ///
    /// # Errors
    /// Errors of `map` and of the database.
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

    /// Returns the mapped first row of a query, if there is one.
    ///
    /// # Errors
    /// Errors of `map` and of the database.
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

    /// Returns the first cell of the first row: for counts, sums and `EXISTS`.
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
    /// Changes rows, for which the caller must append an event. Returns their number.
    pub fn execute(&self, sql: &str, params: &[Value]) -> Result<usize, DbError> {
        let changed = self.read.conn.execute(sql, params)?;
        self.changed.set(self.changed.get() + changed);
        Ok(changed)
    }

    /// Changes rows that have no events by design (`store::quiet` lists them all). Returns their number.
    pub fn execute_quiet(&self, sql: &str, params: &[Value]) -> Result<usize, DbError> {
        self.read.conn.execute(sql, params)
    }

    /// Records that an event was appended in this transaction.
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

/// Kills the process where a crash test wants it: `IC_TEST_CRASH=<point>` or `<point>:<n>` for the n-th time
/// the point is passed. Debug builds only.
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
