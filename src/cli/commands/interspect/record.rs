//! `ic interspect record`

use crate::app::events::record::{self, EventRecorded, EvidenceRequest};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::args;
use crate::cli::command::{Access, Command};
use crate::domain::ids::RunId;
use crate::domain::stored::Stored;

/// Record evidence about an agent
#[derive(Debug, clap::Parser)]
#[command(
    after_help = "Example: ic interspect record --agent=reviewer --type=override --reason='false alarm'"
)]
pub(in crate::cli) struct Record {
    /// The agent
    #[arg(long)]
    agent: Stored,
    /// The type of the evidence
    #[arg(long = "type", value_name = "TYPE")]
    kind: Stored,
    /// The reason for which the agent was overridden
    #[arg(long, value_name = "TEXT")]
    reason: Option<Stored>,
    /// Further details: a JSON object, or text
    #[arg(long, value_name = "TEXT")]
    context: Option<Stored>,
    /// The caller's session
    #[arg(long)]
    session: Option<Stored>,
    /// The project's directory
    #[arg(long, value_name = "DIR")]
    project: Option<Stored>,
    /// The run that the evidence belongs to
    #[arg(long, value_name = "ID")]
    run: Option<Stored<RunId>>,
    /// Record once per key: a repeat returns the first event's number
    #[arg(long, value_name = "KEY", value_parser = args::stored(args::key))]
    idempotency_key: Option<Stored>,
}

impl Command for Record {
    type Answer = EventRecorded;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<EventRecorded>, Error> {
        let request = EvidenceRequest {
            agent: self.agent.into_inner(),
            kind: self.kind.into_inner(),
            reason: args::given_stored(self.reason),
            context: args::given_stored(self.context),
            session: args::given_stored(self.session),
            project_dir: args::given_stored(self.project),
            run_id: self.run.map(Stored::into_inner),
            idempotency_key: self.idempotency_key.map(Stored::into_inner),
        };
        record::record_evidence(cx, request)
    }
}
