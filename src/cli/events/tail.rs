//! `ic events tail`: the log, once or as it grows, for whoever looks or for a consumer that remembers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::form::{Form, Format};
use super::pieces::{Piece, Pieces};
use crate::cli::error::CliError;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx, args};
use crate::db::Place;
use crate::domain::event::{Event, Source};
use crate::domain::ids::RunId;
use crate::ops::consume::{self, Consumer};
use crate::os::stream;
use crate::store;
use crate::store::event::Filter;

/// How many events a limit of 0 or less means.
const MOST: i64 = 1000;
/// How often a follower looks for a commit. A look costs some 20 µs, so this is a fifth of a percent of one core.
const GLANCE: Duration = Duration::from_millis(12);
/// How often a follower looks whether its database is still the one at its path.
const GLANCES_PER_CHECK: u32 = 80;

/// Print events, oldest first
///
/// Every event has a number of one sequence over all sources. To go on later, pass the last number seen as --since, or let
/// the kernel remember it: --consumer=NAME starts where that consumer stopped, and moves its cursor once the events are
/// written and, where stdout is a pipe, its reader has taken all of them. With --ack the cursor stays until `ic events cursor
/// set` moves it.
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
    /// Go on as events come, until a signal or until nobody reads
    #[arg(long, short)]
    follow: bool,
    /// Accepted for older callers: commits are seen within 50 ms anyway
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, hide = true)]
    poll_interval: Option<Duration>,
    /// Go on where this consumer stopped
    #[arg(long, value_name = "NAME", value_parser = super::cursor::consumer)]
    consumer: Option<String>,
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

impl Floors {
    fn each(&self) -> [(&'static str, i64); 6] {
        [
            ("phase", self.phase),
            ("dispatch", self.dispatch),
            ("discovery", self.discovery),
            ("review", self.review),
            ("coordination", self.coordination),
            ("interspect", self.interspect),
        ]
    }

    fn are_given(&self) -> bool {
        self.each().iter().any(|(_, floor)| *floor > 0)
    }

    /// Whether the caller has seen the event. A source that has no flag goes by the least number given: such a caller does
    /// not know it, and must not be told the same again at every call.
    fn admit(&self, event: &Event) -> bool {
        let each = self.each();
        let own = each.iter().find(|(source, _)| *source == event.source.as_str());
        let least = each.iter().map(|(_, floor)| *floor).filter(|floor| *floor > 0).min();
        event.id > own.map_or(least.unwrap_or(0), |(_, floor)| *floor)
    }
}

/// Without --follow a signal ends the process as it always does.
static NEVER: AtomicBool = AtomicBool::new(false);

/// A tail under way.
struct Tailing {
    pieces: Pieces,
    floors: Floors,
    form: Form,
    consumer: Option<Consumer>,
    /// Whether the cursor follows what was written.
    moves: bool,
    /// How many events may still come; none for as many as there are.
    left: Option<i64>,
}

impl Verb for Tail {
    const KEPT: &'static [&'static str] = &["consumer"];

    fn run(self, cx: &mut Cx) -> Result<Answer, CliError> {
        if self.run.is_none() && !self.all && self.consumer.is_none() {
            return Err(CliError::usage("events tail: provide <run_id> or --all"));
        }
        if self.since.is_some_and(|since| since < 0) {
            return Err(CliError::usage("events tail: --since must not be negative"));
        }
        let (follow, page) = (self.follow, self.page);
        let mut tailing = self.begin(cx)?;
        if follow {
            return tailing.follow(cx);
        }
        if page { tailing.page(cx) } else { tailing.print(cx) }
    }
}

impl Tail {
    fn begin(self, cx: &mut Cx) -> Result<Tailing, CliError> {
        let run_id = self.run.filter(|_| !self.all);
        let consumer = self.consumer.map(|name| Consumer {
            name,
            run_id: run_id.as_ref().map_or_else(String::new, |run| run.as_str().to_owned()),
        });
        let stamp = cx.stamp.clone();
        // Numbers given by hand come before the cursor.
        let by_hand = self.since.is_some() || self.floors.are_given();
        let (since, until, epoch) = cx.read(|tx| {
            if let Some(run) = &run_id {
                store::run::get(tx, run)?;
            }
            let since = match (&consumer, self.since) {
                (Some(consumer), _) if !by_hand => consume::position(tx, consumer, &stamp)?,
                (_, Some(since)) => consume::require_known(tx, since).map(|()| since)?,
                _ => 0,
            };
            // What comes while this is printed is for the next call: a busy log must not keep it going.
            let until = if self.follow { None } else { Some(store::event::head(tx)?.id) };
            Ok::<_, CliError>((since, until, store::event::epoch(tx)?))
        })?;
        let out = cx.out;
        let format = match self.format {
            Some(format) => format,
            None if out.is_terminal() && !out.is_json() && !self.page => Format::Text,
            None => Format::Jsonl,
        };
        let colour = format == Format::Text && out.is_terminal() && args::wants_colour();
        let limit = if self.limit <= 0 { MOST } else { self.limit };
        let filter = Filter {
            run_id,
            source: self.source,
            kind: args::given(self.kind),
            since,
            until,
            ..Filter::default()
        };
        Ok(Tailing {
            pieces: Pieces::new(filter, epoch),
            floors: self.floors,
            form: Form { format, colour },
            consumer,
            moves: !self.ack,
            left: (!self.follow).then_some(limit),
        })
    }
}

