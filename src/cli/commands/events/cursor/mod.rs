//! `ic events cursor`: the last event that each consumer has seen.

pub(in crate::cli) mod get;
pub(in crate::cli) mod list;
pub(in crate::cli) mod register;
pub(in crate::cli) mod reset;
pub(in crate::cli) mod set;

use std::io::{self, Write};

use crate::app::events::cursor::{CursorName, CursorStatus, consumer_name};
use crate::cli::args;
use crate::cli::command::Text;
use crate::cli::tree::{Node, command};
use crate::domain::ids::RunId;
use crate::domain::stored::Stored;

/// The verbs of `ic events cursor`.
pub(in crate::cli) const NODES: &[Node] = &[
    command::<list::List>("list"),
    command::<get::Get>("get"),
    command::<set::Set>("set"),
    command::<register::Register>("register"),
    command::<reset::Reset>("reset"),
];

/// A cursor that is looked for.
#[derive(Clone, Debug, clap::Args)]
struct CursorArgs {
    /// The consumer
    #[arg(value_parser = consumer_name)]
    consumer: String,
    /// The cursor of this run's events, not of all events
    #[arg(long, value_name = "ID")]
    run: Option<RunId>,
}

impl From<CursorArgs> for CursorName {
    fn from(args: CursorArgs) -> Self {
        Self { consumer: args.consumer, run_id: args.run.map(|run| run.as_str().to_owned()) }
    }
}

/// A cursor that may be created.
#[derive(Clone, Debug, clap::Args)]
struct NewCursorArgs {
    /// The consumer
    #[arg(value_parser = args::stored(consumer_name))]
    consumer: Stored,
    /// The cursor of this run's events, not of all events
    #[arg(long, value_name = "ID")]
    run: Option<Stored<RunId>>,
}

impl From<NewCursorArgs> for CursorName {
    fn from(args: NewCursorArgs) -> Self {
        let run_id = args.run.map(|run| run.as_str().to_owned());
        Self { consumer: args.consumer.into_inner(), run_id }
    }
}

impl Text for CursorStatus {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{}", self.position)
    }
}
