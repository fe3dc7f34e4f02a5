//! Locks on files and names: candidates, grants, ends. Each change is one event of its lock (CO-06).

use serde_json::{Map, Value as Json};

use super::cells::{self, Cells};
use super::{StoreError, event};
use crate::db::{Column, ReadTx, Row, Value, WriteTx};
use crate::domain::coordination::{Lock, LockKind};
use crate::domain::dispatch::ProcessKey;
use crate::domain::envelope::{self, Writer};
use crate::domain::event::{NewEvent, Source};
use crate::domain::ids::{LockId, RunId};
use crate::domain::time::Stamp;
use crate::params;

/// By what a lock is found among many: everything that overlaps it has a related one (CO-18).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The directory that the pattern begins with; the whole pattern of one without wildcards, and a name.
    pub prefix: String,
    /// The end of the pattern, backwards.
    pub suffix: String,
}

/// Where the candidates lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// At exactly this name.
    Name(String),
    /// By both keys.
    Paths {
        /// Where the prefix keys lie.
        prefix: Span,
        /// Where the suffix keys lie.
        suffix: Span,
        /// Which of them says more.
        by_suffix: bool,
    },
}

/// Which keys can belong to something that overlaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Any of these.
    pub at: Vec<String>,
    /// Or one from here on,
    pub from: String,
    /// up to this one, which is not included.
    pub to: Option<String>,
}

/// What a caller asks to hold.
#[derive(Clone, Debug)]
pub struct NewLock {
    /// What it is for.
    pub kind: LockKind,
    /// Whose it is to be.
    pub owner: String,
    /// Where the pattern counts.
    pub scope: String,
    /// What is to be held.
    pub pattern: String,
    /// Whether nobody else may.
    pub exclusive: bool,
    /// Why.
    pub reason: Option<String>,
    /// For how long, in seconds.
    pub ttl_seconds: Option<i64>,
    /// The dispatch that it is for.
    pub dispatch_id: Option<String>,
    /// The run that it is for.
    pub run_id: Option<String>,
    /// The process that it lives with.
    pub process: Option<ProcessKey>,
    /// By what it is found.
    pub keys: Keys,
}

/// The locks of a scope that are not released and may overlap what lies within `reach`, oldest first. Whether they do, and
/// whether their time is over, is for the caller.
///
/// # Errors
/// What the engine says.
pub fn candidates(
    tx: &ReadTx<'_>,
    scope: &str,
    kind: LockKind,
    reach: &Reach,
) -> Result<Vec<Lock>, StoreError> {
    let mut values: Vec<Value> = params![scope.to_owned()].to_vec();
    let mut at = |value: &str| {
        values.push(value.to_owned().encode());
        format!("${}", values.len())
    };
    let kinds = if kind.is_named() { "type = 'named_lock'" } else { "type <> 'named_lock'" };
    let of = |condition: &str| {
        format!(
            "SELECT * FROM coordination_locks WHERE scope = $1 AND {condition} AND released_at IS NULL AND {kinds}"
        )
    };
    let sql = match reach {
        Reach::Name(name) => of(&format!("prefix_key = {}", at(name))),
        Reach::Paths { prefix, suffix, by_suffix } => {
            let mut columns = [("prefix_key", prefix), ("suffix_key", suffix)];
            if *by_suffix {
                columns.swap(0, 1);
            }
            let [(first, one), (second, other)] = columns;
            // In this order, because parameters are numbered by where they first appear.
            let first_at = one_of(first, one, &mut at);
            let (second_at, second_below) = (one_of(second, other, &mut at), below(second, other, &mut at));
            let first_below = below(first, one, &mut at);
            // Searches of one index that never find the same row twice: a condition with OR would read the whole scope.
            let each = [
                format!("{first_at} AND {second_at}"),
                format!("{first_at} AND {second_below}"),
                format!("{first_below} AND ({second_at} OR {second_below})"),
            ];
            each.map(|condition| of(&condition)).join(" UNION ALL ")
        }
    };
    tx.query(&format!("{sql} ORDER BY created_at, id"), &values, from_row)
}

