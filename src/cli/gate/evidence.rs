//! Comparing the files of runtime evidence with their hashes, before the transaction that needs to know.

use std::path::Path;

use crate::app::{CommandContext, Error};
use crate::cli::Cx;
use crate::domain::artifact::Artifact;
use crate::domain::ids::{ArtifactId, RunId};
use crate::domain::run::Run;
use crate::ops::{OpsError, gate};
use crate::os::files;
use crate::store;

/// Calls `attempt` without evidence, and once more with it if the step turns out to need it: most steps do not, and files
/// are not read inside a transaction.
pub(in crate::cli) fn compared<T>(
    cx: &mut Cx,
    run: &RunId,
    mut attempt: impl FnMut(&mut Cx, Option<Vec<ArtifactId>>) -> Result<T, Error>,
) -> Result<T, Error> {
    match attempt(cx, None) {
        Err(Error::Ops(OpsError::EvidenceUnread(_))) => {
            let unchanged = unchanged(cx, run)?;
            attempt(cx, Some(unchanged))
        }
        done => done,
    }
}

/// Returns the artifacts with runtime evidence whose files have the hash that they were filed with.
pub(crate) fn unchanged(cx: &mut CommandContext, run: &RunId) -> Result<Vec<ArtifactId>, Error> {
    let (run, receipts) = cx.read(|tx| {
        let run = store::run::get(tx, run)?;
        let receipts = if run.asks_evidence() { gate::receipts(tx, &run)? } else { Vec::new() };
        Ok::<_, OpsError>((run, receipts))
    })?;
    Ok(receipts.into_iter().filter(|receipt| is_unchanged(&run, receipt)).map(|receipt| receipt.id).collect())
}

/// Checks the file of an artifact where the run's project is and, as when it was filed, in the working directory.
fn is_unchanged(run: &Run, artifact: &Artifact) -> bool {
    let path = Path::new(&artifact.path);
    let hash = |path: &Path| files::sha256_file(path).ok().flatten();
    [hash(&Path::new(&run.project_dir).join(path)), hash(path)]
        .iter()
        .any(|found| found.is_some() && *found == artifact.content_hash)
}
