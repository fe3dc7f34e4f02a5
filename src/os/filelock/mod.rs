//! Locks made of directories: the process that creates `<root>/<name>/<scope>` holds the lock. They need no
//! database, and programs that only use `mkdir` can take part.
//!
//! The directory contains `owner.json` ([`Record`]), which names the owner. Taking, releasing and breaking
//! happen under an advisory lock of the directory `<root>/<name>`, so that none of our processes removes a
//! lock that another has just taken. Because other programs do not use it, a directory is checked again after
//! it was moved aside.
//!
//! Names and scopes are checked by the caller: not empty, no `/`, no `..`. A name that begins with `..` is
//! therefore one of ours: a directory on its way out, or an owner file that is not complete yet.

mod record;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;

pub use record::{Owner, Record};

/// Time between two attempts to take a lock.
const PAUSE: Duration = Duration::from_millis(20);

/// How long to wait for the guard of the locks of one name, which a process holds for microseconds.
const GUARD: Duration = Duration::from_secs(5);

const OWNER: &str = "owner.json";
const UNFINISHED: &str = "..owner-";
const LEAVING: &str = "..gone-";

/// The directory that holds the locks.
#[derive(Clone, Debug)]
pub struct Root(PathBuf);

/// The outcome of an attempt to take a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The caller holds it.
    Yes(Record),
    /// The time is up; with the record of the holder, if there is one.
    No(Option<Record>),
}

/// The outcome of an attempt to release a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Released {
    /// It is released.
    Yes,
    /// It was not held.
    NotHeld,
    /// Another owner holds it, or an unknown one.
    NotOwner(Option<Record>),
}

/// A lock that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The lock's name.
    pub name: String,
    /// The lock's scope.
    pub scope: String,
    /// The record of the holder, if there is one.
    pub record: Option<Record>,
    /// The time of taking in Unix seconds, rounded up: from the record, else from the directory.
    pub since: i64,
}

/// The state of a lock's path.
enum Found {
    Nothing,
    /// A lock without an owner, or with one that cannot be read.
    Ghost,
    Owned(Record, Vec<u8>),
}

