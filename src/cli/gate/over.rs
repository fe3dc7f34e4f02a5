//! `ic gate override`: the next phase, whatever the gate says.

use std::io::{self, Write};

use serde::Serialize;

use crate::app::Error;
use crate::app::effects::{self, Moved};
use crate::cli::dispatch;
use crate::cli::output::View;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx, args};
use crate::domain::gate::OverrideCategory;
use crate::domain::ids::RunId;
use crate::domain::phase::Phase;
use crate::domain::text::{Required, one_line};
use crate::ops::override_gate::{Request, override_gate};

/// Move a run to its next phase past the gate
///
/// The gate is evaluated all the same, and its true verdict is recorded beside the reason. The last step of a run that
/// asks for runtime evidence cannot be overridden (exit 1).
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic gate override k3x9q2ab --reason=\"plan agreed by phone\" --justified")]
pub(in crate::cli) struct Override {
    /// The run
    run: RunId,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Required,
    /// The gate is wrong here
    #[arg(long)]
    justified: bool,
    /// The gate is right, and time is short
    #[arg(long)]
    expedient: bool,
    /// Refuse if the run is in another phase
    #[arg(long, value_name = "PHASE")]
    expect_phase: Option<Phase>,
}

#[derive(Serialize)]
struct Overridden<'a> {
    category: OverrideCategory,
    /// The error code, if the run stays where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    from_phase: &'a Phase,
    reason: &'a str,
    to_phase: &'a Phase,
}

impl View for Overridden<'_> {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        let Self { category, code, from_phase, reason, to_phase } = self;
        if code.is_some() {
            return writeln!(w, "{from_phase} (blocked: block)");
        }
        let reason = one_line(reason);
        writeln!(w, "{from_phase} → {to_phase} (override: {reason}, category: {category})")
    }
}

impl Verb for Override {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let category = match (self.justified, self.expedient) {
            (true, true) => {
                return Err(Error::usage(
                    "gate override: --justified and --expedient are mutually exclusive",
                ));
            }
            (true, false) => OverrideCategory::Justified,
            (false, true) => OverrideCategory::Expedient,
            (false, false) => OverrideCategory::Uncategorized,
        };
        let request = Request {
            id: self.run,
            expect: self.expect_phase,
            reason: args::redacted("--reason", self.reason.as_str(), cx),
            category,
        };
        let stamp = cx.stamp.clone();
        let done = cx.write(|tx| override_gate(tx, &request, &stamp))?;
        let moved = Moved {
            event_id: done.event_id,
            kind: if done.blocked { "block" } else { "override" },
            from: &done.step.from,
            to: &done.step.to,
            reason: Some(&done.reason),
        };
        effects::phase_hook(cx, &done.run, &moved);
        if done.blocked {
            let detail = done.verdict.conditions.iter().find_map(|condition| condition.detail.as_deref());
            cx.out.remark(format_args!("gate override blocked: {}", detail.unwrap_or_default()));
        } else {
            dispatch::auto::dispatch_agents(cx, &done.run, &done.step.to);
        }
        if category == OverrideCategory::Uncategorized {
            cx.out.warn(
                "gate override: DEPRECATION: say --justified or --expedient; one of them will be required",
            );
        }
        cx.out.show(&Overridden {
            category,
            code: done.blocked.then_some("evidence_required"),
            from_phase: &done.step.from,
            reason: &request.reason,
            to_phase: &done.step.to,
        })?;
        Ok(if done.blocked { Answer::No } else { Answer::Yes })
    }
}
