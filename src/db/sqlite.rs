//! Connections, statements, pragmas and error mapping. Only this file and the modules below it name the
//! engine's library.

mod foreign;
mod prepared;
mod unopenable;

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rand::RngExt;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, ToSql, ffi};

use super::error::DbError;
use super::value::{Row, Value};
use prepared::Seen;

/// How a transaction begins.
#[derive(Clone, Copy, Debug)]
pub(super) enum Begin {
    /// Takes the write lock at the start: rows that were read cannot change before the commit.
    Immediate,
    /// One snapshot for several reads.
    Deferred,
    /// Excludes all other processes from a file without a log.
    Exclusive,
}

/// One connection.
pub(super) struct Conn {
    inner: Connection,
    seen: Seen,
    path: PathBuf,
    /// The number of frames in the write-ahead log after the last commit of this connection.
    frames: Arc<AtomicUsize>,
    busy_timeout: Duration,
}

impl Conn {
    /// Opens an existing file; never creates one.
    pub(super) fn open(path: &Path, busy_timeout: Duration) -> Result<Self, DbError> {
        // NO_MUTEX: one connection, one thread. The path is absolute, so it is never taken for a URI.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = || Connection::open_with_flags(path, flags).map_err(|err| map(path, err));
        // Another process may create the file at this moment: SQLite does not find it, then finds it and
        // opens it for reading, or it exists when the reason is looked for. So a file that looks read-only is
        // opened once more.
        let inner = match open() {
            Err(DbError::ReadOnly(_)) => open()?,
            Ok(inner) if inner.is_readonly(rusqlite::MAIN_DB).unwrap_or(false) => open()?,
            opened => opened?,
        };
        Self::set_up(inner, path, busy_timeout)
    }

    /// Keeps the log when this connection closes, also as the last one: for a file that may be damaged.
    pub(super) fn never_checkpoint(&self) -> Result<(), DbError> {
        let set = self.inner.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        set.map(drop).map_err(|err| map(&self.path, err))
    }

    /// Creates a private database in memory, for tests and for comparing schemas.
    pub(super) fn in_memory() -> Result<Self, DbError> {
        let path = Path::new(":memory:");
        Self::set_up(Connection::open_in_memory().map_err(|err| map(path, err))?, path, Duration::ZERO)
    }

    fn set_up(inner: Connection, path: &Path, busy_timeout: Duration) -> Result<Self, DbError> {
        let frames = Arc::new(AtomicUsize::new(0));
        let mut conn = Self {
            inner,
            seen: Seen::default(),
            path: path.to_owned(),
            frames: Arc::clone(&frames),
            busy_timeout,
        };
        conn.wait_when_busy()?;
        // The hook replaces the engine's own checkpoints: `Db` decides when to make one.
        let hook = move |_: &mut rusqlite::hooks::Wal, pages: std::ffi::c_int| {
            frames.store(usize::try_from(pages).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        };
        conn.inner.wal_hook(Some(hook)).map_err(|err| map(path, err))?;
        // Foreign keys are enforced on every connection, whatever the library was built with.
        conn.inner
            .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true)
            .map_err(|err| map(path, err))?;
        Ok(conn)
    }

    /// Retries for a lock until the busy timeout is over. The pauses are random, so that waiters do not retry
    /// in step.
    ///
    /// They grow at first, because most locks are held for a moment, and shrink again with the time waited:
    /// whichever process happens to retry next gets a lock that was just released, so the one that has waited
    /// for longest has to retry most often. Otherwise newcomers starve it.
    fn wait_when_busy(&mut self) -> Result<(), DbError> {
        let limit = self.busy_timeout;
        if limit.is_zero() {
            return self.never_wait();
        }
        let mut since = Instant::now();
        let wait = move |attempt: i32| {
            if attempt == 0 {
                since = Instant::now();
            }
            let left = limit.saturating_sub(since.elapsed());
            let most = longest_pause(attempt, since.elapsed());
            let pause = Duration::from_micros(rand::rng().random_range(most / 4..=most));
            std::thread::sleep(pause.min(left));
            !left.is_zero()
        };
        self.inner.busy_handler(Some(wait)).map_err(|err| map(&self.path, err))
    }

