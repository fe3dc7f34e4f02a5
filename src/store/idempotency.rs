//! Answers stored under a caller's key, so that a repeated call changes nothing. Quiet: the command has its
//! own events.

use super::StoreError;
use super::quiet::{self, Quiet};
use crate::db::{ReadTx, Row, WriteTx};
use crate::domain::time::Stamp;
use crate::params;

/// How long an answer is kept at least, in seconds (30 days).
const KEPT: i64 = 30 * 24 * 3600;

/// A stored answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The digest of the arguments.
    pub digest: String,
    /// JSON text.
    pub answer: String,
}

/// Returns the stored answer of `command` under `key`, if there is one.
pub fn find(tx: &ReadTx<'_>, command: &str, key: &str, stamp: &Stamp) -> Result<Option<Given>, StoreError> {
    let given =
        |row: &Row| Ok::<_, StoreError>(Given { digest: row.get("digest")?, answer: row.get("answer")? });
    tx.query_opt(
        "SELECT digest, answer FROM idempotency WHERE command = $1 AND key = $2 AND created_at >= $3",
        params![command.to_owned(), key.to_owned(), stamp.secs() - KEPT],
        given,
    )
}

/// Stores an answer, and removes some that have expired.
pub fn keep(
    tx: &WriteTx<'_>,
    command: &str,
    key: &str,
    given: &Given,
    stamp: &Stamp,
) -> Result<(), StoreError> {
    // The oldest rows come first. Checking a hundred of them per call keeps up with any rate of new ones.
    quiet::execute(
        tx,
        Quiet::Idempotency,
        "DELETE FROM idempotency WHERE created_at < $1 AND \
         (seq < (SELECT min(seq) + 100 FROM idempotency) OR (command = $2 AND key = $3))",
        params![stamp.secs() - KEPT, command.to_owned(), key.to_owned()],
    )?;
    quiet::execute(
        tx,
        Quiet::Idempotency,
        "INSERT INTO idempotency (command, key, digest, answer, created_at) VALUES ($1, $2, $3, $4, $5)",
        params![command.to_owned(), key.to_owned(), given.digest, given.answer, stamp.secs()],
    )?;
    Ok(())
}
