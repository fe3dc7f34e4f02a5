//! Making a database file, and bringing an older one up to date; the files beside it. Nothing is written past
//! the engine to a file that the engine has open.

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

/// How many backups of a database are kept.
const BACKUPS_KEPT: usize = 5;

/// What [`prepare`] found and did.
#[derive(Debug, PartialEq, Eq)]
pub enum Prepared {
    /// There was none, now there is.
    Created,
    /// It was older; its state before is in `backup`.
    Migrated {
        /// The version it had.
        from: i64,
        /// Where its state before is kept.
        backup: PathBuf,
    },
    /// Nothing to do.
    Current,
}

/// Makes sure that a current database is at the absolute `path`, creating or migrating it.
///
/// Any number of processes may do this at once: the file is built aside and linked into place, so nobody ever
/// sees half of one, and a migration looks again once it has the write lock. `label` names a backup (a time,
/// by convention).
///
/// # Errors
/// [`DbError`] when the file is somebody else's, newer than this program, damaged or a symlink, or cannot be
/// written.
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

/// Migrates the older database at the absolute `path`, if nothing but additive migrations are missing.
/// Creates nothing.
///
/// Any number of processes may do this at once: one migrates, and the others find under the write lock that
/// it is done. `label` names the backup (a time, by convention).
///
/// # Errors
/// [`DbError::SchemaTooOld`] if a migration does more than add, and all that [`prepare`] fails with.
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

/// Makes the directory of the database at the absolute `path`, if there is none.
///
/// # Errors
/// [`DbError::Symlink`] if something there leads elsewhere, or an error of the file system.
pub fn make_room(path: &Path) -> Result<(), DbError> {
    create_parent(path)?;
    refuse_symlinks(path)
}

/// Makes the directory that the file at `path` is to be in, as durably as what will be in it.
pub(super) fn create_parent(path: &Path) -> Result<(), DbError> {
    let Some(parent) = path.parent() else { return Ok(()) };
    let missing: Vec<_> = parent.ancestors().take_while(|dir| !dir.exists()).collect();
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(parent);
    made.map_err(DbError::file("creating directory", parent))?;
    missing.into_iter().try_for_each(|dir| match sync_directory(dir) {
        // A directory that may be written and not read can still be worked in.
        Err(DbError::Denied { .. }) => Ok(()),
        synced => synced,
    })
}

/// Makes and returns a private directory beside the database at `path`.
///
/// # Errors
/// Errors of the file system; [`DbError::Symlink`] if something leads away from there.
pub fn private_dir(path: &Path, name: &str) -> Result<PathBuf, DbError> {
    let dir = path.with_file_name(name);
    if fs::symlink_metadata(&dir).is_ok_and(|found| found.file_type().is_symlink()) {
        return Err(DbError::Symlink(dir));
    }
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir);
    made.map_err(DbError::file("creating directory", &dir))?;
    Ok(dir)
}

/// Refuses a database, log or immediate parent that is a symlink: it may lead anywhere, also out of the
/// project.
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

/// Builds a new file aside and links it into place. Returns false when somebody else was first.
fn create(path: &Path, busy_timeout: Duration, migrations: &[Migration]) -> Result<bool, DbError> {
    let Some(parent) = path.parent() else { return Ok(false) };
    let draft = new_draft(parent)?;
    let conn = Conn::open(draft.path(), busy_timeout)?;
    // Nobody else sees the draft: it is synced as a whole once it is complete.
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

/// Keeps other processes from making a database at a path, for as long as it lives.
///
/// Who has it and finds no database knows that a log which lies there belongs to none: logs come after their
/// database, and that cannot come now. Without it a log that was just begun could be taken for one that was
/// left behind.
pub(super) struct Hold {
    path: PathBuf,
    _dir: File,
}

impl Hold {
    /// Waits for its turn. Others take a few milliseconds, and their end ends it too.
    ///
    /// # Errors
    /// Errors of the file system of the directory.
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

    /// Returns true if there is a database by now.
    pub(super) fn is_taken(&self) -> Result<bool, DbError> {
        exists(&self.path)
    }

    /// Returns the logs at the path. A log left behind by a lost database would be taken for the new one's.
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
    /// [`DbError::OrphanLog`] naming the log that is there.
    pub(super) fn require_no_logs(&self) -> Result<(), DbError> {
        self.logs()?.into_iter().next().map_or(Ok(()), |log| Err(DbError::OrphanLog(log)))
    }
}

/// Returns a private, empty file in `dir`, gone when it is dropped.
pub(super) fn new_draft(dir: &Path) -> Result<NamedTempFile, DbError> {
    let draft = tempfile::Builder::new().prefix(".intercore-").suffix(".tmp").tempfile_in(dir);
    draft.map_err(DbError::file("creating a file in", dir))
}

/// Makes a finished draft durable and gives it its name. Returns false when the name is taken.
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

/// Brings the open database up to date.
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
            // The log may be new: its entry in the directory has to be as durable as what it holds.
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
/// newest few copies.
///
/// # Errors
/// [`DbError::Corrupt`] if it is damaged: a copy would look sound.
pub(super) fn back_up(path: &Path, label: &str) -> Result<PathBuf, DbError> {
    let draft = new_draft(path.parent().unwrap_or(Path::new("/")))?;
    // A second connection reads what is committed; the one that called us holds the write lock, so nothing
    // moves.
    let source = Conn::open(path, Duration::ZERO)?;
    check::pages(&source)?;
    source.backup_to(draft.path())?;
    source.close()?;
    // Complete before it has its name: half a backup would count as one of those that are kept.
    let backup = free_name(path, &format!(".backup-{label}"), |name| publish(&draft, name))?;
    drop_old_backups(path, &backup)?;
    Ok(backup)
}

/// Tries numbered names beside the database until `take` says that one was free. They begin behind the last
/// that is there: a name that was given up may be told of somewhere.
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

/// Makes a new, private, empty file beside the database, named after it.
pub(super) fn claim(path: &Path, suffix: &str) -> Result<PathBuf, DbError> {
    free_name(path, suffix, |name| {
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(name) {
            Ok(_) => Ok(true),
            Err(err) if err.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(err) => Err(DbError::file("creating", name)(err)),
        }
    })
}

/// Drops all but the newest few backups, and never `newest`, which may be older than the others by a clock
/// that was set back.
fn drop_old_backups(path: &Path, newest: &Path) -> Result<(), DbError> {
    let mut others = beside(&side_file(path, ".backup-"))?;
    others.retain(|other| other != newest);
    for old in others.iter().rev().skip(BACKUPS_KEPT - 1) {
        match fs::remove_file(old) {
            // Another process drops them too.
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