fn one_of(column: &str, span: &Span, at: &mut impl FnMut(&str) -> String) -> String {
    let keys: Vec<_> = span.at.iter().map(|key| at(key)).collect();
    format!("{column} IN ({})", keys.join(", "))
}

fn below(column: &str, span: &Span, at: &mut impl FnMut(&str) -> String) -> String {
    let from = at(&span.from);
    let to = span.to.as_ref().map_or_else(String::new, |to| format!(" AND {column} < {}", at(to)));
    format!("{column} >= {from}{to}")
}

/// Locks that another program has inserted and nobody has met yet, oldest first.
///
/// # Errors
/// What the engine says.
pub fn strangers(tx: &ReadTx<'_>) -> Result<Vec<Lock>, StoreError> {
    let sql = "SELECT * FROM coordination_locks WHERE released_at IS NULL AND prefix_key IS NULL ORDER BY created_at, id";
    tx.query(sql, &[], from_row)
}

/// Up to `most` locks whose time was over before `before` (Unix seconds), the oldest first.
///
/// # Errors
/// What the engine says.
pub fn expired(tx: &ReadTx<'_>, before: i64, most: i64) -> Result<Vec<Lock>, StoreError> {
    let sql = "SELECT * FROM coordination_locks WHERE released_at IS NULL AND expires_at <= $1 \
               ORDER BY expires_at, id LIMIT $2";
    tx.query(sql, params![before, most], from_row)
}

/// Locks that live with a process and are not released, oldest first.
///
/// # Errors
/// What the engine says.
pub fn with_process(tx: &ReadTx<'_>) -> Result<Vec<Lock>, StoreError> {
    let sql = "SELECT * FROM coordination_locks WHERE released_at IS NULL AND pid IS NOT NULL ORDER BY created_at, id";
    tx.query(sql, &[], from_row)
}

/// The locks of an owner in a scope that are not released, oldest first.
///
/// # Errors
/// What the engine says.
pub fn of_owner(tx: &ReadTx<'_>, owner: &str, scope: &str) -> Result<Vec<Lock>, StoreError> {
    let sql = "SELECT * FROM coordination_locks WHERE owner = $1 AND scope = $2 AND released_at IS NULL \
               ORDER BY created_at, id";
    tx.query(sql, params![owner.to_owned(), scope.to_owned()], from_row)
}

/// The locks of a run that are not released, oldest first.
///
/// # Errors
/// What the engine says.
pub fn of_run(tx: &ReadTx<'_>, run_id: &RunId) -> Result<Vec<Lock>, StoreError> {
    let sql =
        "SELECT * FROM coordination_locks WHERE released_at IS NULL AND run_id = $1 ORDER BY created_at, id";
    tx.query(sql, params![*run_id], from_row)
}

/// How many locks an owner has in a scope that are live at `now` (Unix seconds).
///
/// # Errors
/// What the engine says.
pub fn count_live(tx: &ReadTx<'_>, owner: &str, scope: &str, now: i64) -> Result<i64, StoreError> {
    let sql = "SELECT count(*) FROM coordination_locks WHERE owner = $1 AND scope = $2 AND released_at IS NULL \
               AND (expires_at IS NULL OR expires_at > $3)";
    Ok(tx.scalar(sql, params![owner.to_owned(), scope.to_owned(), now])?)
}

/// Which locks to list: all conditions hold together.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only of this scope.
    pub scope: Option<String>,
    /// Only of this owner.
    pub owner: Option<String>,
    /// Only of this kind.
    pub kind: Option<LockKind>,
    /// Only those that are live at this moment (Unix seconds).
    pub live_at: Option<i64>,
}

