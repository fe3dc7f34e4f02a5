//! Intents: work in progress outside the database, such as a commit, or a set of files that change together.
//!
//! An intent is written before the work begins, and removed in the transaction that records the outcome. The
//! next command that needs the same resource settles the intent of a dead process: forward if the work is
//! there, back if it is not. Quiet: the outcome has events.

use super::quiet::{self, Quiet};
use super::{StoreError, cells};
use crate::db::{ReadTx, Row, WriteTx};
use crate::domain::ids::{IdError, IntentId};
use crate::domain::process::ProcessKey;
use crate::domain::time::Stamp;
use crate::params;

/// A row of `intents`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// The identifier, which the work itself may carry.
    pub id: IntentId,
    /// The kind of work. Each kind has its own form of `detail`.
    pub kind: String,
    /// The resource that it changes, which no other process may change while its process runs.
    pub resource: String,
    /// JSON that is needed to determine whether the work was done, and to finish it.
    pub detail: String,
    pub process: ProcessKey,
    /// Unix seconds.
    pub created_at: i64,
}

/// Stores an intent.
pub fn begin(
    tx: &WriteTx<'_>,
    kind: &str,
    resource: &str,
    detail: &str,
    process: &ProcessKey,
    stamp: &Stamp,
) -> Result<Intent, StoreError> {
    // Not looked up in the table, because an identifier must not be reused after its row is removed.
    let id = IntentId::fresh(|_| Ok::<_, IdError>(false))?;
    let ProcessKey { pid, start_time, boot_id, host, .. } = process;
    quiet::execute(
        tx,
        Quiet::Intents,
        "INSERT INTO intents (id, kind, resource, detail, pid, pid_start, boot_id, host, pid_namespace, \
         created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        params![
            id,
            kind.to_owned(),
            resource.to_owned(),
            detail.to_owned(),
            *pid,
            *start_time,
            *boot_id,
            *host,
            cells::space(Some(process)),
            stamp.secs()
        ],
    )?;
    let (kind, resource, detail) = (kind.to_owned(), resource.to_owned(), detail.to_owned());
    Ok(Intent { id, kind, resource, detail, process: process.clone(), created_at: stamp.secs() })
}

/// Returns the intents of one kind on a resource, oldest first.
pub fn on(tx: &ReadTx<'_>, kind: &str, resource: &str) -> Result<Vec<Intent>, StoreError> {
    let sql = "SELECT * FROM intents WHERE kind = $1 AND resource = $2 ORDER BY seq";
    tx.query(sql, params![kind.to_owned(), resource.to_owned()], from_row)
}

/// Updates the details of the work. Returns `false` if it is settled already.
pub fn update(tx: &WriteTx<'_>, id: &IntentId, detail: &str) -> Result<bool, StoreError> {
    let sql = "UPDATE intents SET detail = $1 WHERE id = $2";
    Ok(quiet::execute(tx, Quiet::Intents, sql, params![detail.to_owned(), *id])? > 0)
}

/// Removes an intent whose work is done, or undone. Returns `false` if another process has done so.
pub fn settle(tx: &WriteTx<'_>, id: &IntentId) -> Result<bool, StoreError> {
    Ok(quiet::execute(tx, Quiet::Intents, "DELETE FROM intents WHERE id = $1", params![*id])? > 0)
}

fn from_row(row: &Row) -> Result<Intent, StoreError> {
    Ok(Intent {
        id: row.get("id")?,
        kind: row.get("kind")?,
        resource: row.get("resource")?,
        detail: row.get("detail")?,
        process: ProcessKey {
            pid: row.get("pid")?,
            start_time: row.get("pid_start")?,
            boot_id: row.get("boot_id")?,
            host: row.get("host")?,
            space: cells::space_in(row)?,
        },
        created_at: row.get("created_at")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Db;

    #[test]
    fn an_intent_is_found_by_its_resource_until_it_is_settled() {
        let mut db = Db::in_memory().unwrap();
        let stamp = Stamp::at(5);
        let process =
            ProcessKey { pid: 7, start_time: 8, boot_id: "b".into(), host: "h".into(), space: None };
        let here = ProcessKey { space: Some("m/7".into()), ..process.clone() };
        db.write(|tx| {
            let one = begin(tx, "files", "/a", "{}", &process, &stamp)?;
            let other = begin(tx, "files", "/b", "{}", &here, &stamp)?;
            assert_eq!(on(tx, "files", "/b")?, [other]);
            assert_eq!(on(tx, "files", "/a")?, std::slice::from_ref(&one));
            assert!(on(tx, "commit", "/a")?.is_empty());
            assert!(update(tx, &one.id, "[1]")?);
            assert_eq!(on(tx, "files", "/a")?[0].detail, "[1]");
            assert!(settle(tx, &one.id)?);
            assert!(!settle(tx, &one.id)?, "only once");
            assert!(on(tx, "files", "/a")?.is_empty());
            Ok::<_, StoreError>(())
        })
        .unwrap();
    }
}
