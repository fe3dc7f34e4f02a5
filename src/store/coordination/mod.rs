//! Locks on files and names: finding candidates, granting, ending. Each change is one event of its lock.

mod change;
mod mirror;
mod queue;
mod row;

use super::StoreError;
use crate::db::{Column, ReadTx, Value};
use crate::domain::coordination::{Lock, LockKind};
use crate::domain::ids::{DispatchId, RunId};
use crate::domain::order;
use crate::domain::process::ProcessKey;
use crate::domain::time::{Stamp, secs_up};
use crate::params;

pub use change::{End, Renewal, adopt, conflict, end, insert, mirror, renew, transfer};
pub use mirror::{Mirrored, reservations};
pub use queue::{Waiter, enqueue, leave, queue, rejoin, remove, remove_all};

/// The index keys of a lock. Every overlapping lock has related ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The literal directory at the start of the pattern; the whole pattern if it has no wildcards; a whole
    /// name.
    pub prefix: String,
    /// The literal end of the pattern, reversed.
    pub suffix: String,
}

/// The keys of the candidates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// This name.
    Name(String),
    /// Both keys.
    Paths {
        /// The range of prefix keys.
        prefix: Span,
        /// The range of suffix keys.
        suffix: Span,
        /// Whether the suffix is the more selective one.
        by_suffix: bool,
    },
}

/// The keys that an overlapping lock can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Any of these.
    pub at: Vec<String>,
    /// Or from this one on,
    pub from: String,
    /// up to this one, which is not included.
    pub to: Option<String>,
}

/// A lock to grant.
#[derive(Clone, Debug)]
pub struct NewLock {
    pub kind: LockKind,
    pub owner: String,
    /// The scope of the pattern.
    pub scope: String,
    pub pattern: String,
    pub exclusive: bool,
    pub reason: Option<String>,
    /// In seconds.
    pub ttl_seconds: Option<i64>,
    pub dispatch_id: Option<String>,
    pub run_id: Option<String>,
    /// The process that it lives with.
    pub process: Option<ProcessKey>,
    /// Its index keys.
    pub keys: Keys,
    /// Whether a hook reserves it, and not the owner itself.
    pub automatic: bool,
}

/// The work that is due before a lock is granted. Usually there is none.
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    /// Rows of other programs that were not adopted yet, or cannot be understood ([`strangers`]).
    pub strangers: bool,
    /// Expired locks ([`expired`]).
    pub expired: bool,
    /// Waiters ([`queue`]).
    pub waiters: bool,
}

/// Returns the work that is due at `now` (Unix seconds).
pub fn pending(tx: &ReadTx<'_>, now: i64) -> Result<Pending, StoreError> {
    let sql = "SELECT \
               EXISTS (SELECT 1 FROM coordination_locks WHERE released_at IS NULL AND prefix_key IS NULL AND id >= '') \
               AS strangers, \
               EXISTS (SELECT 1 FROM coordination_locks WHERE released_at IS NULL AND expires_at <= $1) AS expired, \
               EXISTS (SELECT 1 FROM lock_waiters) AS waiters";
    let found = tx.query_opt(sql, params![now], |row| {
        let (strangers, expired) = (row.get("strangers")?, row.get("expired")?);
        Ok::<_, StoreError>(Pending { strangers, expired, waiters: row.get("waiters")? })
    })?;
    Ok(found.unwrap_or(Pending { strangers: true, expired: true, waiters: true }))
}

