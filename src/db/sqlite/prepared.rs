//! Prepared statements, cached from their second use on.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hasher};
use std::ops::{Deref, DerefMut};

use rusqlite::{CachedStatement, Connection, Statement};

/// Hashes of the statements that were prepared before.
#[derive(Default)]
pub(super) struct Seen(RefCell<BTreeSet<u64>>);

/// A statement, cached or not.
pub(super) enum Prepared<'a> {
    Once(Statement<'a>),
    Kept(CachedStatement<'a>),
}

impl<'a> Deref for Prepared<'a> {
    type Target = Statement<'a>;

    fn deref(&self) -> &Statement<'a> {
        match self {
            Self::Once(statement) => statement,
            Self::Kept(statement) => statement,
        }
    }
}

impl DerefMut for Prepared<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match self {
            Self::Once(statement) => statement,
            Self::Kept(statement) => statement,
        }
    }
}

impl Seen {
    /// Prepares a statement, and caches it from its second use on. SQLite allocates cached (persistent)
    /// statements outside lookaside memory, which would cost 5 % of the instructions of a short call, and
    /// most statements of one are used once.
    pub(super) fn prepare<'a>(&self, conn: &'a Connection, sql: &str) -> rusqlite::Result<Prepared<'a>> {
        let mut hasher = DefaultHasher::new();
        hasher.write(sql.as_bytes());
        if self.0.borrow_mut().insert(hasher.finish()) {
            conn.prepare(sql).map(Prepared::Once)
        } else {
            conn.prepare_cached(sql).map(Prepared::Kept)
        }
    }
}
