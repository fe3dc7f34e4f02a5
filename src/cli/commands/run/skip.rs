//! `ic run skip`, `ic phase skip`

use crate::app::run::skip::{self, SkipAnswer, SkipRequest};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::args;
use crate::cli::command::{Access, Command};
use crate::domain::ids::RunId;
use crate::domain::phase::Phase;
use crate::domain::stored::Stored;
use crate::domain::text::Required;

/// Skip a phase that is ahead of a run
///
/// The run walks past the phase. The phase that is left still has to meet its own exit rules; only those of
/// the skipped phase are waived. The last phase cannot be skipped. Skipping a phase twice changes nothing.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic run skip \"$run\" polish --reason='nothing to polish'")]
pub(in crate::cli) struct Skip {
    #[command(flatten)]
    phase: PhaseArgs,
}

/// The phase of a run that is skipped, or no longer skipped.
#[derive(Debug, clap::Args)]
pub(super) struct PhaseArgs {
    /// The run
    id: RunId,
    /// The phase
    phase: Phase,
    /// The reason
    #[arg(long, value_name = "TEXT")]
    reason: Stored<Required>,
    /// The name of the caller
    #[arg(long, value_name = "NAME")]
    actor: Option<Stored>,
    /// Do it only if the run is in this phase (exit 1 otherwise)
    #[arg(long, value_name = "PHASE")]
    expect_phase: Option<Phase>,
}

impl From<PhaseArgs> for SkipRequest {
    fn from(args: PhaseArgs) -> Self {
        Self {
            run: args.id,
            phase: args.phase,
            reason: args.reason.to_string(),
            actor: args::given_stored(args.actor),
            expect_phase: args.expect_phase,
        }
    }
}

impl Command for Skip {
    type Answer = SkipAnswer;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<SkipAnswer>, Error> {
        skip::skip(cx, self.phase.into())
    }
}
