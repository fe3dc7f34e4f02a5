//! `ic events list-agency`

use super::lines::JsonLines;
use crate::app::events::query::{self, AgencyRow, MAX_ROWS, QueryRequest};
use crate::app::reply::Sink;
use crate::app::{CommandContext, Error, Verdict};
use crate::cli::args;
use crate::cli::command::{Access, StreamCommand};
use crate::cli::output::Output;
use crate::domain::ids::RunId;

/// List agency events as lines of JSON, oldest first
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic events list-agency --agency=research")]
pub(in crate::cli) struct ListAgency {
    /// Only events of this agency
    #[arg(long)]
    agency: Option<String>,
    /// Only events of this run
    #[arg(long, value_name = "ID")]
    run: Option<RunId>,
    /// Only events after this number
    #[arg(long, value_name = "ID", default_value_t = 0)]
    since: i64,
    /// At most so many; 0 for a thousand
    #[arg(long, value_name = "N", default_value_t = MAX_ROWS)]
    limit: i64,
}

impl StreamCommand for ListAgency {
    type Item = AgencyRow;
    type Line = AgencyRow;
    const ACCESS: Access = Access::Read;

    fn sink(&self, out: Output) -> Result<Box<dyn Sink<AgencyRow>>, Error> {
        Ok(Box::new(JsonLines::new(out)))
    }

    fn run(self, cx: &mut CommandContext, sink: &mut dyn Sink<AgencyRow>) -> Result<Verdict, Error> {
        let request = QueryRequest {
            subject: args::given(self.agency),
            run_id: self.run,
            since: self.since,
            limit: self.limit,
        };
        query::agencies(cx, request, sink)
    }
}
