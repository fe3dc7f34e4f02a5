//! `ic task verify`

use std::io::{self, Write};

use serde::Serialize;

use super::place::Directory;
use super::report::failure;
use super::{Which, status};
use crate::app::Error;
use crate::cli::output::View;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx};
use crate::domain::task::link;
use crate::domain::task::problem::Problem;
use crate::domain::task::status::Status;
use crate::domain::task::verify::{Wanted, verify};

/// Do the files hold what they should? Changes nothing
///
/// The checks that follow every change, on the task's own entry and object: its status in both files and in the plan, and
/// that its entry leads to the artifacts. Exit code 2 and the errors if not.
#[derive(Debug, clap::Parser)]
#[command(
    after_help = "Example: ic task verify 320 --status=planned --artifact=specs/320_x/plans/implementation-001.md"
)]
pub(in crate::cli) struct Verify {
    #[command(flatten)]
    which: Which,
    /// The status that it should have
    #[arg(long, value_parser = status)]
    status: Status,
    /// A file that its entry should lead to
    #[arg(long = "artifact", value_name = "PATH", value_parser = link::path_in_link)]
    artifacts: Vec<String>,
    /// The plan that should have the same status
    #[arg(long, value_name = "PATH", value_parser = link::path_in_link)]
    plan: Option<String>,
}

#[derive(Serialize)]
struct Verified {
    ok: bool,
    status: &'static str,
    task: u64,
    errors: Vec<Problem>,
}

impl View for Verified {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        if self.ok { writeln!(w, "task {}: ok", self.task) } else { Ok(()) }
    }
}

impl Verb for Verify {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let place = Directory::find(self.which.dir.as_deref())?;
        let plan = self.plan.map(|plan| place.plan(&place.written(&plan)));
        let paths: Vec<String> = self.artifacts.iter().map(|path| place.written(path)).collect();
        let wanted =
            Wanted { task: self.which.task, status: self.status, paths: &paths, dir: &place.relative };
        let errors = match place.read(plan.as_ref()) {
            Ok(held) => verify(held.texts(), &wanted),
            Err(problems) => problems,
        };
        let ok = errors.is_empty();
        let shown =
            Verified { ok, status: if ok { "completed" } else { "failed" }, task: self.which.task, errors };
        if ok || cx.out.is_json() {
            cx.out.show(&shown)?;
        }
        if ok {
            return Ok(Answer::Yes);
        }
        let message = format!("task {}: verification failed", shown.task);
        Err(failure(message, &shown.errors, "look at `git diff` of TODO.md and state.json".to_owned()))
    }
}
