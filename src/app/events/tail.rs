//! The log as a stream, once or as it grows, for a caller that keeps a position or for a consumer whose
//! position is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::reader::{Admit, EventReader, Piece};
use crate::app::reply::{Flow, Sink};
use crate::app::{CommandContext, Error, Verdict};
use crate::db::Place;
use crate::domain::event::{Event, Source};
use crate::domain::ids::RunId;
use crate::ops::consume::{self, Consumer};
use crate::store;
use crate::store::event::Filter;

/// How many events a limit of 0 or less means.
const MAX_EVENTS: i64 = 1000;
/// How often a follower checks for a commit. A check costs some 20 µs, so this is a fifth of a percent of
/// one core.
const POLL_INTERVAL: Duration = Duration::from_millis(12);
/// How often a follower checks whether its database is still the one at its path, in polls.
const POLLS_PER_PATH_CHECK: u32 = 80;

/// What is to be streamed.
#[derive(Clone, Debug)]
pub(crate) struct TailRequest {
    /// Only events of this run.
    pub run_id: Option<RunId>,
    /// Only events after this number.
    pub since: Option<i64>,
    /// At most so many; 0 or less for [`MAX_EVENTS`]. Not used by a follower.
    pub limit: i64,
    pub source: Option<Source>,
    pub kind: Option<String>,
    /// Go on as events come, until the caller is asked to stop or nothing reads the stream.
    pub follow: bool,
    /// The consumer whose cursor gives the start.
    pub consumer: Option<String>,
    /// Whether the cursor moves after what was delivered.
    pub moves_cursor: bool,
    pub floors: Floors,
}

