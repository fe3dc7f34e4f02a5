//! Reservations of files and names: what scopes mean, what other programs hold, waiting, and the answers.

pub(crate) mod query;
pub(crate) mod release;
pub(crate) mod reserve;
pub(crate) mod scope;
mod surroundings;
mod wait;

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Serialize;

use super::{CommandContext, Error};
use crate::db::WriteTx;
use crate::domain::coordination::Lock;
use crate::domain::text::escaped;
use crate::domain::time::{Stamp, secs_up};
use crate::ops::OpsError;
use crate::ops::coordination;
use crate::store::coordination::Waiter;

pub(crate) use surroundings::Surroundings;

/// Changes locks in one transaction, after taking in the locks that other programs have inserted.
///
/// # Errors
/// What `f` fails with, or [`Error::Ops`] if the transaction fails.
pub(crate) fn change<T>(
    cx: &mut CommandContext,
    f: impl Fn(&WriteTx<'_>, &Stamp) -> Result<T, OpsError>,
) -> Result<T, Error> {
    let (surroundings, clock) = (Surroundings::here(cx)?, cx.clock());
    surroundings.with(|outside| {
        cx.write(|tx| {
            let stamp = clock();
            coordination::meet(tx, outside, &stamp)?;
            f(tx, &stamp)
        })
    })
}

/// A lock, or a place in the queue for one. Members that are not set are left out.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LockAnswer {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    pub owner: String,
    pub scope: String,
    pub pattern: String,
    pub exclusive: bool,
    /// The fencing token: greater than every token that was handed out before.
    pub fence: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<i64>,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds, rounded up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub released_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dispatch_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// `active`, `expired` or `released`; of a place in the queue `waiting` or `left`.
    pub state: &'static str,
    /// The columns that cannot be understood.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<&'static str>,
}

impl LockAnswer {
    pub(crate) fn of_lock(lock: Lock, now: &Stamp) -> Self {
        let state = lock.state(now);
        let kind = match lock.unreadable("type") {
            Some(found) => escaped(&found.bytes).into(),
            None => lock.kind.as_str().into(),
        };
        Self {
            id: lock.id,
            kind,
            owner: lock.owner,
            scope: lock.scope,
            pattern: lock.pattern,
            exclusive: lock.exclusive,
            fence: lock.fence,
            reason: lock.reason.filter(|reason| !reason.is_empty()),
            ttl_seconds: lock.ttl_seconds.filter(|ttl| *ttl != 0),
            created_at: lock.created_at,
            expires_at: lock.expires_at,
            released_at: lock.released_at,
            dispatch_id: lock.dispatch_id,
            run_id: lock.run_id,
            state,
            unreadable: lock.unreadable.iter().map(|one| one.column).collect(),
        }
    }

    /// Returns a place in the queue: `waiting` while a process waits there, `left` as long as it is kept for its owner.
    fn of_waiter(waiter: Waiter) -> Self {
        Self {
            id: format!("ticket-{}", waiter.ticket),
            kind: waiter.kind.as_str().into(),
            expires_at: Some(secs_up(waiter.kept_until())),
            owner: waiter.owner,
            scope: waiter.scope,
            pattern: waiter.pattern,
            exclusive: waiter.exclusive,
            fence: 0,
            reason: None,
            ttl_seconds: None,
            created_at: waiter.created_at,
            released_at: None,
            dispatch_id: None,
            run_id: None,
            state: if waiter.left_at.is_some() { "left" } else { "waiting" },
            unreadable: Vec::new(),
        }
    }
}
