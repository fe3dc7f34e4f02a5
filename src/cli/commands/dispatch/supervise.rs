//! `ic dispatch supervise`, which `ic dispatch spawn` starts

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::app::dispatch::supervise::{self, SupervisorReport};
use crate::app::reply::{Flow, Sink};
use crate::app::{CommandContext, Error, Verdict};
use crate::cli::command::{Access, StreamCommand};
use crate::cli::output::Output;
use crate::domain::ids::DispatchId;

/// Start the child of a dispatch and supervise it
#[derive(Debug, clap::Parser)]
pub(in crate::cli) struct Supervise {
    id: DispatchId,
    /// Milliseconds until the child is started
    #[arg(long, default_value_t = 0)]
    delay_ms: u64,
}

impl StreamCommand for Supervise {
    type Item = SupervisorReport;
    type Line = SupervisorReport;
    const ACCESS: Access = Access::Process;

    fn sink(&self, out: Output) -> Result<Box<dyn Sink<SupervisorReport>>, Error> {
        Ok(Box::new(Report(out)))
    }

    fn run(self, cx: &mut CommandContext, sink: &mut dyn Sink<SupervisorReport>) -> Result<Verdict, Error> {
        supervise::supervise(cx, &self.id, Duration::from_millis(self.delay_ms), sink)
    }
}

/// Writes the report to the process at the other end of stdout, which waits for the end of it.
struct Report(Output);

impl Sink<SupervisorReport> for Report {
    fn put(&mut self, item: &SupervisorReport) -> Result<(), Error> {
        // That process may be gone: the work goes on.
        let _ = self.0.document(item);
        Ok(())
    }

    fn deliver(&mut self, _: &AtomicBool) -> Result<Flow, Error> {
        self.0.release().map(|()| Flow::Continue)
    }

    fn settle(&mut self, _: &AtomicBool) -> Result<Flow, Error> {
        Ok(Flow::Continue)
    }

    fn is_abandoned(&self) -> bool {
        false
    }
}
