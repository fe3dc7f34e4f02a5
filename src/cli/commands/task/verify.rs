//! `ic task verify`

use std::io::{self, Write};

use super::{TaskArgs, status};
use crate::app::task::verify::{self, TaskVerification, VerifyRequest};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::domain::task::link;
use crate::domain::task::status::Status;

/// Verify that the files hold the state that a task should have
///
/// Makes the checks that follow every change, on the task's own entry and object: the status in both files
/// and in the plan, and the links from the entry to the artifacts. Changes nothing. Exit code 2 and the
/// errors if a check fails.
#[derive(Debug, clap::Parser)]
#[command(
    after_help = "Example: ic task verify 320 --status=planned --artifact=specs/320_x/plans/implementation-001.md"
)]
pub(in crate::cli) struct Verify {
    #[command(flatten)]
    task: TaskArgs,
    /// The status that the task should have
    #[arg(long, value_parser = status)]
    status: Status,
    /// A file to which the task's entry should have a link
    #[arg(long = "artifact", value_name = "PATH", value_parser = link::path_in_link)]
    artifacts: Vec<String>,
    /// The plan that should have the same status
    #[arg(long, value_name = "PATH", value_parser = link::path_in_link)]
    plan: Option<String>,
}

impl Command for Verify {
    type Answer = TaskVerification;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<TaskVerification>, Error> {
        let Self { task: TaskArgs { task, dir }, status, artifacts, plan } = self;
        verify::verify(cx, &VerifyRequest { task, dir, status, artifacts, plan })
    }
}

impl Text for TaskVerification {
    /// A failed verification has no text form: its error says everything.
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        if self.ok { writeln!(w, "task {}: ok", self.task) } else { Ok(()) }
    }
}
