//! `ic events tail`: events as lines of JSON, in the order they were committed.

use serde::Serialize;
use serde_json::Value;

use crate::cli::error::CliError;
use crate::cli::output::rfc3339;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx, args};
use crate::domain::event::{Event, Origin, Source};
use crate::domain::ids::RunId;
use crate::domain::text::escaped_json;
use crate::store;
use crate::store::event::Filter;

/// How many events a limit of 0 or less means.
const MOST: i64 = 1000;
/// Bytes gathered before they are written.
const PIECE: usize = 64 * 1024;

/// Print events as lines of JSON, oldest first
///
/// Every event has a number of one sequence over all sources. To go on later, pass the last number seen as --since.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic events tail --all --since=120 --source=phase")]
pub(in crate::cli) struct Tail {
    /// Only events of this run
    run: Option<RunId>,
    /// Events of all runs, and those of none
    #[arg(long)]
    all: bool,
    /// Only events after this number
    #[arg(long, value_name = "ID", default_value_t = 0)]
    since: i64,
    /// At most so many; 0 for a thousand
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: i64,
    /// Only events of this source: phase, run, agent, artifact, action, dispatch
    #[arg(long)]
    source: Option<Source>,
    /// Only events of this type, such as advance
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
}

#[derive(Serialize)]
struct Line<'a> {
    id: i64,
    run_id: &'a str,
    source: &'a Source,
    #[serde(rename = "type")]
    kind: &'a str,
    subject: &'a str,
    from_state: &'a str,
    to_state: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    envelope: Option<Value>,
    origin: Origin,
    timestamp: String,
}

impl<'a> From<&'a Event> for Line<'a> {
    fn from(event: &'a Event) -> Self {
        let decode =
            |text: &String| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text.as_str()));
        Self {
            id: event.id,
            run_id: event.run_id.as_ref().map_or("", RunId::as_str),
            source: &event.source,
            kind: &event.kind,
            subject: &event.subject,
            from_state: &event.from,
            to_state: &event.to,
            reason: event.reason.as_deref().filter(|reason| !reason.is_empty()),
            data: event.data.as_ref().map(decode),
            envelope: event.envelope.as_ref().map(decode),
            origin: event.origin,
            timestamp: rfc3339(event.at_ms),
        }
    }
}

impl Verb for Tail {
    fn run(self, cx: &mut Cx) -> Result<Answer, CliError> {
        if self.run.is_none() && !self.all {
            return Err(CliError::usage("events tail: provide <run_id> or --all"));
        }
        let limit = if self.limit <= 0 { MOST } else { self.limit };
        let filter = Filter {
            run_id: self.run.filter(|_| !self.all),
            source: self.source,
            kind: args::given(self.kind),
            since: self.since,
            // One more than wanted tells whether there is more.
            limit: Some(limit.saturating_add(1)),
        };
        let out = cx.out;
        let mut text = String::new();
        let mut shown = 0;
        let mut last = self.since;
        let mut more = false;
        cx.read(|tx| {
            if let Some(run) = &filter.run_id {
                store::run::get(tx, run)?;
            }
            store::event::for_each(tx, &filter, |event| {
                more = shown == limit;
                if more {
                    return Ok(false);
                }
                let line = serde_json::to_string(&Line::from(&event));
                text.push_str(&escaped_json(&line.map_err(|err| CliError::Unexpected(err.into()))?));
                text.push('\n');
                if text.len() >= PIECE {
                    out.raw(text.as_bytes())?;
                    text.clear();
                }
                shown += 1;
                last = event.id;
                Ok::<_, CliError>(true)
            })
        })?;
        out.raw(text.as_bytes())?;
        if more {
            out.warn(format_args!("more events follow: --since={last} continues"));
        }
        Ok(Answer::Yes)
    }
}
