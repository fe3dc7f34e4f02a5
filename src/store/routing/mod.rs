//! Overrides that were applied, the blacklist, and the evidence.
//!
//! Two tables, because SQLite parses the schema at every call: a canary is one with the override that it watches, so it has
//! no row of its own, and what nobody looks for by SQL is one cell of JSON; its samples, and the evidence that they come from, are the recorded events of source `interspect`,
//! which never change and have an index (`evidence.rs`).

mod evidence;

use serde_json::{Map, Value as Json};

use super::cells::{self, Cells};
use super::{StoreError, event};
use crate::db::{Column, DbError, ReadTx, Row, WriteTx};
use crate::domain::event::{NewEvent, Source};
use crate::domain::ids::ModificationId;
use crate::domain::routing::AgentName;
use crate::domain::routing::canary::CanaryStatus;
use crate::domain::routing::modification::{Detail, Modification, ModificationStatus, NewModification};
use crate::domain::time::Stamp;
use crate::params;

pub use evidence::{Imported, evidence, import, is_evidence};

/// What an event tells of a step.
#[derive(Clone, Debug, Default)]
pub struct Told<'a> {
    /// What happened.
    pub kind: &'a str,
    /// The agent, or the pattern.
    pub about: &'a str,
    /// What it is now.
    pub to: &'a str,
    /// Why.
    pub reason: Option<&'a str>,
    /// Everything else.
    pub data: Map<String, Json>,
}

/// Appends an event of a step that changes no row.
///
/// # Errors
/// What the engine says.
pub fn tell(tx: &WriteTx<'_>, told: Told<'_>, stamp: &Stamp) -> Result<i64, StoreError> {
    let subject = told.about.to_owned();
    append(tx, told, subject, stamp)
}

fn append(tx: &WriteTx<'_>, told: Told<'_>, subject: String, stamp: &Stamp) -> Result<i64, StoreError> {
    let new = NewEvent {
        run_id: None,
        source: Source::INTERSPECT,
        kind: told.kind.to_owned(),
        subject,
        from: told.about.to_owned(),
        to: told.to.to_owned(),
        reason: told.reason.map(ToOwned::to_owned),
        data: told.data,
        envelope: Map::new(),
    };
    event::append(tx, &new, stamp)
}

/// Records an override that was applied by a commit; its canary begins. `told` is the event of it, but for the row.
///
/// # Errors
/// What the engine says.
pub fn insert(
    tx: &WriteTx<'_>,
    new: &NewModification,
    commit: &str,
    mut told: Told<'_>,
    stamp: &Stamp,
) -> Result<ModificationId, StoreError> {
    let id = ModificationId::fresh(|id| cells::taken(tx, "modifications", id))?;
    let cells: Cells = vec![
        ("id", id.encode()),
        ("agent", new.agent.to_string().encode()),
        ("scope", new.scope.encode()),
        ("path", new.path.encode()),
        ("status", ModificationStatus::Applied.encode()),
        ("commit_sha", commit.to_owned().encode()),
        ("created_at", stamp.secs().encode()),
        ("canary", CanaryStatus::Active.encode()),
        ("detail", text(&new.detail)?.encode()),
    ];
    cells::insert(tx, "modifications", &cells)?;
    told.data.extend(cells::created(&cells));
    append(tx, told, id.to_string(), stamp)?;
    Ok(id)
}

/// The overrides that were applied to a file, oldest first; of one agent if it is named.
///
/// # Errors
/// What the engine says.
pub fn of_file(
    tx: &ReadTx<'_>,
    scope: &str,
    path: &str,
    agent: Option<&AgentName>,
) -> Result<Vec<Modification>, StoreError> {
    let sql = "SELECT * FROM modifications WHERE scope = $1 AND path = $2 ORDER BY seq";
    let mut found = tx.query(sql, params![scope.to_owned(), path.to_owned()], from_row)?;
    found.retain(|one| agent.is_none_or(|agent| one.agent == *agent));
    Ok(found)
}

/// Takes an applied override back, and ends its canary if it is still being watched.
///
/// # Errors
/// What the engine says.
pub fn revert(
    tx: &WriteTx<'_>,
    one: &Modification,
    mut told: Told<'_>,
    stamp: &Stamp,
) -> Result<(), StoreError> {
    let after = Detail { reverted_at: Some(stamp.secs()), ..one.detail.clone() };
    let canary = if one.canary == CanaryStatus::Active { CanaryStatus::Reverted } else { one.canary };
    let old: Cells = vec![
        ("status", one.status.encode()),
        ("canary", one.canary.encode()),
        ("detail", text(&one.detail)?.encode()),
    ];
    let new: Cells = vec![
        ("status", ModificationStatus::Reverted.encode()),
        ("canary", canary.encode()),
        ("detail", text(&after)?.encode()),
    ];
    cells::update(tx, "modifications", &guard(one), &new)?;
    told.data.extend(cells::changed(&old, &new));
    append(tx, told, one.id.to_string(), stamp).map(drop)
}