/// The matching locks, newest first.
///
/// # Errors
/// What the engine says.
pub fn list(tx: &ReadTx<'_>, filter: &Filter) -> Result<Vec<Lock>, StoreError> {
    let mut sql = "SELECT * FROM coordination_locks WHERE 1 = 1".to_owned();
    let mut values = Vec::new();
    let mut and = |clause: &str, value: Value| {
        values.push(value);
        sql.push_str(&clause.replace("$n", &format!("${}", values.len())));
    };
    if let Some(scope) = &filter.scope {
        and(" AND scope = $n", scope.encode());
    }
    if let Some(owner) = &filter.owner {
        and(" AND owner = $n", owner.encode());
    }
    if let Some(kind) = filter.kind {
        and(" AND type = $n", kind.encode());
    }
    if let Some(now) = filter.live_at {
        and(" AND released_at IS NULL AND (expires_at IS NULL OR expires_at > $n)", now.encode());
    }
    sql.push_str(" ORDER BY created_at DESC, id DESC");
    tx.query(&sql, &values, from_row)
}

/// One lock by id.
///
/// # Errors
/// [`StoreError::LockNotFound`] if there is none.
pub fn get(tx: &ReadTx<'_>, id: &str) -> Result<Lock, StoreError> {
    tx.query_opt("SELECT * FROM coordination_locks WHERE id = $1", params![id.to_owned()], from_row)?
        .ok_or_else(|| StoreError::LockNotFound(id.to_owned()))
}

/// Grants a lock. Its fencing token is the number of the event that tells of it.
///
/// # Errors
/// What the engine says.
pub fn insert(tx: &WriteTx<'_>, new: &NewLock, stamp: &Stamp) -> Result<Lock, StoreError> {
    let id = LockId::fresh(|id| cells::taken(tx, "coordination_locks", id))?;
    let now = stamp.secs();
    let fence = event::head(tx)?.id + 1;
    let process = new.process.as_ref();
    let cells: Cells = vec![
        ("id", id.encode()),
        ("type", new.kind.encode()),
        ("owner", new.owner.encode()),
        ("scope", new.scope.encode()),
        ("pattern", new.pattern.encode()),
        ("exclusive", new.exclusive.encode()),
        ("reason", new.reason.encode()),
        ("ttl_seconds", new.ttl_seconds.encode()),
        ("created_at", now.encode()),
        ("expires_at", new.ttl_seconds.map(|ttl| now.saturating_add(ttl)).encode()),
        ("released_at", None::<i64>.encode()),
        ("dispatch_id", new.dispatch_id.encode()),
        ("run_id", new.run_id.encode()),
        ("fence", fence.encode()),
        ("pid", process.map(|p| p.pid).encode()),
        ("pid_start", process.map(|p| p.start_time).encode()),
        ("boot_id", process.map(|p| p.boot_id.clone()).encode()),
        ("host", process.map(|p| p.host.clone()).encode()),
        ("prefix_key", new.keys.prefix.encode()),
        ("suffix_key", new.keys.suffix.encode()),
    ];
    cells::insert(tx, "coordination_locks", &cells)?;
    let lock = get(tx, id.as_str())?;
    note(tx, &lock, "coordination.acquired", lock.reason.clone(), cells::created(&cells), stamp)?;
    Ok(lock)
}

/// Columns of a lock that change, before and after.
fn change(
    tx: &WriteTx<'_>,
    lock: &Lock,
    kind: &'static str,
    reason: Option<String>,
    old: &Cells,
    new: &Cells,
    stamp: &Stamp,
) -> Result<Lock, StoreError> {
    let set: Vec<_> = new.iter().enumerate().map(|(at, (name, _))| format!("{name} = ${}", at + 1)).collect();
    let mut values: Vec<Value> = new.iter().map(|(_, value)| value.clone()).collect();
    values.push(lock.id.encode());
    let sql = format!("UPDATE coordination_locks SET {} WHERE id = ${}", set.join(", "), values.len());
    tx.execute(&sql, &values)?;
    let changed = get(tx, &lock.id)?;
    note(tx, &changed, kind, reason, cells::changed(old, new), stamp)?;
    Ok(changed)
}

