//! `ic events list-review`

use super::lines::JsonLines;
use crate::app::events::query::{self, MAX_ROWS, QueryRequest, ReviewRow};
use crate::app::reply::Sink;
use crate::app::{CommandContext, Error, Verdict};
use crate::cli::command::{Access, StreamCommand};
use crate::cli::output::Output;

/// List review events as lines of JSON, oldest first
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic events list-review --since=40")]
pub(in crate::cli) struct ListReview {
    /// Only events after this number
    #[arg(long, value_name = "ID", default_value_t = 0)]
    since: i64,
    /// At most so many; 0 for a thousand
    #[arg(long, value_name = "N", default_value_t = MAX_ROWS)]
    limit: i64,
}

impl StreamCommand for ListReview {
    type Item = ReviewRow;
    type Line = ReviewRow;
    const ACCESS: Access = Access::Read;

    fn sink(&self, out: Output) -> Result<Box<dyn Sink<ReviewRow>>, Error> {
        Ok(Box::new(JsonLines::new(out)))
    }

    fn run(self, cx: &mut CommandContext, sink: &mut dyn Sink<ReviewRow>) -> Result<Verdict, Error> {
        let request = QueryRequest { since: self.since, limit: self.limit, ..QueryRequest::default() };
        query::reviews(cx, request, sink)
    }
}
