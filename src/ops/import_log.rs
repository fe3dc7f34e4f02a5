//! Taking over a log that was exported elsewhere, chain and all.

use super::OpsError;
use crate::db::WriteTx;
use crate::domain::chain::Break;
use crate::domain::event::Event;
use crate::store::event::Head;
use crate::store::{self, StoreError};

/// Appends the events of a log that are not here yet. What is here already has to be its beginning.
pub struct Import<'a> {
    tx: &'a WriteTx<'a>,
    /// The end of what was here before.
    here: Head,
    /// The end of what has been gone through.
    head: Head,
}

impl<'a> Import<'a> {
    /// Begins.
    pub fn new(tx: &'a WriteTx<'a>) -> Result<Self, OpsError> {
        Ok(Self { tx, here: store::event::head(tx)?, head: Head::genesis() })
    }

    /// Takes the next event.
    ///
    /// # Errors
    /// * [`StoreError::ChainBroken`] if it does not follow the one before.
    /// * [`OpsError::LogDiverged`] if another event of its number is here.
    pub fn take(&mut self, event: &Event) -> Result<(), OpsError> {
        self.head = if event.id <= self.here.id {
            let next = store::event::follows(&self.head, event).map_err(StoreError::ChainBroken)?;
            if event.id == self.here.id && next != self.here {
                return Err(OpsError::LogDiverged(event.id));
            }
            next
        } else {
            store::event::append_verbatim(self.tx, event, &self.head)?
        };
        Ok(())
    }

    /// Ends. Returns the end of the log and how many events are new.
    ///
    /// # Errors
    /// [`StoreError::ChainBroken`] if the log was to end elsewhere, or is shorter than what was here before.
    pub fn finish(self, expected: &str) -> Result<(Head, i64), OpsError> {
        if self.head.to_string() != expected {
            let cut = Break { id: self.head.id + 1, problem: "the export ends before its head" };
            return Err(StoreError::ChainBroken(cut).into());
        }
        if self.head.id < self.here.id {
            return Err(OpsError::LogDiverged(self.head.id + 1));
        }
        Ok((self.head.clone(), self.head.id - self.here.id))
    }
}