    fn never_wait(&mut self) -> Result<(), DbError> {
        self.inner.busy_handler(None::<fn(i32) -> bool>).map_err(|err| map(&self.path, err))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn begin(&self, begin: Begin) -> Result<(), DbError> {
        self.batch(match begin {
            Begin::Immediate => "BEGIN IMMEDIATE",
            Begin::Deferred => "BEGIN",
            Begin::Exclusive => "BEGIN EXCLUSIVE",
        })
    }

    pub(super) fn commit(&self) -> Result<(), DbError> {
        self.batch("COMMIT")
    }

    /// Rolls back. A failure means that the engine has already done so.
    pub(super) fn rollback(&self) {
        if !self.inner.is_autocommit() {
            let _ = self.inner.execute_batch("ROLLBACK");
        }
    }

    pub(super) fn batch(&self, sql: &str) -> Result<(), DbError> {
        self.inner.execute_batch(sql).map_err(|err| map(&self.path, err))
    }

    /// Prepares and drops a statement, which makes the engine read the whole schema.
    pub(super) fn read_schema(&self) -> Result<(), DbError> {
        self.inner
            .prepare("SELECT 1 FROM sqlite_schema LIMIT 0")
            .map(drop)
            .map_err(|err| map(&self.path, err))
    }

    pub(super) fn execute(&self, sql: &str, params: &[Value]) -> Result<usize, DbError> {
        debug_assert!(numbered_in_order(sql), "parameters must first appear in the order $1, $2, …: {sql}");
        let mut statement = self.seen.prepare(&self.inner, sql).map_err(|err| map(&self.path, err))?;
        statement.execute(rusqlite::params_from_iter(params)).map_err(|err| map(&self.path, err))
    }

    /// Runs a query and passes each row to `each`, until that returns false.
    pub(super) fn query<E: From<DbError>>(
        &self,
        sql: &str,
        params: &[Value],
        mut each: impl FnMut(&Row) -> Result<bool, E>,
    ) -> Result<(), E> {
        debug_assert!(numbered_in_order(sql), "parameters must first appear in the order $1, $2, …: {sql}");
        let failed = |err| E::from(map(&self.path, err));
        let mut statement = self.seen.prepare(&self.inner, sql).map_err(failed)?;
        let columns: Rc<[String]> = statement.column_names().map(ToOwned::to_owned).collect();
        let mut rows = statement.query(rusqlite::params_from_iter(params)).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let mut values = Vec::with_capacity(columns.len());
            for at in 0..columns.len() {
                values.push(cell(row.get_ref(at).map_err(failed)?));
            }
            if !each(&Row::new(Rc::clone(&columns), values))? {
                break;
            }
        }
        Ok(())
    }

    /// Returns true if this connection has changed any row yet.
    pub(super) fn has_changed(&self) -> bool {
        self.inner.total_changes() > 0
    }

    pub(super) fn pragma(&self, name: &str) -> Result<i64, DbError> {
        self.inner.pragma_query_value(None, name, |row| row.get(0)).map_err(|err| map(&self.path, err))
    }

    pub(super) fn set_pragma(&self, name: &str, value: i64) -> Result<(), DbError> {
        self.inner.pragma_update(None, name, value).map_err(|err| map(&self.path, err))
    }

