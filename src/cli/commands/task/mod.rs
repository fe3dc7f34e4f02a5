//! `ic task`: tasks in `TODO.md`, `state.json` and plans.

pub(in crate::cli) mod audit;
pub(in crate::cli) mod errors;
pub(in crate::cli) mod list;
pub(in crate::cli) mod postflight;
pub(in crate::cli) mod preflight;
pub(in crate::cli) mod set;
pub(in crate::cli) mod show;
pub(in crate::cli) mod transitions;
pub(in crate::cli) mod verify;

use std::io::{self, Write};

use crate::app::task::change::TaskChangeRequest;
use crate::app::task::{ChangeKind, TaskChange};
use crate::cli::args;
use crate::cli::command::Text;
use crate::cli::tree::{Node, command};
use crate::domain::ids::RunId;
use crate::domain::stored::Stored;
use crate::domain::task::audit::Task;
use crate::domain::task::link::{self, Artifact};
use crate::domain::task::status::Status;
use crate::domain::text::one_line;
use crate::domain::time;

/// The verbs of `ic task`.
pub(in crate::cli) const NODES: &[Node] = &[
    command::<preflight::Preflight>("preflight"),
    command::<postflight::Postflight>("postflight"),
    command::<set::Set>("set"),
    command::<show::Show>("show"),
    command::<list::List>("list"),
    command::<verify::Verify>("verify"),
    command::<audit::Audit>("audit"),
    command::<errors::Errors>("errors"),
    command::<transitions::Transitions>("transitions"),
];

/// The task.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct TaskArgs {
    /// The number of the task
    task: u64,
    /// The directory of TODO.md and state.json [default: specs, .claude/specs or .opencode/specs]
    #[arg(long, value_parser = directory)]
    dir: Option<String>,
}

/// The change.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of the command line, each on its own")]
pub(in crate::cli) struct ChangeArgs {
    #[command(flatten)]
    task: TaskArgs,
    /// The new status: a word such as `planned`
    #[arg(long, value_name = "STATUS", value_parser = status)]
    to: Option<Status>,
    /// The plan whose overall status follows
    #[arg(long, value_name = "PATH", value_parser = args::stored(link::path_in_link))]
    plan: Option<Stored>,
    /// The session that works on the task, for the log and the commit
    #[arg(long, value_name = "ID", value_parser = args::stored(line))]
    session: Option<Stored>,
    /// The reason why the task is blocked or abandoned
    #[arg(long, value_name = "TEXT", value_parser = args::stored(line))]
    reason: Option<Stored>,
    /// The numbers of the tasks that the task was expanded into
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    subtasks: Vec<u64>,
    /// The date for TODO.md, instead of today
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = date)]
    date: Option<String>,
    /// Keep no dates of stages
    #[arg(long)]
    no_dates: bool,
    /// Refuse the change if the two files disagree on the status
    #[arg(long)]
    strict: bool,
    /// Override the table of transitions
    #[arg(long)]
    force: bool,
    /// Show what would happen, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// The run that the task belongs to: artifacts are filed there too
    #[arg(long, value_name = "ID")]
    run: Option<RunId>,
    /// Let the run advance to its next phase, if its gate allows
    #[arg(long, requires = "run")]
    advance: bool,
}

/// The artifacts of the work.
#[derive(Debug, Default, clap::Args)]
pub(in crate::cli) struct ArtifactArgs {
    /// An artifact of the work: its type, such as research, plan or summary, and its file
    #[arg(long = "artifact", value_name = "TYPE:PATH", value_parser = args::stored(link::artifact))]
    artifacts: Vec<Stored<Artifact>>,
    /// A summary in one sentence, kept with the artifacts
    #[arg(long, value_name = "TEXT", value_parser = args::stored(line))]
    summary: Option<Stored>,
    /// Replace the link to an older plan, or append to it
    #[arg(long, value_name = "HOW", default_value = "replace", value_parser = ["replace", "append"])]
    plan_link: String,
}

impl ChangeArgs {
    fn into_request(self, kind: ChangeKind, artifacts: ArtifactArgs, commit: bool) -> TaskChangeRequest {
        TaskChangeRequest {
            kind,
            task: self.task.task,
            dir: self.task.dir,
            to: self.to,
            plan: self.plan.map(Stored::into_inner),
            session: self.session.map(Stored::into_inner),
            reason: self.reason.map(Stored::into_inner),
            subtasks: self.subtasks,
            date: self.date,
            no_dates: self.no_dates,
            strict: self.strict,
            force: self.force,
            dry_run: self.dry_run,
            run: self.run,
            advance: self.advance,
            artifacts: artifacts.artifacts.into_iter().map(Stored::into_inner).collect(),
            summary: artifacts.summary.map(Stored::into_inner),
            keep_plans: artifacts.plan_link == "append",
            commit,
        }
    }
}

/// Parses text of one line.
fn line(text: &str) -> Result<String, String> {
    match text.len() {
        _ if text.trim().is_empty() => Err("must not be empty".to_owned()),
        1..=4096 if one_line(text) == text => Ok(text.to_owned()),
        1..=4096 => Err("must be one line of plain text".to_owned()),
        _ => Err("must have at most 4096 bytes".to_owned()),
    }
}

fn directory(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("must not be empty".to_owned()) } else { Ok(text.to_owned()) }
}

fn status(text: &str) -> Result<Status, String> {
    text.to_lowercase().replace(' ', "_").parse()
}

fn date(text: &str) -> Result<String, String> {
    if time::is_date(text) { Ok(text.to_owned()) } else { Err("want a day such as 2026-01-31".to_owned()) }
}

impl Text for TaskChange {
    /// A failed change has no text form: its error says everything.
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        if !self.ok {
            return Ok(());
        }
        writeln!(w, "{}", one_line(&self.headline))?;
        self.given_summary.iter().try_for_each(|summary| writeln!(w, "{}", one_line(summary)))
    }
}

impl Text for Task {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        let word = |text: &Option<String>| one_line(text.as_deref().unwrap_or("-")).into_owned();
        let differs = if self.agree { "" } else { "\tdisagree" };
        let (status, marker) = (word(&self.status), word(&self.marker));
        writeln!(w, "{}\t{status}\t{marker}\t{}{differs}", self.number, one_line(&self.title))
    }
}
