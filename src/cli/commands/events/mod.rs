//! `ic events`: the append-only log of everything that happened.

pub(in crate::cli) mod add;
pub(in crate::cli) mod cursor;
pub(in crate::cli) mod emit;
pub(in crate::cli) mod export;
pub(in crate::cli) mod form;
pub(in crate::cli) mod import;
pub(in crate::cli) mod lines;
pub(in crate::cli) mod list_agency;
pub(in crate::cli) mod list_review;
pub(in crate::cli) mod record;
pub(in crate::cli) mod stats;
pub(in crate::cli) mod tail;
pub(in crate::cli) mod verify;

use std::io::{self, Write};

use crate::app::events::record::EventRecorded;
use crate::cli::args;
use crate::cli::command::Text;
use crate::cli::tree::{Node, command, group, stream};
use crate::domain::ids::RunId;
use crate::domain::stored::Stored;

/// The verbs of `ic events`.
pub(in crate::cli) const NODES: &[Node] = &[
    stream::<tail::Tail>("tail"),
    command::<record::Record>("record"),
    command::<emit::Emit>("emit"),
    command::<add::Add>("add"),
    group("cursor", "Cursors: the last event that each consumer has seen", cursor::NODES),
    stream::<list_review::ListReview>("list-review"),
    stream::<list_agency::ListAgency>("list-agency"),
    command::<stats::Stats>("stats"),
    command::<verify::Verify>("verify"),
    stream::<export::Export>("export"),
    command::<import::Import>("import"),
];

/// Arguments of the commands that record an event.
#[derive(Clone, Debug, clap::Args)]
struct RecordArgs {
    /// The payload: JSON, @FILE that holds it, or - for stdin
    #[arg(long, value_name = "JSON")]
    payload: Option<Stored>,
    /// The run that the event belongs to
    #[arg(long, value_name = "ID")]
    run: Option<Stored<RunId>>,
    /// The caller's session [default: `CLAUDE_CODE_SESSION_ID`, else `CLAUDE_SESSION_ID`, else
    /// `INTERMUTE_AGENT_ID`]
    #[arg(long)]
    session: Option<Stored>,
    /// The project's directory [default: the working directory]
    #[arg(long, value_name = "DIR")]
    project: Option<Stored>,
    /// Record once per key: a repeat returns the first event's number
    #[arg(long, value_name = "KEY", value_parser = args::stored(args::key))]
    idempotency_key: Option<Stored>,
}

impl Text for EventRecorded {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        if self.prints_ok { writeln!(w, "ok") } else { writeln!(w, "{}", self.id) }
    }
}