    /// Switches the file to a write-ahead log; the mode is stored in the file. Retried, because SQLite does
    /// not call the busy handler for this one.
    pub(super) fn use_wal(&self) -> Result<(), DbError> {
        let deadline = Instant::now() + self.busy_timeout;
        loop {
            let set = self
                .inner
                .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0));
            match set.map_err(|err| map(&self.path, err)) {
                Ok(mode) if mode == "wal" => return Ok(()),
                Ok(mode) => return Err(DbError::Engine(format!("journal mode stayed {mode}, wanted wal"))),
                Err(DbError::Busy) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(err) => return Err(err),
            }
        }
    }

    /// Returns the number of frames in the log after the last commit of this connection.
    pub(super) fn log_frames(&self) -> usize {
        self.frames.load(Ordering::Relaxed)
    }

    /// Moves the log into the database and empties it. If other processes prevent it, the log is left for a
    /// later writer, without waiting and without an error.
    pub(super) fn checkpoint(&mut self) -> Result<(), DbError> {
        self.never_wait()?;
        let outcome = self.inner.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        self.wait_when_busy()?;
        match outcome.map_err(|err| map(&self.path, err)) {
            Ok(_) | Err(DbError::Busy) => Ok(()),
            Err(err) => Err(err),
        }
    }

    /// Copies the whole database, log included, into the existing file `to`, through the engine.
    pub(super) fn backup_to(&self, to: &Path) -> Result<(), DbError> {
        let mut target = Self::open(to, Duration::ZERO)?;
        self.copy_into(&mut target)?.finish()?;
        target.close()
    }

    /// Starts a copy of this whole database over the content of `target`.
    pub(super) fn copy_into<'a>(&'a self, target: &'a mut Self) -> Result<Copy<'a>, DbError> {
        let to = target.path.clone();
        let backup = Backup::new(&self.inner, &mut target.inner).map_err(|err| map(&to, err))?;
        Ok(Copy { backup, to })
    }

    /// Closes the connection: the last one moves the log into the database and removes it.
    pub(super) fn close(self) -> Result<(), DbError> {
        self.inner.close().map_err(|(_, err)| map(&self.path, err))
    }
}

/// A copy in progress: one write transaction of its target, rolled back if dropped before it is complete.
pub(super) struct Copy<'a> {
    backup: Backup<'a, 'a>,
    to: PathBuf,
}

impl Copy<'_> {
    /// Takes the target's write lock without copying anything yet.
    pub(super) fn lock(&self) -> Result<(), DbError> {
        self.step(0).map(drop)
    }

    /// Copies everything and commits. In one step, because the engine starts over if another process changes
    /// the source between two steps.
    pub(super) fn finish(self) -> Result<(), DbError> {
        match self.step(-1)? {
            StepResult::Done => Ok(()),
            _ => Err(DbError::Engine("the copy did not come to its end".to_owned())),
        }
    }

    fn step(&self, pages: i32) -> Result<StepResult, DbError> {
        match self.backup.step(pages).map_err(|err| map(&self.to, err))? {
            StepResult::Busy | StepResult::Locked => Err(DbError::Busy),
            step => Ok(step),
        }
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null | Self::Unreadable(_) => ToSqlOutput::Borrowed(ValueRef::Null),
            Self::Int(number) => ToSqlOutput::Borrowed(ValueRef::Integer(*number)),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Text(bytes)),
        })
    }
}

fn cell(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Int(number),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(_) => Value::Bytes(bytes.to_vec()),
        },
        ValueRef::Real(number) => Value::Unreadable(format!("a real number, {number}")),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
    }
}

/// Returns the upper limit of the pause before the next attempt to get a lock, in microseconds.
fn longest_pause(attempt: i32, waited: Duration) -> u64 {
    let young = u64::try_from(attempt.clamp(0, 9)).unwrap_or(0) * 1_000 + 1_500;
    let old = 2_500_000 / u64::try_from(waited.as_millis()).unwrap_or(u64::MAX).max(1);
    young.min(old.max(500))
}

/// Returns true if `$1`, `$2`, … first appear in order. SQLite numbers parameters by first use, PostgreSQL by
/// their digits.
fn numbered_in_order(sql: &str) -> bool {
    let mut highest = 0;
    sql.split('$').skip(1).all(|rest| {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number: usize = rest[..digits].parse().unwrap_or(0);
        let in_order = number >= 1 && number <= highest + 1;
        highest = highest.max(number);
        in_order
    })
}

/// I/O errors of files that end early, or that the file system reports as damaged.
const DAMAGED: [i32; 2] = [ffi::SQLITE_IOERR_SHORT_READ, ffi::SQLITE_IOERR_CORRUPTFS];

