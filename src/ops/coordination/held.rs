//! What a lock holds: paths or a name; what meets it, and where that is found.

use super::Outside;
use crate::domain::coordination::Lock;
use crate::domain::glob::{Below, Key, Pattern, Side};
use crate::store::coordination::{Keys, Reach, Span};

/// What is to be held.
#[derive(Clone, Debug)]
pub enum Held {
    /// Paths of a scope.
    Paths(Pattern),
    /// A name.
    Name(String),
}

impl Held {
    /// What a stored lock holds. A pattern that cannot be read holds all that it could mean (CO-04).
    pub fn of(lock: &Lock) -> Self {
        if lock.kind.is_named() {
            return Self::Name(lock.pattern.clone());
        }
        let read = Pattern::parse_in(&lock.scope, &lock.pattern);
        let pattern = read.unwrap_or_else(|_| Pattern::widened(&lock.pattern));
        Self::Paths(if lock.file { pattern.of_file() } else { pattern })
    }

    /// What a lock holds that another program has made: it does not say what it knows to be a file.
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

    /// Whether it is a plain path that is known to be a file.
    pub fn is_file(&self) -> bool {
        matches!(self, Self::Paths(pattern) if pattern.is_file())
    }

    /// Whether it is a plain path with all that lies below.
    pub(super) fn is_wider_than_a_file(&self) -> bool {
        matches!(self, Self::Paths(pattern) if pattern.is_literal() && !pattern.is_file())
    }

    /// What is stored of it.
    pub fn text(&self) -> &str {
        match self {
            Self::Paths(pattern) => pattern.as_str(),
            Self::Name(name) => name,
        }
    }

    /// Whether somebody who holds the one is in the way of the other.
    pub fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Paths(one), Self::Paths(other)) => one.overlaps(other),
            (Self::Name(one), Self::Name(other)) => one == other,
            _ => false,
        }
    }

    pub(super) fn keys(&self) -> Keys {
        match self {
            Self::Paths(pattern) => {
                let keys = pattern.keys();
                Keys { prefix: keys.prefix.as_str().to_owned(), suffix: keys.suffix.as_str().to_owned() }
            }
            Self::Name(name) => Keys { prefix: name.clone(), suffix: String::new() },
        }
    }

    /// Where everything lies that can meet it: by its two literal ends.
    pub(in crate::ops) fn reach(&self) -> Reach {
        match self {
            Self::Name(name) => Reach::Name(name.clone()),
            Self::Paths(pattern) => {
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
