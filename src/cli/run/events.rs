//! `ic run events`, `ic phase history`

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::app::Error;
use crate::cli::args::RunRef;
use crate::cli::output::View;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx};
use crate::domain::event::{Event, Source};
use crate::domain::text::one_line;
use crate::store;
use crate::store::event::Filter;

/// Show what happened to a run, oldest first
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic run events \"$run\" --json")]
pub(in crate::cli) struct History {
    #[command(flatten)]
    run: RunRef,
    /// Not only its phases: also its creation, agents, artifacts, actions and dispatches
    #[arg(long)]
    all_sources: bool,
}

impl Verb for History {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let wanted = self.run.wanted()?;
        let events = cx.read(|tx| {
            let run = wanted.find(tx)?;
            let source = (!self.all_sources).then_some(Source::PHASE);
            let filter = Filter { run_id: Some(run.id), source, ..Filter::default() };
            Ok::<_, Error>(store::event::list(tx, &filter)?)
        })?;
        cx.out.show(&Shown { events, all_sources: self.all_sources })?;
        Ok(Answer::Yes)
    }
}

struct Shown {
    events: Vec<Event>,
    all_sources: bool,
}

impl serde::Serialize for Shown {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let object = |event: &Event| {
            let mut map = json!({
                "id": event.id,
                "run_id": event.run_id,
                "event_type": event.kind,
                "from_phase": event.from,
                "to_phase": event.to,
                "created_at": event.secs(),
            });
            if self.all_sources {
                map["source"] = json!(event.source);
                map["subject"] = json!(event.subject);
            }
            if let Some((result, tier)) = gate(event) {
                map["gate_result"] = result;
                map["gate_tier"] = tier;
            }
            if let Some(reason) = &event.reason {
                map["reason"] = json!(reason);
            }
            if let Some(envelope) = event.envelope.as_deref().and_then(|text| serde_json::from_str(text).ok())
            {
                map["envelope"] = envelope;
            }
            map
        };
        serializer.collect_seq(self.events.iter().map(object))
    }
}

fn gate(event: &Event) -> Option<(Value, Value)> {
    let gate = event.data().remove("gate")?;
    Some((gate.get("result")?.clone(), gate.get("tier")?.clone()))
}

impl View for Shown {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        for event in &self.events {
            let result = gate(event).and_then(|(result, _)| result.as_str().map(ToOwned::to_owned));
            let (from, to) = (one_line(&event.from), one_line(&event.to));
            let reason = one_line(event.reason.as_deref().unwrap_or(""));
            let what = if self.all_sources && event.source != Source::PHASE {
                format!("{} {} {}", event.source, event.kind, event.subject)
            } else {
                event.kind.clone()
            };
            writeln!(w, "{from} → {to}\t{}\t{}\t{reason}", one_line(&what), result.unwrap_or_default())?;
        }
        Ok(())
    }
}
