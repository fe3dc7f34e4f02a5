//! Changes of overrides: deciding on them, composing them, and recording them.
//!
//! A change is a commit in the user's repository together with rows in the database, and the two must not
//! diverge. A process takes the lock of the file ([`lock`]), makes the plan under it and leaves an intent
//! ([`plan()`]). Then it makes the commit, which carries the intent's id. Then [`settle`] writes rows and
//! events, ends the intent and releases the lock, in one transaction. If the process dies in between, the
//! next one finds the intent: with the commit in the history it settles the intent, without the commit
//! [`abandon`] ends it, and nothing has happened.

pub mod canary;
mod change;
mod compose;
mod decide;
pub mod lock;
mod plan;
mod refusal;
mod settle;

use crate::db::ReadTx;
use crate::domain::interspect::evidence::Row;
use crate::ops::OpsError;
use crate::store::interspect as store;

pub use change::{Approval, Change, Facts};
pub use plan::{Plan, plan};
pub use refusal::Refusal;
pub use settle::{IntentDetail, abandon, release, settle};

/// The kind of the intents of this module, as it is stored.
pub const INTENT: &str = "routing";

/// Returns the resource of an intent: a file in a working tree.
pub fn resource(scope: &str, path: &str) -> String {
    format!("{scope}:{path}")
}

/// Returns the evidence that counts at `now`, in Unix seconds.
pub fn counting(tx: &ReadTx<'_>, quarantine: i64, now: i64) -> Result<Vec<Row>, OpsError> {
    let mut rows = store::evidence(tx, quarantine)?;
    rows.retain(|row| row.counts_from <= now);
    Ok(rows)
}
