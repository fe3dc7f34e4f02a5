//! Locks that are directories, and need no database.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Code, CommandContext, Error, Reply};
use crate::domain::lock::Name;
use crate::domain::state::Scope;
use crate::domain::text::one_line;
use crate::os::filelock::{Held, Owner, Record, Released, Root, Taken};

/// The directory of the locks unless `INTERCORE_LOCK_DIR` names another.
const DEFAULT_DIRECTORY: &str = "/tmp/intercore/locks";

/// A lock, and the owner in whose name it is acquired or released.
#[derive(Debug)]
pub(crate) struct LockRef {
    pub name: Name,
    pub scope: Name,
    /// The calling process if it is not given.
    pub owner: Option<Scope>,
}

#[derive(Debug)]
pub(crate) struct AcquireRequest {
    pub lock: LockRef,
    /// The lock lasts as long as its owner's process if this is not given.
    pub ttl_seconds: Option<i64>,
    /// Time to wait for the lock.
    pub timeout: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LockStatus {
    Acquired,
    /// Another owner held the lock until the time was over.
    TimedOut,
    Released,
    NotFound,
    /// The lock belongs to another owner.
    NotOwner,
}

impl LockStatus {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Acquired => "acquired",
            Self::TimedOut => "timed_out",
            Self::Released => "released",
            Self::NotFound => "not_found",
            Self::NotOwner => "not_owner",
        }
    }
}

/// The outcome for one lock, with its owner if it has one and says which.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LockAnswer {
    /// Unix seconds, rounded up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<i64>,
    /// Unix seconds. Missing if the lock lasts as long as its owner's process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// 0 if the owner's process is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<i64>,
    pub scope: String,
    pub status: LockStatus,
    /// Whether the text form has a line: without `--verbose` the exit code says enough.
    #[serde(skip)]
    pub has_text: bool,
}

impl LockAnswer {
    fn new(lock: &LockRef, status: LockStatus, record: Option<Record>) -> Self {
        let (name, scope) = (lock.name.to_string(), lock.scope.to_string());
        let answer = Self {
            created: None,
            expires_at: None,
            host: None,
            name,
            owner: None,
            pid: None,
            scope,
            status,
            has_text: false,
        };
        match record {
            None => answer,
            Some(record) => Self {
                created: Some(record.created),
                expires_at: expires_at(&record),
                host: Some(record.host),
                owner: Some(record.owner),
                pid: Some(record.pid),
                ..answer
            },
        }
    }
}

fn expires_at(record: &Record) -> Option<i64> {
    record.ttl.map(|ttl| record.created.saturating_add(ttl))
}

/// A lock that is held.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct HeldLock {
    pub age_seconds: i64,
    /// Unix seconds, rounded up. Missing, as the other facts of the owner, if the lock does not name its
    /// owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<i64>,
    /// Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    pub name: String,
    /// Null if the lock does not name its owner.
    pub owner: Option<String>,
    /// 0 if the owner's process is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<i64>,
    pub scope: String,
    /// Whether another owner may take the lock: it has expired, or its process has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale: Option<bool>,
}

impl HeldLock {
    fn new(held: Held, now: i64) -> Self {
        let age_seconds = held.age(now);
        let record = held.record.as_ref();
        Self {
            age_seconds,
            created: record.map(|record| record.created),
            expires_at: record.and_then(expires_at),
            host: record.map(|record| record.host.clone()),
            name: held.name,
            owner: record.map(|record| record.owner.clone()),
            pid: record.map(|record| record.pid),
            scope: held.scope,
            stale: record.map(|record| record.is_stale(now)),
        }
    }
}

/// Locks by name and scope.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct HeldLocks(pub Vec<HeldLock>);

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Cleaned {
    pub cleaned: usize,
}

fn directory(cx: &CommandContext) -> PathBuf {
    cx.env.path("INTERCORE_LOCK_DIR").unwrap_or_else(|| PathBuf::from(DEFAULT_DIRECTORY))
}