/// Filters for callers that keep a number for each source.
#[derive(Clone, Debug, Default)]
pub(crate) struct Floors(pub Vec<(&'static str, i64)>);

impl Floors {
    fn are_given(&self) -> bool {
        self.0.iter().any(|(_, floor)| *floor > 0)
    }

    /// Checks whether the caller has yet to see the event. A source without a floor of its own goes by the
    /// least number given: such a caller does not know it, and would otherwise get the same events at every
    /// call.
    fn admit(&self, event: &Event) -> bool {
        let own = self.0.iter().find(|(source, _)| *source == event.source.as_str());
        let least = self.0.iter().map(|(_, floor)| *floor).filter(|floor| *floor > 0).min();
        event.id > own.map_or(least.unwrap_or(0), |(_, floor)| *floor)
    }
}

/// An item of the stream.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "items are made and taken one at a time")]
pub(crate) enum TailItem {
    Event(Event),
    /// The stream is at its end.
    End {
        /// Whether more events match than were asked for.
        more: bool,
        /// The number to go on from.
        next: i64,
    },
}

/// Streams the events that a request asks for.
///
/// # Errors
/// [`Error::Ops`] if the run or the position does not exist, or the log cannot be read; [`Error::Output`]
/// if the stream cannot be written.
pub(crate) fn tail(
    cx: &mut CommandContext,
    request: TailRequest,
    sink: &mut dyn Sink<TailItem>,
) -> Result<Verdict, Error> {
    let follow = request.follow;
    let mut tailing = Tailing::start(cx, request)?;
    if follow {
        tailing.follow(cx, sink)?;
    } else {
        tailing.once(cx, sink)?;
    }
    Ok(Verdict::Yes)
}

/// A stream in progress.
struct Tailing {
    reader: EventReader,
    floors: Floors,
    consumer: Option<Consumer>,
    /// How many events may still come; `None` for no limit.
    left: Option<i64>,
}

impl Tailing {
    fn start(cx: &mut CommandContext, request: TailRequest) -> Result<Self, Error> {
        let TailRequest { run_id, since, limit, source, kind, follow, consumer, moves_cursor, floors } =
            request;
        let consumer = consumer.map(|name| Consumer {
            name,
            run_id: run_id.as_ref().map_or_else(String::new, |run| run.as_str().to_owned()),
        });
        let stamp = cx.stamp.clone();
        // Numbers given by hand come before the cursor.
        let by_hand = since.is_some() || floors.are_given();
        let (since, until, epoch) = cx.read(|tx| {
            if let Some(run) = &run_id {
                store::run::get(tx, run)?;
            }
            let since = match (&consumer, since) {
                (Some(consumer), _) if !by_hand => consume::position(tx, consumer, &stamp)?,
                (_, Some(since)) => consume::require_known(tx, since).map(|()| since)?,
                _ => 0,
            };
            // Events that come while this is delivered are for the next call: a busy log must not keep it
            // going.
            let until = if follow { None } else { Some(store::event::head(tx)?.id) };
            Ok::<_, Error>((since, until, store::event::epoch(tx)?))
        })?;
        let limit = if limit <= 0 { MAX_EVENTS } else { limit };
        let filter = Filter { run_id, source, kind, since, until, ..Filter::default() };
        Ok(Self {
            reader: EventReader::new(filter, epoch),
            floors,
            consumer: consumer.filter(|_| moves_cursor),
            left: (!follow).then_some(limit),
        })
    }

    /// Streams what is there, up to the limit.
    fn once(&mut self, cx: &mut CommandContext, sink: &mut dyn Sink<TailItem>) -> Result<(), Error> {
        // A signal ends the process as it always does.
        let never = AtomicBool::new(false);
        let start = self.reader.position();
        loop {
            let piece = self.read(cx)?;
            let (full, more, moved) = (piece.full, piece.more, piece.last.is_some());
            deliver(piece.events, sink, &never)?;
            if !full {
                let next = self.reader.position();
                sink.put(&TailItem::End { more, next })?;
                sink.deliver(&never)?;
                let is_new = if sink.is_whole() { next > start } else { moved };
                if is_new {
                    self.move_cursor(cx, sink, &never)?;
                }
                if more && !sink.is_whole() {
                    cx.warn(format_args!("more events follow: --since={next} continues"));
                }
                return Ok(());
            }
            if moved && !sink.is_whole() && self.move_cursor(cx, sink, &never)? == Flow::Stop {
                return Ok(());
            }
        }
    }

    /// Streams what is there, and then what comes.
    fn follow(&mut self, cx: &mut CommandContext, sink: &mut dyn Sink<TailItem>) -> Result<(), Error> {
        let stop = cx.stop_flag()?;
        let place = cx.existing()?.place()?;
        loop {
            // Before reading: a commit between the two makes the next wait end at once.
            let version = cx.existing()?.version()?;
            let piece = self.read(cx)?;
            let (full, moved) = (piece.full, piece.last.is_some());
            if deliver(piece.events, sink, &stop)? == Flow::Stop
                || moved && self.move_cursor(cx, sink, &stop)? == Flow::Stop
                || !full && wait(cx, sink, version, place, &stop)? == Flow::Stop
            {
                return Ok(());
            }
        }
    }

    fn read(&mut self, cx: &mut CommandContext) -> Result<Piece, Error> {
        let Self { floors, left, .. } = self;
        self.reader.next(cx, |event| {
            if !floors.admit(event) {
                return Admit::Pass;
            }
            if *left == Some(0) {
                return Admit::Enough;
            }
            *left = left.map(|left| left - 1);
            Admit::Take
        })
    }

    /// Moves the cursor after what was delivered, once the consumer has taken all of it: a reader that dies
    /// half way finds the rest of it again.
    fn move_cursor(
        &self,
        cx: &mut CommandContext,
        sink: &mut dyn Sink<TailItem>,
        stop: &AtomicBool,
    ) -> Result<Flow, Error> {
        let Some(consumer) = &self.consumer else { return Ok(Flow::Continue) };
        if sink.settle(stop)? == Flow::Stop {
            return Ok(Flow::Stop);
        }
        let stamp = cx.now();
        let position = self.reader.position();
        cx.write(|tx| consume::advance(tx, consumer, position, self.reader.epoch(), &stamp))?;
        Ok(Flow::Continue)
    }
}

fn deliver(events: Vec<Event>, sink: &mut dyn Sink<TailItem>, stop: &AtomicBool) -> Result<Flow, Error> {
    for event in events {
        sink.put(&TailItem::Event(event))?;
    }
    sink.deliver(stop)
}

/// Waits for the next commit of another process.
fn wait(
    cx: &mut CommandContext,
    sink: &dyn Sink<TailItem>,
    version: i64,
    place: Place,
    stop: &Arc<AtomicBool>,
) -> Result<Flow, Error> {
    let mut polls = 0;
    loop {
        if stop.load(Ordering::Relaxed) || sink.is_abandoned() {
            return Ok(Flow::Stop);
        }
        std::thread::sleep(POLL_INTERVAL);
        polls += 1;
        let db = cx.existing()?;
        if db.version()? != version {
            return Ok(Flow::Continue);
        }
        if polls % POLLS_PER_PATH_CHECK == 0 {
            db.require_at(place)?;
        }
    }
}