impl Tailing {
    /// Everything up to the limit.
    fn print(&mut self, cx: &mut Cx) -> Result<Answer, CliError> {
        loop {
            let piece = self.read(cx)?;
            cx.out.raw(&piece.text)?;
            if piece.last.is_some() && !self.pass(&NEVER, cx)? {
                return Ok(Answer::Yes);
            }
            if piece.more {
                let since = self.pieces.position();
                cx.out.warn(format_args!("more events follow: --since={since} continues"));
            }
            if !piece.full {
                return Ok(Answer::Yes);
            }
        }
    }

    /// Everything up to the limit, as one document. The cursor moves once all of it is written: half a document is nothing
    /// that its reader could use.
    fn page(&mut self, cx: &mut Cx) -> Result<Answer, CliError> {
        let since = self.pieces.position();
        let mut text = b"{\"events\":[".to_vec();
        let mut separator: &[u8] = b"";
        loop {
            let piece = self.read(cx)?;
            // The events are JSON already, one per line.
            for line in piece.text.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
                text.extend_from_slice(separator);
                text.extend_from_slice(line);
                separator = b",";
            }
            if !piece.full {
                let next = self.pieces.position();
                text.extend_from_slice(format!("],\"more\":{},\"next\":{next}}}\n", piece.more).as_bytes());
                cx.out.raw(&text)?;
                if next > since {
                    self.pass(&NEVER, cx)?;
                }
                return Ok(Answer::Yes);
            }
            cx.out.raw(&text)?;
            text.clear();
        }
    }

    /// Everything that is there, and then whatever comes.
    fn follow(&mut self, cx: &mut Cx) -> Result<Answer, CliError> {
        let stop = stream::stop_flag().map_err(|err| CliError::Unexpected(err.into()))?;
        let place = cx.existing()?.place()?;
        loop {
            // Before reading: a commit between the two makes the next wait end at once.
            let version = cx.existing()?.version()?;
            let piece = self.read(cx)?;
            match cx.out.stream(&piece.text, &stop) {
                Ok(true) => {}
                Ok(false) => return Ok(Answer::Yes),
                Err(CliError::Output(err)) if err.kind() == std::io::ErrorKind::BrokenPipe => {
                    return Ok(Answer::Yes);
                }
                Err(err) => return Err(err),
            }
            if piece.last.is_some() && !self.pass(&stop, cx)?
                || !piece.full && !wait(cx, version, place, &stop)?
            {
                return Ok(Answer::Yes);
            }
        }
    }

    /// Reads on, until there is no more, enough, or as much as is wanted at once.
    fn read(&mut self, cx: &mut Cx) -> Result<Piece, CliError> {
        let Self { floors, form, left, .. } = self;
        self.pieces.next(cx, |event, text| {
            if floors.admit(&event) {
                if *left == Some(0) {
                    return Ok(false);
                }
                *left = left.map(|left| left - 1);
                form.write(&event, text)?;
            }
            Ok(true)
        })
    }

    /// Moves the cursor behind what was written: only now, and where stdout is a pipe only once it is taken from there. A
    /// reader that dies half way finds the rest of it again (EV-03). `false` if it did not move because the reader is gone
    /// or `stop` was raised.
    fn pass(&self, stop: &AtomicBool, cx: &mut Cx) -> Result<bool, CliError> {
        let Some(consumer) = self.consumer.as_ref().filter(|_| self.moves) else { return Ok(true) };
        if !cx.out.wait_drained(stop)? {
            return Ok(false);
        }
        let stamp = cx.now();
        cx.write(|tx| consume::advance(tx, consumer, self.pieces.position(), self.pieces.epoch(), &stamp))?;
        Ok(true)
    }
}

/// Waits for the next commit of another process. `false` if it is time to end.
fn wait(cx: &mut Cx, version: i64, place: Place, stop: &AtomicBool) -> Result<bool, CliError> {
    let mut glances = 0;
    loop {
        if stop.load(Ordering::Relaxed) || cx.out.is_abandoned() {
            return Ok(false);
        }
        std::thread::sleep(GLANCE);
        glances += 1;
        let db = cx.existing()?;
        if db.version()? != version {
            return Ok(true);
        }
        if glances % GLANCES_PER_CHECK == 0 {
            db.require_at(place)?;
        }
    }
}
