//! `ic run advance`, `ic phase advance`

use std::io::{self, Write};
use std::path::PathBuf;

use serde_json::json;

use crate::app::effects::{self, Moved};
use crate::app::{CommandContext, Error};
use crate::cli::action::ActionView;
use crate::cli::dispatch;
use crate::cli::gate::evidence;
use crate::cli::output::View;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx, args};
use crate::domain::action::Action;
use crate::domain::gate as domain_gate;
use crate::domain::ids::RunId;
use crate::domain::phase::Phase;
use crate::domain::rules::Check;
use crate::domain::run::Run;
use crate::domain::text::one_line;
use crate::ops::advance::{self, Outcome, Request};
use crate::ops::gate::Terms;
use crate::ops::{OpsError, gate, members};
use crate::store;

/// Move a run to its next phase
///
/// The gate of the phase that is left decides: a hard condition that fails blocks (exit 1, and an event says why). Phases
/// that are skipped are walked past. A run whose metadata asks for runtime evidence does not enter its last phase without
/// an artifact of type `runtime-evidence/v1` whose file is unchanged, whatever the flags.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic run advance \"$run\" --expect-phase=planned")]
pub(in crate::cli) struct Advance {
    /// The run
    id: RunId,
    /// Urgency: 0 and 1 make gates hard, 2 and 3 soft, from 4 on they are not looked at
    #[arg(long, value_name = "N", default_value_t = 1)]
    priority: i64,
    /// Do not look at gates at all
    #[arg(long)]
    disable_gates: bool,
    /// Why the run moves, also if it does not advance by itself
    #[arg(long, value_name = "TEXT")]
    skip_reason: Option<String>,
    /// Move only if the run is in this phase (exit 1 otherwise)
    #[arg(long, value_name = "PHASE")]
    expect_phase: Option<Phase>,
    /// Tiers learned from the past
    #[arg(long, value_name = "FILE")]
    calibration_file: Option<PathBuf>,
}

impl Verb for Advance {
    const KEPT: &'static [&'static str] = &["skip_reason"];

    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let calibration = args::calibration(self.calibration_file.as_deref(), cx)?;
        let terms = Terms { disabled: self.disable_gates, calibration, ..Terms::at(self.priority) };
        let bypass = terms.bypass();
        let mut request = Request {
            id: self.id,
            expect: self.expect_phase,
            terms,
            skip_reason: args::given(self.skip_reason),
        };
        let stamp = cx.stamp.clone();
        let id = request.id.clone();
        let shown = evidence::compared(cx, &id, |cx, evidence| {
            request.terms.evidence = evidence;
            cx.write(|tx| {
                let done = advance::advance(tx, &request, &stamp)?;
                let next = (done.outcome == Outcome::Advanced)
                    .then(|| Next::of(tx, &done.run, &done.step.to))
                    .transpose()?;
                Ok::<_, OpsError>(Shown { done, next })
            })
        })?;
        let done = &shown.done;
        if let (Some(why), true) = (bypass, done.outcome == Outcome::Advanced) {
            cx.out.warn(format_args!(
                "gate bypass: {why} (run {}, {} → {})",
                done.run.id, done.step.from, done.step.to
            ));
        }
        if done.outcome == Outcome::Blocked {
            for condition in done.verdict.conditions.iter().filter(|c| c.result == domain_gate::Outcome::Fail)
            {
                let detail = condition.detail.as_deref().unwrap_or("not met");
                cx.out.remark(format_args!("gate {}: {detail}", condition.check));
            }
        }
        follow(cx, done);
        cx.out.show(&shown)?;
        Ok(if done.outcome == Outcome::Advanced { Answer::Yes } else { Answer::No })
    }
}

/// What follows the commit of a step that was taken or refused: the hook of the phase, the agents that go to work in it.
pub(crate) fn follow(cx: &mut CommandContext, done: &advance::Advance) {
    let moved = Moved {
        event_id: done.event_id,
        kind: done.outcome.event_type(),
        from: &done.step.from,
        to: &done.step.to,
        reason: done.reason.as_deref(),
    };
    effects::phase_hook(cx, &done.run, &moved);
    if done.outcome == Outcome::Advanced {
        dispatch::auto::dispatch_agents(cx, &done.run, &done.step.to);
    }
}

/// What is due in the phase that was entered.
struct Next {
    active_agents: i64,
    requirements: Vec<Check>,
    actions: Vec<Action>,
}

impl Next {
    fn of(tx: &crate::db::ReadTx<'_>, run: &Run, phase: &Phase) -> Result<Self, OpsError> {
        let here = Run { phase: phase.clone(), ..run.clone() };
        let requirements = match here.chain().after(phase).first() {
            None => Vec::new(),
            Some(next) => {
                gate::rules_between(&here, phase, next).1.into_iter().map(|rule| rule.check).collect()
            }
        };
        Ok(Self {
            active_agents: store::agent::count_active(tx, &run.id)?,
            requirements,
            actions: members::ready_actions(tx, run, phase)?,
        })
    }
}

struct Shown {
    done: advance::Advance,
    next: Option<Next>,
}

impl serde::Serialize for Shown {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let advance::Advance { outcome, step, verdict, reason, event_id, .. } = &self.done;
        let mut map = json!({
            "advanced": *outcome == Outcome::Advanced,
            "event_type": outcome.event_type(),
            "event_id": event_id,
            "from_phase": step.from,
            "to_phase": step.to,
            "gate_result": verdict.result,
            "gate_tier": verdict.tier,
            "reason": reason.as_deref().unwrap_or(""),
        });
        if let Some(next) = &self.next {
            map["active_agent_count"] = json!(next.active_agents);
            if !next.requirements.is_empty() {
                map["next_gate_requirements"] = json!(next.requirements);
            }
            if !next.actions.is_empty() {
                map["actions"] = json!(next.actions.iter().map(ActionView::from).collect::<Vec<_>>());
            }
        }
        map.serialize(serializer)
    }
}

impl View for Shown {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        let step = &self.done.step;
        let Some(next) = &self.next else {
            return writeln!(w, "{} (blocked: {})", step.from, self.done.outcome.event_type());
        };
        writeln!(w, "{} → {}", step.from, step.to)?;
        for Action { command, args, mode, .. } in &next.actions {
            let args = args.as_ref().map_or_else(String::new, |args| format!(" {args}"));
            writeln!(w, "  → {}{}  [{mode}]", one_line(command), one_line(&args))?;
        }
        Ok(())
    }
}
