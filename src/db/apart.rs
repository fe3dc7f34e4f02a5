//! Files that stay as they are: opened to be read, down to the files beside them.

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

/// Byte of the file's header that says whether it has a write-ahead log: 2 if so.
const JOURNAL_BYTE: usize = 18;

/// What tells a file and its log from themselves after a change.
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
    /// [`DbError::Missing`], [`DbError::NotADatabase`] for anything but a file, or errors of the file system.
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

    /// Returns true if this is still the same file, whatever it holds.
    pub(super) fn is_same_file(&self, found: &fs::Metadata) -> bool {
        self.inode == found.ino()
    }
}

/// A file of somebody's, open to be read. Nothing is made beside it, and what its log holds is read too.
pub(super) struct Apart {
    conn: Conn,
    /// Where the file is, without symlinks.
    path: PathBuf,
    /// The file as it was at first, where nothing but this can tell whether somebody changed it.
    unlocked: Option<Seen>,
    /// Where a copy of the file lies, if there had to be one.
    _copy: Option<TempDir>,
}

impl Apart {
    /// Opens the file.
    ///
    /// How depends on who may have it open: with a log and its index, others may, and reading goes by their
    /// locks. With a log alone nobody has, but reading it would leave an index behind: file and log are
    /// copied. Without a log there is nobody to wait for.
    ///
    /// # Errors
    /// [`DbError::Missing`], [`DbError::NotADatabase`] for what is too short or no file; also errors of the
    /// database.
    pub(super) fn open(path: &Path, busy_timeout: Duration) -> Result<Self, DbError> {
        // First of all, so that what is wrong is said of the path as it was given.
        Seen::of(path)?;
        // The engine looks for the log beside the file itself, wherever a symlink to it lies.
        let path = path.canonicalize().map_err(DbError::file("looking at", path))?;
        let seen = Seen::of(&path)?;
        let keeps_a_log = keeps_a_log(&path)?;
        let is_there = |suffix| side_file(&path, suffix).exists();
        let (conn, unlocked, copy) = if !keeps_a_log || (is_there("-wal") && is_there("-shm")) {
            (Conn::open_read_only(&path, false, busy_timeout)?, None, None)
        } else if seen.log > 0 {
            // A TMPDIR that is gone is no reason not to read.
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

    /// Creates a file that is read under a lock of ours.
    pub(super) fn locked(conn: Conn) -> Self {
        let path = conn.path().to_owned();
        Self { conn, path, unlocked: None, _copy: None }
    }

    /// Holds that what was read is one state of the file, where no lock did.
    ///
    /// # Errors
    /// [`DbError::Busy`] if the file was changed meanwhile.
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

/// A database of another program, whatever it holds, open to be read: one state of it.
pub struct Peer {
    file: Apart,
}

impl Peer {
    /// Opens the file, which stays as it is.
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

    /// Runs a query and hands each row to `each` as an object; `each` says whether to go on.
    ///
    /// # Errors
    /// What `each` returns; also errors of the database.
    pub fn for_each<E: From<DbError>>(
        &self,
        sql: &str,
        each: &mut dyn FnMut(Map<String, Json>) -> Result<bool, E>,
    ) -> Result<(), E> {
        self.file.query_objects(sql, &[], each)
    }

    /// Runs `f` over the one state of it that is seen since it was opened.
    ///
    /// # Errors
    /// What `f` returns, [`DbError::Busy`] if the file was changed meanwhile and no lock could hold that off,
    /// or what the engine says.
    pub fn read<T, E: From<DbError>>(&self, f: impl FnOnce(&ReadTx<'_>) -> Result<T, E>) -> Result<T, E> {
        let out = f(&ReadTx { conn: &self.file.conn });
        self.file.require_unchanged()?;
        out
    }

    /// Holds that what was read is one state of the file.
    ///
    /// # Errors
    /// [`DbError::Busy`] if it was changed meanwhile.
    pub fn require_unchanged(&self) -> Result<(), DbError> {
        self.file.require_unchanged()
    }
}

/// Returns true if the file was written with a write-ahead log. The one thing that is read off the header: to
/// ask the engine is to open the file, and how to open it is the question.
fn keeps_a_log(path: &Path) -> Result<bool, DbError> {
    let mut header = [0; JOURNAL_BYTE + 1];
    match File::open(path).and_then(|mut file| file.read_exact(&mut header)) {
        Ok(()) => Ok(header[JOURNAL_BYTE] == 2),
        Err(err) if err.kind() == ErrorKind::UnexpectedEof => Err(DbError::NotADatabase(path.to_owned())),
        Err(err) => Err(DbError::file("reading", path)(err)),
    }
}