/// Holds a lock for longer, and exclusively if that is asked for (CO-07). A lock that becomes exclusive gets a new token.
///
/// # Errors
/// What the engine says.
pub fn renew(
    tx: &WriteTx<'_>,
    lock: &Lock,
    ttl_seconds: Option<i64>,
    exclusive: bool,
    stamp: &Stamp,
) -> Result<Lock, StoreError> {
    let upgraded = exclusive && !lock.exclusive;
    let fence = if upgraded { event::head(tx)?.id + 1 } else { lock.fence };
    let expires_at = ttl_seconds.map(|ttl| stamp.secs().saturating_add(ttl));
    let old: Cells = vec![
        ("ttl_seconds", lock.ttl_seconds.encode()),
        ("expires_at", lock.expires_at.encode()),
        ("exclusive", lock.exclusive.encode()),
        ("fence", lock.fence.encode()),
    ];
    let new: Cells = vec![
        ("ttl_seconds", ttl_seconds.encode()),
        ("expires_at", expires_at.encode()),
        ("exclusive", (lock.exclusive || exclusive).encode()),
        ("fence", fence.encode()),
    ];
    let kind = if upgraded { "coordination.upgraded" } else { "coordination.renewed" };
    change(tx, lock, kind, None, &old, &new, stamp)
}

/// How a lock ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its owner gave it back, or the run that it was for is over.
    Released,
    /// Its time is over, or the process that it lived with is gone.
    Expired,
}

/// Ends a lock that is not released.
///
/// # Errors
/// What the engine says.
pub fn end(
    tx: &WriteTx<'_>,
    lock: &Lock,
    end: End,
    reason: Option<&str>,
    stamp: &Stamp,
) -> Result<(), StoreError> {
    let old: Cells = vec![("released_at", lock.released_at.encode())];
    let new: Cells = vec![("released_at", Some(stamp.secs()).encode())];
    let kind = match end {
        End::Released => "coordination.released",
        End::Expired => "coordination.expired",
    };
    change(tx, lock, kind, reason.map(ToOwned::to_owned), &old, &new, stamp).map(drop)
}

/// Gives a lock to another owner, with a new token.
///
/// # Errors
/// What the engine says.
pub fn transfer(tx: &WriteTx<'_>, lock: &Lock, to: &str, stamp: &Stamp) -> Result<(), StoreError> {
    let fence = event::head(tx)?.id + 1;
    let old: Cells = vec![("owner", lock.owner.encode()), ("fence", lock.fence.encode())];
    let new: Cells = vec![("owner", to.to_owned().encode()), ("fence", fence.encode())];
    let reason = Some(format!("transferred from {}", lock.owner));
    change(tx, lock, "coordination.transferred", reason, &old, &new, stamp).map(drop)
}

/// Takes a lock in that another program has inserted: its event tells of the whole row (CO-19).
///
/// # Errors
/// What the engine says.
pub fn adopt(
    tx: &WriteTx<'_>,
    lock: &Lock,
    scope: &str,
    pattern: &str,
    keys: &Keys,
    stamp: &Stamp,
) -> Result<Lock, StoreError> {
    let fence = event::head(tx)?.id + 1;
    let set: Cells = vec![
        ("scope", scope.to_owned().encode()),
        ("pattern", pattern.to_owned().encode()),
        ("prefix_key", keys.prefix.encode()),
        ("suffix_key", keys.suffix.encode()),
        ("fence", fence.encode()),
    ];
    let names: Vec<_> =
        set.iter().enumerate().map(|(at, (name, _))| format!("{name} = ${}", at + 1)).collect();
    let mut values: Vec<Value> = set.iter().map(|(_, value)| value.clone()).collect();
    values.push(lock.id.encode());
    let sql = format!("UPDATE coordination_locks SET {} WHERE id = ${}", names.join(", "), values.len());
    tx.execute(&sql, &values)?;
    let row: Cells = vec![
        ("id", lock.id.encode()),
        ("type", lock.kind.encode()),
        ("owner", lock.owner.encode()),
        ("scope", scope.to_owned().encode()),
        ("pattern", pattern.to_owned().encode()),
        ("exclusive", lock.exclusive.encode()),
        ("reason", lock.reason.encode()),
        ("ttl_seconds", lock.ttl_seconds.encode()),
        ("created_at", lock.created_at.encode()),
        ("expires_at", lock.expires_at.encode()),
        ("dispatch_id", lock.dispatch_id.encode()),
        ("run_id", lock.run_id.encode()),
        ("fence", fence.encode()),
        ("prefix_key", keys.prefix.encode()),
        ("suffix_key", keys.suffix.encode()),
    ];
    let adopted = get(tx, &lock.id)?;
    note(tx, &adopted, "coordination.adopted", lock.reason.clone(), cells::created(&row), stamp)?;
    Ok(adopted)
}

