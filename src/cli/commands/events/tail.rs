//! `ic events tail`

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::form::{Form, Format, TailLine};
use crate::app::events::cursor::consumer_name;
use crate::app::events::tail::{self, TailItem, TailRequest};
use crate::app::reply::{Flow, Sink};
use crate::app::{CommandContext, Error, Verdict};
use crate::cli::args;
use crate::cli::command::{Access, StreamCommand};
use crate::cli::output::Output;
use crate::domain::event::Source;
use crate::domain::ids::RunId;
use crate::domain::stored::Stored;

/// Print events, oldest first
///
/// Every event has a number of one sequence over all sources. To go on later, pass the last number seen as
/// --since, or let the kernel remember it: --consumer=NAME starts where that consumer stopped, and moves
/// its cursor once the events are written and, where stdout is a pipe, its reader has taken all of them.
/// With --ack the cursor stays until `ic events cursor set` moves it.
///
/// Lines of JSON, or columns where stdout is a terminal.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic events tail --all --since=120 --source=phase\n         \
                        ic events tail --all --follow --consumer=dashboard")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(in crate::cli) struct Tail {
    /// Only events of this run
    run: Option<RunId>,
    /// Events of all runs, and those of none
    #[arg(long)]
    all: bool,
    /// Only events after this number
    #[arg(long, value_name = "ID")]
    since: Option<i64>,
    /// At most so many; 0 for a thousand; nothing beside --follow
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: i64,
    /// Only events of this source, such as phase, run, agent, dispatch, or a caller's own
    #[arg(long)]
    source: Option<Source>,
    /// Only events of this type, such as advance
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Go on as events come, until a signal or until the reader of stdout is gone
    #[arg(long, short)]
    follow: bool,
    /// Accepted for older callers: commits are seen within 50 ms anyway
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, hide = true)]
    poll_interval: Option<Duration>,
    /// Go on where this consumer stopped
    #[arg(long, value_name = "NAME", value_parser = args::stored(consumer_name))]
    consumer: Option<Stored>,
    /// Leave the consumer's cursor where it is
    #[arg(long, requires = "consumer")]
    ack: bool,
    /// The form of an event [default: text on a terminal, else jsonl]
    #[arg(long)]
    format: Option<Format>,
    /// One JSON document: the events, whether more follow, and where to go on
    #[arg(long, conflicts_with_all = ["follow", "format"])]
    page: bool,
    #[command(flatten)]
    floors: Floors,
}

/// Filters that older callers keep a number of each source for.
#[derive(Clone, Debug, clap::Args)]
struct Floors {
    #[arg(long = "since-phase", value_name = "ID", hide = true, default_value_t = 0)]
    phase: i64,
    #[arg(long = "since-dispatch", value_name = "ID", hide = true, default_value_t = 0)]
    dispatch: i64,
    #[arg(long = "since-discovery", value_name = "ID", hide = true, default_value_t = 0)]
    discovery: i64,
    #[arg(long = "since-review", value_name = "ID", hide = true, default_value_t = 0)]
    review: i64,
    #[arg(long = "since-coordination", value_name = "ID", hide = true, default_value_t = 0)]
    coordination: i64,
    #[arg(long = "since-interspect", value_name = "ID", hide = true, default_value_t = 0)]
    interspect: i64,
}

impl From<Floors> for tail::Floors {
    fn from(floors: Floors) -> Self {
        let Floors { phase, dispatch, discovery, review, coordination, interspect } = floors;
        Self(vec![
            ("phase", phase),
            ("dispatch", dispatch),
            ("discovery", discovery),
            ("review", review),
            ("coordination", coordination),
            ("interspect", interspect),
        ])
    }
}

impl StreamCommand for Tail {
    type Item = TailItem;
    type Line = TailLine;
    const ACCESS: Access = Access::Write;