/// Writes down what has become of a canary. `false` if somebody else was faster.
///
/// # Errors
/// What the engine says.
pub fn judge(
    tx: &WriteTx<'_>,
    one: &Modification,
    status: CanaryStatus,
    why: &str,
    data: Map<String, Json>,
    stamp: &Stamp,
) -> Result<bool, StoreError> {
    let after = Detail { verdict: Some(why.to_owned()), ..one.detail.clone() };
    let old: Cells = vec![("canary", one.canary.encode()), ("detail", text(&one.detail)?.encode())];
    let new: Cells = vec![("canary", status.encode()), ("detail", text(&after)?.encode())];
    if !cells::update(tx, "modifications", &guard(one), &new)? {
        return Ok(false);
    }
    let kind = format!("canary.{status}");
    let mut told =
        Told { kind: &kind, about: one.agent.as_str(), to: status.as_str(), reason: Some(why), data };
    told.data.extend(cells::changed(&old, &new));
    append(tx, told, one.id.to_string(), stamp)?;
    Ok(true)
}

/// A row is changed only while it is what the caller saw.
fn guard(one: &Modification) -> [(&'static str, crate::db::Value); 3] {
    [("id", one.id.encode()), ("status", one.status.encode()), ("canary", one.canary.encode())]
}

/// What may not be proposed any more.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Blacklisted {
    /// An agent, or any other name of a pattern.
    pub pattern_key: String,
    /// Why.
    pub reason: String,
    /// Unix seconds.
    pub blacklisted_at: i64,
}

/// The whole blacklist, by name.
///
/// # Errors
/// What the engine says.
pub fn blacklist(tx: &ReadTx<'_>) -> Result<Vec<Blacklisted>, StoreError> {
    tx.query("SELECT * FROM blacklist ORDER BY pattern_key", &[], blacklisted)
}

/// Whether a pattern is on it.
///
/// # Errors
/// What the engine says.
pub fn find_blacklisted(tx: &ReadTx<'_>, key: &str) -> Result<Option<Blacklisted>, StoreError> {
    let sql = "SELECT * FROM blacklist WHERE pattern_key = $1";
    tx.query_opt(sql, params![key.to_owned()], blacklisted)
}

/// Puts a pattern on the blacklist, or changes why it is there (IS-08). `false` if it is there for this reason already.
///
/// # Errors
/// What the engine says.
pub fn put_blacklisted(tx: &WriteTx<'_>, key: &str, reason: &str, stamp: &Stamp) -> Result<bool, StoreError> {
    let now = stamp.secs();
    let new: Cells = vec![("reason", reason.to_owned().encode()), ("blacklisted_at", now.encode())];
    let data = match find_blacklisted(tx, key)? {
        Some(known) if known.reason == reason => return Ok(false),
        Some(known) => {
            let old: Cells =
                vec![("reason", known.reason.encode()), ("blacklisted_at", known.blacklisted_at.encode())];
            cells::update(tx, "blacklist", &[("pattern_key", key.to_owned().encode())], &new)?;
            cells::changed(&old, &new)
        }
        None => {
            let row = [vec![("pattern_key", key.to_owned().encode())], new].concat();
            cells::insert(tx, "blacklist", &row)?;
            cells::created(&row)
        }
    };
    let told = Told { kind: "blacklist.added", about: key, to: "blacklisted", reason: Some(reason), data };
    tell(tx, told, stamp)?;
    Ok(true)
}

/// Takes a pattern off the blacklist. `false` if it is not there.
///
/// # Errors
/// What the engine says.
pub fn remove_blacklisted(tx: &WriteTx<'_>, key: &str, stamp: &Stamp) -> Result<bool, StoreError> {
    let Some(known) = find_blacklisted(tx, key)? else { return Ok(false) };
    tx.execute("DELETE FROM blacklist WHERE pattern_key = $1", params![key.to_owned()])?;
    let old: Cells = vec![
        ("pattern_key", key.to_owned().encode()),
        ("reason", known.reason.encode()),
        ("blacklisted_at", known.blacklisted_at.encode()),
    ];
    let data = cells::removed(&old);
    let told = Told { kind: "blacklist.removed", about: key, to: "unblocked", reason: None, data };
    tell(tx, told, stamp)?;
    Ok(true)
}

fn blacklisted(row: &Row) -> Result<Blacklisted, StoreError> {
    Ok(Blacklisted {
        pattern_key: row.get("pattern_key")?,
        reason: row.get("reason")?,
        blacklisted_at: row.get("blacklisted_at")?,
    })
}

fn from_row(row: &Row) -> Result<Modification, StoreError> {
    Ok(Modification {
        id: row.get("id")?,
        agent: row.get("agent")?,
        scope: row.get("scope")?,
        path: row.get("path")?,
        status: row.get("status")?,
        commit: row.get("commit_sha")?,
        created_at: row.get("created_at")?,
        canary: row.get("canary")?,
        detail: detail(row)?,
    })
}

fn detail(row: &Row) -> Result<Detail, DbError> {
    let wrong =
        |err: serde_json::Error| DbError::Decode { column: "detail".to_owned(), problem: err.to_string() };
    serde_json::from_str(&row.get::<String>("detail")?).map_err(wrong)
}

fn text(detail: &Detail) -> Result<String, DbError> {
    serde_json::to_string(detail).map_err(|err| DbError::Engine(err.to_string()))
}
