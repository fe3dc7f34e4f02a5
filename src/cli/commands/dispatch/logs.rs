//! `ic dispatch logs`

use std::sync::atomic::AtomicBool;

use crate::app::dispatch::logs::{self, LogsRequest};
use crate::app::reply::{Flow, Sink};
use crate::app::{CommandContext, Error, Verdict};
use crate::cli::command::{Access, StreamCommand};
use crate::cli::output::Output;
use crate::domain::ids::DispatchId;

/// Show the output of the child of a dispatch
///
/// Its stdout, or with --stderr its stderr, as it was written. The last 8 to 16 MB of each are kept.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic dispatch logs w8d2f5gh -f")]
pub(in crate::cli) struct Logs {
    /// The dispatch
    id: DispatchId,
    /// Show its stderr
    #[arg(long)]
    stderr: bool,
    /// Go on until the dispatch ends
    #[arg(long, short)]
    follow: bool,
}

impl StreamCommand for Logs {
    type Item = Vec<u8>;
    type Line = ChildOutput;
    const ACCESS: Access = Access::Process;

    fn sink(&self, out: Output) -> Result<Box<dyn Sink<Vec<u8>>>, Error> {
        Ok(Box::new(Bytes { out, pending: Vec::new() }))
    }

    fn run(self, cx: &mut CommandContext, sink: &mut dyn Sink<Vec<u8>>) -> Result<Verdict, Error> {
        let Self { id, stderr, follow } = self;
        logs::logs(cx, &LogsRequest { id, stderr, follow }, sink)
    }
}

/// What the child wrote, byte for byte: not JSON, also with `--json`.
#[derive(schemars::JsonSchema)]
#[schemars(transparent)]
pub(in crate::cli) struct ChildOutput(#[expect(dead_code, reason = "this is its schema")] serde_json::Value);

/// Writes bytes unchanged.
struct Bytes {
    out: Output,
    pending: Vec<u8>,
}

impl Sink<Vec<u8>> for Bytes {
    fn put(&mut self, item: &Vec<u8>) -> Result<(), Error> {
        self.pending.extend_from_slice(item);
        Ok(())
    }

    fn deliver(&mut self, stop: &AtomicBool) -> Result<Flow, Error> {
        let is_taken = self.out.stream(&self.pending, stop)?;
        self.pending.clear();
        Ok(if is_taken { Flow::Continue } else { Flow::Stop })
    }

    fn settle(&mut self, _: &AtomicBool) -> Result<Flow, Error> {
        Ok(Flow::Continue)
    }

    fn is_abandoned(&self) -> bool {
        self.out.is_abandoned()
    }
}
