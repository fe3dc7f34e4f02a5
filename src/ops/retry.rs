//! Another attempt at a dispatch that failed.

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

/// How many attempts there are beside the first.
const MOST: i64 = 3;
/// The first wait, in milliseconds; each further attempt waits twice as long.
const BACKOFF: i64 = 5_000;
/// The longest wait, in milliseconds.
const LONGEST: i64 = 300_000;
/// The scope of state in which the chains are kept.
const SCOPE: &str = "escalation";

/// How escalation is asked for.
#[derive(Clone, Debug)]
pub struct Escalation {
    /// The key of state under which the chain is kept.
    pub key: Key,
    /// The chain's name.
    pub name: String,
    /// What went wrong: `mode: detail`.
    pub failure: String,
    /// Whether the strongest model may be asked.
    pub strongest: bool,
}

/// What a retry came to.
#[derive(Debug)]
pub enum Retried {
    /// Another attempt is recorded.
    Again {
        /// What the spawn came to.
        spawned: Spawned,
        /// Which attempt it is, the first retry being 1.
        attempt: i64,
        /// How long to wait before it starts, in milliseconds.
        backoff_ms: i64,
        model: Option<String>,
        /// Whether that is a stronger one than before.
        escalated: bool,
        /// What went wrong so far, if escalation was asked for.
        chain: Option<Chain>,
    },
    /// There is no stronger model to ask.
    Exhausted(Chain),
}

/// Returns the dispatch, if another attempt may be made at it.
///
/// # Errors
/// [`StoreError::DispatchNotFound`](store::StoreError::DispatchNotFound), or [`OpsError::NotRetryable`]
/// saying why not.
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

/// Records another attempt. `build` describes it, given its model.
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
