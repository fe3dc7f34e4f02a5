//! Skip and unskip: phases that a run passes over.

use super::OpsError;
use crate::db::WriteTx;
use crate::domain::ids::RunId;
use crate::domain::phase::Phase;
use crate::domain::time::Stamp;
use crate::store;
use crate::store::phase::Skip;

/// The request of a caller.
#[derive(Clone, Debug)]
pub struct Request {
    pub id: RunId,
    /// The phase to skip or unskip.
    pub phase: Phase,
    /// The reason and the caller.
    pub skip: Skip,
    /// The phase in which the caller expects the run.
    pub expect: Option<Phase>,
}

/// Skips a phase. Does nothing if it is skipped already.
///
/// # Errors
/// * [`StoreError`](store::StoreError) for an unknown run, a terminal one, or one in another phase than
///   expected.
/// * [`OpsError`] for a phase that is not in the chain, not ahead, or the last one.
pub fn skip(tx: &WriteTx<'_>, request: &Request, stamp: &Stamp) -> Result<(), OpsError> {
    let run = store::run::get(tx, &request.id)?;
    super::require_active(&run)?;
    super::require_phase(&run, request.expect.as_ref())?;
    super::require_in_chain(&run)?;
    let chain = run.chain();
    let phase = &request.phase;
    if chain.index(phase).is_none() {
        return Err(OpsError::SkipNotInChain(phase.clone()));
    }
    if chain.last() == phase {
        return Err(OpsError::SkipTerminal(phase.clone()));
    }
    if !chain.after(&run.phase).contains(phase) {
        return Err(OpsError::SkipNotAhead { phase: phase.clone(), current: run.phase });
    }
    if !store::phase::skips(tx, &run)?.contains_key(phase) {
        store::phase::add_skip(tx, &run, phase, &request.skip, None, stamp)?;
    }
    Ok(())
}

/// Removes a skip.
///
/// # Errors
/// As [`skip`]; [`OpsError::NotSkipped`] if the phase is not skipped.
pub fn unskip(tx: &WriteTx<'_>, request: &Request, stamp: &Stamp) -> Result<(), OpsError> {
    let run = store::run::get(tx, &request.id)?;
    super::require_active(&run)?;
    super::require_phase(&run, request.expect.as_ref())?;
    let phase = &request.phase;
    let skips = store::phase::skips(tx, &run)?;
    let found = skips.get(phase).ok_or_else(|| OpsError::NotSkipped(phase.clone()))?;
    let Skip { reason, actor } = &request.skip;
    let said = actor.as_ref().map_or_else(|| reason.clone(), |actor| format!("actor={actor}: {reason}"));
    store::phase::clear_skip(tx, &run, phase, found, Some(said), None, stamp)?;
    Ok(())
}
