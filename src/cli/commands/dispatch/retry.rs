//! `ic dispatch retry`

use std::io::{self, Write};

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::app::dispatch::retry::{
    self, EscalationRequest, FailureMode, NextAttempt, RetryAnswer, RetryRequest,
};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::args;
use crate::cli::command::{Access, Command, Text};
use crate::domain::ids::DispatchId;
use crate::domain::stored::Stored;
use crate::domain::text::one_line;

/// Make another attempt at a dispatch that failed or timed out
///
/// It starts after a delay that doubles with each attempt, or at once with --now. There are at most three
/// retries, and each attempt can be retried once. With --escalate the model climbs the ladder sonnet, opus,
/// fable after every second failure of a chain, and the prompt describes the failures so far.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic dispatch retry w8d2f5gh --now\n         \
                        ic dispatch retry w8d2f5gh --escalate --failure-mode=verdict-fail")]
pub(in crate::cli) struct Retry {
    /// The dispatch
    id: DispatchId,
    /// Start without a delay
    #[arg(long)]
    now: bool,
    /// Try a stronger model if this one fails repeatedly
    #[arg(long)]
    escalate: bool,
    /// The chain of attempts that this one belongs to [default: the dispatch]
    #[arg(long, value_name = "KEY", requires = "escalate")]
    chain_key: Option<Stored>,
    /// The way in which the dispatch failed
    #[arg(long, value_name = "MODE", requires = "escalate")]
    failure_mode: Option<FailureMode>,
    /// A description of the failure
    #[arg(long, value_name = "TEXT", requires = "escalate")]
    failure_detail: Option<Stored>,
}

impl ValueEnum for FailureMode {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Timeout, Self::Error, Self::VerdictFail, Self::CriteriaFail]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self {
            Self::Timeout => "It took too long",
            Self::Error => "It ended with an error",
            Self::VerdictFail => "Its verdict was negative",
            Self::CriteriaFail => "It did not meet the criteria",
        };
        Some(PossibleValue::new(self.as_str()).help(help))
    }
}

impl Command for Retry {
    type Answer = RetryAnswer;
    const ACCESS: Access = Access::Process;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<RetryAnswer>, Error> {
        let Self { id, now, escalate, chain_key, failure_mode, failure_detail } = self;
        let escalation = escalate.then(|| EscalationRequest {
            chain_key: chain_key.map(Stored::into_inner),
            failure_mode,
            failure_detail: args::given_stored(failure_detail),
        });
        retry::retry(cx, RetryRequest { id, now, escalation })
    }
}

impl Text for RetryAnswer {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        let Self::Started(attempt) = self else { return Ok(()) };
        let NextAttempt { attempt, backoff_ms, escalated, model, new_id, .. } = attempt;
        match (model, escalated) {
            (Some(model), Some(escalated)) => {
                let model = one_line(model);
                writeln!(w, "{new_id}\tmodel={model}\tescalated={escalated}\tbackoff_ms={backoff_ms}")
            }
            _ => writeln!(w, "{new_id}\tattempt={attempt}\tbackoff_ms={backoff_ms}"),
        }
    }
}
