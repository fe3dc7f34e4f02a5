//! Whole databases: copying one, and replacing one by a copy.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FallocateFlags, FlockOperation};
use rustix::io::Errno;
use tempfile::NamedTempFile;

use super::apart::{Apart, Seen};
use super::create::Hold;
use super::error::DbError;
use super::identity::{self, Identity};
use super::sqlite::{Begin, Conn};
use super::{Db, LOGS, ReadTx, check, crash_point, create, log, migrate, newest, side_file};

/// The first bytes of a file, with the header by which it is recognised.
const FIRST_PAGE: usize = 4096;

/// A copy of a database, with a current schema, that no other process sees yet. Removed when dropped.
pub struct Draft {
    // Dropped first, which closes it and removes its log.
    db: Db,
    file: NamedTempFile,
}

impl Draft {
    /// Copies an open database, as one snapshot and without blocking its writers, to a private file in `dir`.
    ///
    /// # Errors
    /// [`DbError::Corrupt`] if it is damaged: the engine reads missing pages as zeros, and the copy would
    /// look sound. [`DbError::Full`] if there is no space for the copy.
    pub fn of(db: &Db, dir: &Path) -> Result<Self, DbError> {
        check::pages(&db.conn)?;
        Self::copy(&db.conn, dir)
    }

    /// Copies the file at the absolute path `from`, which is not changed, to a private file beside the
    /// absolute path `to`, and migrates the copy. The directory of `to` is created only after `from` has been
    /// checked.
    ///
    /// # Errors
    /// [`DbError::Unusable`] with the reason, for `from`; errors of the file system, for the directory.
    pub fn of_file(from: &Path, to: &Path, busy_timeout: Duration) -> Result<Self, DbError> {
        let unusable = |err| DbError::Unusable { path: from.to_owned(), source: Box::new(err) };
        let source = Apart::open(from, busy_timeout).map_err(unusable)?;
        match identity::of(&source).map_err(unusable)? {
            Identity::Ours(found) if found > newest() => {
                return Err(unusable(DbError::SchemaTooNew { found, known: newest() }));
            }
            Identity::Ours(_) => {}
            Identity::Empty => return Err(unusable(DbError::NotInitialised(from.to_owned()))),
        }
        check::pages(&source).map_err(unusable)?;
        create::create_parent(to)?;
        let draft = Self::copy(&source, to.parent().unwrap_or(Path::new("/")))?;
        source.require_unchanged().map_err(unusable)?;
        Ok(draft)
    }

    fn copy(source: &Conn, dir: &Path) -> Result<Self, DbError> {
        let file = create::new_draft(dir)?;
        source.backup_to(file.path())?;
        let conn = Conn::open(file.path(), Duration::ZERO)?;
        // No other process sees the draft: it is synced as a whole when it is complete.
        conn.batch("PRAGMA synchronous = OFF")?;
        conn.use_wal()?;
        let found = conn.pragma("user_version")?;
        if found < newest() {
            conn.begin(Begin::Immediate)?;
            migrate::apply(&conn, migrate::MIGRATIONS, found)?;
            conn.commit()?;
        }
        Ok(Self { db: Db::current(conn), file })
    }

    /// Returns the copy.
    pub fn db(&mut self) -> &mut Db {
        &mut self.db
    }

    /// Rewrites the copy with pages of this size: into a database with a log the engine copies only pages of
    /// that database's size.
    fn use_page_size(&self, bytes: i64) -> Result<(), DbError> {
        let conn = &self.db.conn;
        if conn.pragma("page_size")? != bytes {
            conn.leave_wal()?;
            conn.set_pragma("page_size", bytes)?;
            conn.batch("VACUUM")?;
            conn.use_wal()?;
        }
        Ok(())
    }

    /// Gives the copy its name. Returns its size in bytes.
    ///
    /// # Errors
    /// [`DbError::Exists`] if there is a file of that name: nothing is overwritten.
    pub fn publish(self, to: &Path) -> Result<u64, DbError> {
        let file = self.finish()?;
        let size = file.as_file().metadata().map_err(DbError::file("looking at", file.path()))?.len();
        crash_point("before_publish");
        if create::publish(&file, to)? { Ok(size) } else { Err(DbError::Exists(to.to_owned())) }
    }

    /// Closes the copy, after which all content is in one file.
    fn finish(self) -> Result<NamedTempFile, DbError> {
        self.db.conn.close()?;
        Ok(self.file)
    }
}

/// The database that a restore has replaced.
#[derive(Debug)]
pub enum Replaced {
    Nothing,
    /// A sound one, with its backup.
    Sound(PathBuf),
    /// A damaged one, with its copy (logs beside it) and what is wrong with it.
    Damaged(PathBuf, String),
}

