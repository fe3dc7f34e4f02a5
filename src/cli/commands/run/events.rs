//! `ic run events`, `ic phase history`

use std::io::{self, Write};

use crate::app::run::events::{self, RunEvents};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::args::RunRef;
use crate::cli::command::{Access, Command, Text};
use crate::domain::event::Source;
use crate::domain::text::one_line;

/// Show the history of a run, oldest event first
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic run events \"$run\" --json")]
pub(in crate::cli) struct Events {
    #[command(flatten)]
    run: RunRef,
    /// Show not only phase events: also creation, agents, artifacts, actions and dispatches
    #[arg(long)]
    all_sources: bool,
}

impl Command for Events {
    type Answer = RunEvents;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<RunEvents>, Error> {
        events::events(cx, self.run.into(), self.all_sources)
    }
}

impl Text for RunEvents {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        for event in &self.0 {
            let (from, to) = (one_line(&event.from_phase), one_line(&event.to_phase));
            let kind = match (&event.source, &event.subject) {
                (Some(source), Some(subject)) if *source != Source::PHASE => {
                    format!("{source} {} {subject}", event.event_type)
                }
                _ => event.event_type.clone(),
            };
            let result = event.gate_result.as_ref().and_then(|result| result.as_str()).unwrap_or_default();
            let reason = one_line(event.reason.as_deref().unwrap_or(""));
            writeln!(w, "{from} → {to}\t{}\t{result}\t{reason}", one_line(&kind))?;
        }
        Ok(())
    }
}
