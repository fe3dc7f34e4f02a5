//! Databases of the Go program: reading one, and replacing it by a new one of ours.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rand::RngExt;
use serde_json::{Map, Value as Json};
use tempfile::NamedTempFile;

use super::apart::Apart;
use super::create;
use super::error::DbError;
use super::identity::{self, APPLICATION_ID, Identity};
use super::migrate;
use super::sqlite::{Begin, Conn};
use super::value::Value;
use super::{Db, crash_point, side_file};

/// The newest schema of the Go program that can be read.
pub const GO_NEWEST: i64 = 39;

/// A database of the Go program, open for reading one snapshot.
pub struct GoDb {
    file: Apart,
    path: PathBuf,
    version: i64,
    inode: u64,
}

impl GoDb {
    /// Opens a file without changing it or the files beside it. The content of its log is read too.
    ///
    /// # Errors
    /// [`DbError::NoSource`], [`DbError::NotGo`] and [`DbError::GoTooNew`] for other files; also errors of
    /// the database.
    pub fn open_apart(path: &Path, busy_timeout: Duration) -> Result<Self, DbError> {
        let inode = inode(path)?;
        let file = Apart::open(path, busy_timeout).map_err(|err| match err {
            DbError::NotADatabase(_) => DbError::NotGo(path.to_owned()),
            other => other,
        })?;
        file.begin(Begin::Deferred)?;
        let version = version(&file, path)?;
        Ok(Self { file, path: path.to_owned(), version, inode })
    }

    /// Opens the file that a new database will replace, and excludes all other processes, readers too: they
    /// wait until this process exits, and then cannot write to a file that was moved aside. The content of
    /// the log is moved into the file.
    ///
    /// # Errors
    /// [`DbError::Busy`] if other processes have it open, [`DbError::Occupied`] if it is one of ours; errors
    /// of [`Self::open_apart`].
    pub fn open_in_place(path: &Path, busy_timeout: Duration) -> Result<Self, DbError> {
        create::refuse_symlinks(path)?;
        let deadline = Instant::now() + busy_timeout;
        let inode = inode(path)?;
        let conn = loop {
            let conn = Conn::open(path, busy_timeout)?;
            // Checked first: the log mode of another program's file must not change.
            version(&conn, path)?;
            match Self::lock_out(&conn) {
                Err(DbError::Busy) if Instant::now() < deadline => {}
                locked => {
                    locked?;
                    break conn;
                }
            }
            // Closed while waiting: processes that all keep the file open would wait for each other.
            conn.close()?;
            std::thread::sleep(Duration::from_millis(rand::rng().random_range(2..=40)));
        };
        let version = version(&conn, path)?;
        let opened = Self { file: Apart::locked(conn), path: path.to_owned(), version, inode };
        opened.require_place()?;
        Ok(opened)
    }

    /// Locks the whole file, if no other process has it open.
    fn lock_out(conn: &Conn) -> Result<(), DbError> {
        conn.leave_wal()?;
        conn.begin(Begin::Exclusive)?;
        if conn.is_wal()? {
            // In between another process has opened the file and created a log again.
            conn.rollback();
            return Err(DbError::Busy);
        }
        Ok(())
    }

    /// Returns the path as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns its schema version.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// Runs a query and hands each row to `each` as an object; `each` says whether to go on.
    ///
    /// # Errors
    /// Errors of `each` and of the database.
    pub fn for_each<E: From<DbError>>(
        &self,
        sql: &str,
        params: &[Value],
        each: &mut dyn FnMut(Map<String, Json>) -> Result<bool, E>,
    ) -> Result<(), E> {
        self.file.query_objects(sql, params, each)
    }

    /// Checks that the locked file is still at its path, where another import may have put a database of
    /// ours.
    fn require_place(&self) -> Result<(), DbError> {
        if inode(&self.path)? == self.inode { Ok(()) } else { Err(DbError::Occupied(self.path.clone())) }
    }
}

fn inode(path: &Path) -> Result<u64, DbError> {
    match path.metadata() {
        Ok(found) if found.is_file() => Ok(found.ino()),
        Ok(_) => Err(DbError::NotGo(path.to_owned())),
        Err(err) if err.kind() == ErrorKind::NotFound => Err(DbError::NoSource(path.to_owned())),
        Err(err) => Err(DbError::file("importing from", path)(err)),
    }
}

fn version(conn: &Conn, path: &Path) -> Result<i64, DbError> {
    let path = path.to_owned();
    match identity::of(conn) {
        Err(DbError::GoProgram { version, .. }) if version > GO_NEWEST => {
            Err(DbError::GoTooNew { path, found: version, known: GO_NEWEST })
        }
        Err(DbError::GoProgram { version, .. }) => Ok(version),
        Ok(Identity::Ours(_)) => Err(DbError::Occupied(path)),
        Ok(Identity::Empty) | Err(DbError::Foreign { .. } | DbError::NotADatabase(_)) => {
            Err(DbError::NotGo(path))
        }
        Err(err) => Err(err),
    }
}