/// Puts the draft in the place of the database, if any, at the absolute `path`.
///
/// A sound database is replaced through the engine in one transaction, under its write lock: processes that
/// have it open see either the old content or the new. A damaged one cannot be replaced like that, and no
/// process may have it open.
///
/// `seal` completes the draft under the write lock, with a view of the replaced database if that is sound and
/// current. The replaced database is kept beside `path`, with `label` in its name (a time, by convention).
///
/// # Errors
/// Errors of `seal`; [`DbError::InUse`] if another process has a damaged file open; [`DbError`] if the file
/// belongs to another program.
pub fn restore<T, E: From<DbError>>(
    draft: Draft,
    path: &Path,
    busy_timeout: Duration,
    label: &str,
    seal: impl FnOnce(&mut Db, Option<&ReadTx<'_>>, &Replaced) -> Result<T, E>,
) -> Result<(T, Replaced), E> {
    create::refuse_symlinks(path)?;
    loop {
        match Standing::of(path, busy_timeout)? {
            Standing::Nothing => {
                let hold = Hold::on(path)?;
                if !hold.is_taken()? {
                    return fill(draft, path, label, &hold, seal);
                }
                // Another process has created one since: it is replaced as any other.
            }
            Standing::Sound { current } => return replace(draft, path, busy_timeout, label, current, seal),
            Standing::Damaged { why, seen } => return overwrite(draft, path, label, why, &seen, seal),
        }
    }
}

/// The file in the place to restore to.
enum Standing {
    Nothing,
    Sound {
        /// Whether it has the newest schema.
        current: bool,
    },
    Damaged {
        why: String,
        seen: Seen,
    },
}

impl Standing {
    fn of(path: &Path, busy_timeout: Duration) -> Result<Self, DbError> {
        let seen = match Seen::of(path) {
            Err(DbError::Missing(_)) => return Ok(Self::Nothing),
            seen => seen?,
        };
        match look(path, busy_timeout) {
            Ok(Identity::Ours(version)) if version > newest() => {
                Err(DbError::SchemaTooNew { found: version, known: newest() })
            }
            Ok(Identity::Ours(version)) => Ok(Self::Sound { current: version == newest() }),
            Ok(Identity::Empty) => Ok(Self::Damaged { why: "it is empty".to_owned(), seen }),
            Err(err @ (DbError::NotADatabase(_) | DbError::Corrupt(_))) => {
                Ok(Self::Damaged { why: err.to_string(), seen })
            }
            Err(err) => Err(err),
        }
    }
}

fn look(path: &Path, busy_timeout: Duration) -> Result<Identity, DbError> {
    let conn = Conn::open(path, busy_timeout)?;
    // Looking must not change a damaged file.
    conn.never_checkpoint()?;
    let identity = identity::of(&conn)?;
    check::pages(&conn)?;
    Ok(identity)
}

/// Puts the draft where no database is, but perhaps orphaned logs.
fn fill<T, E: From<DbError>>(
    mut draft: Draft,
    path: &Path,
    label: &str,
    hold: &Hold,
    seal: impl FnOnce(&mut Db, Option<&ReadTx<'_>>, &Replaced) -> Result<T, E>,
) -> Result<(T, Replaced), E> {
    let sealed = seal(&mut draft.db, None, &Replaced::Nothing)?;
    if !hold.logs()?.is_empty() {
        let aside = create::claim(path, &format!(".damaged-{label}"))?;
        for log in LOGS.map(|log| (side_file(path, log), side_file(&aside, log))) {
            if log.0.exists() {
                fs::rename(&log.0, &log.1).map_err(DbError::file("moving aside", &log.0))?;
            }
        }
    }
    draft.publish(path)?;
    Ok((sealed, Replaced::Nothing))
}

/// Replaces a sound database through the engine, under its write lock.
fn replace<T, E: From<DbError>>(
    mut draft: Draft,
    path: &Path,
    busy_timeout: Duration,
    label: &str,
    current: bool,
    seal: impl FnOnce(&mut Db, Option<&ReadTx<'_>>, &Replaced) -> Result<T, E>,
) -> Result<(T, Replaced), E> {
    let mut target = Conn::open(path, busy_timeout)?;
    draft.use_page_size(target.pragma("page_size")?)?;
    let source = Conn::open(draft.file.path(), Duration::ZERO)?;
    let copy = source.copy_into(&mut target)?;
    copy.lock()?;
    // From here on no process changes the old database: the backup has all of it.
    let replaced = Replaced::Sound(create::back_up(path, label)?);
    let old = Conn::open(path, Duration::ZERO)?;
    old.begin(Begin::Deferred)?;
    let sealed = seal(&mut draft.db, current.then_some(&ReadTx { conn: &old }), &replaced)?;
    old.close()?;
    // The log may be new: its directory entry must be as durable as its content.
    create::sync_directory(path).map_err(DbError::before_commit)?;
    crash_point("before_restore");
    if let Err(err) = copy.finish() {
        return Err(log::withdraw(&target, err).into());
    }
    crash_point("after_restore");
    // The copy stands even if this fails.
    let _ = target.checkpoint();
    source.close()?;
    target.close()?;
    Ok((sealed, replaced))
}

/// Overwrites a damaged database in place, if no process has it open.
///
/// The file is not moved away, because a process that waits for its lock has it open and would pair it with
/// the log of the new one. The header is erased first and written last, so that a half-written file is never
/// taken for a database.
fn overwrite<T, E: From<DbError>>(
    mut draft: Draft,
    path: &Path,
    label: &str,
    why: String,
    seen: &Seen,
    seal: impl FnOnce(&mut Db, Option<&ReadTx<'_>>, &Replaced) -> Result<T, E>,
) -> Result<(T, Replaced), E> {
    let open = OpenOptions::new().read(true).write(true).open(path);
    let mut file = open.map_err(DbError::file("opening", path))?;
    // The engine's own locks are of this kind, so this one tells whether any process uses the file, and
    // excludes them. It is lost when this process closes any descriptor of the file, so the file is not
    // opened a second time.
    match rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::AGAIN | Errno::ACCESS) => return Err(DbError::InUse(path.to_owned()).into()),
        Err(err) => return Err(DbError::file("locking", path)(err.into()).into()),
    }
    let opened = file.metadata().map_err(DbError::file("looking at", path))?;
    if Seen::of(path)? != *seen || !seen.is_same_file(&opened) {
        return Err(DbError::InUse(path.to_owned()).into());
    }
    let aside = set_aside(&mut file, path, label)?;
    let replaced = Replaced::Damaged(aside, why);
    let sealed = seal(&mut draft.db, None, &replaced)?;
    let new = draft.finish()?;
    write_over(&file, new.as_file(), path)?;
    Ok((sealed, replaced))
}

/// Copies the damaged file and its logs. Returns where they are.
fn set_aside(file: &mut File, path: &Path, label: &str) -> Result<PathBuf, DbError> {
    let aside = create::claim(path, &format!(".damaged-{label}"))?;
    let copied = OpenOptions::new().write(true).open(&aside).and_then(|mut copy| {
        file.seek(SeekFrom::Start(0))?;
        io::copy(file, &mut copy)?;
        copy.sync_all()
    });
    copied.map_err(DbError::file("writing", &aside))?;
    for log in LOGS {
        let (from, to) = (side_file(path, log), side_file(&aside, log));
        if from.exists() {
            let copied = fs::copy(&from, &to).and_then(|_| File::open(&to)?.sync_all());
            copied.map_err(DbError::file("writing", &to))?;
        }
    }
    create::sync_directory(path)?;
    Ok(aside)
}

fn write_over(file: &File, mut new: &File, path: &Path) -> Result<(), DbError> {
    let failed = |err| DbError::file("writing", path)(err);
    let size = |file: &File| file.metadata().map(|found| found.len()).map_err(failed);
    let (had, needed) = (size(file)?, size(new)?);
    if needed > had {
        // Reserved before anything is overwritten.
        let grown = rustix::fs::fallocate(file, FallocateFlags::empty(), 0, needed).map_err(io::Error::from);
        match grown {
            Err(err) if err.kind() != io::ErrorKind::Unsupported => {
                let _ = file.set_len(had);
                return Err(failed(err));
            }
            _ => {}
        }
    }
    let mut piece = vec![0; FIRST_PAGE];
    file.write_all_at(&piece, 0).and_then(|()| file.sync_all()).map_err(failed)?;
    crash_point("while_restoring");
    for log in LOGS.map(|log| side_file(path, log)) {
        match fs::remove_file(&log) {
            Err(err) if err.kind() != io::ErrorKind::NotFound => {
                return Err(DbError::file("removing", &log)(err));
            }
            _ => {}
        }
    }
    create::sync_directory(path)?;
    let body = FIRST_PAGE as u64;
    let mut copy = || {
        let mut file = file;
        file.seek(SeekFrom::Start(body))?;
        new.seek(SeekFrom::Start(body))?;
        io::copy(&mut new, &mut file)?;
        file.flush()?;
        file.set_len(needed)?;
        file.sync_all()?;
        new.seek(SeekFrom::Start(0))?;
        new.read_exact(&mut piece)?;
        file.write_all_at(&piece, 0)?;
        file.sync_all()
    };
    copy().map_err(failed)
}
