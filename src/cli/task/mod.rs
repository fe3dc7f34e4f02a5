//! `ic task …`: `TODO.md`, `state.json` and plans, which change together or not at all.

mod commit;
pub(super) mod look;
mod place;
mod probe;
mod report;
mod settle;
mod sync;
pub(super) mod verify;
mod write;

use super::verb::Verb;
use super::{Answer, Cx};
use crate::app::Error;
use crate::domain::ids::RunId;
use crate::domain::task::link::{self, Artifact};
use crate::domain::task::request::Request;
use crate::domain::task::status::Status;
use crate::domain::text::one_line;
use crate::domain::time;
use crate::ops::task::ForRun;
use place::Directory;
use sync::{Job, sync};

/// Which task.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// The task's number
    task: u64,
    /// Where TODO.md and state.json are [default: specs, .claude/specs or .opencode/specs]
    #[arg(long, value_parser = directory)]
    dir: Option<String>,
}

/// What to make of it.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of the command line, each on its own")]
pub(super) struct Change {
    #[command(flatten)]
    which: Which,
    /// Its status from now on: a word such as `planned`
    #[arg(long, value_name = "STATUS", value_parser = status)]
    to: Option<Status>,
    /// The plan whose overall status follows
    #[arg(long, value_name = "PATH", value_parser = link::path_in_link)]
    plan: Option<String>,
    /// Who works on it: goes into the log and the commit
    #[arg(long, value_name = "ID", value_parser = line)]
    session: Option<String>,
    /// Why it is blocked or abandoned
    #[arg(long, value_name = "TEXT", value_parser = line)]
    reason: Option<String>,
    /// The numbers of the tasks that it was expanded into
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    subtasks: Vec<u64>,
    /// The day for TODO.md, instead of today
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    date: Option<String>,
    /// Keep no dates of stages
    #[arg(long)]
    no_dates: bool,
    /// Refuse if the two files disagree on its status
    #[arg(long)]
    strict: bool,
    /// Go past the table of transitions
    #[arg(long)]
    force: bool,
    /// Only say what would happen
    #[arg(long)]
    dry_run: bool,
    /// The run that it belongs to: artifacts are filed there too
    #[arg(long, value_name = "ID")]
    run: Option<RunId>,
    /// Let the run go on to its next phase, if its gate allows
    #[arg(long, requires = "run")]
    advance: bool,
}

/// What was produced.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Produced {
    /// What was produced: a kind such as research, plan or summary, and the file
    #[arg(long = "artifact", value_name = "TYPE:PATH", value_parser = link::artifact)]
    artifacts: Vec<Artifact>,
    /// One sentence on it, kept with the artifacts
    #[arg(long, value_name = "TEXT", value_parser = line)]
    summary: Option<String>,
    /// What becomes of the link to an older plan
    #[arg(long, value_name = "HOW", default_value = "replace", value_parser = ["replace", "append"])]
    plan_link: String,
}

/// Reads text of one line.
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

fn day(text: &str) -> Result<String, String> {
    let parts: Vec<u32> = text.split('-').filter_map(|part| part.parse().ok()).collect();
    let digits = text.len() == 10
        && text
            .bytes()
            .enumerate()
            .all(|(at, b)| if at == 4 || at == 7 { b == b'-' } else { b.is_ascii_digit() });
    match parts[..] {
        [_, 1..=12, 1..=31] if digits => Ok(text.to_owned()),
        _ => Err("want a day such as 2026-01-31".to_owned()),
    }
}

/// Before work on a task begins: its status says that somebody is at it
///
/// TODO.md, state.json and the plan change together or not at all. Refused with exit code 1, and nothing changed, if the
/// status may not follow or the files cannot be relied on; all that is wrong is told at once. Commits nothing.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic task preflight 320 --to=planning")]
pub(super) struct Preflight {
    #[command(flatten)]
    change: Change,
}

/// After work on a task: its artifacts are checked and linked, its status follows, and git gets a commit
///
/// An artifact has to be a file with content; who is a second late is waited for. The commit holds the artifacts and the
/// files of the task, whatever else is staged; if it fails, that is a warning and the task is up to date all the same.
#[derive(Debug, clap::Parser)]
#[command(
    after_help = "Example: ic task postflight 320 --to=planned --artifact=plan:specs/320_x/plans/implementation-001.md"
)]
pub(super) struct Postflight {
    #[command(flatten)]
    change: Change,
    #[command(flatten)]
    produced: Produced,
    /// Leave git alone
    #[arg(long)]
    no_commit: bool,
}

/// Change a task in any way: status, links, or both
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic task set 320 --to=blocked --reason='waits for task 317'\n         \
                        ic task set 320 --artifact=research:specs/320_x/reports/research-002.md")]
pub(super) struct Set {
    #[command(flatten)]
    change: Change,
    #[command(flatten)]
    produced: Produced,
    /// Commit the change in git
    #[arg(long)]
    commit: bool,
}

/// The arguments that are kept.
const KEPT: &[&str] = &["artifacts", "summary", "session", "reason", "plan"];

impl Verb for Preflight {
    const KEPT: &'static [&'static str] = &["session", "reason", "plan"];

    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        self.change.carry_out(cx, Produced::default(), "preflight", false)
    }
}

impl Verb for Postflight {
    const KEPT: &'static [&'static str] = KEPT;

    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        self.change.carry_out(cx, self.produced, "postflight", !self.no_commit)
    }
}

impl Verb for Set {
    const KEPT: &'static [&'static str] = KEPT;

    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        self.change.carry_out(cx, self.produced, "set", self.commit)
    }
}

impl Change {
    fn carry_out(
        self,
        cx: &mut Cx,
        produced: Produced,
        what: &'static str,
        commit: bool,
    ) -> Result<Answer, Error> {
        if self.to.is_none() && (what != "set" || produced.artifacts.is_empty()) {
            return Err(Error::usage(format!("task {what}: --to is needed")));
        }
        let place = Directory::find(self.which.dir.as_deref())?;
        let artifacts: Vec<String> = produced
            .artifacts
            .iter()
            .map(|artifact| format!("{}:{}", artifact.kind.word(), place.written(&artifact.path)))
            .collect();
        let now = seconds(cx);
        let date = self.date.clone().unwrap_or_else(|| now[..10].to_owned());
        let request = Request {
            task: self.which.task,
            to: self.to,
            artifacts,
            summary: produced.summary,
            reason: self.reason,
            subtasks: self.subtasks,
            staged: self.date.map_or_else(|| now.clone(), |date| format!("{date}T00:00:00Z")),
            date,
            now,
            dates: !self.no_dates,
            force: self.force,
            strict: self.strict,
            keep_plans: produced.plan_link == "append",
            dir: place.relative.clone(),
        };
        let run = self.run.map(|id| ForRun {
            id,
            artifacts: Vec::new(),
            unchanged: Vec::new(),
            advance: self.advance,
        });
        let plan = self.plan.map(|plan| place.plan(&place.written(&plan)));
        let job =
            Job { what, request, plan, session: self.session, commit, dry_run: self.dry_run, run, place };
        sync(cx, job)?.show(cx)
    }
}

/// The moment of the call, as `state.json` has it: `YYYY-MM-DDTHH:MM:SSZ`.
fn seconds(cx: &Cx) -> String {
    let text = time::rfc3339(cx.stamp.secs().saturating_mul(1000));
    text.replace(".000Z", "Z")
}
