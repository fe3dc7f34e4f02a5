//! Reserving files and names, at once or after waiting, and renewing a reservation.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::scope::{held, lives_with, scope};
use super::{LockAnswer, change, wait};
use crate::app::{Code, CommandContext, Error, Reply};
use crate::domain::coordination::{Lock, LockKind};
use crate::ops::OpsError;
use crate::ops::coordination::{self, Request, Reserved, Turn, Wait};

/// The longest time that a lock is held, unless it has no end, in seconds: ten years.
pub(crate) const MAX_LEASE_SECONDS: i64 = 10 * 365 * 24 * 3600;

/// What is to be reserved, as the caller says it.
#[derive(Debug)]
pub(crate) struct ReserveRequest {
    pub owner: String,
    pub scope: String,
    pub pattern: String,
    pub kind: LockKind,
    /// Seconds; 0 for no end; `None` for the default of the kind.
    pub ttl_seconds: Option<i64>,
    pub exclusive: bool,
    pub reason: Option<String>,
    pub dispatch_id: Option<String>,
    pub run_id: Option<String>,
    pub owner_pid: Option<i32>,
    /// Zero to be refused at once.
    pub wait: Duration,
    pub ticket: Option<i64>,
    /// Seconds for which a place in the queue is kept after its process has left.
    pub grace: i64,
}

/// The outcome of a reservation.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum ReserveAnswer {
    Granted { lock: LockAnswer },
    Refused { conflict: Conflict },
}

/// The lock, or the waiter, that is in the way.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Conflict {
    pub blocker_id: String,
    pub blocker_owner: String,
    pub blocker_pattern: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocker_reason: Option<String>,
    /// Unix seconds, rounded up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocker_expires_at: Option<i64>,
    /// The place in the queue that is kept for the caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<i64>,
    /// The circle of waits that this one would have closed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deadlock: Vec<WaitStep>,
}

/// One owner waits for another.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct WaitStep {
    pub owner: String,
    pub holder: String,
    pub pattern: String,
}

/// The answer to a renewal.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Renewed {
    pub lock: LockAnswer,
}

/// Reserves files or a name, and waits for them if the request says so.
///
/// # Errors
/// [`Error::Usage`] for a time that the kind does not allow, [`Error::Ops`] if the owner has too many locks.
pub(crate) fn reserve(
    cx: &mut CommandContext,
    request: ReserveRequest,
) -> Result<Reply<ReserveAnswer>, Error> {
    let scope = scope(cx, &request.scope)?;
    let held = held("reserve", request.kind, &scope, &request.pattern)?;
    let ttl_seconds = match request.ttl_seconds {
        Some(0) if request.kind.is_named() => {
            return Err(Error::usage("coordination reserve: --ttl: a named lock always ends"));
        }
        Some(ttl) if ttl > MAX_LEASE_SECONDS => {
            return Err(Error::usage("coordination reserve: --ttl: is too long (0 is until it is released)"));
        }
        Some(ttl) => Some(ttl).filter(|ttl| *ttl > 0),
        None => request.kind.default_ttl(),
    };
    let turn = Turn { ticket: request.ticket, waits: None, deadline: 0, grace: request.grace };
    let wanted = Request {
        kind: request.kind,
        process: lives_with(&request.owner, request.owner_pid)?,
        owner: request.owner,
        scope,
        held,
        exclusive: request.exclusive,
        ttl_seconds,
        at_least: false,
        automatic: false,
        reason: request.reason,
        dispatch_id: request.dispatch_id,
        run_id: request.run_id,
    };
    match wait::reserve(cx, &wanted, turn, request.wait)? {
        Reserved::Granted(lock) => {
            if let (None, Some(ttl)) = (request.ttl_seconds, ttl_seconds) {
                cx.remark(format_args!("held for {ttl} s; --ttl says for how long"));
            }
            Ok(Reply::yes(ReserveAnswer::Granted { lock: LockAnswer::of_lock(lock, &cx.stamp) }))
        }
        Reserved::Conflict { blocker, ticket } => {
            Ok(Reply::no(refused(blocker, ticket, &[]), Code::LockConflict))
        }
        Reserved::Waiting { ticket, blocker } => {
            Ok(Reply::no(refused(blocker, Some(ticket), &[]), Code::LockConflict))
        }
        Reserved::Deadlock { blocker, cycle } => {
            Ok(Reply::refused(refused(blocker, None, &cycle), OpsError::Deadlock(cycle)))
        }
    }
}

fn refused(blocker: Lock, ticket: Option<i64>, cycle: &[Wait]) -> ReserveAnswer {
    let step = |Wait { owner, holder, pattern }: &Wait| WaitStep {
        owner: owner.clone(),
        holder: holder.clone(),
        pattern: pattern.clone(),
    };
    let conflict = Conflict {
        blocker_id: blocker.id,
        blocker_owner: blocker.owner,
        blocker_pattern: blocker.pattern,
        blocker_reason: blocker.reason.filter(|reason| !reason.is_empty()),
        blocker_expires_at: blocker.expires_at,
        ticket,
        deadlock: cycle.iter().map(step).collect(),
    };
    ReserveAnswer::Refused { conflict }
}

/// Extends a lock from now on: by `ttl_seconds`, or by the time for which it was reserved.
///
/// # Errors
/// [`Error::Ops`] if the lock does not exist, does not hold any more, or is not the owner's.
pub(crate) fn renew(
    cx: &mut CommandContext,
    id: &str,
    owner: Option<&str>,
    ttl_seconds: Option<i64>,
) -> Result<Reply<Renewed>, Error> {
    let lock = change(cx, |tx, stamp| coordination::renew(tx, id, owner, ttl_seconds, stamp))?;
    Ok(Reply::yes(Renewed { lock: LockAnswer::of_lock(lock, &cx.stamp) }))
}