/// Tells of a reservation that was refused, and by which lock.
///
/// # Errors
/// What the engine says.
pub fn conflict(tx: &WriteTx<'_>, asked: &NewLock, blocker: &Lock, stamp: &Stamp) -> Result<(), StoreError> {
    let data = Map::from_iter([
        ("blocker_id".to_owned(), Json::from(blocker.id.as_str())),
        ("blocker_owner".to_owned(), blocker.owner.as_str().into()),
        ("blocker_pattern".to_owned(), blocker.pattern.as_str().into()),
        ("scope".to_owned(), asked.scope.as_str().into()),
        ("exclusive".to_owned(), asked.exclusive.into()),
    ]);
    let refused = Lock {
        id: blocker.id.clone(),
        owner: asked.owner.clone(),
        pattern: asked.pattern.clone(),
        run_id: asked.run_id.clone(),
        ..blocker.clone()
    };
    note(tx, &refused, "coordination.conflict", Some(blocker.owner.clone()), data, stamp)
}

fn note(
    tx: &WriteTx<'_>,
    lock: &Lock,
    kind: &str,
    reason: Option<String>,
    data: Map<String, Json>,
    stamp: &Stamp,
) -> Result<(), StoreError> {
    let envelope = envelope::build(
        &Writer {
            policy_version: "coordination/v1",
            caller_identity: "coordination.store",
            capability_scope: &format!("scope:{}", lock.scope),
            trace_id: lock.run_id.as_deref().unwrap_or(&lock.id),
            span: &kind.replace('.', ":"),
            parent_span_id: None,
            input: &lock.pattern,
            output: &lock.id,
        },
        stamp,
    );
    let told = NewEvent {
        run_id: lock.run_id.as_deref().and_then(|run| run.parse().ok()),
        source: Source::COORDINATION,
        kind: kind.to_owned(),
        subject: lock.id.clone(),
        from: lock.owner.clone(),
        to: lock.pattern.clone(),
        reason,
        data,
        envelope,
    };
    event::append(tx, &told, stamp).map(drop)
}

fn from_row(row: &Row) -> Result<Lock, StoreError> {
    let process = match row.get::<Option<i64>>("pid")? {
        None => None,
        Some(pid) => Some(ProcessKey {
            pid,
            start_time: row.get::<Option<i64>>("pid_start")?.unwrap_or(0),
            boot_id: row.get::<Option<String>>("boot_id")?.unwrap_or_default(),
            host: row.get::<Option<String>>("host")?.unwrap_or_default(),
        }),
    };
    Ok(Lock {
        id: row.get("id")?,
        kind: row.get("type")?,
        owner: row.get("owner")?,
        scope: row.get("scope")?,
        pattern: row.get("pattern")?,
        exclusive: row.get("exclusive")?,
        reason: row.get("reason")?,
        ttl_seconds: row.get("ttl_seconds")?,
        created_at: row.get("created_at")?,
        expires_at: row.get("expires_at")?,
        released_at: row.get("released_at")?,
        dispatch_id: row.get("dispatch_id")?,
        run_id: row.get("run_id")?,
        fence: row.get("fence")?,
        process,
    })
}