impl Root {
    /// Returns the locks below `dir`, which need not exist.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self(dir.into())
    }

    /// Returns the directory of one lock.
    pub fn place(&self, name: &str, scope: &str) -> PathBuf {
        self.0.join(name).join(scope)
    }

    /// Takes a lock, waiting up to `timeout` for it. A lock whose owner is gone is broken
    /// ([`Record::is_stale`]).
    ///
    /// `now` is the time of the call in Unix milliseconds; `ttl`, in seconds, ends the lock even if its owner
    /// still runs.
    ///
    /// # Errors
    /// If the directories cannot be created, read or written.
    pub fn acquire(
        &self,
        (name, scope): (&str, &str),
        owner: &Owner,
        ttl: Option<i64>,
        now: i64,
        timeout: Duration,
    ) -> io::Result<Taken> {
        let since = Instant::now();
        loop {
            let waited = since.elapsed();
            let now = now.saturating_add(i64::try_from(waited.as_millis()).unwrap_or(i64::MAX));
            // Rounded up, so that no lock looks older than it is.
            let record = Record::new(owner, now.saturating_add(999).div_euclid(1000), ttl);
            let holder = match self.try_once(name, scope, &record, now.div_euclid(1000))? {
                Taken::No(holder) => holder,
                taken @ Taken::Yes(_) => return Ok(taken),
            };
            if waited >= timeout {
                return Ok(Taken::No(holder));
            }
            thread::sleep(PAUSE.min(timeout.saturating_sub(waited)));
        }
    }

    fn try_once(&self, name: &str, scope: &str, record: &Record, now: i64) -> io::Result<Taken> {
        let drawer = self.0.join(name);
        DirBuilder::new().recursive(true).mode(0o700).create(&drawer)?;
        let _guard = guard(&drawer)?;
        let dir = drawer.join(scope);
        for attempt in 0.. {
            match DirBuilder::new().mode(0o700).create(&dir) {
                Ok(()) => {
                    return match write_owner(&dir, record) {
                        Ok(()) => Ok(Taken::Yes(record.clone())),
                        Err(err) => {
                            let _ = discard(&dir);
                            Err(err)
                        }
                    };
                }
                Err(err) if err.kind() == ErrorKind::AlreadyExists => {}
                Err(err) => return Err(err),
            }
            match find(&dir)? {
                // Another program released it without the guard. Tried a limited number of times.
                Found::Nothing if attempt < 3 => {}
                Found::Nothing | Found::Ghost => break,
                Found::Owned(holder, bytes) => {
                    if !(attempt < 3 && holder.is_stale(now) && remove(&dir, Some(&bytes))?) {
                        return Ok(Taken::No(Some(holder)));
                    }
                }
            }
        }
        Ok(Taken::No(None))
    }

    /// Releases a lock that `owner` holds. A lock is never removed in part.
    ///
    /// # Errors
    /// If the directory cannot be read or removed, or holds files that are not ours.
    pub fn release(&self, (name, scope): (&str, &str), owner: &Owner) -> io::Result<Released> {
        let drawer = self.0.join(name);
        let _guard = match guard(&drawer) {
            Err(err) if err.kind() == ErrorKind::NotFound => return Ok(Released::NotHeld),
            guard => guard?,
        };
        let dir = drawer.join(scope);
        match find(&dir)? {
            Found::Nothing => Ok(Released::NotHeld),
            Found::Ghost => Ok(Released::NotOwner(None)),
            Found::Owned(holder, _) if !holder.belongs_to(owner) => Ok(Released::NotOwner(Some(holder))),
            Found::Owned(holder, bytes) => {
                Ok(if remove(&dir, Some(&bytes))? { Released::Yes } else { Released::NotOwner(Some(holder)) })
            }
        }
    }

    /// Returns every lock that is held, by name and scope.
    ///
    /// # Errors
    /// If a directory cannot be read.
    pub fn list(&self) -> io::Result<Vec<Held>> {
        let mut held = Vec::new();
        for name in directories(&self.0)? {
            for scope in directories(&self.0.join(&name))? {
                let dir = self.place(&name, &scope);
                let record = match find(&dir)? {
                    Found::Nothing => continue,
                    Found::Ghost => None,
                    Found::Owned(record, _) => Some(record),
                };
                let Ok(meta) = dir.symlink_metadata() else { continue };
                let modified = meta.mtime().saturating_add(i64::from(meta.mtime_nsec() > 0));
                let since = record.as_ref().map_or(modified, |record| record.created);
                held.push(Held { name: name.clone(), scope, record, since });
            }
        }
        held.sort_by(|a, b| (&a.name, &a.scope).cmp(&(&b.name, &b.scope)));
        Ok(held)
    }

    /// Removes the locks that have been held for at least `age` seconds and whose owner is gone or unknown.
    /// Returns their number.
    ///
    /// # Errors
    /// If a directory cannot be read or removed.
    pub fn clean(&self, age: i64, now: i64) -> io::Result<usize> {
        let mut cleaned = 0;
        let mut failed = None;
        for held in self.list()?.iter().filter(|held| held.age(now) >= age) {
            match self.clean_one(held, age, now) {
                Ok(removed) => cleaned += usize::from(removed),
                // A lock that cannot be removed does not prevent removing the others.
                Err(err) => failed = failed.or(Some(err)),
            }
        }
        self.sweep()?;
        failed.map_or(Ok(cleaned), Err)
    }

    fn clean_one(&self, held: &Held, age: i64, now: i64) -> io::Result<bool> {
        let drawer = self.0.join(&held.name);
        let _guard = guard(&drawer)?;
        let dir = drawer.join(&held.scope);
        // Read again under the guard, where it cannot change.
        match find(&dir)? {
            Found::Nothing => Ok(false),
            Found::Ghost => Ok(held.record.is_none() && remove(&dir, None)?),
            Found::Owned(record, bytes) => {
                let old = record.age(now) >= age;
                Ok(old && record.is_over(now) && remove(&dir, Some(&bytes))?)
            }
        }
    }

    /// Removes the directories of processes that exited between moving a lock aside and deleting it.
    fn sweep(&self) -> io::Result<()> {
        for name in directories(&self.0)? {
            let drawer = self.0.join(name);
            let leaving = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with(LEAVING);
            if entries(&drawer)?.iter().any(leaving) {
                let _guard = guard(&drawer)?;
                entries(&drawer)?.iter().filter(|entry| leaving(entry)).for_each(|entry| {
                    let _ = discard(&entry.path());
                });
            }
        }
        Ok(())
    }
}

