//! `ic dispatch tokens`: what a dispatch has used.

use std::io::{self, Write};

use serde::Serialize;

use super::settle;
use crate::app::Error;
use crate::cli::output::View;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx};
use crate::domain::budget::Standing;
use crate::domain::dispatch::MOST_TOKENS;
use crate::domain::ids::DispatchId;
use crate::ops;
use crate::ops::dispatch::Crossing;
use crate::store::dispatch::NewTokens;

/// Set the tokens that a dispatch has used
///
/// The numbers are totals, not additions; what is not given stays as it is. Passing a threshold of the run's budget is an
/// event.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic dispatch tokens w8d2f5gh --in=12000 --out=800")]
pub(in crate::cli) struct Tokens {
    /// The dispatch
    id: DispatchId,
    /// Read by the model
    #[arg(long = "in", value_name = "N", value_parser = clap::value_parser!(i64).range(0..=MOST_TOKENS))]
    input: Option<i64>,
    /// Written by the model
    #[arg(long = "out", value_name = "N", value_parser = clap::value_parser!(i64).range(0..=MOST_TOKENS))]
    output: Option<i64>,
    /// Read from a cache
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..=MOST_TOKENS))]
    cache: Option<i64>,
    /// Accepted for callers of old: numbers are always set
    #[arg(long)]
    set: bool,
}

#[derive(Serialize)]
struct Updated {
    status: &'static str,
}

impl View for Updated {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{}", self.status)
    }
}

impl Verb for Tokens {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let Self { id, input, output, cache, set: _ } = self;
        if input.or(output).or(cache).is_none() {
            return Err(Error::usage("dispatch tokens: provide at least one of --in, --out, --cache"));
        }
        settle::stop_processes(cx)?;
        let tokens = NewTokens { input, output, cache };
        let stamp = cx.stamp.clone();
        for crossing in cx.write(|tx| ops::dispatch::set_tokens(tx, &id, &tokens, &stamp))? {
            let Crossing { standing, used, budget } = crossing;
            let word = if standing == Standing::Exceeded { "exceeded" } else { "warning" };
            cx.out.warn(format_args!("budget {word}: {used} of {} tokens used", budget.tokens));
        }
        cx.out.show(&Updated { status: "updated" })?;
        Ok(Answer::Yes)
    }
}
