//! Coordination: locks on files and on names.

use std::str::FromStr;

use super::process::ProcessKey;
use super::time::{self, Stamp};

/// Parses an owner, a name or a scope: text on one line, of 1 to 4096 bytes.
///
/// # Errors
/// A message if the text is invalid.
pub fn word(text: &str) -> Result<String, String> {
    match text.len() {
        0 => Err("must not be empty".to_owned()),
        1..=4096 if text.chars().any(char::is_control) => {
            Err("must not contain control characters".to_owned())
        }
        1..=4096 => Ok(text.to_owned()),
        _ => Err("must have at most 4096 bytes".to_owned()),
    }
}

/// A lock and the fencing token that came with it, written as `LOCK:TOKEN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    pub lock: String,
    pub token: i64,
}

impl FromStr for Fence {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (lock, token) = text.rsplit_once(':')?;
            Some(Self { lock: lock.to_owned(), token: token.parse().ok()? }).filter(|_| !lock.is_empty())
        };
        read().ok_or_else(|| "want a lock and its token, as l3k9x2ab:17".to_owned())
    }
}

words!(
    /// The type of a lock. The first two share the space of paths; names overlap only equal names.
    LockKind, "lock type" {
        /// Files that are being edited.
        FileReservation = "file_reservation",
        /// Files that a task will change.
        WriteSet = "write_set",
        /// A name with any meaning.
        NamedLock = "named_lock",
    }
);

/// The maximum number of live locks of an owner in a scope.
pub const MOST_LOCKS: i64 = 1000;

impl LockKind {
    /// Returns the default duration in seconds; `None` if the lock is held until it is released.
    pub fn default_ttl(self) -> Option<i64> {
        match self {
            Self::FileReservation => Some(3600),
            Self::NamedLock => Some(300),
            Self::WriteSet => None,
        }
    }

    /// Returns true if the lock is on a name, and not on paths.
    pub fn is_named(self) -> bool {
        self == Self::NamedLock
    }
}

/// A row of `coordination_locks`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a column of the row")]
pub struct Lock {
    pub id: String,
    pub kind: LockKind,
    /// The owner, free text.
    pub owner: String,
    /// The scope in which its pattern counts: a project's top directory, or any name.
    pub scope: String,
    /// The pattern of the held paths, or the held name.
    pub pattern: String,
    /// Whether a pattern that is a plain path was known to be a file, so that nothing below it is held. It
    /// has no meaning for other patterns.
    pub file: bool,
    /// Whether no other owner may hold an overlapping lock. If false, none may hold one exclusively.
    pub exclusive: bool,
    /// The reason, free text.
    pub reason: Option<String>,
    /// The duration after it was reserved or renewed, in seconds.
    pub ttl_seconds: Option<i64>,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds, rounded up; `None` if it is held until it is released.
    pub expires_at: Option<i64>,
    /// The same in Unix milliseconds, as it is stored; `None` if another program has set it.
    /// [`Lock::ends_at`] decides.
    pub expires_at_ms: Option<i64>,
    /// Unix seconds.
    pub released_at: Option<i64>,
    pub dispatch_id: Option<String>,
    pub run_id: Option<String>,
    /// The fencing token: greater than that of every lock granted before.
    pub fence: i64,
    /// The process that it ends with, if any.
    pub process: Option<ProcessKey>,
    /// The columns that cannot be understood, because of another program or a fault. Each of them is read as
    /// everything that it may mean.
    pub unreadable: Vec<Unreadable>,
    /// Whether it is a copy of a lock in another program's file: that program ends and renews it.
    pub mirrored: bool,
    /// Whether a hook reserved it without a request: hooks end only such locks.
    pub automatic: bool,
}

/// A column of a lock whose content cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    pub column: &'static str,
    /// The text as it is stored, which need not be UTF-8; empty if it is not a text.
    pub bytes: Vec<u8>,
}

impl Lock {
    /// Returns the content of a column if it cannot be understood.
    pub fn unreadable(&self, column: &str) -> Option<&Unreadable> {
        self.unreadable.iter().find(|one| one.column == column)
    }

    /// Returns the end of its time in Unix milliseconds; `None` if it is held until it is released.
    pub fn ends_at(&self) -> Option<i64> {
        self.expires_at.map(|secs| time::moment(secs, self.expires_at_ms))
    }

    /// Returns true if it is held at a moment.
    pub fn is_live(&self, now: &Stamp) -> bool {
        self.released_at.is_none() && !self.has_expired(now)
    }

    /// Returns true if it had expired at a moment.
    pub fn has_expired(&self, now: &Stamp) -> bool {
        self.ends_at().is_some_and(|at| at <= now.millis())
    }

    /// Returns true if it was released before it expired. The time of release is stored in whole seconds,
    /// rounded down.
    pub fn ended_early(&self) -> bool {
        self.released_at.is_some_and(|ended| self.ends_at().is_none_or(|end| ended < end.div_euclid(1000)))
    }

    /// Returns the word for its state at a moment.
    pub fn state(&self, now: &Stamp) -> &'static str {
        match (self.released_at, self.has_expired(now)) {
            (Some(_), _) => "released",
            (None, true) => "expired",
            (None, false) => "active",
        }
    }
}
