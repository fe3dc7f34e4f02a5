//! The exported log: a line of JSON that names its format and its head, then one line for each event.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::Error;
use crate::domain::event::{Event, Origin};
use crate::domain::ids::RunId;

pub(super) const FORMAT: &str = "ic-events/1";
/// An event's data is at most a megabyte, escaped twice.
const MAX_LINE_BYTES: u64 = 16 << 20;

/// The first line.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct LogHeader {
    pub format: String,
    /// Number and hash of the last event, as `ID:HASH`.
    pub head: String,
}

/// An event as stored. `data` and `envelope` are text, because the chain covers their text.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct EventRecord {
    id: i64,
    /// Unix milliseconds.
    at_ms: i64,
    origin: String,
    run_id: Option<String>,
    source: String,
    #[serde(rename = "type")]
    kind: String,
    subject: String,
    from_state: String,
    to_state: String,
    reason: Option<String>,
    data: Option<String>,
    envelope: Option<String>,
    hash: String,
}

impl From<Event> for EventRecord {
    fn from(event: Event) -> Self {
        Self {
            id: event.id,
            at_ms: event.at_ms,
            origin: event.origin.as_str().to_owned(),
            run_id: event.run_id.map(|run| run.as_str().to_owned()),
            source: event.source.to_string(),
            kind: event.kind,
            subject: event.subject,
            from_state: event.from,
            to_state: event.to,
            reason: event.reason,
            data: event.data,
            envelope: event.envelope,
            hash: event.hash,
        }
    }
}

impl EventRecord {
    pub(super) fn into_event(self) -> Result<Event, String> {
        let run_id: Option<RunId> =
            self.run_id.map(|run| run.parse()).transpose().map_err(|_| "run_id is empty")?;
        let origin: Origin = self.origin.parse().map_err(|_| "origin is not known")?;
        Ok(Event {
            id: self.id,
            at_ms: self.at_ms,
            origin,
            run_id,
            source: self.source.parse()?,
            kind: self.kind,
            subject: self.subject,
            from: self.from_state,
            to: self.to_state,
            reason: self.reason,
            data: self.data,
            envelope: self.envelope,
            hash: self.hash,
        })
    }
}

/// A reading of an exported log in progress.
pub(super) struct LogReader<R> {
    reader: BufReader<R>,
    /// Number of the last line that was read, from 1 on.
    line: u64,
}

impl<'a> LogReader<&'a mut File> {
    /// Starts at the beginning of the file, wherever it was read up to, and returns the header too.
    ///
    /// # Errors
    /// [`Error::Input`] if the file does not begin with a header of this format; what `failed` makes of a
    /// failed read.
    pub(super) fn start(
        file: &'a mut File,
        failed: impl Fn(io::Error) -> Error,
    ) -> Result<(Self, LogHeader), Error> {
        file.rewind().map_err(&failed)?;
        let mut lines = Self { reader: BufReader::new(file), line: 0 };
        let header: LogHeader = lines.next(failed)?.ok_or_else(|| lines.invalid("the file is empty"))?;
        if header.format != FORMAT {
            return Err(lines.invalid(&format!("format is {}, want {FORMAT}", header.format)));
        }
        Ok((lines, header))
    }
}

impl<R: Read> LogReader<R> {
    /// Reads the next line; `None` at the end.
    ///
    /// # Errors
    /// [`Error::Input`] if the line is not valid; what `failed` makes of a failed read.
    pub(super) fn next<T: serde::de::DeserializeOwned>(
        &mut self,
        failed: impl Fn(io::Error) -> Error,
    ) -> Result<Option<T>, Error> {
        let mut text = Vec::new();
        self.line += 1;
        if (&mut self.reader).take(MAX_LINE_BYTES).read_until(b'\n', &mut text).map_err(failed)? == 0 {
            return Ok(None);
        }
        serde_json::from_slice(&text).map(Some).map_err(|err| self.invalid(&err.to_string()))
    }

    /// Returns the failure for the last line that was read.
    pub(super) fn invalid(&self, problem: &str) -> Error {
        Error::Input(format!("events import: line {} of the file: {problem}", self.line))
    }
}
