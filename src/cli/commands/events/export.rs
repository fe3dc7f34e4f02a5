//! `ic events export`

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use crate::app::events::export::{self, ExportItem};
use crate::app::events::json_lines;
use crate::app::reply::{Flow, Sink};
use crate::app::{CommandContext, Error, Verdict};
use crate::cli::command::{Access, StreamCommand};
use crate::cli::output::Output;

/// Write the whole log to a file
///
/// Lines of JSON: the first names the head, then each event with its hash and its data as the text that was
/// hashed. The chain is checked on the way: a log that does not verify is not exported. An existing file is
/// not overwritten; - writes to stdout.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic events export log-$(date +%F).jsonl")]
pub(in crate::cli) struct Export {
    /// The file to create, or -
    file: PathBuf,
}

impl StreamCommand for Export {
    type Item = ExportItem;
    type Line = ExportItem;
    const ACCESS: Access = Access::Write;

    fn sink(&self, out: Output) -> Result<Box<dyn Sink<ExportItem>>, Error> {
        Ok(Box::new(ExportSink { out, text: Vec::new() }))
    }

    fn run(self, cx: &mut CommandContext, sink: &mut dyn Sink<ExportItem>) -> Result<Verdict, Error> {
        if self.file == Path::new("-") {
            export::export(cx, sink)
        } else {
            export::export_file(cx, &self.file, sink)
        }
    }
}

/// Writes the lines of the log, or what was written to a file in the form that the caller asked for.
struct ExportSink {
    out: Output,
    text: Vec<u8>,
}

impl Sink<ExportItem> for ExportSink {
    fn put(&mut self, item: &ExportItem) -> Result<(), Error> {
        match item {
            ExportItem::Exported(done) if !self.out.is_json() => {
                let line = format!("{} events exported, head {}\n", done.events, done.head);
                self.text.extend_from_slice(line.as_bytes());
                Ok(())
            }
            item => json_lines::append(item, &mut self.text),
        }
    }

    fn deliver(&mut self, _: &AtomicBool) -> Result<Flow, Error> {
        self.out.raw(&self.text)?;
        self.text.clear();
        Ok(Flow::Continue)
    }

    fn settle(&mut self, stop: &AtomicBool) -> Result<Flow, Error> {
        Ok(if self.out.wait_drained(stop)? { Flow::Continue } else { Flow::Stop })
    }

    fn is_abandoned(&self) -> bool {
        self.out.is_abandoned()
    }
}
