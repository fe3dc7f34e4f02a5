//! The directory in which a commit is built. It is in the git directory and named after the process, so that
//! a later call can tell whether it is still in use.
//!
//! The name is `intercore.N.PID.START.BOOT.SPACE+HOST`, with `_` for each slash. Older versions leave
//! `SPACE+` out; they take all of `SPACE+HOST` for the name of another host.

use std::cell::Cell;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::retry_on_intr;

use super::super::process::{Identity, Liveness, PidSpace, myself};
use super::super::signals::Deferred;
use super::error::GitError;
use super::record::Record;

const PREFIX: &str = "intercore.";
/// The file of which the index's lock is a hard link.
const MARK: &str = "lock";
/// How long to wait for a git that has outlived its caller.
const ORPHANED: Duration = Duration::from_secs(30);
/// Tells apart the directories of one process.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A private directory, removed when dropped.
pub struct Scratch {
    dir: PathBuf,
    /// Locked as long as this process runs, or a git that has inherited the file.
    mark: File,
    leave: Cell<bool>,
}

/// The lock of the index, released when dropped. Signals that end the process are deferred until then.
pub struct Held {
    lock: PathBuf,
    _deferred: Deferred,
}

/// A directory whose process is gone.
pub struct Left {
    dir: PathBuf,
}

impl Scratch {
    pub fn new(git_dir: &Path) -> Result<Self, GitError> {
        let Identity { pid, start_time, boot_id, host, space } = myself()?;
        let space = space.map_or_else(String::new, |space| format!("{space}+"));
        let host = format!("{space}{host}").replace('/', "_");
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = git_dir.join(format!("{PREFIX}{n}.{pid}.{start_time}.{boot_id}.{host}"));
        DirBuilder::new().mode(0o700).create(&dir)?;
        let mark = File::create_new(dir.join(MARK))?;
        retry_on_intr(|| flock(&mark, FlockOperation::LockExclusive)).map_err(io::Error::from)?;
        Ok(Self { dir, mark, leave: Cell::new(false) })
    }

    /// Keeps the directory for another process to finish.
    pub fn leave(&self) {
        self.leave.set(true);
    }

    /// Returns the file that a git inherits which may outlive this process: no other process cleans up while
    /// it runs.
    pub fn mark(&self) -> &File {
        &self.mark
    }

    /// Returns the path of a file in the directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Takes git's own lock of the index, waiting up to `patience` for it.
    ///
    /// The lock is a hard link to a file in this directory, by which it is recognised if this process is
    /// killed.
    pub fn lock(&self, path: &Path, patience: Duration) -> Result<Held, GitError> {
        let mark = self.file(MARK);
        let start = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            let deferred = Deferred::begin();
            match link(&mark, path) {
                Ok(()) => return Ok(Held { lock: path.to_owned(), _deferred: deferred }),
                Err(err) if err.kind() != io::ErrorKind::AlreadyExists => return Err(err.into()),
                Err(_) if start.elapsed() >= patience => {
                    return Err(GitError::IndexLocked(path.to_owned()));
                }
                Err(_) => {
                    drop(deferred);
                    thread::sleep(pause);
                }
            }
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }

    /// Stores the change that is about to happen, for a process that has to finish it.
    pub fn note(&self, record: &Record) -> io::Result<()> {
        let half = self.file("record.new");
        fs::write(&half, record.to_bytes())?;
        fs::rename(half, self.file("record"))
    }

    /// Returns the directories of processes that are gone.
    pub fn abandoned(git_dir: &Path) -> io::Result<Vec<Left>> {
        let mut left = Vec::new();
        for entry in fs::read_dir(git_dir)? {
            let entry = entry?;
            let owner = owner_of(&entry.file_name());
            if owner.is_some_and(|owner| owner.liveness() == Liveness::Gone) {
                left.push(Left { dir: entry.path() });
            }
        }
        Ok(left)
    }
}

/// Creates a hard link or, on a file system without hard links, a new file of that name.
fn link(mark: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(mark, path) {
        Err(err) if matches!(err.kind(), io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied) => {
            fs::OpenOptions::new().write(true).create_new(true).open(path).map(drop)
        }
        done => done,
    }
}

/// Returns the process that a directory belongs to, by its name.
fn owner_of(name: &OsStr) -> Option<Identity> {
    let mut parts = name.to_str()?.strip_prefix(PREFIX)?.splitn(5, '.');
    let _: u32 = parts.next()?.parse().ok()?;
    let pid = parts.next()?.parse().ok()?;
    let start_time = parts.next()?.parse().ok()?;
    let (boot_id, host) = (parts.next()?.to_owned(), parts.next()?);
    let (space, host) = match host.split_once('+') {
        Some((space, host)) => (Some(PidSpace::read(&space.replacen('_', "/", 1))), host),
        None => (None, host),
    };
    Some(Identity { pid, start_time, boot_id, host: host.to_owned(), space })
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.leave.get() {
            let _ = fs::remove_dir_all(&self.dir); // what stays is found by the next call
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.lock);
    }
}

impl Left {
    /// Waits for a git that the dead process had started and that may still move the branch. While the
    /// returned file is open, no other process cleans up. Returns `None` if another process has done so.
    ///
    /// # Errors
    /// [`GitError::TimedOut`] if git does not exit.
    pub fn alone(&self) -> Result<Option<File>, GitError> {
        // A process without a mark was killed before it had changed anything.
        let Ok(mark) = File::open(self.dir.join(MARK)) else { return Ok(File::open(&self.dir).ok()) };
        let start = Instant::now();
        while retry_on_intr(|| flock(&mark, FlockOperation::NonBlockingLockExclusive)).is_err() {
            if start.elapsed() >= ORPHANED {
                return Err(GitError::TimedOut("a git that an earlier call had started".to_owned()));
            }
            thread::sleep(Duration::from_millis(2));
        }
        Ok(self.dir.exists().then_some(mark))
    }

    /// Removes the lock if it was taken from this directory.
    pub fn release_lock(&self, path: &Path) {
        let inode = |path: &Path| fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()));
        if let (Ok(ours), Ok(there)) = (inode(&self.dir.join(MARK)), inode(path))
            && ours == there
        {
            let _ = fs::remove_file(path);
        }
    }

    /// Returns the change that was about to happen, if one was stored.
    pub fn record(&self) -> Option<Record> {
        Record::from_bytes(&fs::read(self.dir.join("record")).ok()?)
    }

    /// Removes the directory.
    pub fn remove(&self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}
