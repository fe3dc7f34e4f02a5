//! Reading the log piece by piece: no transaction is open while somebody reads what was printed, and no more than a piece is
//! in memory.

use crate::cli::Cx;
use crate::cli::error::CliError;
use crate::domain::event::Event;
use crate::ops::consume;
use crate::store;
use crate::store::event::{Filter, Head};

/// Bytes of a piece, but for the event that goes over them.
const PIECE: usize = 64 * 1024;

/// A reading of the log under way.
pub(super) struct Pieces {
    filter: Filter,
    /// Which log is being read.
    epoch: String,
}

/// What one transaction read.
#[derive(Default)]
pub(super) struct Piece {
    pub text: Vec<u8>,
    /// Number of the last event that was looked at.
    pub last: Option<i64>,
    /// Whether it ended because it is large enough, and the next one goes on.
    pub full: bool,
    /// Whether it ended because no more events are wanted, before one that matches.
    pub more: bool,
}

impl Pieces {
    /// Begins in the log that was last seen as `epoch`.
    pub(super) fn new(filter: Filter, epoch: String) -> Self {
        Self { filter, epoch }
    }

    /// Begins, and stops at the present end of the log, which comes along.
    pub(super) fn up_to_now(mut filter: Filter, cx: &mut Cx) -> Result<(Self, Head), CliError> {
        let (head, epoch) =
            cx.read(|tx| Ok::<_, CliError>((store::event::head(tx)?, store::event::epoch(tx)?)))?;
        filter.until = Some(head.id);
        Ok((Self::new(filter, epoch), head))
    }

    /// Number of the last event that was looked at.
    pub(super) fn position(&self) -> i64 {
        self.filter.since
    }

    /// The log that it was read from.
    pub(super) fn epoch(&self) -> &str {
        &self.epoch
    }

    /// The next piece. `put` appends what there is to print of an event, or answers `false` for one that is not wanted any
    /// more.
    ///
    /// # Errors
    /// What `put` returns, what the engine says, or that the log was replaced by one that ends before what has been read.
    pub(super) fn next(
        &mut self,
        cx: &mut Cx,
        mut put: impl FnMut(Event, &mut Vec<u8>) -> Result<bool, CliError>,
    ) -> Result<Piece, CliError> {
        let mut piece = Piece::default();
        self.epoch = cx.read(|tx| {
            let epoch = consume::go_on(tx, self.filter.since, &self.epoch)?;
            store::event::for_each(tx, &self.filter, |event| {
                let id = event.id;
                piece.full = piece.text.len() >= PIECE;
                piece.more = !piece.full && !put(event, &mut piece.text)?;
                if piece.full || piece.more {
                    return Ok(false);
                }
                piece.last = Some(id);
                Ok::<_, CliError>(true)
            })?;
            Ok::<_, CliError>(epoch)
        })?;
        self.filter.since = piece.last.unwrap_or(self.filter.since);
        Ok(piece)
    }
}
