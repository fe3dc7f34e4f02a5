//! The phase that a run is in.

use schemars::JsonSchema;
use serde::Serialize;

use super::find::{RunSelector, RunTarget};
use crate::app::{CommandContext, Error, Reply};
use crate::domain::ids::RunId;
use crate::domain::phase::Phase;
use crate::store;

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CurrentPhase {
    pub id: RunId,
    pub phase: Phase,
}

/// Returns the phase that a run is in.
///
/// # Errors
/// As [`RunTarget::find`].
pub(crate) fn phase(cx: &mut CommandContext, run: RunSelector) -> Result<Reply<CurrentPhase>, Error> {
    let target = run.resolve(&cx.env)?;
    let answer = cx.read(|tx| match target {
        // Scripts call this often: the row is not decoded where one column suffices.
        RunTarget::Id(id) => Ok::<_, Error>(CurrentPhase { phase: store::run::phase_of(tx, &id)?, id }),
        current @ RunTarget::Current { .. } => {
            let run = current.find(tx)?;
            Ok(CurrentPhase { id: run.id, phase: run.phase })
        }
    })?;
    Ok(Reply::yes(answer))
}
