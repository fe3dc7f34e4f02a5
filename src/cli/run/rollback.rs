//! `ic run rollback`, `ic phase rollback`

use crate::domain::order;
use std::io::{self, Write};

use serde_json::{Value, json};

use crate::app::Error;
use crate::app::effects::{self, Moved};
use crate::cli::dispatch;
use crate::cli::output::View;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx, args};
use crate::domain::artifact::Artifact;
use crate::domain::ids::{DispatchId, RunId};
use crate::domain::phase::Phase;
use crate::domain::text::one_line;
use crate::domain::words;
use crate::ops::rollback::{self, Plan};
use crate::ops::{OpsError, undo};
use crate::store;

words!(
    /// What `--layer` may be.
    Layer, "layer" {
        /// The files that the run produced.
        Code = "code",
    }
);

words!(
    /// How `--layer=code` is shown.
    Format, "format" {
        /// For programs.
        Json = "json",
        /// For people.
        Text = "text",
    }
);

/// Take a run back to an earlier phase, with everything that followed from the later ones
///
/// In one step: the run moves back; artifacts of every later phase stop counting; live dispatches of the phases that are
/// undone are cancelled and their processes asked to end; agents of those phases are marked failed; skips of those phases
/// are cleared. Each of these is an event of its own. A completed run becomes active again and its completion time is
/// cleared: nothing else clears it, and the rollback's event keeps the old value. Cancelled and failed runs stay as they
/// are.
///
/// --undo takes a rollback back, as long as nothing has happened to the run since. --layer=code changes nothing: it lists
/// the run's artifacts for a rollback of the files themselves.
#[derive(Debug, clap::Parser)]
#[command(
    after_help = "Examples:\n  ic run rollback \"$run\" --to-phase=planned --reason='wrong design' --dry-run\n  \
                  ic phase rollback --undo=42\n  ic run rollback \"$run\" --layer=code --format=text"
)]
pub(in crate::cli) struct Rollback {
    /// The run
    id: Option<RunId>,
    /// The phase to go back to
    #[arg(long, value_name = "PHASE", conflicts_with_all = ["undo", "layer"])]
    to_phase: Option<Phase>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Show what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Take back the rollback with this event number
    #[arg(long, value_name = "EVENT", conflicts_with = "layer")]
    undo: Option<i64>,
    /// Do it only if the run is in this phase (exit 1 otherwise)
    #[arg(long, value_name = "PHASE")]
    expect_phase: Option<Phase>,
    /// Leave the processes of cancelled dispatches alone
    #[arg(long)]
    no_signal: bool,
    /// List what a rollback of this layer concerns: code
    #[arg(long)]
    layer: Option<Layer>,
    /// With --layer=code, only artifacts of this phase
    #[arg(long, requires = "layer")]
    phase: Option<Phase>,
    /// With --layer=code, json or text [default: json]
    #[arg(long, requires = "layer")]
    format: Option<Format>,
}

impl Verb for Rollback {
    fn run(mut self, cx: &mut Cx) -> Result<Answer, Error> {
        self.reason = args::given(self.reason).map(|reason| args::redacted("--reason", &reason, cx));
        if let Some(event) = self.undo {
            return self.undo(event, cx);
        }
        let Some(id) = self.id.clone() else {
            return Err(Error::Usage {
                message: "run rollback: which run?".to_owned(),
                hint: Some(
                    "ic run rollback <id> --to-phase=<phase> [--reason=…] [--dry-run], ic run rollback --undo=<event>, or ic \
                     run rollback <id> --layer=code [--phase=…] [--format=json|text]"
                        .to_owned(),
                ),
            });
        };
        match (&self.to_phase, self.layer) {
            (Some(to), _) => {
                let to = to.clone();
                self.roll_back(id, to, cx)
            }
            (None, Some(Layer::Code)) => self.list_code(&id, cx),
            (None, None) => Err(Error::usage("run rollback: --to-phase, --undo or --layer required")),
        }
    }
}

impl Rollback {
    fn roll_back(self, id: RunId, to: Phase, cx: &mut Cx) -> Result<Answer, Error> {
        let request = rollback::Request {
            id,
            to,
            expect: self.expect_phase,
            reason: self.reason,
            signal: !self.no_signal,
        };
        if self.dry_run {
            let plan = cx.read(|tx| rollback::plan(tx, &request))?;
            let mut map = changes(&plan, request.reason.as_deref());
            map["dry_run"] = json!(true);
            cx.out.indented(&map)?;
            return Ok(Answer::Yes);
        }
        let stamp = cx.stamp.clone();
        let (plan, event_id) = cx.write(|tx| rollback::rollback(tx, &request, &stamp))?;
        let reason = request.reason.as_deref();
        let moved = Moved { event_id, kind: "rollback", from: &plan.run.phase, to: &plan.to, reason };
        effects::phase_hook(cx, &plan.run, &moved);
        let stop = request.signal && !plan.dispatches.is_empty();
        let signalled = if stop { dispatch::stop_processes(cx)? } else { 0 };
        let mut map = changes(&plan, reason);
        map["event_id"] = json!(event_id);
        map["signalled"] = json!(signalled);
        cx.out.indented(&map)?;
        Ok(Answer::Yes)
    }

