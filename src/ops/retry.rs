//! Retrying a failed dispatch.

use serde_json::json;

use super::OpsError;
use super::spawn::{self, Spawned};
use crate::db::{ReadTx, WriteTx};
use crate::domain::dispatch::{Dispatch, DispatchStatus};
use crate::domain::ids::DispatchId;
use crate::domain::ladder::{Chain, Step};
use crate::domain::state::{Key, Scope};
use crate::domain::time::Stamp;
use crate::store;
use crate::store::dispatch::NewDispatch;

/// The maximum number of attempts after the first.
const MOST: i64 = 3;
/// The delay of the first retry, in milliseconds; it doubles with each further one.
const BACKOFF: i64 = 5_000;
/// The maximum delay, in milliseconds.
const LONGEST: i64 = 300_000;
/// The scope of the state in which the chains are stored.
const SCOPE: &str = "escalation";

/// A request of an escalation.
#[derive(Clone, Debug)]
pub struct Escalation {
    /// The key of the state under which the chain is stored.
    pub key: Key,
    /// The chain's name.
    pub name: String,
    /// The failure as `mode: detail`.
    pub failure: String,
    /// Whether the strongest model may be used.
    pub strongest: bool,
}

/// The outcome of a retry.
#[derive(Debug)]
pub enum Retried {
    /// A new attempt is recorded.
    Again {
        /// The outcome of the spawn.
        spawned: Spawned,
        /// The number of the attempt; the first retry is 1.
        attempt: i64,
        /// The delay before it starts, in milliseconds.
        backoff_ms: i64,
        model: Option<String>,
        /// Whether the model is stronger than before.
        escalated: bool,
        /// The failures so far, if escalation was requested.
        chain: Option<Chain>,
    },
    /// There is no stronger model.
    Exhausted(Chain),
}

/// Returns the dispatch if it may be retried.
///
/// # Errors
/// [`StoreError::DispatchNotFound`](store::StoreError::DispatchNotFound), or [`OpsError::NotRetryable`] with
/// the reason.
pub fn require(tx: &ReadTx<'_>, id: &DispatchId) -> Result<Dispatch, OpsError> {
    let dispatch = store::dispatch::get(tx, id)?;
    let refuse = |why: String| Err(OpsError::NotRetryable { dispatch: id.clone(), why });
    if !matches!(dispatch.status, DispatchStatus::Failed | DispatchStatus::Timeout) {
        return refuse(format!("status={}", dispatch.status));
    }
    if let Some(next) = store::dispatch::retry_of(tx, id)? {
        return refuse(format!("dispatch {next} is another attempt at it already"));
    }
    Ok(dispatch)
}

/// Records another attempt, which `build` describes for a given model.
///
/// # Errors
/// As [`require`]; [`OpsError::NotRetryable`] also after three attempts, or for a chain that is exhausted.
pub fn retry(
    tx: &WriteTx<'_>,
    id: &DispatchId,
    escalation: Option<&Escalation>,
    build: impl Fn(Option<&str>) -> NewDispatch,
    stamp: &Stamp,
) -> Result<Retried, OpsError> {
    let original = require(tx, id)?;
    let refuse = |why: String| Err(OpsError::NotRetryable { dispatch: id.clone(), why });
    let (mut model, mut escalated, mut chain) = (original.model.clone(), false, None);
    if let Some(escalation) = escalation {
        let mut state = load(tx, escalation, &original, stamp)?;
        if state.exhausted {
            return refuse(format!("escalation chain {} already exhausted", escalation.name));
        }
        let step = state.strike(id.as_str(), &escalation.failure, escalation.strongest);
        keep(tx, escalation, &state, stamp)?;
        match step {
            Step::Exhausted => return Ok(Retried::Exhausted(state)),
            Step::Again { model: next, escalated: climbed } => {
                (model, escalated) = (Some(next), climbed);
                chain = Some(state);
            }
        }
    } else if original.retry_count >= MOST {
        return refuse(format!("max retries ({MOST}) exceeded"));
    }
    let new = build(model.as_deref());
    let doublings = u32::try_from(original.retry_count).unwrap_or(0).min(16);
    let backoff_ms = BACKOFF.saturating_mul(1 << doublings).min(LONGEST);
    let spawned = spawn::spawn(tx, &new, stamp)?;
    Ok(Retried::Again { spawned, attempt: original.retry_count + 1, backoff_ms, model, escalated, chain })
}

fn scope() -> Result<Scope, OpsError> {
    SCOPE.parse().map_err(|_| OpsError::Chain(SCOPE.to_owned()))
}

fn load(
    tx: &ReadTx<'_>,
    escalation: &Escalation,
    original: &Dispatch,
    stamp: &Stamp,
) -> Result<Chain, OpsError> {
    match store::state::get(tx, &escalation.key, &scope()?, stamp)? {
        None => Ok(Chain::new(&escalation.name, original.model.as_deref())),
        Some(text) => serde_json::from_str(&text).map_err(|_| OpsError::Chain(escalation.name.clone())),
    }
}

fn keep(tx: &WriteTx<'_>, escalation: &Escalation, chain: &Chain, stamp: &Stamp) -> Result<(), OpsError> {
    let text = json!(chain).to_string();
    store::state::set(tx, &escalation.key, &scope()?, &text, None, stamp)?;
    Ok(())
}