fn failed(what: &'static str, path: PathBuf) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::File { what, path, source }
}

/// Acquires a lock; the negative if another owner holds it until the time is over.
///
/// # Errors
/// [`Error::File`] if the directories cannot be made, read or written.
pub(crate) fn acquire(cx: &mut CommandContext, request: AcquireRequest) -> Result<Reply<LockAnswer>, Error> {
    let AcquireRequest { lock, ttl_seconds, timeout } = request;
    let root = Root::new(directory(cx));
    let (key, owner) = ((lock.name.as_str(), lock.scope.as_str()), owner(&lock));
    let taken = root
        .acquire(key, &owner, ttl_seconds, cx.stamp.millis(), timeout)
        .map_err(failed("taking the lock", root.place(key.0, key.1)))?;
    Ok(match taken {
        Taken::Yes(record) => {
            let answer = LockAnswer::new(&lock, LockStatus::Acquired, Some(record));
            Reply::yes(LockAnswer { has_text: cx.is_verbose(), ..answer })
        }
        Taken::No(holder) => {
            cx.info(format_args!("lock acquire: timed out; held by {}", holder_name(holder.as_ref())));
            Reply::no(LockAnswer::new(&lock, LockStatus::TimedOut, holder), Code::LockHeld)
        }
    })
}

/// Releases a lock; the negative if it is not held, or another owner holds it.
///
/// # Errors
/// [`Error::File`] if the directory cannot be read or removed.
pub(crate) fn release(cx: &mut CommandContext, lock: &LockRef) -> Result<Reply<LockAnswer>, Error> {
    let root = Root::new(directory(cx));
    let (key, owner) = ((lock.name.as_str(), lock.scope.as_str()), owner(lock));
    let released =
        root.release(key, &owner).map_err(failed("releasing the lock", root.place(key.0, key.1)))?;
    Ok(match released {
        Released::Yes => {
            let answer = LockAnswer::new(lock, LockStatus::Released, None);
            Reply::yes(LockAnswer { has_text: cx.is_verbose(), ..answer })
        }
        Released::NotHeld => {
            cx.info("lock release: not found");
            Reply::no(LockAnswer::new(lock, LockStatus::NotFound, None), Code::LockNotFound)
        }
        Released::NotOwner(holder) => {
            cx.info(format_args!("lock release: not owner; held by {}", holder_name(holder.as_ref())));
            Reply::no(LockAnswer::new(lock, LockStatus::NotOwner, holder), Code::LockOwner)
        }
    })
}

fn owner(lock: &LockRef) -> Owner {
    Owner::new(lock.owner.as_ref().map(Scope::as_str))
}

fn holder_name(holder: Option<&Record>) -> Cow<'_, str> {
    one_line(holder.map_or("an unknown owner", |holder| &holder.owner))
}

/// Returns the locks that have been held for `older_than` seconds or more.
///
/// # Errors
/// [`Error::File`] if a directory cannot be read.
pub(crate) fn list(cx: &mut CommandContext, older_than: i64) -> Result<Reply<HeldLocks>, Error> {
    let (directory, now) = (directory(cx), cx.stamp.secs());
    let held = Root::new(&directory).list().map_err(failed("listing the locks in", directory))?;
    let held = held.into_iter().map(|held| HeldLock::new(held, now));
    Ok(Reply::yes(HeldLocks(held.filter(|held| held.age_seconds >= older_than).collect())))
}

/// Removes the locks that have been held for `older_than` seconds or more and that no process owns any more.
///
/// # Errors
/// [`Error::File`] if a directory cannot be read or removed.
pub(crate) fn clean(cx: &mut CommandContext, older_than: i64) -> Result<Reply<Cleaned>, Error> {
    let directory = directory(cx);
    let cleaned = Root::new(&directory)
        .clean(older_than, cx.stamp.secs())
        .map_err(failed("cleaning the locks in", directory))?;
    Ok(Reply::yes(Cleaned { cleaned }))
}
