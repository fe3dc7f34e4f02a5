//! `ic events add`

use crate::app::events::record::{self, EventRecorded, NoteRequest};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::args::{self, RunRef};
use crate::cli::command::{Access, Command};
use crate::domain::stored::Stored;

/// Add a note to the history of a run
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic events add --type=note --detail='waiting for review'")]
pub(in crate::cli) struct Add {
    #[command(flatten)]
    run: RunRef,
    /// The type of the event
    #[arg(long = "type", value_name = "TYPE")]
    kind: Stored,
    /// The note, free text
    #[arg(long, value_name = "TEXT")]
    detail: Option<Stored>,
    /// Add once per key: a repeat returns the first event's number
    #[arg(long, value_name = "KEY", value_parser = args::stored(args::key))]
    idempotency_key: Option<Stored>,
}

impl Command for Add {
    type Answer = EventRecorded;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<EventRecorded>, Error> {
        let request = NoteRequest {
            kind: self.kind.into_inner(),
            detail: args::given_stored(self.detail),
            idempotency_key: self.idempotency_key.map(Stored::into_inner),
        };
        record::add_note(cx, request, self.run.into())
    }
}
