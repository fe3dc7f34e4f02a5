//! Exporting the log, with its chain.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use schemars::JsonSchema;
use serde::Serialize;

use super::json_lines;
use super::log_file::{EventRecord, FORMAT, LogHeader};
use super::reader::{Admit, EventReader};
use crate::app::reply::{Flow, Sink};
use crate::app::{CommandContext, Error, Verdict};
use crate::db::DbError;
use crate::domain::chain::Break;
use crate::os::atomic::Unfinished;
use crate::os::paths;
use crate::store::event::{Filter, Head};
use crate::store::{self, StoreError};

/// An item of the stream: the lines of the log, or what was written to a file.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
#[expect(clippy::large_enum_variant, reason = "items are made and taken one at a time")]
pub(crate) enum ExportItem {
    Header(LogHeader),
    Event(EventRecord),
    Exported(LogExported),
}

/// A file that holds the log.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LogExported {
    pub events: i64,
    /// Number and hash of the last event, as `ID:HASH`.
    pub head: String,
}

/// Streams the log, and checks its chain on the way.
///
/// # Errors
/// [`Error::Ops`] if the log cannot be read or its chain is broken; [`Error::Output`] if the stream cannot
/// be written.
pub(crate) fn export(cx: &mut CommandContext, sink: &mut dyn Sink<ExportItem>) -> Result<Verdict, Error> {
    write_log(cx, sink)?;
    Ok(Verdict::Yes)
}

/// Writes the log to a new file, which appears once it is complete, and puts a summary into `sink`.
///
/// # Errors
/// As [`export`]; [`Error::Ops`] if the file exists, [`Error::File`] if it cannot be written.
pub(crate) fn export_file(
    cx: &mut CommandContext,
    path: &Path,
    sink: &mut dyn Sink<ExportItem>,
) -> Result<Verdict, Error> {
    let path = paths::clean(path, &cx.cwd()?);
    if path.symlink_metadata().is_ok() {
        return Err(DbError::Exists(path).into());
    }
    let failed = |source| failed(&path, source);
    let file = Unfinished::beside(&path).map_err(failed)?;
    let mut lines = FileSink { writer: file.writer(), path: &path, text: Vec::new() };
    let head = write_log(cx, &mut lines)?;
    lines.writer.flush().map_err(failed)?;
    drop(lines);
    if !file.finish().map_err(failed)? {
        return Err(DbError::Exists(path).into());
    }
    sink.put(&ExportItem::Exported(LogExported { events: head.id, head: head.to_string() }))?;
    sink.deliver(&AtomicBool::new(false))?;
    Ok(Verdict::Yes)
}

fn failed(path: &Path, source: io::Error) -> Error {
    Error::File { what: "writing", path: PathBuf::from(path), source }
}

/// Puts the lines of the log into the sink. Returns the head, as far as the sink took the lines.
fn write_log(cx: &mut CommandContext, sink: &mut dyn Sink<ExportItem>) -> Result<Head, Error> {
    let (mut reader, head) = EventReader::up_to_now(Filter::default(), cx)?;
    // A signal ends the process as it always does.
    let never = AtomicBool::new(false);
    sink.put(&ExportItem::Header(LogHeader { format: FORMAT.to_owned(), head: head.to_string() }))?;
    sink.deliver(&never)?;
    let mut at = Head::genesis();
    loop {
        let piece = reader.next(cx, |_| Admit::Take)?;
        for event in piece.events {
            at = store::event::follows(&at, &event).map_err(StoreError::ChainBroken)?;
            sink.put(&ExportItem::Event(event.into()))?;
        }
        if sink.deliver(&never)? == Flow::Stop {
            return Ok(at);
        }
        if !piece.full {
            break;
        }
    }
    if at == head {
        return Ok(at);
    }
    let broken = if at.id < head.id {
        Break { id: at.id + 1, problem: "removed" }
    } else {
        Break { id: head.id, problem: "replaced while the log was exported" }
    };
    Err(StoreError::ChainBroken(broken).into())
}

/// Writes items to a file, as lines of JSON.
struct FileSink<'a, W> {
    writer: W,
    path: &'a Path,
    text: Vec<u8>,
}

impl<W: Write> Sink<ExportItem> for FileSink<'_, W> {
    fn put(&mut self, item: &ExportItem) -> Result<(), Error> {
        json_lines::append(item, &mut self.text)
    }

    fn deliver(&mut self, _: &AtomicBool) -> Result<Flow, Error> {
        self.writer.write_all(&self.text).map_err(|source| failed(self.path, source))?;
        self.text.clear();
        Ok(Flow::Continue)
    }

    fn settle(&mut self, _: &AtomicBool) -> Result<Flow, Error> {
        Ok(Flow::Continue)
    }

    fn is_abandoned(&self) -> bool {
        false
    }
}
