//! `ic interspect query`

use crate::app::events::query::{self, EvidenceRow, QueryRequest};
use crate::app::reply::Sink;
use crate::app::{CommandContext, Error, Verdict};
use crate::cli::args;
use crate::cli::command::{Access, StreamCommand};
use crate::cli::commands::events::lines::JsonLines;
use crate::cli::output::Output;

/// List the evidence about agents as lines of JSON, oldest first
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic interspect query --agent=reviewer")]
pub(in crate::cli) struct Query {
    /// Only evidence about this agent
    #[arg(long)]
    agent: Option<String>,
    /// Only events after this number
    #[arg(long, value_name = "ID", default_value_t = 0)]
    since: i64,
    /// At most so many; 0 for a thousand
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: i64,
}

impl StreamCommand for Query {
    type Item = EvidenceRow;
    type Line = EvidenceRow;
    const ACCESS: Access = Access::Read;

    fn sink(&self, out: Output) -> Result<Box<dyn Sink<EvidenceRow>>, Error> {
        Ok(Box::new(JsonLines::new(out)))
    }

    fn run(self, cx: &mut CommandContext, sink: &mut dyn Sink<EvidenceRow>) -> Result<Verdict, Error> {
        let subject = args::given(self.agent);
        query::evidence(
            cx,
            QueryRequest { subject, run_id: None, since: self.since, limit: self.limit },
            sink,
        )
    }
}
