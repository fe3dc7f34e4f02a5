//! `ic artifact add`

use std::io::{self, Write};

use crate::app::artifact::{self, AddRequest, ArtifactAdded};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::args;
use crate::cli::command::{Access, Command, Text};
use crate::domain::coordination::Fence;
use crate::domain::ids::RunId;
use crate::domain::phase::Phase;
use crate::domain::stored::Stored;
use crate::domain::text::Required;

const DEFAULT_TYPE: &str = "file";

/// Add an artifact to a phase of a run
///
/// The content of the file is hashed if it can be read from the working directory; the file need not exist.
/// With --fence nothing is added if the lock no longer holds under its token.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic artifact add k3x9q2ab --phase=planned --path=docs/plan.md --type=plan")]
pub(in crate::cli) struct Add {
    /// The run that produced the artifact
    run: RunId,
    /// The phase that the artifact belongs to
    #[arg(long)]
    phase: Stored<Phase>,
    /// The path of the file, kept as given
    #[arg(long)]
    path: Stored<Required>,
    /// Kind of artifact, free text
    #[arg(long = "type", value_name = "TYPE", default_value = DEFAULT_TYPE)]
    kind: Stored,
    /// The dispatch that made the artifact
    #[arg(long, value_name = "ID")]
    dispatch: Option<Stored>,
    /// Add the artifact only if this lock still holds under this token
    #[arg(long, value_name = "LOCK:TOKEN")]
    fence: Option<Fence>,
    /// Add the artifact once per key: a repeat returns the first result
    #[arg(long, value_name = "KEY", value_parser = args::stored(args::key))]
    idempotency_key: Option<Stored>,
}

impl Command for Add {
    type Answer = ArtifactAdded;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<ArtifactAdded>, Error> {
        let request = AddRequest {
            run_id: self.run,
            phase: self.phase.into_inner(),
            path: self.path.to_string(),
            kind: args::given_stored(Some(self.kind)).unwrap_or_else(|| DEFAULT_TYPE.to_owned()),
            dispatch_id: self.dispatch.and_then(|id| id.parse().ok()),
            fence: self.fence,
            idempotency_key: self.idempotency_key.map(Stored::into_inner),
        };
        artifact::add(cx, request)
    }
}

impl Text for ArtifactAdded {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{}", self.id)
    }
}
