//! `ic events list-review`, `list-agency`, `ic interspect query`: recorded events in the shapes that their callers know.

use serde_json::{Map, Value, json};

use crate::app::Error;
use crate::app::events::reader::{Admit, EventReader};
use crate::cli::commands::events::form::json_line;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx, args};
use crate::domain::event::{Event, Origin, Source};
use crate::domain::ids::RunId;
use crate::domain::time::rfc3339;
use crate::store::event::Filter;

/// How many rows a limit of 0 or less means.
const MOST: i64 = 1000;

/// List review events as lines of JSON, oldest first
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic events list-review --since=40")]
pub(in crate::cli) struct Reviews {
    /// Only events after this number
    #[arg(long, value_name = "ID", default_value_t = 0)]
    since: i64,
    /// At most so many; 0 for a thousand
    #[arg(long, value_name = "N", default_value_t = MOST)]
    limit: i64,
}

impl Verb for Reviews {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let asked =
            Asked { source: "review", subject: None, run: None, since: self.since, limit: self.limit };
        print(cx, asked, |event, row, data| {
            row.insert("finding_id".to_owned(), event.subject.as_str().into());
            row.insert("agents_json".to_owned(), event.reason.clone().unwrap_or_default().into());
            row.insert("resolution".to_owned(), event.to.as_str().into());
            copy(data, row, &["dismissal_reason", "chosen_severity", "impact"]);
            row.insert("event_type".to_owned(), event.kind.as_str().into());
            copy(data, row, &["session_id", "project_dir"]);
        })
    }
}

/// List agency events as lines of JSON, oldest first
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic events list-agency --agency=research")]
pub(in crate::cli) struct Agencies {
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
    #[arg(long, value_name = "N", default_value_t = MOST)]
    limit: i64,
}

impl Verb for Agencies {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let asked = Asked {
            source: "agency",
            subject: args::given(self.agency),
            run: self.run,
            since: self.since,
            limit: self.limit,
        };
        print(cx, asked, |event, row, data| {
            row.insert("agency_name".to_owned(), event.subject.as_str().into());
            row.insert("event_type".to_owned(), event.kind.as_str().into());
            copy(data, row, &["cycle_id"]);
            row.insert("stage".to_owned(), event.to.as_str().into());
            row.insert("context_json".to_owned(), text(data.get("context")).unwrap_or_default().into());
            copy(data, row, &["idempotency_key", "project_dir"]);
        })
    }
}

/// List what was noticed about agents as lines of JSON, oldest first
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic interspect query --agent=reviewer")]
pub(in crate::cli) struct Interspect {
    /// Only of this agent
    #[arg(long)]
    agent: Option<String>,
    /// Only events after this number
    #[arg(long, value_name = "ID", default_value_t = 0)]
    since: i64,
    /// At most so many; 0 for a thousand
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: i64,
}

impl Verb for Interspect {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let subject = args::given(self.agent);
        let asked = Asked { source: "interspect", subject, run: None, since: self.since, limit: self.limit };
        print(cx, asked, |event, row, data| {
            row.insert("agent_name".to_owned(), event.subject.as_str().into());
            row.insert("event_type".to_owned(), event.kind.as_str().into());
            if let Some(reason) = &event.reason {
                row.insert("override_reason".to_owned(), reason.as_str().into());
            }
            if let Some(context) = text(data.get("context")) {
                row.insert("context_json".to_owned(), context.into());
            }
            copy(data, row, &["session_id", "project_dir"]);
        })
    }
}

/// Which rows.
struct Asked {
    source: &'static str,
    subject: Option<String>,
    run: Option<RunId>,
    since: i64,
    limit: i64,
}

fn print(
    cx: &mut Cx,
    asked: Asked,
    fill: impl Fn(&Event, &mut Map<String, Value>, &Map<String, Value>),
) -> Result<Answer, Error> {
    let mut left = if asked.limit <= 0 { MOST } else { asked.limit };
    let source: Source = asked.source.parse().map_err(Error::usage)?;
    let filter = Filter { source: Some(source), run_id: asked.run, since: asked.since, ..Filter::default() };
    let (mut reader, _) = EventReader::up_to_now(filter, cx)?;
    loop {
        let piece = reader.next(cx, |event| {
            if left == 0 {
                return Admit::Enough;
            }
            // The kernel's own events of this source, of overrides say, were recorded by no caller.
            let recorded = event.origin == Origin::External;
            if recorded && asked.subject.as_ref().is_none_or(|subject| *subject == event.subject) {
                left -= 1;
                return Admit::Take;
            }
            Admit::Pass
        })?;
        let mut lines = Vec::new();
        for event in &piece.events {
            let mut row = Map::from_iter([("id".to_owned(), json!(event.id))]);
            if let Some(run) = &event.run_id {
                row.insert("run_id".to_owned(), run.as_str().into());
            }
            fill(event, &mut row, &said(event));
            row.insert("timestamp".to_owned(), rfc3339(event.at_ms).into());
            json_line(&row, &mut lines)?;
        }
        cx.out.raw(&lines)?;
        if !piece.full {
            return Ok(Answer::Yes);
        }
    }
}

/// The members of the payload. Of an event that came from a database of the Go program they are the columns of its row.
fn said(event: &Event) -> Map<String, Value> {
    let mut data = event.data();
    let Some(Value::Object(mut imported)) = data.remove("imported") else { return data };
    let Some(Value::Object(mut columns)) = imported.remove("columns") else { return data };
    if let Some(context) = columns.remove("context_json") {
        columns.insert("context".to_owned(), context);
    }
    data.extend(columns);
    data
}

/// Copies what was said and is not empty.
fn copy(data: &Map<String, Value>, row: &mut Map<String, Value>, members: &[&str]) {
    for member in members {
        if let Some(text) = text(data.get(*member)) {
            row.insert((*member).to_owned(), text.into());
        }
    }
}

/// A member as text: a string as it is, anything else as JSON.
fn text(value: Option<&Value>) -> Option<String> {
    match value {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()).filter(|text| !text.is_empty()),
        Some(other) => Some(other.to_string()),
    }
}
