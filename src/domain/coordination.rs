//! Coordination: who holds which files, and which names.

use super::process::ProcessKey;

words!(
    /// What a lock is for. The first two share the space of paths; names meet only each other, and only exactly (CO-15).
    LockKind, "lock type" {
        /// Files that somebody edits.
        FileReservation = "file_reservation",
        /// Files that a task is going to change.
        WriteSet = "write_set",
        /// Anything that has a name.
        NamedLock = "named_lock",
    }
);

/// How many live locks an owner may have in a scope (CO-20).
pub const MOST_LOCKS: i64 = 1000;

impl LockKind {
    /// How long it is held when nobody says otherwise, in seconds; `None` until it is released (CO-03).
    pub fn default_ttl(self) -> Option<i64> {
        match self {
            Self::FileReservation => Some(3600),
            Self::NamedLock => Some(300),
            Self::WriteSet => None,
        }
    }

    /// Whether the pattern is a name, and not one of paths.
    pub fn is_named(self) -> bool {
        self == Self::NamedLock
    }
}

/// A row of `coordination_locks`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a column of the row")]
pub struct Lock {
    /// Identifier.
    pub id: String,
    /// What it is for.
    pub kind: LockKind,
    /// Whose it is, free text.
    pub owner: String,
    /// Where its pattern counts: a project's top directory, or any name.
    pub scope: String,
    /// What is held.
    pub pattern: String,
    /// Whether a pattern that is a plain path was known to be a file: nothing below it is held. Says nothing of others.
    pub file: bool,
    /// Whether nobody else may hold what overlaps, or nobody else exclusively.
    pub exclusive: bool,
    /// Why, free text.
    pub reason: Option<String>,
    /// How long it is held after it was reserved or renewed, in seconds.
    pub ttl_seconds: Option<i64>,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds; `None` for one that is held until it is released.
    pub expires_at: Option<i64>,
    /// Unix seconds.
    pub released_at: Option<i64>,
    /// The dispatch that it is held for.
    pub dispatch_id: Option<String>,
    /// The run that it is held for.
    pub run_id: Option<String>,
    /// The fencing token: greater than that of every lock granted before (CO-17).
    pub fence: i64,
    /// The process that it lives with, if one was named (CO-03).
    pub process: Option<ProcessKey>,
    /// Whether it is a copy of what another program holds in a file of its own: that program ends and renews it (CO-11).
    pub mirrored: bool,
    /// Whether a hook reserved it without being asked: hooks end only such locks.
    pub automatic: bool,
}

impl Lock {
    /// Whether it holds at `now` (Unix seconds).
    pub fn is_live(&self, now: i64) -> bool {
        self.released_at.is_none() && !self.has_expired(now)
    }

    /// Whether its time was over at `now` (Unix seconds).
    pub fn has_expired(&self, now: i64) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// Whether it was given back before its time was over.
    pub fn ended_early(&self) -> bool {
        self.released_at.is_some_and(|ended| self.expires_at.is_none_or(|end| ended < end))
    }

    /// What it is at `now` (Unix seconds), in a word.
    pub fn state(&self, now: i64) -> &'static str {
        match (self.released_at, self.has_expired(now)) {
            (Some(_), _) => "released",
            (None, true) => "expired",
            (None, false) => "active",
        }
    }
}
