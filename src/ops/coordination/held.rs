//! The paths or the name that a lock holds, what overlaps it, and by which keys that is found.

use super::Outside;
use crate::domain::coordination::Lock;
use crate::domain::glob::{Below, Key, Pattern, Side};
use crate::store::coordination::{Keys, Reach, Span};

/// The paths or the name that a lock holds.
#[derive(Clone, Debug)]
pub enum Held {
    /// Paths of a scope.
    Paths(Pattern),
    Name(String),
    /// Both the paths and the name, for a lock of unknown type.
    Either(Pattern, String),
}

impl Held {
    /// Returns the paths or the name of a stored lock. A pattern that cannot be parsed holds all that it
    /// could mean.
    pub fn of(lock: &Lock) -> Self {
        if lock.kind.is_named() {
            // A name that is not UTF-8 belongs to no caller.
            return Self::Name(lock.pattern.clone());
        }
        let pattern = if lock.unreadable("pattern").is_some() {
            Pattern::widened(&unclear(&lock.pattern))
        } else {
            let read = Pattern::parse_in(&lock.scope, &lock.pattern);
            read.unwrap_or_else(|_| Pattern::widened(&lock.pattern))
        };
        if lock.unreadable("type").is_some() {
            return Self::Either(pattern, lock.pattern.clone());
        }
        Self::Paths(if lock.file { pattern.of_file() } else { pattern })
    }

    fn paths(&self) -> Option<&Pattern> {
        match self {
            Self::Paths(pattern) | Self::Either(pattern, _) => Some(pattern),
            Self::Name(_) => None,
        }
    }

    fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) | Self::Either(_, name) => Some(name),
            Self::Paths(_) => None,
        }
    }

    /// Returns the paths or the name of another program's lock, which does not record that a path is a file.
    pub(super) fn as_seen(lock: &Lock, outside: Outside<'_>) -> Self {
        match Self::of(lock) {
            Self::Paths(pattern)
                if pattern.path().is_some_and(|path| (outside.is_file)(&lock.scope, path)) =>
            {
                Self::Paths(pattern.of_file())
            }
            held => held,
        }
    }

    /// Returns true if it is a plain path that is known to be a file.
    pub fn is_file(&self) -> bool {
        matches!(self, Self::Paths(pattern) if pattern.is_file())
    }

    /// Returns true if it is a plain path with all that lies below.
    pub(super) fn is_wider_than_a_file(&self) -> bool {
        matches!(self, Self::Paths(pattern) if pattern.is_literal() && !pattern.is_file())
    }

    /// Returns the stored text.
    pub fn text(&self) -> &str {
        match self {
            Self::Paths(pattern) => pattern.as_str(),
            Self::Name(name) | Self::Either(_, name) => name,
        }
    }

    /// Returns true if the two overlap.
    pub fn meets(&self, other: &Self) -> bool {
        let paths = self.paths().zip(other.paths()).is_some_and(|(one, other)| one.overlaps(other));
        paths || self.name().zip(other.name()).is_some_and(|(one, other)| one == other)
    }

    pub(super) fn keys(&self) -> Keys {
        match self {
            Self::Paths(pattern) | Self::Either(pattern, _) => {
                let keys = pattern.keys();
                Keys { prefix: keys.prefix.as_str().to_owned(), suffix: keys.suffix.as_str().to_owned() }
            }
            Self::Name(name) => Keys { prefix: name.clone(), suffix: String::new() },
        }
    }

    /// Returns the keys of everything that can overlap it, by its two literal ends.
    pub(in crate::ops) fn reach(&self) -> Reach {
        match self {
            Self::Name(name) => Reach::Name(name.clone()),
            Self::Paths(pattern) | Self::Either(pattern, _) => {
                let keys = pattern.keys();
                let span = |key: &Key| {
                    let Below { from, to } = key.below();
                    Span { at: key.ancestors().map(ToOwned::to_owned).collect(), from, to }
                };
                Reach::Paths {
                    prefix: span(&keys.prefix),
                    suffix: span(&keys.suffix),
                    by_suffix: keys.longer().side() == Side::Suffix,
                }
            }
        }
    }
}

/// Returns an invalid pattern for an escaped text, below the directory before the first escaped byte.
fn unclear(escaped: &str) -> String {
    let (known, rest) = escaped.split_at(escaped.find("\\x").unwrap_or(0));
    let dir = known.rfind('/').map_or("", |slash| &known[..=slash]);
    format!("{dir}[/{rest}")
}
