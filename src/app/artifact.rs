//! Artifacts of a run.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::run::find::RunSelector;
use super::{CommandContext, Error, Reply};
use crate::domain::artifact::{Artifact, ArtifactStatus};
use crate::domain::coordination::Fence;
use crate::domain::ids::{ArtifactId, DispatchId, RunId};
use crate::domain::phase::{Chain, Phase};
use crate::domain::text::one_line;
use crate::ops::once::{Key, once};
use crate::ops::{OpsError, coordination, members};
use crate::os::files;
use crate::store;
use crate::store::artifact::NewArtifact;

/// An artifact to add to a run.
#[derive(Debug)]
pub(crate) struct AddRequest {
    pub run_id: RunId,
    pub phase: Phase,
    /// Relative to the working directory, or absolute.
    pub path: String,
    pub kind: String,
    pub dispatch_id: Option<DispatchId>,
    /// A lock and its token: nothing is added unless the lock still holds under it.
    pub fence: Option<Fence>,
    pub idempotency_key: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ArtifactAdded {
    pub id: ArtifactId,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ArtifactAnswer {
    /// `sha256:` and 64 hexadecimal digits. Missing if the file could not be read when the artifact was
    /// added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_hash: Option<String>,
    /// Unix seconds.
    pub created_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dispatch_id: Option<DispatchId>,
    pub id: ArtifactId,
    /// The path as the caller gave it.
    pub path: String,
    pub phase: Phase,
    pub run_id: RunId,
    pub status: ArtifactStatus,
    #[serde(rename = "type")]
    pub kind: String,
}

impl From<Artifact> for ArtifactAnswer {
    fn from(artifact: Artifact) -> Self {
        Self {
            content_hash: artifact.content_hash,
            created_at: artifact.created_at,
            dispatch_id: artifact.dispatch_id,
            id: artifact.id,
            path: artifact.path,
            phase: artifact.phase,
            run_id: artifact.run_id,
            status: artifact.status,
            kind: artifact.kind,
        }
    }
}

/// Artifacts in the order in which they were added.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct Artifacts(pub Vec<ArtifactAnswer>);

/// Adds an artifact with the hash of its file. A file that cannot be read is no error: there is no hash then.
///
/// # Errors
/// [`Error::Ops`] if the run does not exist, the fence does not hold, or the key was used with other
/// arguments.
pub(crate) fn add(cx: &mut CommandContext, request: AddRequest) -> Result<Reply<ArtifactAdded>, Error> {
    let AddRequest { run_id, phase, path, kind, dispatch_id, fence, idempotency_key } = request;
    // Without a working directory a relative path leads nowhere, and there is no hash.
    let file = cx.cwd().map_or_else(|_| Path::new(&path).to_owned(), |cwd| cwd.join(&path));
    let content_hash = files::sha256_file(&file).unwrap_or_else(|err| {
        cx.warn(format_args!("{} is filed without a hash: {err}", one_line(&path)));
        None
    });
    // The content of the file is no argument of the caller: a repeat may find another one.
    let arguments = NewArtifact { run_id, phase, path, kind, content_hash: None, dispatch_id };
    let new = NewArtifact { content_hash, ..arguments.clone() };
    let stamp = cx.stamp.clone();
    let key = Key { command: "artifact add", key: idempotency_key.as_deref() };
    let (added, chain) = cx.write(|tx| {
        let add = || {
            if let Some(Fence { lock, token }) = &fence {
                coordination::verify(tx, lock, *token, &stamp)?;
            }
            Ok(ArtifactAdded { id: members::add_artifact(tx, &new, &stamp)?.0.id })
        };
        let added = once(tx, key, &arguments, &stamp, add)?;
        Ok::<_, OpsError>((added, store::run::get(tx, &new.run_id)?.chain()))
    })?;
    warn_unless_in_chain(cx, &chain, &new.phase);
    Ok(Reply::yes(added))
}

/// Warns about a phase that is not in the chain of its run: no gate and no step looks at what belongs to it.
pub(super) fn warn_unless_in_chain(cx: &CommandContext, chain: &Chain, phase: &Phase) {
    if chain.index(phase).is_none() {
        let chain: Vec<&str> = chain.phases().iter().map(Phase::as_str).collect();
        let phase = one_line(phase.as_str());
        cx.warn(format_args!("phase \"{phase}\" is not in the run's chain ({})", chain.join(", ")));
    }
}

/// Returns an artifact.
///
/// # Errors
/// [`Error::Ops`] if the artifact does not exist.
pub(crate) fn get(cx: &mut CommandContext, id: &ArtifactId) -> Result<Reply<ArtifactAnswer>, Error> {
    let artifact = cx.read(|tx| store::artifact::get(tx, id))?;
    Ok(Reply::yes(artifact.into()))
}

/// Returns the artifacts of a run, all or those of one phase.
///
/// # Errors
/// As [`RunTarget::find`](super::run::find::RunTarget::find).
pub(crate) fn list(
    cx: &mut CommandContext,
    run: RunSelector,
    phase: Option<&str>,
) -> Result<Reply<Artifacts>, Error> {
    let target = run.resolve(&cx.env)?;
    let artifacts = cx.read(|tx| {
        let run = target.find(tx)?;
        Ok::<_, Error>(match phase.map(str::parse::<Phase>) {
            None => store::artifact::list(tx, &run.id, None)?,
            Some(Ok(phase)) => store::artifact::list(tx, &run.id, Some(&phase))?,
            // No phase has an empty name.
            Some(Err(_)) => Vec::new(),
        })
    })?;
    Ok(Reply::yes(Artifacts(artifacts.into_iter().map(ArtifactAnswer::from).collect())))
}
