//! Compares the files of runtime evidence with their hashes, before the transaction that depends on them.

use std::path::Path;

use crate::app::{CommandContext, Error};
use crate::domain::artifact::Artifact;
use crate::domain::ids::{ArtifactId, RunId};
use crate::domain::run::Run;
use crate::ops::{OpsError, gate};
use crate::os::files;
use crate::store;

/// Calls `attempt` without evidence, and once more with it if the step turns out to need it. Most steps do
/// not, and files are not read inside a transaction.
///
/// # Errors
/// Any error of `attempt`.
pub(crate) fn compared<T>(
    cx: &mut CommandContext,
    run: &RunId,
    mut attempt: impl FnMut(&mut CommandContext, Option<Vec<ArtifactId>>) -> Result<T, Error>,
) -> Result<T, Error> {
    match attempt(cx, None) {
        Err(Error::Ops(OpsError::EvidenceUnread(_))) => {
            let unchanged = unchanged(cx, run)?;
            attempt(cx, Some(unchanged))
        }
        done => done,
    }
}

/// Returns the artifacts with runtime evidence whose files still have the hash that they were filed with.
///
/// # Errors
/// [`Error::Ops`] if the run does not exist.
pub(crate) fn unchanged(cx: &mut CommandContext, run: &RunId) -> Result<Vec<ArtifactId>, Error> {
    let (run, receipts) = cx.read(|tx| {
        let run = store::run::get(tx, run)?;
        let receipts = if run.asks_evidence() { gate::receipts(tx, &run)? } else { Vec::new() };
        Ok::<_, OpsError>((run, receipts))
    })?;
    let is_unchanged = |receipt: &Artifact| is_unchanged(cx, &run, receipt);
    Ok(receipts.into_iter().filter(is_unchanged).map(|receipt| receipt.id).collect())
}

/// Checks the file of an artifact in the run's project and, as when it was filed, in the working directory.
fn is_unchanged(cx: &CommandContext, run: &Run, artifact: &Artifact) -> bool {
    let path = Path::new(&artifact.path);
    let hash = |path: &Path| files::sha256_file(path).ok().flatten();
    [hash(&Path::new(&run.project_dir).join(path)), cx.cwd().ok().and_then(|cwd| hash(&cwd.join(path)))]
        .iter()
        .any(|found| found.is_some() && *found == artifact.content_hash)
}
