//! Creating and migrating a database file, and the files beside it. A file that the engine has open is
//! written by the engine alone.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::FlockOperation;
use rustix::io::Errno;
use tempfile::NamedTempFile;

use super::error::DbError;
use super::identity::{self, APPLICATION_ID, Identity};
use super::migrate::{self, Migration};
use super::sqlite::{Begin, Conn};
use super::{LOGS, check, crash_point, log, side_file};
use crate::domain::order;
use crate::os::atomic;

/// The number of backups that are kept.
const BACKUPS_KEPT: usize = 5;

/// The outcome of [`prepare`].
#[derive(Debug, PartialEq, Eq)]
pub enum Prepared {
    /// The database was created.
    Created,
    /// An older database was migrated.
    Migrated {
        /// Its version before.
        from: i64,
        /// A copy of its state before.
        backup: PathBuf,
    },
    /// It was current.
    Current,
}

/// Ensures that a current database is at the absolute `path`, creating or migrating it.
///
/// Any number of processes may do this at once: the file is completed under another name and linked into
/// place, and a migration checks the version again under the write lock. `label` is part of a backup's name
/// (a time, by convention).
///
/// # Errors
/// [`DbError`] if the file belongs to another program, is newer than this one, damaged or a symlink, or
/// cannot be written.
pub fn prepare(path: &Path, busy_timeout: Duration, label: &str) -> Result<Prepared, DbError> {
    prepare_with(path, busy_timeout, label, migrate::MIGRATIONS)
}

pub(super) fn prepare_with(
    path: &Path,
    busy_timeout: Duration,
    label: &str,
    migrations: &[Migration],
) -> Result<Prepared, DbError> {
    make_room(path)?;
    if !exists(path)? && create(path, busy_timeout, migrations)? {
        return Ok(Prepared::Created);
    }
    let conn = Conn::open(path, busy_timeout)?;
    let done = upgrade(&conn, label, migrations);
    conn.close()?;
    done
}

/// Migrates the older database at the absolute `path`, if it lacks only additive migrations. Creates no file.
///
/// Any number of processes may do this at once: one migrates, and the others find under the write lock that
/// it is done. `label` names the backup (a time, by convention).
///
/// # Errors
/// [`DbError::SchemaTooOld`] if a migration is not additive; errors of [`prepare`].
pub fn migrate(path: &Path, busy_timeout: Duration, label: &str) -> Result<Prepared, DbError> {
    migrate_with(path, busy_timeout, label, migrate::MIGRATIONS)
}

pub(super) fn migrate_with(
    path: &Path,
    busy_timeout: Duration,
    label: &str,
    migrations: &[Migration],
) -> Result<Prepared, DbError> {
    refuse_symlinks(path)?;
    let conn = Conn::open(path, busy_timeout)?;
    let done = identity::require_readable(&conn, migrations).and_then(|_| upgrade(&conn, label, migrations));
    conn.close()?;
    done
}

/// Creates the directory of the database at the absolute `path`, if there is none.
///
/// # Errors
/// [`DbError::Symlink`] if a symlink leads elsewhere; errors of the file system.
pub fn make_room(path: &Path) -> Result<(), DbError> {
    create_parent(path)?;
    refuse_symlinks(path)
}

/// Creates the directory of the file at `path`, durably.
pub(super) fn create_parent(path: &Path) -> Result<(), DbError> {
    let Some(parent) = path.parent() else { return Ok(()) };
    let missing: Vec<_> = parent.ancestors().take_while(|dir| !dir.exists()).collect();
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(parent);
    made.map_err(DbError::file("creating directory", parent))?;
    missing.into_iter().try_for_each(|dir| match sync_directory(dir) {
        // A directory that cannot be read may still be written.
        Err(DbError::Denied { .. }) => Ok(()),
        synced => synced,
    })
}

/// Creates a private directory beside the database at `path`, and returns it.
///
/// # Errors
/// Errors of the file system; [`DbError::Symlink`] if it is a symlink.
pub fn private_dir(path: &Path, name: &str) -> Result<PathBuf, DbError> {
    let dir = path.with_file_name(name);
    if fs::symlink_metadata(&dir).is_ok_and(|found| found.file_type().is_symlink()) {
        return Err(DbError::Symlink(dir));
    }
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir);
    made.map_err(DbError::file("creating directory", &dir))?;
    Ok(dir)
}

/// Refuses a database, log or immediate parent that is a symlink, because it may lead out of the project.
pub(super) fn refuse_symlinks(path: &Path) -> Result<(), DbError> {
    let suspects = [path.to_owned(), side_file(path, "-wal"), side_file(path, "-shm")];
    for suspect in suspects.iter().map(PathBuf::as_path).chain(path.parent()) {
        if fs::symlink_metadata(suspect).is_ok_and(|found| found.file_type().is_symlink()) {
            return Err(DbError::Symlink(suspect.to_owned()));
        }
    }
    Ok(())
}

