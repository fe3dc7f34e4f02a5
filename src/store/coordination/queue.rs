//! The queue of waiters, in the order of arrival. Quiet: only the outcome, a grant or a refusal, is an event.

use super::super::cells;
use super::super::quiet::{self, Quiet};
use super::row::Reader;
use crate::db::{ReadTx, Row, WriteTx};
use crate::domain::coordination::LockKind;
use crate::domain::process::ProcessKey;
use crate::domain::time::Stamp;
use crate::params;
use crate::store::StoreError;

/// A row of `lock_waiters`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiter {
    /// Its place in the queue; smaller numbers came first.
    pub ticket: i64,
    pub kind: LockKind,
    pub owner: String,
    pub scope: String,
    pub pattern: String,
    /// Whether the pattern is a plain path that is known to be a file.
    pub file: bool,
    /// Whether no other owner may hold an overlapping lock.
    pub exclusive: bool,
    /// The process that waits.
    pub process: Option<ProcessKey>,
    /// Unix seconds.
    pub created_at: i64,
    /// When it stops waiting at the latest, in Unix milliseconds. Needed because it is not known whether a
    /// process of another machine or namespace still runs.
    pub deadline: i64,
    /// How long the place is kept after the waiter has left, in seconds.
    pub grace: i64,
    /// When its process left, in Unix milliseconds; `None` while it waits.
    pub left_at: Option<i64>,
}

impl Waiter {
    /// Returns true if the place was given up before `now`.
    pub fn is_over(&self, now: &Stamp) -> bool {
        self.kept_until() <= now.millis()
    }

    /// Returns the time until which the place is kept if its owner does not return, in Unix milliseconds.
    pub fn kept_until(&self) -> i64 {
        self.left_at.unwrap_or(self.deadline).saturating_add(self.grace.saturating_mul(1000))
    }
}

/// Returns all waiters in order.
pub fn queue(tx: &ReadTx<'_>) -> Result<Vec<Waiter>, StoreError> {
    tx.query("SELECT * FROM lock_waiters ORDER BY ticket", &[], from_row)
}

/// Appends a waiter to the queue. Returns its new ticket.
pub fn enqueue(tx: &WriteTx<'_>, waiter: &Waiter) -> Result<i64, StoreError> {
    // Numbers are reused after the last waiter has left, so a ticket is valid for its owner only.
    let ticket: i64 = tx.scalar("SELECT coalesce(max(ticket), 0) + 1 FROM lock_waiters", &[])?;
    let process = waiter.process.clone();
    quiet::execute(
        tx,
        Quiet::Waiters,
        "INSERT INTO lock_waiters (ticket, type, owner, scope, pattern, file, exclusive, pid, pid_start, boot_id, host, \
         pid_namespace, created_at, deadline, grace) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        params![
            ticket,
            waiter.kind,
            waiter.owner,
            waiter.scope,
            waiter.pattern,
            waiter.file,
            waiter.exclusive,
            process.as_ref().map(|p| p.pid),
            process.as_ref().map(|p| p.start_time),
            process.as_ref().map(|p| p.boot_id.clone()),
            process.as_ref().map(|p| p.host.clone()),
            cells::space(process.as_ref()),
            waiter.created_at,
            waiter.deadline,
            waiter.grace
        ],
    )?;
    Ok(ticket)
}

/// Occupies a place again that was left.
pub fn rejoin(tx: &WriteTx<'_>, waiter: &Waiter) -> Result<(), StoreError> {
    let process = waiter.process.clone();
    let sql = "UPDATE lock_waiters SET exclusive = $1, file = $2, pid = $3, pid_start = $4, boot_id = $5, host = $6, \
               pid_namespace = $7, deadline = $8, grace = $9, left_at = NULL WHERE ticket = $10";
    let values = params![
        waiter.exclusive,
        waiter.file,
        process.as_ref().map(|p| p.pid),
        process.as_ref().map(|p| p.start_time),
        process.as_ref().map(|p| p.boot_id.clone()),
        process.as_ref().map(|p| p.host.clone()),
        cells::space(process.as_ref()),
        waiter.deadline,
        waiter.grace,
        waiter.ticket
    ];
    quiet::execute(tx, Quiet::Waiters, sql, values)?;
    Ok(())
}

/// Leaves a place at a moment (Unix milliseconds). The place is kept for a while.
pub fn leave(tx: &WriteTx<'_>, ticket: i64, at: i64) -> Result<(), StoreError> {
    let sql = "UPDATE lock_waiters SET left_at = $1 WHERE ticket = $2";
    quiet::execute(tx, Quiet::Waiters, sql, params![at, ticket])?;
    Ok(())
}

/// Removes all places of an owner in a scope.
pub fn remove_all(tx: &WriteTx<'_>, owner: &str, scope: &str) -> Result<(), StoreError> {
    let sql = "DELETE FROM lock_waiters WHERE owner = $1 AND scope = $2";
    quiet::execute(tx, Quiet::Waiters, sql, params![owner.to_owned(), scope.to_owned()])?;
    Ok(())
}

/// Removes a place.
pub fn remove(tx: &WriteTx<'_>, ticket: i64) -> Result<(), StoreError> {
    quiet::execute(tx, Quiet::Waiters, "DELETE FROM lock_waiters WHERE ticket = $1", params![ticket])?;
    Ok(())
}

fn from_row(row: &Row) -> Result<Waiter, StoreError> {
    let mut read = Reader::new(row);
    let waiter = Waiter {
        ticket: row.get("ticket")?,
        kind: read.get("type", LockKind::FileReservation)?,
        owner: read.get("owner", String::new())?,
        scope: read.get("scope", String::new())?,
        pattern: read.get("pattern", String::new())?,
        file: read.get("file", false)?,
        exclusive: read.get("exclusive", true)?,
        process: cells::process_of(row).unwrap_or_default(),
        created_at: read.get("created_at", 0)?,
        deadline: read.get("deadline", 0)?,
        grace: read.get("grace", 0)?,
        left_at: read.get("left_at", None)?,
    };
    // A damaged place does not count: its process joins the queue again.
    let over = Waiter { deadline: 0, grace: 0, left_at: Some(0), ..waiter.clone() };
    Ok(if read.unreadable.is_empty() { waiter } else { over })
}