/// Returns the locks of a scope, or of its other name `alias`, that are not released and whose keys are
/// within `reach`, oldest first. The caller checks whether they overlap, and whether they have expired.
pub fn candidates(
    tx: &ReadTx<'_>,
    scope: &str,
    alias: Option<&str>,
    kind: LockKind,
    reach: &Reach,
) -> Result<Vec<Lock>, StoreError> {
    let mut values: Vec<Value> = params![scope.to_owned()].to_vec();
    values.extend(alias.map(|name| name.to_owned().encode()));
    let scopes = if alias.is_some() { "scope IN ($1, $2)" } else { "scope = $1" };
    let mut at = |value: &str| {
        values.push(value.to_owned().encode());
        format!("${}", values.len())
    };
    // An unknown type counts as both.
    let kinds = if kind.is_named() {
        "type NOT IN ('file_reservation', 'write_set')"
    } else {
        "type <> 'named_lock'"
    };
    let of = |what: &str, condition: &str| {
        format!(
            "SELECT {what} FROM coordination_locks WHERE {scopes} AND {condition} AND released_at IS NULL AND {kinds}"
        )
    };
    let sql = match reach {
        Reach::Name(name) => of("*", &format!("prefix_key = {}", at(name))),
        Reach::Paths { prefix, suffix, by_suffix } => {
            let mut columns = [("prefix_key", prefix), ("suffix_key", suffix)];
            if *by_suffix {
                columns.swap(0, 1);
            }
            let [(first, one), (second, other)] = columns;
            // In this order, because parameters are numbered by first appearance.
            let first_at = one_of(first, one, &mut at);
            let (second_at, second_below) = (one_of(second, other, &mut at), below(second, other, &mut at));
            let first_below = below(first, one, &mut at);
            // Several searches of one index that never find the same row twice. A condition with OR would
            // read the whole scope.
            let each = [
                format!("{first_at} AND {second_at}"),
                format!("{first_at} AND {second_below}"),
                format!("{first_below} AND ({second_at} OR {second_below})"),
            ];
            let found = each.map(|condition| of("id", &condition)).join(" UNION ALL ");
            format!("SELECT * FROM coordination_locks WHERE id IN ({found})")
        }
    };
    let mut locks = tx.query(&sql, &values, row::lock)?;
    // Sorted here, because preparing a statement with an order takes longer than sorting a few rows.
    order::by(&mut locks, |a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
    Ok(locks)
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

/// Returns the rows of other programs that were not adopted yet, or cannot be understood, oldest first.
pub fn strangers(tx: &ReadTx<'_>) -> Result<Vec<Lock>, StoreError> {
    // Every identifier is `>= ''`. Without a range on its column the index of strangers is not used.
    let sql = "SELECT * FROM coordination_locks WHERE released_at IS NULL AND prefix_key IS NULL AND id >= '' \
               ORDER BY created_at, id";
    tx.query(sql, &[], row::lock)
}

/// Returns up to `most` locks that had expired at a moment, oldest first.
pub fn expired(tx: &ReadTx<'_>, before: &Stamp, most: i64) -> Result<Vec<Lock>, StoreError> {
    let sql = "SELECT * FROM coordination_locks WHERE released_at IS NULL AND expires_at <= $1 \
               ORDER BY expires_at, id LIMIT $2";
    // The index has whole seconds, which are rounded up.
    let mut found = tx.query(sql, params![secs_up(before.millis()), most], row::lock)?;
    found.retain(|lock| lock.has_expired(before));
    Ok(found)
}

/// Returns the locks that end with a process and are not released, oldest first.
pub fn with_process(tx: &ReadTx<'_>) -> Result<Vec<Lock>, StoreError> {
    let sql = "SELECT * FROM coordination_locks WHERE released_at IS NULL AND pid IS NOT NULL ORDER BY created_at, id";
    tx.query(sql, &[], row::lock)
}

/// Returns the locks of an owner in a scope that are not released, oldest first.
pub fn of_owner(tx: &ReadTx<'_>, owner: &str, scope: &str) -> Result<Vec<Lock>, StoreError> {
    let sql = "SELECT * FROM coordination_locks WHERE owner = $1 AND scope = $2 AND released_at IS NULL \
               ORDER BY created_at, id";
    tx.query(sql, params![owner.to_owned(), scope.to_owned()], row::lock)
}

/// Returns the locks of a run that are not released, by owner.
pub fn of_run(tx: &ReadTx<'_>, run_id: &RunId) -> Result<Vec<Lock>, StoreError> {
    let sql =
        "SELECT * FROM coordination_locks WHERE released_at IS NULL AND run_id = $1 ORDER BY created_at, id";
    tx.query(sql, params![*run_id], row::lock)
}

/// Returns the locks of a dispatch that are not released, by owner.
pub fn of_dispatch(tx: &ReadTx<'_>, dispatch_id: &DispatchId) -> Result<Vec<Lock>, StoreError> {
    let sql = "SELECT * FROM coordination_locks WHERE released_at IS NULL AND dispatch_id = $1 ORDER BY created_at, id";
    tx.query(sql, params![*dispatch_id], row::lock)
}

/// Returns the locks that hooks reserved for an owner, in every scope, and that are not released, oldest
/// first.
pub fn automatic_of(tx: &ReadTx<'_>, owner: &str) -> Result<Vec<Lock>, StoreError> {
    let sql = "SELECT * FROM coordination_locks WHERE owner = $1 AND automatic = $2 AND released_at IS NULL \
               ORDER BY created_at, id";
    tx.query(sql, params![owner.to_owned(), true], row::lock)
}

/// Returns the number of locks of an owner in a scope that are live at `now` (Unix seconds).
pub fn count_live(tx: &ReadTx<'_>, owner: &str, scope: &str, now: i64) -> Result<i64, StoreError> {
    let sql = "SELECT count(*) FROM coordination_locks WHERE owner = $1 AND scope = $2 AND released_at IS NULL \
               AND (expires_at IS NULL OR expires_at > $3)";
    Ok(tx.scalar(sql, params![owner.to_owned(), scope.to_owned(), now])?)
}

/// The locks to list. All conditions must hold.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only of this scope.
    pub scope: Option<String>,
    /// Only of this owner.
    pub owner: Option<String>,
    /// Only of this kind.
    pub kind: Option<LockKind>,
    /// Only those that are live at this moment.
    pub live_at: Option<Stamp>,
}

/// Returns the matching locks, newest first.
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
    if let Some(now) = &filter.live_at {
        and(" AND released_at IS NULL AND (expires_at IS NULL OR expires_at > $n)", now.secs().encode());
    }
    sql.push_str(" ORDER BY created_at DESC, id DESC");
    let mut found = tx.query(&sql, &values, row::lock)?;
    if let Some(now) = &filter.live_at {
        found.retain(|lock| lock.is_live(now));
    }
    Ok(found)
}