/// A database that is being built beside its final place. No other process sees it before it is complete.
/// Removed when dropped.
pub struct NewDb {
    db: Db,
    file: NamedTempFile,
}

impl NewDb {
    /// Creates an empty database of the newest schema beside the absolute `path`.
    ///
    /// # Errors
    /// [`DbError`] for a symlink, or when the directory cannot be written.
    pub fn beside(path: &Path) -> Result<Self, DbError> {
        create::create_parent(path)?;
        create::refuse_symlinks(path)?;
        let file = create::new_draft(path.parent().unwrap_or(Path::new("/")))?;
        let conn = Conn::open(file.path(), Duration::ZERO)?;
        // It is synced as a whole when it is complete, and discarded otherwise: no journal on disk is needed.
        conn.batch("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY")?;
        conn.begin(Begin::Immediate)?;
        conn.set_pragma("application_id", APPLICATION_ID)?;
        migrate::apply(&conn, migrate::MIGRATIONS, 0)?;
        conn.commit()?;
        Ok(Self { db: Db::current(conn), file })
    }

    /// Returns the database.
    pub fn db(&mut self) -> &mut Db {
        &mut self.db
    }

    fn finish(self) -> Result<NamedTempFile, DbError> {
        self.db.conn.use_wal()?;
        self.db.conn.close()?;
        self.file.as_file().sync_all().map_err(DbError::file("syncing", self.file.path()))?;
        crash_point("before_publish");
        Ok(self.file)
    }

    /// Gives the database its name, which must be free.
    ///
    /// # Errors
    /// [`DbError::Occupied`] if it is taken, [`DbError::Busy`] if `source` was changed while it was read, or
    /// [`DbError::OrphanLog`].
    pub fn publish(self, path: &Path, source: &GoDb) -> Result<(), DbError> {
        let file = self.finish()?;
        source.file.require_unchanged()?;
        let hold = create::Hold::on(path)?;
        // The log of a database that another process has published since is not an orphan.
        if hold.is_taken()? {
            return Err(DbError::Occupied(path.to_owned()));
        }
        hold.require_no_logs()?;
        if !create::publish(&file, path)? {
            return Err(DbError::Occupied(path.to_owned()));
        }
        crash_point("after_publish");
        Ok(())
    }

    /// Replaces the database that it was made from. Returns the new path of that one: beside it, with its
    /// version and `label` (a time, by convention) in its name.
    ///
    /// The old file gets its second name first, and loses the first one by the rename that puts the new file
    /// there: at every moment a complete file is at the path. The old file has no log any more, and stays
    /// locked until this process exits.
    ///
    /// # Errors
    /// [`DbError::Occupied`] if another file is there; errors of file operations.
    pub fn replace(self, old: &GoDb, label: &str) -> Result<PathBuf, DbError> {
        let path = &old.path;
        let file = self.finish()?;
        old.require_place()?;
        remove_leftovers(path)?;
        let aside = second_name(old, label)?;
        create::sync_directory(path)?;
        crash_point("while_publishing");
        file.persist(path).map_err(|err| DbError::file("replacing", path)(err.error))?;
        create::sync_directory(path)?;
        crash_point("after_publish");
        Ok(aside)
    }
}

/// Removes an empty log and its index beside a file that no other process has open: a process with an open
/// log has a lock on its file, too.
fn remove_leftovers(path: &Path) -> Result<(), DbError> {
    let log = side_file(path, "-wal");
    match log.metadata() {
        Err(err) if err.kind() == ErrorKind::NotFound => return Ok(()),
        Ok(found) if found.len() > 0 => return Err(DbError::Busy),
        _ => {}
    }
    for left in [side_file(path, "-shm"), log] {
        match fs::remove_file(&left) {
            Err(err) if err.kind() != ErrorKind::NotFound => {
                return Err(DbError::file("removing", &left)(err));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Gives the old file its second name, or finds the one from an import that was killed.
fn second_name(old: &GoDb, label: &str) -> Result<PathBuf, DbError> {
    let path = &old.path;
    let stem = side_file(path, &format!(".go-v{}-{label}", old.version));
    if let (Some(parent), Some(name)) = (path.parent(), path.file_name()) {
        let prefix = format!("{}.go-v", name.to_string_lossy());
        let entries = fs::read_dir(parent).map_err(DbError::file("listing", parent))?;
        let mut others = entries.filter_map(Result::ok);
        let known = others.find(|entry| {
            entry.file_name().to_string_lossy().starts_with(&prefix)
                && entry.metadata().is_ok_and(|found| found.ino() == old.inode)
        });
        if let Some(known) = known {
            return Ok(known.path());
        }
    }
    for nth in 0..1000 {
        let candidate = if nth == 0 { stem.clone() } else { side_file(&stem, &format!("-{nth}")) };
        match fs::hard_link(path, &candidate) {
            Ok(()) => return Ok(candidate),
            Err(err) if err.kind() == ErrorKind::AlreadyExists => {}
            Err(err) => return Err(DbError::file("keeping the old database as", &candidate)(err)),
        }
    }
    Err(DbError::file("keeping the old database as", &stem)(ErrorKind::AlreadyExists.into()))
}
