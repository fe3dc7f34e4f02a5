//! Sentinels: things that may happen once, or once per interval.

use schemars::JsonSchema;
use serde::Serialize;

pub(crate) use super::state::Pruned;
use super::{Code, CommandContext, Error, Reply};
use crate::domain::state::Scope;
use crate::store;

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SentinelAnswer {
    pub status: SentinelStatus,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SentinelStatus {
    /// It may happen now, and counts as having happened.
    Allowed,
    /// It has happened within the interval.
    Throttled,
    Reset,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Sentinel {
    pub name: String,
    pub scope_id: String,
    /// Unix seconds, rounded up.
    pub last_fired: i64,
    /// 0 if it may happen only once.
    pub interval_secs: i64,
}

/// Sentinels by name and scope.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct Sentinels(pub Vec<Sentinel>);

/// Checks whether something may happen now, and claims it in the same step; the negative if it may not.
/// `interval` is in seconds.
///
/// # Errors
/// [`Error::Ops`] if the database cannot be used.
pub(crate) fn check(
    cx: &mut CommandContext,
    name: &Scope,
    scope: &Scope,
    interval: i64,
) -> Result<Reply<SentinelAnswer>, Error> {
    let clock = cx.clock();
    let is_allowed = cx.write(|tx| store::sentinel::check(tx, name, scope, interval, &clock()))?;
    let status = if is_allowed { SentinelStatus::Allowed } else { SentinelStatus::Throttled };
    Ok(Reply::of(SentinelAnswer { status }, is_allowed, Code::Throttled))
}

/// Resets a sentinel in one scope, or without a scope in every scope.
///
/// # Errors
/// [`Error::Ops`] if the database cannot be used.
pub(crate) fn reset(
    cx: &mut CommandContext,
    name: &Scope,
    scope: Option<&Scope>,
) -> Result<Reply<SentinelAnswer>, Error> {
    match scope {
        Some(scope) => cx.write(|tx| store::sentinel::reset(tx, name, scope))?,
        None => cx.write(|tx| store::sentinel::reset_all(tx, name))?,
    }
    Ok(Reply::yes(SentinelAnswer { status: SentinelStatus::Reset }))
}

/// Returns all sentinels.
///
/// # Errors
/// [`Error::Ops`] if the database cannot be read.
pub(crate) fn list(cx: &mut CommandContext) -> Result<Reply<Sentinels>, Error> {
    let found = cx.read(store::sentinel::list)?;
    let sentinels = found.into_iter().map(|sentinel| Sentinel {
        name: sentinel.name,
        scope_id: sentinel.scope_id,
        last_fired: sentinel.last_fired,
        interval_secs: sentinel.interval_secs,
    });
    Ok(Reply::yes(Sentinels(sentinels.collect())))
}

/// Deletes the sentinels that last fired more than `older_than` seconds ago.
///
/// # Errors
/// [`Error::Ops`] if the database cannot be used.
pub(crate) fn prune(cx: &mut CommandContext, older_than: i64) -> Result<Reply<Pruned>, Error> {
    let stamp = cx.stamp.clone();
    Ok(Reply::yes(Pruned { pruned: cx.write(|tx| store::sentinel::prune(tx, older_than, &stamp))? }))
}