fn exists(path: &Path) -> Result<bool, DbError> {
    path.try_exists().map_err(DbError::file("looking at", path))
}

/// Completes a new file under another name and links it into place. Returns false if another process was
/// first.
fn create(path: &Path, busy_timeout: Duration, migrations: &[Migration]) -> Result<bool, DbError> {
    let Some(parent) = path.parent() else { return Ok(false) };
    let draft = new_draft(parent)?;
    let conn = Conn::open(draft.path(), busy_timeout)?;
    // No other process sees the draft: it is synced as a whole when it is complete.
    conn.batch("PRAGMA synchronous = OFF")?;
    conn.begin(Begin::Immediate)?;
    conn.set_pragma("application_id", APPLICATION_ID)?;
    migrate::apply(&conn, migrations, 0)?;
    conn.commit()?;
    conn.use_wal()?;
    conn.close()?;
    let hold = Hold::on(path)?;
    if hold.is_taken()? {
        return Ok(false);
    }
    hold.require_no_logs()?;
    publish(&draft, path)
}

/// Keeps other processes from creating a database at a path until it is dropped.
///
/// A process that has it and finds no database knows that a log there is orphaned: a log is created after its
/// database, which cannot be created now. Without it, the log of a new database could be taken for an orphan.
pub(super) struct Hold {
    path: PathBuf,
    _dir: File,
}

impl Hold {
    /// Waits for the lock, which others have for a few milliseconds, and lose when they exit.
    ///
    /// # Errors
    /// If the directory cannot be opened or locked.
    pub(super) fn on(path: &Path) -> Result<Self, DbError> {
        let dir = path.parent().unwrap_or(Path::new("/"));
        let opened = File::open(dir).map_err(DbError::file("opening", dir))?;
        loop {
            match rustix::fs::flock(&opened, FlockOperation::LockExclusive) {
                Ok(()) => return Ok(Self { path: path.to_owned(), _dir: opened }),
                Err(Errno::INTR) => {}
                Err(err) => return Err(DbError::file("locking", dir)(err.into())),
            }
        }
    }

    /// Returns true if there is a database.
    pub(super) fn is_taken(&self) -> Result<bool, DbError> {
        exists(&self.path)
    }

    /// Returns the logs at the path. SQLite would take a log of a lost database for that of a new one.
    pub(super) fn logs(&self) -> Result<Vec<PathBuf>, DbError> {
        let mut found = Vec::new();
        for log in LOGS.map(|log| side_file(&self.path, log)) {
            if exists(&log)? {
                found.push(log);
            }
        }
        Ok(found)
    }

    /// # Errors
    /// [`DbError::OrphanLog`] with the log.
    pub(super) fn require_no_logs(&self) -> Result<(), DbError> {
        self.logs()?.into_iter().next().map_or(Ok(()), |log| Err(DbError::OrphanLog(log)))
    }
}

/// Creates a private, empty file in `dir`, which is removed when dropped.
pub(super) fn new_draft(dir: &Path) -> Result<NamedTempFile, DbError> {
    let draft = tempfile::Builder::new().prefix(".intercore-").suffix(".tmp").tempfile_in(dir);
    draft.map_err(DbError::file("creating a file in", dir))
}

/// Makes a complete draft durable and gives it its name. Returns false if the name is taken.
pub(super) fn publish(draft: &NamedTempFile, path: &Path) -> Result<bool, DbError> {
    draft.as_file().sync_all().map_err(DbError::file("syncing", draft.path()))?;
    match fs::hard_link(draft.path(), path) {
        Ok(()) => {}
        Err(err) if err.kind() == ErrorKind::AlreadyExists => return Ok(false),
        Err(err) => return Err(DbError::file("creating", path)(err)),
    }
    sync_directory(path)?;
    Ok(true)
}

/// Migrates the open database.
fn upgrade(conn: &Conn, label: &str, migrations: &[Migration]) -> Result<Prepared, DbError> {
    let known = migrations.last().map_or(0, |migration| migration.version);
    match identity::of(conn)? {
        Identity::Ours(found) if found > known => return Err(DbError::SchemaTooNew { found, known }),
        Identity::Ours(found) if found == known => return Ok(Prepared::Current),
        Identity::Ours(_) => {}
        Identity::Empty => {
            conn.use_wal()?;
            let private = fs::set_permissions(conn.path(), fs::Permissions::from_mode(0o600));
            private.map_err(DbError::file("setting the permissions of", conn.path()))?;
        }
    }
    conn.begin(Begin::Immediate)?;
    let done = upgrade_locked(conn, label, migrations);
    match &done {
        Ok(_) => {
            // The log may be new: its directory entry must be as durable as its content.
            sync_directory(conn.path()).map_err(DbError::before_commit)?;
            crash_point("before_migrating_commit");
            log::commit(conn)?;
            crash_point("after_migrating_commit");
        }
        Err(_) => conn.rollback(),
    }
    done
}

