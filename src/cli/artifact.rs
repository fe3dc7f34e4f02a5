//! `ic artifact`: what a run produced.

use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::args::{self, RunRef};
use super::output::View;
use super::verb::Verb;
use super::{Answer, Cx};
use crate::app::Error;
use crate::domain::artifact::{Artifact, ArtifactStatus};
use crate::domain::ids::{ArtifactId, DispatchId, RunId};
use crate::domain::phase::{Chain, Phase};
use crate::domain::text::{Required, one_line};
use crate::ops::OpsError;
use crate::ops::coordination;
use crate::ops::members;
use crate::ops::once::{Key, once};
use crate::os::files;
use crate::store;
use crate::store::artifact::NewArtifact;

/// File an artifact under a phase of a run
///
/// The content of the file is hashed if it can be read from the working directory; the file need not be there. With --fence
/// nothing is filed if the lock was lost meanwhile, whoever holds it now.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic artifact add k3x9q2ab --phase=planned --path=docs/plan.md --type=plan")]
pub(super) struct Add {
    /// The run that produced it
    run: RunId,
    /// The phase to file it under
    #[arg(long)]
    phase: Phase,
    /// Its path, kept as given
    #[arg(long)]
    path: Required,
    /// Kind of artifact, free text
    #[arg(long = "type", value_name = "TYPE", default_value = "file")]
    kind: String,
    /// The dispatch that made it
    #[arg(long, value_name = "ID")]
    dispatch: Option<String>,
    /// Only if this lock still holds under this token
    #[arg(long, value_name = "LOCK:TOKEN", value_parser = fence)]
    fence: Option<(String, i64)>,
    /// Do this once per key: a repeat answers the same
    #[arg(long, value_name = "KEY", value_parser = args::key)]
    idempotency_key: Option<String>,
}

/// Reads a lock and its token.
pub(super) fn fence(text: &str) -> Result<(String, i64), String> {
    let read = || {
        let (lock, token) = text.rsplit_once(':')?;
        Some((lock.to_owned(), token.parse().ok()?)).filter(|_| !lock.is_empty())
    };
    read().ok_or_else(|| "want a lock and its token, as l3k9x2ab:17".to_owned())
}

#[derive(Serialize, Deserialize)]
struct Added {
    id: ArtifactId,
}

impl View for Added {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{}", self.id)
    }
}

impl Verb for Add {
    const KEPT: &'static [&'static str] = &["phase", "path", "kind", "dispatch", "idempotency_key"];

    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let content_hash = files::sha256_file(Path::new(self.path.as_str())).unwrap_or_else(|err| {
            cx.out.warn(format_args!("{} is filed without a hash: {err}", one_line(self.path.as_str())));
            None
        });
        // What the file holds is not what the caller asked for: a repeat may find another content.
        let asked = NewArtifact {
            run_id: self.run,
            phase: self.phase,
            path: self.path.to_string(),
            kind: args::given(Some(self.kind)).unwrap_or_else(|| "file".to_owned()),
            content_hash: None,
            dispatch_id: self.dispatch.and_then(|id| id.parse::<DispatchId>().ok()),
        };
        let new = NewArtifact { content_hash, ..asked.clone() };
        let stamp = cx.stamp.clone();
        let key = Key { command: "artifact add", key: self.idempotency_key.as_deref() };
        let (added, chain) = cx.write(|tx| {
            let add = || {
                if let Some((lock, token)) = &self.fence {
                    coordination::verify(tx, lock, *token, &stamp)?;
                }
                Ok(Added { id: members::add_artifact(tx, &new, &stamp)?.0.id })
            };
            let added = once(tx, key, &asked, &stamp, add)?;
            Ok::<_, OpsError>((added, store::run::get(tx, &new.run_id)?.chain()))
        })?;
        warn_unless_in(&chain, &new.phase, cx);
        cx.out.show(&added)?;
        Ok(Answer::Yes)
    }
}

/// Says that nothing of the chain will look at what is under `phase`, if it does not know the phase.
pub(super) fn warn_unless_in(chain: &Chain, phase: &Phase, cx: &Cx) {
    if chain.index(phase).is_none() {
        let chain: Vec<&str> = chain.phases().iter().map(Phase::as_str).collect();
        let phase = one_line(phase.as_str());
        cx.out.warn(format_args!("phase \"{phase}\" is not in the run's chain ({})", chain.join(", ")));
    }
}

/// List the artifacts of a run, in the order they were filed
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic artifact list k3x9q2ab --phase=planned")]
pub(super) struct List {
    #[command(flatten)]
    run: RunRef,
    /// Only those filed under this phase
    #[arg(long)]
    phase: Option<String>,
}

/// Show an artifact
///
/// Prints what `ic artifact list` prints of it, whether it counts or was rolled back.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic artifact get w8d2f5gh --json")]
pub(super) struct Get {
    /// The artifact
    id: ArtifactId,
}

impl Verb for Get {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let artifact = cx.read(|tx| store::artifact::get(tx, &self.id))?;
        cx.out.show(&ArtifactView::from(artifact))?;
        Ok(Answer::Yes)
    }
}

#[derive(Serialize)]
struct ArtifactView {
    #[serde(skip_serializing_if = "Option::is_none")]
    content_hash: Option<String>,
    created_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    dispatch_id: Option<DispatchId>,
    id: ArtifactId,
    path: String,
    phase: Phase,
    run_id: RunId,
    status: ArtifactStatus,
    #[serde(rename = "type")]
    kind: String,
}

impl From<Artifact> for ArtifactView {
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

#[derive(Serialize)]
#[serde(transparent)]
struct Artifacts(Vec<ArtifactView>);

impl View for Artifacts {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        self.0.iter().try_for_each(|artifact| artifact.human(w))
    }
}

impl View for ArtifactView {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        let Self { id, phase, kind, path, .. } = self;
        writeln!(w, "{id}\t{}\t{}\t{}", one_line(phase.as_str()), one_line(kind), one_line(path))
    }
}

impl Verb for List {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let wanted = self.run.wanted()?;
        let artifacts = cx.read(|tx| {
            let run = wanted.find(tx)?;
            Ok::<_, Error>(match self.phase.as_deref().map(str::parse::<Phase>) {
                None => store::artifact::list(tx, &run.id, None)?,
                Some(Ok(phase)) => store::artifact::list(tx, &run.id, Some(&phase))?,
                // Nothing is filed under no name.
                Some(Err(_)) => Vec::new(),
            })
        })?;
        cx.out.show(&Artifacts(artifacts.into_iter().map(ArtifactView::from).collect()))?;
        Ok(Answer::Yes)
    }
}