    fn sink(&self, out: Output) -> Result<Box<dyn Sink<TailItem>>, Error> {
        if self.page {
            return Ok(Box::new(Page { out, text: PAGE_START.to_vec(), is_empty: true }));
        }
        let format = match self.format {
            Some(format) => format,
            None if out.is_terminal() && !out.is_json() => Format::Text,
            None => Format::Jsonl,
        };
        let colour = format == Format::Text && out.is_terminal() && args::wants_colour();
        Ok(Box::new(Lines { out, form: Form { format, colour }, follow: self.follow, text: Vec::new() }))
    }

    fn run(self, cx: &mut CommandContext, sink: &mut dyn Sink<TailItem>) -> Result<Verdict, Error> {
        if self.run.is_none() && !self.all && self.consumer.is_none() {
            return Err(Error::usage("events tail: provide <run_id> or --all"));
        }
        if self.since.is_some_and(|since| since < 0) {
            return Err(Error::usage("events tail: --since must not be negative"));
        }
        let request = TailRequest {
            run_id: self.run.filter(|_| !self.all),
            since: self.since,
            limit: self.limit,
            source: self.source,
            kind: args::given(self.kind),
            follow: self.follow,
            consumer: self.consumer.map(Stored::into_inner),
            moves_cursor: !self.ack,
            floors: self.floors.into(),
        };
        tail::tail(cx, request, sink)
    }
}

/// Writes events as lines.
struct Lines {
    out: Output,
    form: Form,
    /// Whether a reader that goes away is the expected end.
    follow: bool,
    text: Vec<u8>,
}

impl Sink<TailItem> for Lines {
    fn put(&mut self, item: &TailItem) -> Result<(), Error> {
        match item {
            TailItem::Event(event) => self.form.write(event, &mut self.text),
            TailItem::End { .. } => Ok(()),
        }
    }

    fn deliver(&mut self, stop: &AtomicBool) -> Result<Flow, Error> {
        let text = std::mem::take(&mut self.text);
        if !self.follow {
            return self.out.raw(&text).map(|()| Flow::Continue);
        }
        match self.out.stream(&text, stop) {
            Ok(true) => Ok(Flow::Continue),
            Ok(false) => Ok(Flow::Stop),
            Err(Error::Output(err)) if err.kind() == std::io::ErrorKind::BrokenPipe => Ok(Flow::Stop),
            Err(err) => Err(err),
        }
    }

    fn settle(&mut self, stop: &AtomicBool) -> Result<Flow, Error> {
        drained(self.out, stop)
    }

    fn is_abandoned(&self) -> bool {
        self.out.is_abandoned()
    }
}

fn drained(out: Output, stop: &AtomicBool) -> Result<Flow, Error> {
    Ok(if out.wait_drained(stop)? { Flow::Continue } else { Flow::Stop })
}

const PAGE_START: &[u8] = b"{\"events\":[";

/// Writes events as one document.
struct Page {
    out: Output,
    text: Vec<u8>,
    is_empty: bool,
}

impl Sink<TailItem> for Page {
    fn put(&mut self, item: &TailItem) -> Result<(), Error> {
        match item {
            TailItem::Event(event) => {
                if !std::mem::take(&mut self.is_empty) {
                    self.text.push(b',');
                }
                Form { format: Format::Jsonl, colour: false }.write(event, &mut self.text)?;
                // The line's end.
                self.text.pop();
            }
            TailItem::End { more, next } => {
                self.text.extend_from_slice(format!("],\"more\":{more},\"next\":{next}}}\n").as_bytes());
            }
        }
        Ok(())
    }

    fn deliver(&mut self, _: &AtomicBool) -> Result<Flow, Error> {
        self.out.raw(&std::mem::take(&mut self.text)).map(|()| Flow::Continue)
    }

    fn settle(&mut self, stop: &AtomicBool) -> Result<Flow, Error> {
        drained(self.out, stop)
    }

    fn is_abandoned(&self) -> bool {
        self.out.is_abandoned()
    }

    fn is_whole(&self) -> bool {
        true
    }
}