    fn undo(self, event: i64, cx: &mut Cx) -> Result<Answer, Error> {
        if self.dry_run {
            return Err(Error::usage("run rollback: --dry-run does not go with --undo"));
        }
        let request = undo::Request { event, run: self.id, expect: self.expect_phase, reason: self.reason };
        let stamp = cx.stamp.clone();
        let done = cx.write(|tx| undo::undo(tx, &request, &stamp))?;
        let moved = Moved {
            event_id: done.event_id,
            kind: "undo",
            from: &done.run.phase,
            to: &done.to,
            reason: done.reason.as_deref(),
        };
        effects::phase_hook(cx, &done.run, &moved);
        cx.out.indented(&json!({
            "undone_event": event,
            "event_id": done.event_id,
            "run_id": done.run.id,
            "from_phase": done.run.phase,
            "to_phase": done.to,
            "status": done.status,
            "reason": done.reason.as_deref().unwrap_or(""),
            "restored_artifacts": done.artifacts,
            "restored_agents": done.agents,
            "restored_skips": done.skips,
            "still_cancelled_dispatches": done.still_cancelled,
            "still_failed_agents": done.still_failed,
        }))?;
        Ok(Answer::Yes)
    }

    fn list_code(self, id: &RunId, cx: &mut Cx) -> Result<Answer, Error> {
        let files = cx.read(|tx| {
            let run = store::run::get(tx, id)?;
            let mut artifacts = store::artifact::list(tx, &run.id, self.phase.as_ref())?;
            order::by(&mut artifacts, |a, b| a.phase.cmp(&b.phase));
            let names = |artifact: Artifact| {
                let dispatch = artifact.dispatch_id.as_ref().map(|id| store::dispatch::get(tx, id));
                let dispatch_name = dispatch.and_then(Result::ok).and_then(|dispatch| dispatch.name);
                File { artifact, dispatch_name }
            };
            Ok::<_, OpsError>(Files(artifacts.into_iter().map(names).collect()))
        })?;
        match self.format {
            Some(Format::Text) if !cx.out.is_json() => cx.out.show(&files)?,
            _ => cx.out.indented(&files)?,
        }
        Ok(Answer::Yes)
    }
}

/// What a rollback changes, the same for a dry run and the real one (RB-12).
fn changes(plan: &Plan, reason: Option<&str>) -> Value {
    json!({
        "from_phase": plan.run.phase,
        "to_phase": plan.to,
        "rolled_back_phases": plan.rolled_back,
        "reason": reason.unwrap_or(""),
        "cancelled_dispatches": plan.dispatches.len(),
        "failed_agents": plan.agents.len(),
        "marked_artifacts": plan.artifacts.len(),
        "unskipped_phases": plan.skips.iter().map(|(phase, _)| phase).collect::<Vec<_>>(),
        "dispatches": plan.dispatches.iter().map(|d| &d.id).collect::<Vec<&DispatchId>>(),
        "agents": plan.agents.iter().map(|a| &a.id).collect::<Vec<_>>(),
        "artifacts": plan.artifacts.iter().map(|a| &a.id).collect::<Vec<_>>(),
        "released_locks": plan.locks.iter().map(|lock| &lock.id).collect::<Vec<_>>(),
    })
}

struct File {
    artifact: Artifact,
    dispatch_name: Option<String>,
}

struct Files(Vec<File>);

impl serde::Serialize for Files {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|File { artifact, dispatch_name }| {
            json!({
                "dispatch_id": artifact.dispatch_id,
                "dispatch_name": dispatch_name,
                "phase": artifact.phase,
                "path": artifact.path,
                "content_hash": artifact.content_hash,
                "type": artifact.kind,
                "status": artifact.status,
            })
        }))
    }
}

impl View for Files {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        for File { artifact, dispatch_name } in &self.0 {
            let short = |hash: &String| format!("{}...", hash.chars().take(12).collect::<String>());
            let hash = artifact.content_hash.as_ref().map_or_else(|| "<none>".to_owned(), short);
            let name = one_line(dispatch_name.as_deref().unwrap_or("<unknown>"));
            let (phase, status) = (one_line(artifact.phase.as_str()), artifact.status);
            writeln!(w, "{phase:<20} {status:<12} {name:<20} {:<40} {hash}", one_line(&artifact.path))?;
        }
        Ok(())
    }
}