/// Returns a lock by its id.
///
/// # Errors
/// [`StoreError::LockNotFound`] if there is none.
pub fn get(tx: &ReadTx<'_>, id: &str) -> Result<Lock, StoreError> {
    find(tx, id)?.ok_or_else(|| StoreError::LockNotFound(id.to_owned()))
}

/// Returns a lock by its identifier, if there is one. An identifier that is not UTF-8 is found in its escaped
/// form as long as the lock is not released.
pub fn find(tx: &ReadTx<'_>, id: &str) -> Result<Option<Lock>, StoreError> {
    let found = by_key(tx, id.to_owned().encode())?;
    if found.is_some() || !id.contains("\\x") {
        return Ok(found);
    }
    let sql = "SELECT * FROM coordination_locks WHERE released_at IS NULL ORDER BY created_at, id";
    let all = tx.query(sql, &[], row::lock)?;
    Ok(all.into_iter().find(|lock| lock.id == id))
}

/// Returns the stored lock with the same identifier, if there is one.
pub fn find_same(tx: &ReadTx<'_>, lock: &Lock) -> Result<Option<Lock>, StoreError> {
    by_key(tx, row::key(lock))
}

fn by_key(tx: &ReadTx<'_>, key: Value) -> Result<Option<Lock>, StoreError> {
    tx.query_opt("SELECT * FROM coordination_locks WHERE id = $1", &[key], row::lock)
}

/// Returns the locks that are not released and cannot be understood, oldest first. Reads the whole table.
pub fn unreadable(tx: &ReadTx<'_>) -> Result<Vec<Lock>, StoreError> {
    let sql = "SELECT * FROM coordination_locks WHERE released_at IS NULL ORDER BY created_at, id";
    let mut found = tx.query(sql, &[], row::lock)?;
    found.retain(|lock| !lock.unreadable.is_empty());
    Ok(found)
}
