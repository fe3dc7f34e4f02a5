//! Items as lines of JSON.

use std::sync::atomic::AtomicBool;

use serde::Serialize;

use crate::app::Error;
use crate::app::events::json_lines;
use crate::app::reply::{Flow, Sink};
use crate::cli::output::Output;

/// Writes each item as one line of JSON, whatever the caller asked for.
pub(in crate::cli) struct JsonLines {
    out: Output,
    text: Vec<u8>,
}

impl JsonLines {
    pub(in crate::cli) fn new(out: Output) -> Self {
        Self { out, text: Vec::new() }
    }
}

impl<T: Serialize> Sink<T> for JsonLines {
    fn put(&mut self, item: &T) -> Result<(), Error> {
        json_lines::append(item, &mut self.text)
    }

    fn deliver(&mut self, _: &AtomicBool) -> Result<Flow, Error> {
        self.out.raw(&std::mem::take(&mut self.text)).map(|()| Flow::Continue)
    }

    fn settle(&mut self, stop: &AtomicBool) -> Result<Flow, Error> {
        Ok(if self.out.wait_drained(stop)? { Flow::Continue } else { Flow::Stop })
    }

    fn is_abandoned(&self) -> bool {
        self.out.is_abandoned()
    }
}
