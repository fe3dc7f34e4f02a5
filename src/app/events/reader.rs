//! Reading the log piece by piece: no transaction is open while a consumer takes what was read, and no more
//! than a piece is in memory.

use crate::app::{CommandContext, Error};
use crate::domain::event::Event;
use crate::ops::consume;
use crate::store;
use crate::store::event::{Filter, Head};

/// Bytes after which a piece ends.
const PIECE_BYTES: usize = 64 * 1024;

/// A reading of the log in progress.
pub(crate) struct EventReader {
    filter: Filter,
    epoch: String,
}

/// What one transaction read.
#[derive(Default)]
pub(crate) struct Piece {
    pub events: Vec<Event>,
    /// Number of the last event that was looked at.
    pub last: Option<i64>,
    /// Whether it ended because it is large enough, and the next one goes on.
    pub full: bool,
    /// Whether it ended because no more events are wanted, before one that matches.
    pub more: bool,
}

/// Whether an event belongs into the piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admit {
    Take,
    Pass,
    /// The event matches, but enough were taken: the reading ends before it.
    Enough,
}

impl EventReader {
    /// Starts in the log that was last seen as `epoch`.
    pub(crate) fn new(filter: Filter, epoch: String) -> Self {
        Self { filter, epoch }
    }

    /// Starts, and stops at the present end of the log, which is returned too.
    ///
    /// # Errors
    /// [`Error::Ops`] if the log cannot be read.
    pub(crate) fn up_to_now(mut filter: Filter, cx: &mut CommandContext) -> Result<(Self, Head), Error> {
        let (head, epoch) =
            cx.read(|tx| Ok::<_, Error>((store::event::head(tx)?, store::event::epoch(tx)?)))?;
        filter.until = Some(head.id);
        Ok((Self::new(filter, epoch), head))
    }

    /// Returns the number of the last event that was looked at.
    pub(crate) fn position(&self) -> i64 {
        self.filter.since
    }

    /// Returns the epoch of the log that was read.
    pub(crate) fn epoch(&self) -> &str {
        &self.epoch
    }

    /// Reads the next piece of those events that `admit` takes.
    ///
    /// # Errors
    /// [`Error::Ops`] if the log cannot be read, or was replaced by one that ends before what has been read.
    pub(crate) fn next(
        &mut self,
        cx: &mut CommandContext,
        mut admit: impl FnMut(&Event) -> Admit,
    ) -> Result<Piece, Error> {
        let mut piece = Piece::default();
        let mut bytes = 0;
        self.epoch = cx.read(|tx| {
            let epoch = consume::go_on(tx, self.filter.since, &self.epoch)?;
            store::event::for_each(tx, &self.filter, |event| {
                piece.full = bytes >= PIECE_BYTES;
                let admitted = if piece.full { Admit::Enough } else { admit(&event) };
                piece.more = !piece.full && admitted == Admit::Enough;
                if admitted == Admit::Enough {
                    return Ok(false);
                }
                piece.last = Some(event.id);
                if admitted == Admit::Take {
                    bytes += size(&event);
                    piece.events.push(event);
                }
                Ok::<_, Error>(true)
            })?;
            Ok::<_, Error>(epoch)
        })?;
        self.filter.since = piece.last.unwrap_or(self.filter.since);
        Ok(piece)
    }
}

/// Returns about how many bytes an event takes.
fn size(event: &Event) -> usize {
    let texts = [&event.data, &event.envelope, &event.reason];
    let texts: usize = texts.into_iter().flatten().map(String::len).sum();
    size_of::<Event>() + texts + event.hash.len() + event.subject.len() + event.from.len() + event.to.len()
}
