//! Importing a log that was exported elsewhere, with its chain.

use super::OpsError;
use crate::db::WriteTx;
use crate::domain::chain::Break;
use crate::domain::event::Event;
use crate::store::event::Head;
use crate::store::{self, StoreError};

/// Appends the events of a log that are not here yet. The existing log must be its beginning.
pub struct Import<'a> {
    tx: &'a WriteTx<'a>,
    /// The end of the existing log.
    here: Head,
    /// The end of the part that was processed.
    head: Head,
}

impl<'a> Import<'a> {
    /// Begins an import.
    pub fn new(tx: &'a WriteTx<'a>) -> Result<Self, OpsError> {
        Ok(Self { tx, here: store::event::head(tx)?, head: Head::genesis() })
    }

    /// Takes the next event.
    ///
    /// # Errors
    /// * [`StoreError::ChainBroken`] if it does not follow the previous one.
    /// * [`OpsError::LogDiverged`] if another event has its number here.
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

    /// Completes the import. Returns the end of the log and the number of new events.
    ///
    /// # Errors
    /// [`StoreError::ChainBroken`] if the log ends before its head. [`OpsError::LogDiverged`] if it is
    /// shorter than the existing one.
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
