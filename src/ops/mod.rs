//! Use cases over several stores, each inside the one transaction that the caller opened. Nothing here opens
//! a database, prints, or has effects outside of the database: effects that must follow a commit are returned
//! as data.

pub mod advance;
pub mod cancel;
pub mod config;
pub mod consume;
pub mod coordination;
pub mod create;
pub mod dispatch;
mod error;
pub mod gate;
pub mod import;
pub mod import_log;
pub mod interspect;
pub mod members;
pub mod once;
pub mod override_gate;
pub mod record;
pub mod restore;
pub mod retry;
pub mod rollback;
pub mod settings;
pub mod skip;
pub mod spawn;
pub mod task;
pub mod undo;

#[cfg(test)]
mod tests;

pub use error::OpsError;

use crate::domain::phase::Phase;
use crate::domain::run::Run;
use crate::store::StoreError;

/// Refuses a run that has ended.
fn require_active(run: &Run) -> Result<(), OpsError> {
    if run.status.is_terminal() {
        return Err(StoreError::Terminal { run: run.id.clone(), status: run.status }.into());
    }
    Ok(())
}

/// Refuses a run that is not in the phase that the caller expects.
fn require_phase(run: &Run, expected: Option<&Phase>) -> Result<(), OpsError> {
    match expected {
        Some(expected) if *expected != run.phase => Err(StoreError::StalePhase {
            run: run.id.clone(),
            expected: expected.clone(),
            actual: run.phase.clone(),
        }
        .into()),
        _ => Ok(()),
    }
}

/// Refuses a run whose phase is not in its own chain.
fn require_in_chain(run: &Run) -> Result<(), OpsError> {
    if run.chain().index(&run.phase).is_none() {
        return Err(OpsError::PhaseNotInChain { run: run.id.clone(), phase: run.phase.clone() });
    }
    Ok(())
}