fn upgrade_locked(conn: &Conn, label: &str, migrations: &[Migration]) -> Result<Prepared, DbError> {
    let known = migrations.last().map_or(0, |migration| migration.version);
    match identity::of(conn)? {
        Identity::Empty => {
            conn.set_pragma("application_id", APPLICATION_ID)?;
            migrate::apply(conn, migrations, 0)?;
            Ok(Prepared::Created)
        }
        Identity::Ours(found) if found < known => {
            let backup = back_up(conn.path(), label)?;
            crash_point("before_migrating");
            migrate::apply(conn, migrations, found)?;
            Ok(Prepared::Migrated { from: found, backup })
        }
        Identity::Ours(_) => Ok(Prepared::Current),
    }
}

/// Copies the database as it is now, log included, to a private file beside it, and removes all but the
/// newest copies.
///
/// # Errors
/// [`DbError::Corrupt`] if it is damaged: a copy would look sound.
pub(super) fn back_up(path: &Path, label: &str) -> Result<PathBuf, DbError> {
    let draft = new_draft(path.parent().unwrap_or(Path::new("/")))?;
    // A second connection reads what is committed. The caller's connection has the write lock, so nothing
    // changes.
    let source = Conn::open(path, Duration::ZERO)?;
    check::pages(&source)?;
    source.backup_to(draft.path())?;
    source.close()?;
    // Complete before it has its name: half a backup would count as a kept one.
    let backup = free_name(path, &format!(".backup-{label}"), |name| publish(&draft, name))?;
    drop_old_backups(path, &backup)?;
    Ok(backup)
}

/// Tries numbered names beside the database until `take` returns true. They start after the highest number in
/// use, because a user may have noted the name of a removed file.
fn free_name(
    path: &Path,
    suffix: &str,
    mut take: impl FnMut(&Path) -> Result<bool, DbError>,
) -> Result<PathBuf, DbError> {
    let stem = side_file(path, &format!("{suffix}-"));
    let number = |other: PathBuf| {
        let rest = other.as_os_str().as_bytes().strip_prefix(stem.as_os_str().as_bytes())?;
        std::str::from_utf8(rest.get(..3)?).ok()?.parse::<u16>().ok()
    };
    let first = beside(&stem)?.into_iter().filter_map(number).max().map_or(0, |last| last + 1);
    for nth in first..1000 {
        let candidate = side_file(&stem, &format!("{nth:03}"));
        if take(&candidate)? {
            return Ok(candidate);
        }
    }
    Err(DbError::Exists(stem))
}

/// Returns the files whose paths begin like this one, the oldest first.
fn beside(stem: &Path) -> Result<Vec<PathBuf>, DbError> {
    let dir = stem.parent().unwrap_or(Path::new("/"));
    let entries = fs::read_dir(dir).map_err(DbError::file("listing", dir))?;
    let mut found: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.as_os_str().as_bytes().starts_with(stem.as_os_str().as_bytes()))
        .collect();
    order::by_key(&mut found, |path| {
        let written = path.metadata().map_or((0, 0), |found| (found.mtime(), found.mtime_nsec()));
        (written, path.clone())
    });
    Ok(found)
}

/// Creates a private, empty file beside the database, named after it.
pub(super) fn claim(path: &Path, suffix: &str) -> Result<PathBuf, DbError> {
    free_name(path, suffix, |name| {
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(name) {
            Ok(_) => Ok(true),
            Err(err) if err.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(err) => Err(DbError::file("creating", name)(err)),
        }
    })
}

/// Removes all but the newest backups, and never `newest`, which may look older if the clock was set back.
fn drop_old_backups(path: &Path, newest: &Path) -> Result<(), DbError> {
    let mut others = beside(&side_file(path, ".backup-"))?;
    others.retain(|other| other != newest);
    for old in others.iter().rev().skip(BACKUPS_KEPT - 1) {
        match fs::remove_file(old) {
            // Another process may have removed it.
            Err(err) if err.kind() != ErrorKind::NotFound => return Err(DbError::file("removing", old)(err)),
            _ => {}
        }
    }
    Ok(())
}

/// Makes the directory entry of a file durable.
pub(super) fn sync_directory(path: &Path) -> Result<(), DbError> {
    let dir = path.parent().unwrap_or(path);
    atomic::sync_directory(path).map_err(DbError::file("syncing", dir))
}
