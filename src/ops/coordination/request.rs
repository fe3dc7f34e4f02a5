//! The request of a reservation, and its outcome.

use std::fmt;

use super::Held;
use crate::domain::coordination::{Lock, LockKind};
use crate::domain::process::ProcessKey;
use crate::domain::text::one_line;

/// A reservation that a caller asks for.
#[derive(Clone, Debug)]
pub struct Request {
    pub kind: LockKind,
    pub owner: String,
    /// Canonical.
    pub scope: String,
    pub held: Held,
    pub exclusive: bool,
    /// In seconds; `None` until it is released.
    pub ttl_seconds: Option<i64>,
    /// Whether a lock that the owner already holds for longer stays as it is.
    pub at_least: bool,
    /// Whether a hook asks, and not the owner itself.
    pub automatic: bool,
    pub reason: Option<String>,
    pub dispatch_id: Option<String>,
    pub run_id: Option<String>,
    /// The process that the lock ends with.
    pub process: Option<ProcessKey>,
}

/// A caller's position in the queue.
#[derive(Clone, Debug, Default)]
pub struct Turn {
    /// The ticket of its place, if it has one.
    pub ticket: Option<i64>,
    /// The process that waits; `None` for a caller that does not wait (any more).
    pub waits: Option<ProcessKey>,
    /// The time at which it stops waiting, in Unix milliseconds.
    pub deadline: i64,
    /// The time that its place is kept after it has left, in seconds.
    pub grace: i64,
}

/// The outcome of a reservation.
#[derive(Clone, Debug)]
pub enum Reserved {
    /// The lock is held, newly or for longer.
    Granted(Lock),
    /// Another owner is in the way, and the caller does not wait.
    Conflict {
        /// A lock, or an owner that came first.
        blocker: Lock,
        /// The caller's place, which is kept for a while.
        ticket: Option<i64>,
    },
    /// The caller has a place in the queue.
    Waiting { ticket: i64, blocker: Lock },
    /// The caller would wait for itself.
    Deadlock {
        blocker: Lock,
        /// The cycle of waiting owners, from the caller around to the caller.
        cycle: Vec<Wait>,
    },
}

/// An owner that waits for another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    pub owner: String,
    pub holder: String,
    /// The pattern or the name that the holder has reserved.
    pub pattern: String,
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { owner, holder, pattern } = self;
        write!(f, "{} waits for {} ({})", one_line(owner), one_line(holder), one_line(pattern))
    }
}
