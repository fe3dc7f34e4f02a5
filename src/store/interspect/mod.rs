//! Applied overrides, the blacklist, and the evidence.
//!
//! There are only two tables, because SQLite parses the schema at every call. A canary shares the row of the
//! override that it watches, and what no query filters by is one cell of JSON. Evidence, from which the
//! samples of a canary are counted, is the recorded events of source `interspect`, which never change and
//! have an index (`evidence.rs`).

mod evidence;

use serde_json::{Map, Value as Json};

use super::cells::{self, Cells};
use super::{StoreError, event};
use crate::db::{Column, DbError, ReadTx, Row, WriteTx};
use crate::domain::event::{NewEvent, Source};
use crate::domain::ids::ModificationId;
use crate::domain::interspect::AgentName;
use crate::domain::interspect::canary::CanaryStatus;
use crate::domain::interspect::modification::{
    BlacklistEntry, Modification, ModificationDetail, ModificationStatus, NewModification,
};
use crate::domain::time::Stamp;
use crate::params;

pub use evidence::{ImportCounts, evidence, import};

/// The content of an event.
#[derive(Clone, Debug, Default)]
pub struct EventDetails<'a> {
    pub kind: &'a str,
    /// The agent, or the pattern.
    pub about: &'a str,
    /// The state after the step.
    pub to: &'a str,
    pub reason: Option<&'a str>,
    pub data: Map<String, Json>,
}

/// Appends the event of a step that changes no row.
pub fn append_event(tx: &WriteTx<'_>, details: EventDetails<'_>, stamp: &Stamp) -> Result<i64, StoreError> {
    let subject = details.about.to_owned();
    append(tx, details, subject, stamp)
}

fn append(
    tx: &WriteTx<'_>,
    details: EventDetails<'_>,
    subject: String,
    stamp: &Stamp,
) -> Result<i64, StoreError> {
    let new = NewEvent {
        run_id: None,
        source: Source::INTERSPECT,
        kind: details.kind.to_owned(),
        subject,
        from: details.about.to_owned(),
        to: details.to.to_owned(),
        reason: details.reason.map(ToOwned::to_owned),
        data: details.data,
        envelope: Map::new(),
    };
    event::append(tx, &new, stamp)
}

/// Records an override that a commit applied. Its canary begins. `details` is the event without the columns
/// of the row.
pub fn insert(
    tx: &WriteTx<'_>,
    new: &NewModification,
    commit: &str,
    mut details: EventDetails<'_>,
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
    details.data.extend(cells::created(&cells));
    append(tx, details, id.to_string(), stamp)?;
    Ok(id)
}

/// Returns the overrides that were applied to a file, oldest first. With an agent, only those of that agent.
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

/// Reverts an applied override, and ends its canary if it is still being watched.
pub fn revert(
    tx: &WriteTx<'_>,
    one: &Modification,
    mut details: EventDetails<'_>,
    stamp: &Stamp,
) -> Result<(), StoreError> {
    let after = ModificationDetail { reverted_at: Some(stamp.secs()), ..one.detail.clone() };
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
    details.data.extend(cells::changed(&old, &new));
    append(tx, details, one.id.to_string(), stamp).map(drop)
}

/// Records the verdict of a canary. Returns `false` if the row has changed since it was read.
pub fn judge(
    tx: &WriteTx<'_>,
    one: &Modification,
    status: CanaryStatus,
    why: &str,
    data: Map<String, Json>,
    stamp: &Stamp,
) -> Result<bool, StoreError> {
    let after = ModificationDetail { verdict: Some(why.to_owned()), ..one.detail.clone() };
    let old: Cells = vec![("canary", one.canary.encode()), ("detail", text(&one.detail)?.encode())];
    let new: Cells = vec![("canary", status.encode()), ("detail", text(&after)?.encode())];
    if !cells::update(tx, "modifications", &guard(one), &new)? {
        return Ok(false);
    }
    let kind = format!("canary.{status}");
    let about = one.agent.as_str();
    let mut details = EventDetails { kind: &kind, about, to: status.as_str(), reason: Some(why), data };
    details.data.extend(cells::changed(&old, &new));
    append(tx, details, one.id.to_string(), stamp)?;
    Ok(true)
}

/// Returns the columns that must still have the values that the caller saw.
fn guard(one: &Modification) -> [(&'static str, crate::db::Value); 3] {
    [("id", one.id.encode()), ("status", one.status.encode()), ("canary", one.canary.encode())]
}

/// Returns the blacklist, sorted by name.
pub fn blacklist(tx: &ReadTx<'_>) -> Result<Vec<BlacklistEntry>, StoreError> {
    tx.query("SELECT * FROM blacklist ORDER BY pattern_key", &[], blacklisted)
}

/// Returns the entry of a pattern, if the pattern is on the blacklist.
pub fn find_blacklisted(tx: &ReadTx<'_>, key: &str) -> Result<Option<BlacklistEntry>, StoreError> {
    let sql = "SELECT * FROM blacklist WHERE pattern_key = $1";
    tx.query_opt(sql, params![key.to_owned()], blacklisted)
}

/// Puts a pattern on the blacklist, or changes the reason. Returns `false` if it is there for this reason
/// already.
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
    let (to, reason) = ("blacklisted", Some(reason));
    append_event(tx, EventDetails { kind: "blacklist.added", about: key, to, reason, data }, stamp)?;
    Ok(true)
}

/// Removes a pattern from the blacklist. Returns `false` if it is not there.
pub fn remove_blacklisted(tx: &WriteTx<'_>, key: &str, stamp: &Stamp) -> Result<bool, StoreError> {
    let Some(known) = find_blacklisted(tx, key)? else { return Ok(false) };
    tx.execute("DELETE FROM blacklist WHERE pattern_key = $1", params![key.to_owned()])?;
    let old: Cells = vec![
        ("pattern_key", key.to_owned().encode()),
        ("reason", known.reason.encode()),
        ("blacklisted_at", known.blacklisted_at.encode()),
    ];
    let data = cells::removed(&old);
    let (to, reason) = ("unblocked", None);
    append_event(tx, EventDetails { kind: "blacklist.removed", about: key, to, reason, data }, stamp)?;
    Ok(true)
}

fn blacklisted(row: &Row) -> Result<BlacklistEntry, StoreError> {
    Ok(BlacklistEntry {
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

fn detail(row: &Row) -> Result<ModificationDetail, DbError> {
    let wrong =
        |err: serde_json::Error| DbError::Decode { column: "detail".to_owned(), problem: err.to_string() };
    serde_json::from_str(&row.get::<String>("detail")?).map_err(wrong)
}

fn text(detail: &ModificationDetail) -> Result<String, DbError> {
    serde_json::to_string(detail).map_err(|err| DbError::Engine(err.to_string()))
}
