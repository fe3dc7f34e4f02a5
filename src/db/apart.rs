//! Files that are only read: neither they nor the files beside them change.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::ops::Deref;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value as Json};
use tempfile::TempDir;

use super::ReadTx;
use super::error::DbError;
use super::side_file;
use super::sqlite::{Begin, Conn};
use super::value::Value;

/// The offset of the header's journal byte, which is 2 if the file has a write-ahead log.
const JOURNAL_BYTE: usize = 18;

/// The state of a file and its log, by which a change is noticed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen {
    inode: u64,
    size: u64,
    changed: (i64, i64),
    log: u64,
}

impl Seen {
    /// Looks at a regular file, through a symlink if it is one.
    ///
    /// # Errors
    /// [`DbError::Missing`], [`DbError::NotADatabase`] for anything but a regular file, or errors of the file
    /// system.
    pub(super) fn of(path: &Path) -> Result<Self, DbError> {
        let found = match path.metadata() {
            Ok(found) if found.is_file() => found,
            Ok(_) => return Err(DbError::NotADatabase(path.to_owned())),
            Err(err) if err.kind() == ErrorKind::NotFound => return Err(DbError::Missing(path.to_owned())),
            Err(err) => return Err(DbError::file("looking at", path)(err)),
        };
        Ok(Self {
            inode: found.ino(),
            size: found.size(),
            changed: (found.ctime(), found.ctime_nsec()),
            log: side_file(path, "-wal").metadata().map_or(0, |log| log.len()),
        })
    }

    /// Returns true if `found` is the same file, even with other content.
    pub(super) fn is_same_file(&self, found: &fs::Metadata) -> bool {
        self.inode == found.ino()
    }
}

/// A file of another program, open for reading. No file is created beside it, and the content of its log is
/// read too.
pub(super) struct Apart {
    conn: Conn,
    /// Where the file is, without symlinks.
    path: PathBuf,
    /// The first state of the file, if no lock prevents that another process changes it.
    unlocked: Option<Seen>,
    /// The directory of a copy of the file, if one was needed.
    _copy: Option<TempDir>,
}

impl Apart {
    /// Opens the file.
    ///
    /// With a log and its index, other processes may have it open, and their locks are respected. With a log
    /// alone no process has it open, but reading it would create an index: file and log are copied. Without a
    /// log no lock is needed.
    ///
    /// # Errors
    /// [`DbError::Missing`], [`DbError::NotADatabase`] for a file that is too short or not regular; also
    /// errors of the database.
    pub(super) fn open(path: &Path, busy_timeout: Duration) -> Result<Self, DbError> {
        // Checked first, so that an error names the path as it was given.
        Seen::of(path)?;
        // The engine looks for the log beside the file itself, not beside a symlink to it.
        let path = path.canonicalize().map_err(DbError::file("looking at", path))?;
        let seen = Seen::of(&path)?;
        let keeps_a_log = keeps_a_log(&path)?;
        let is_there = |suffix| side_file(&path, suffix).exists();
        let (conn, unlocked, copy) = if !keeps_a_log || (is_there("-wal") && is_there("-shm")) {
            (Conn::open_read_only(&path, false, busy_timeout)?, None, None)
        } else if seen.log > 0 {
            // A missing TMPDIR must not prevent reading.
            let dir =
                TempDir::with_prefix("ic-read-").or_else(|_| TempDir::with_prefix_in("ic-read-", "/tmp"));
            let dir = dir.map_err(DbError::file("copying", &path))?;
            let copy = dir.path().join("copy.db");
            for suffix in ["", "-wal"] {
                let part = side_file(&path, suffix);
                fs::copy(&part, side_file(&copy, suffix)).map_err(DbError::file("copying", &part))?;
            }
            (Conn::open(&copy, busy_timeout)?, Some(seen), Some(dir))
        } else {
            (Conn::open_read_only(&path, true, busy_timeout)?, Some(seen), None)
        };
        Ok(Self { conn, path, unlocked, _copy: copy })
    }

    /// Wraps a file that this process has locked.
    pub(super) fn locked(conn: Conn) -> Self {
        let path = conn.path().to_owned();
        Self { conn, path, unlocked: None, _copy: None }
    }

    /// Checks that the file has not changed since it was opened, where no lock ensures it.
    ///
    /// # Errors
    /// [`DbError::Busy`] if it has.
    pub(super) fn require_unchanged(&self) -> Result<(), DbError> {
        match &self.unlocked {
            Some(seen) if Seen::of(&self.path)? != *seen => Err(DbError::Busy),
            _ => Ok(()),
        }
    }
}

impl Deref for Apart {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        &self.conn
    }
}

/// A database of another program, open for reading one snapshot.
pub struct Peer {
    file: Apart,
}

impl Peer {
    /// Opens the file, which is not changed.
    ///
    /// # Errors
    /// [`DbError::Missing`], [`DbError::NotADatabase`]; also errors of the database.
    pub fn open(path: &Path, busy_timeout: Duration) -> Result<Self, DbError> {
        let file = Apart::open(path, busy_timeout)?;
        file.begin(Begin::Deferred)?;
        Ok(Self { file })
    }

    /// Returns true if it has a table of that name.
    pub fn has_table(&self, name: &str) -> Result<bool, DbError> {
        let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name = $1";
        let mut found = false;
        self.file.query_objects::<DbError>(sql, &[Value::Text(name.to_owned())], &mut |_| {
            found = true;
            Ok(false)
        })?;
        Ok(found)
    }

    /// Runs a query and passes each row to `each` as an object, until `each` returns false.
    ///
    /// # Errors
    /// Errors of `each` and of the database.
    pub fn for_each<E: From<DbError>>(
        &self,
        sql: &str,
        each: &mut dyn FnMut(Map<String, Json>) -> Result<bool, E>,
    ) -> Result<(), E> {
        self.file.query_objects(sql, &[], each)
    }

    /// Runs `f` on the snapshot.
    ///
    /// # Errors
    /// Errors of `f`, and [`DbError::Busy`] as [`Peer::require_unchanged`].
    pub fn read<T, E: From<DbError>>(&self, f: impl FnOnce(&ReadTx<'_>) -> Result<T, E>) -> Result<T, E> {
        let out = f(&ReadTx { conn: &self.file.conn });
        self.file.require_unchanged()?;
        out
    }

    /// Checks that the file has not changed since it was opened.
    ///
    /// # Errors
    /// [`DbError::Busy`] if it has.
    pub fn require_unchanged(&self) -> Result<(), DbError> {
        self.file.require_unchanged()
    }
}

/// Returns true if the file was written with a write-ahead log. Read from the header, because the engine
/// could tell only after opening the file.
fn keeps_a_log(path: &Path) -> Result<bool, DbError> {
    let mut header = [0; JOURNAL_BYTE + 1];
    match File::open(path).and_then(|mut file| file.read_exact(&mut header)) {
        Ok(()) => Ok(header[JOURNAL_BYTE] == 2),
        Err(err) if err.kind() == ErrorKind::UnexpectedEof => Err(DbError::NotADatabase(path.to_owned())),
        Err(err) => Err(DbError::file("reading", path)(err)),
    }
}