/// I/O errors of writing or extending a file.
const UNWRITTEN: [i32; 4] = [
    ffi::SQLITE_IOERR_WRITE,
    ffi::SQLITE_IOERR_SHMOPEN,
    ffi::SQLITE_IOERR_SHMSIZE,
    ffi::SQLITE_IOERR_TRUNCATE,
];

#[expect(clippy::needless_pass_by_value, reason = "the form that `map_err` wants")]
fn map(path: &Path, err: rusqlite::Error) -> DbError {
    let rusqlite::Error::SqliteFailure(failure, message) = &err else {
        return DbError::Engine(err.to_string());
    };
    let said = message.clone().unwrap_or_else(|| failure.to_string());
    match failure.code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => DbError::Busy,
        ErrorCode::NotADatabase => DbError::NotADatabase(path.to_owned()),
        ErrorCode::DatabaseCorrupt => DbError::Corrupt(said),
        ErrorCode::DiskFull => DbError::Full,
        ErrorCode::ReadOnly => DbError::ReadOnly(path.to_owned()),
        ErrorCode::CannotOpen => why_unopenable(path, said),
        ErrorCode::ConstraintViolation => DbError::Constraint(said),
        ErrorCode::SystemIoFailure => match failure.extended_code {
            code if DAMAGED.contains(&code) => DbError::Corrupt(format!("{said} (a file ends early)")),
            code if UNWRITTEN.contains(&code) => DbError::Disk(format!(
                "{said} (a write failed: is the disk full or a file size limit reached?)"
            )),
            ffi::SQLITE_IOERR_FSYNC => {
                DbError::Disk(format!("{said} (the disk did not confirm what was written)"))
            }
            _ => DbError::Disk(said),
        },
        _ => DbError::Engine(said),
    }
}

/// Finds the reason, because the engine reports only "unable to open database file".
fn why_unopenable(path: &Path, said: String) -> DbError {
    match path.metadata() {
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => DbError::Missing(path.to_owned()),
        Ok(found) if found.is_dir() => DbError::NotADatabase(path.to_owned()),
        Ok(_) => unopenable::reason(path),
        Err(err) if err.kind() == std::io::ErrorKind::PermissionDenied => DbError::ReadOnly(path.to_owned()),
        Err(_) => DbError::Engine(said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_out_of_order_are_caught() {
        assert!(numbered_in_order("SELECT $1, $2, $1, $3"));
        assert!(numbered_in_order("SELECT 1"));
        assert!(!numbered_in_order("SELECT $2, $1"));
        assert!(!numbered_in_order("SELECT $1, $3"));
    }

    #[test]
    fn no_wait_means_no_wait() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.db");
        std::fs::write(&path, "").unwrap();
        let holder = Conn::open(&path, Duration::ZERO).unwrap();
        holder.batch("CREATE TABLE t(a)").unwrap();
        holder.begin(Begin::Immediate).unwrap();
        let at_once = Conn::open(&path, Duration::ZERO).unwrap();
        assert!(matches!(at_once.begin(Begin::Immediate), Err(DbError::Busy)));
        let patient = Conn::open(&path, Duration::from_millis(50)).unwrap();
        let since = Instant::now();
        assert!(matches!(patient.begin(Begin::Immediate), Err(DbError::Busy)));
        assert!(since.elapsed() >= Duration::from_millis(50));
    }

    /// K-04
    #[test]
    fn the_longer_a_process_has_waited_the_more_often_it_retries() {
        let pause = |attempt, millis| longest_pause(attempt, Duration::from_millis(millis));
        assert_eq!([pause(0, 0), pause(3, 5), pause(9, 60), pause(40, 200)], [1_500, 4_500, 10_500, 10_500]);
        assert_eq!([pause(60, 500), pause(300, 1_000), pause(2_000, 4_000)], [5_000, 2_500, 625]);
        assert_eq!(pause(i32::MAX, u64::MAX), 500);
    }
}
