//! `ic dispatch tokens`

use std::io::{self, Write};

use crate::app::dispatch::tokens::{self, TokenTotals, TokensUpdated};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::domain::dispatch::MOST_TOKENS;
use crate::domain::ids::DispatchId;

/// Set the tokens that a dispatch has used
///
/// The numbers are totals, not additions; a counter that is not given stays unchanged. Passing a threshold of
/// the run's budget is recorded as an event.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic dispatch tokens w8d2f5gh --in=12000 --out=800")]
pub(in crate::cli) struct Tokens {
    /// The dispatch
    id: DispatchId,
    /// Tokens read by the model
    #[arg(long = "in", value_name = "N", value_parser = clap::value_parser!(i64).range(0..=MOST_TOKENS))]
    input: Option<i64>,
    /// Tokens written by the model
    #[arg(long = "out", value_name = "N", value_parser = clap::value_parser!(i64).range(0..=MOST_TOKENS))]
    output: Option<i64>,
    /// Tokens read from a cache
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..=MOST_TOKENS))]
    cache: Option<i64>,
    /// Accepted for older callers: numbers are always set
    #[arg(long)]
    set: bool,
}

impl Command for Tokens {
    type Answer = TokensUpdated;
    const ACCESS: Access = Access::Process;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<TokensUpdated>, Error> {
        let Self { id, input, output, cache, set: _ } = self;
        tokens::set(cx, &id, &TokenTotals { input, output, cache })
    }
}

impl Text for TokensUpdated {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{}", self.status)
    }
}
