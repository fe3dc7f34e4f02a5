//! `ic events emit`

use std::io;

use super::RecordArgs;
use crate::app::events::record::{self, DEFAULT_SOURCE, EventRecorded, RecordRequest};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::args;
use crate::cli::command::{Access, Command};
use crate::domain::event::Source;
use crate::domain::ids::RunId;
use crate::domain::stored::Stored;

/// Record an event of a run, in short
///
/// As `ic events record`, with the run and the type as words.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic events emit \"$run\" built --payload='{\"ok\":true}'")]
pub(in crate::cli) struct Emit {
    /// The run that the event belongs to
    #[arg(value_name = "RUN")]
    of: Option<Stored<RunId>>,
    /// The type of the event
    #[arg(value_name = "TYPE", requires = "of")]
    what: Option<Stored>,
    /// The source of the event
    #[arg(long, default_value = DEFAULT_SOURCE)]
    source: Stored<Source>,
    /// The type of the event, in place of the word
    #[arg(long = "type", value_name = "TYPE", conflicts_with = "what")]
    kind: Option<Stored>,
    /// Another name for --payload
    #[arg(long, value_name = "JSON", conflicts_with = "payload")]
    context: Option<Stored>,
    #[command(flatten)]
    event: RecordArgs,
}

impl Command for Emit {
    type Answer = EventRecorded;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<EventRecorded>, Error> {
        let Some(kind) = self.what.or(self.kind) else {
            return Err(Error::usage("events emit: --type is required"));
        };
        let RecordArgs { payload, run, session, project, idempotency_key } = self.event;
        if self.of.is_some() && run.as_ref().is_some_and(|run| Some(run) != self.of.as_ref()) {
            return Err(Error::usage("events emit: --run names another run"));
        }
        let request = RecordRequest {
            command: "events emit",
            source: self.source.into_inner(),
            kind: kind.into_inner(),
            payload_flag: if self.context.is_some() { "--context" } else { "--payload" },
            payload: payload.or(self.context).map(Stored::into_inner),
            run_id: self.of.or(run).map(Stored::into_inner),
            session: args::given_stored(session),
            project_dir: args::given_stored(project),
            idempotency_key: idempotency_key.map(Stored::into_inner),
        };
        record::record(cx, request, &mut io::stdin().lock())
    }
}