impl Held {
    /// Returns the time that it has been held, in seconds.
    pub fn age(&self, now: i64) -> i64 {
        now.saturating_sub(self.since).max(0)
    }
}

/// Keeps our other processes from taking and releasing the locks of one name until the returned file is
/// dropped, or the process exits.
fn guard(drawer: &Path) -> io::Result<File> {
    let dir = File::open(drawer)?;
    let since = Instant::now();
    while let Err(err) = rustix::fs::flock(&dir, FlockOperation::NonBlockingLockExclusive) {
        let err = io::Error::from(err);
        if !matches!(err.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) {
            return Err(err);
        }
        if since.elapsed() > GUARD {
            return Err(io::Error::new(ErrorKind::TimedOut, "another process keeps this directory locked"));
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(dir)
}

fn find(dir: &Path) -> io::Result<Found> {
    match fs::read(dir.join(OWNER)) {
        Ok(bytes) => Ok(Record::parse(&bytes).map_or(Found::Ghost, |record| Found::Owned(record, bytes))),
        Err(err) if err.kind() == ErrorKind::NotFound => match dir.symlink_metadata() {
            Ok(_) => Ok(Found::Ghost),
            Err(err) if err.kind() == ErrorKind::NotFound => Ok(Found::Nothing),
            Err(err) => Err(err),
        },
        // A file in the place of a lock, or a lock of another user: held by an unknown owner.
        Err(_) => Ok(Found::Ghost),
    }
}

/// Writes the owner's file completely under another name, and renames it.
fn write_owner(dir: &Path, record: &Record) -> io::Result<()> {
    let unfinished = dir.join(format!("{UNFINISHED}{:016x}", rand::random::<u64>()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    file.write_all(&record.to_json())?;
    drop(file);
    fs::rename(&unfinished, dir.join(OWNER))
}

/// Removes a lock whose owner file still is `seen`, or that still has none. Otherwise nothing is removed.
fn remove(dir: &Path, seen: Option<&[u8]>) -> io::Result<bool> {
    let stranger = entries(dir)?.into_iter().map(|entry| entry.file_name()).find(|name| {
        let name = name.to_string_lossy();
        name != OWNER && !name.starts_with(UNFINISHED)
    });
    if let Some(name) = stranger {
        let what = format!("holds {}, which is no file of ours", name.display());
        return Err(io::Error::new(ErrorKind::DirectoryNotEmpty, what));
    }
    let aside = dir.with_file_name(format!("{LEAVING}{:016x}", rand::random::<u64>()));
    match fs::rename(dir, &aside) {
        Err(err) if err.kind() == ErrorKind::NotFound => return Ok(false),
        moved => moved?,
    }
    let moved = fs::read(aside.join(OWNER)).ok();
    if moved.as_deref() != seen && seen.is_some() {
        // A program without the guard was faster, and the moved lock is another one.
        put_back(&aside, dir);
        return Ok(false);
    }
    // The lock is released. If deleting fails, a later call does it.
    let _ = discard(&aside);
    Ok(true)
}

fn put_back(aside: &Path, dir: &Path) {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    // If the path is taken again, its new owner keeps it.
    let _ = renameat_with(CWD, aside, CWD, dir, RenameFlags::NOREPLACE);
}

/// Deletes a lock's directory with the files of ours in it.
fn discard(dir: &Path) -> io::Result<()> {
    for entry in entries(dir)? {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name == OWNER || name.starts_with(UNFINISHED) {
            fs::remove_file(entry.path())?;
        }
    }
    fs::remove_dir(dir)
}

/// Returns the entries of a directory; none if it does not exist.
fn entries(dir: &Path) -> io::Result<Vec<fs::DirEntry>> {
    match fs::read_dir(dir) {
        Err(err) if matches!(err.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(Vec::new()),
        read => read?.collect(),
    }
}

/// Returns the names of the directories in a directory, without those that are ours.
fn directories(dir: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in entries(dir)? {
        let Ok(name) = entry.file_name().into_string() else { continue };
        if !name.starts_with("..") && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            names.push(name);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests;
