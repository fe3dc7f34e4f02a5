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
    Name(String),
    /// What a lock of unknown type holds: the paths, and the name.
    Either(Pattern, String),
}

impl Held {
    /// Returns what a stored lock holds. A pattern that cannot be read holds all that it could mean.
    pub fn of(lock: &Lock) -> Self {
        if lock.kind.is_named() {
            // A name that is not UTF-8 is no other caller's.
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

    /// Returns what a lock holds that another program has made: it does not say what it knows to be a file.
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

    /// Returns what is stored of it.
    pub fn text(&self) -> &str {
        match self {
            Self::Paths(pattern) => pattern.as_str(),
            Self::Name(name) | Self::Either(_, name) => name,
        }
    }

    /// Returns true if a lock on the one is in the way of the other.
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

    /// Returns where everything lies that can meet it: by its two literal ends.
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

/// Makes a text that no pattern has of an escaped one: what comes before the first byte that was escaped says
/// where it lies.
fn unclear(escaped: &str) -> String {
    let (known, rest) = escaped.split_at(escaped.find("\\x").unwrap_or(0));
    let dir = known.rfind('/').map_or("", |slash| &known[..=slash]);
    format!("{dir}[/{rest}")
}
