//! `ic events record`

use std::io;

use super::RecordArgs;
use crate::app::events::record::{self, EventRecorded, RecordRequest};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::args;
use crate::cli::command::{Access, Command};
use crate::domain::event::Source;
use crate::domain::stored::Stored;

/// Record an event
///
/// A source of the caller's own takes any JSON. The sources review, interspect, coordination, intent and
/// agency have a form, which is checked. The sources of the kernel (phase, run, agent, artifact, action,
/// dispatch, discovery, log, state, import, task) are not for callers. Prints the event's number; for
/// coordination and intent, `ok`.
#[derive(Debug, clap::Parser)]
#[command(
    after_help = "Example: ic events record --source=my-ci --type=built --run=\"$run\" --payload='{\"ok\":true}'\n         \
                        ic events record --source=my-ci --type=log --payload=@build.json"
)]
pub(in crate::cli) struct Record {
    /// The source of the event: a name of the caller's own, or review, interspect, coordination, intent,
    /// agency
    #[arg(long)]
    source: Stored<Source>,
    /// The type of the event
    #[arg(long = "type", value_name = "TYPE")]
    kind: Stored,
    #[command(flatten)]
    event: RecordArgs,
}

impl Command for Record {
    type Answer = EventRecorded;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<EventRecorded>, Error> {
        let prints_ok = ["coordination", "intent"].contains(&self.source.as_str());
        let request = RecordRequest {
            command: "events record",
            source: self.source.into_inner(),
            kind: self.kind.into_inner(),
            payload: self.event.payload.map(Stored::into_inner),
            payload_flag: "--payload",
            run_id: self.event.run.map(Stored::into_inner),
            session: args::given_stored(self.event.session),
            project_dir: args::given_stored(self.event.project),
            idempotency_key: self.event.idempotency_key.map(Stored::into_inner),
        };
        let mut reply = record::record(cx, request, &mut io::stdin().lock())?;
        reply.answer.prints_ok = prints_ok;
        Ok(reply)
    }
}
