//! `ic run`, and the same commands as `ic phase`.

pub(in crate::cli) mod advance;
pub(in crate::cli) mod budget;
pub(in crate::cli) mod cancel;
pub(in crate::cli) mod create;
pub(in crate::cli) mod current;
pub(in crate::cli) mod events;
pub(in crate::cli) mod list;
pub(in crate::cli) mod phase;
pub(in crate::cli) mod rollback;
pub(in crate::cli) mod set;
pub(in crate::cli) mod skip;
pub(in crate::cli) mod status;
pub(in crate::cli) mod tokens;
pub(in crate::cli) mod unskip;

use std::io::{self, Write};

use crate::app::run::find::RunSelector;
use crate::app::run::skip::SkipAnswer;
use crate::cli::args::RunRef;
use crate::cli::command::Text;
use crate::cli::commands::{action, agent, artifact};
use crate::cli::tree::{Node, command, group};

/// The verbs of `ic run`.
pub(in crate::cli) const NODES: &[Node] = &[
    command::<create::Create>("create"),
    command::<status::Status>("status"),
    command::<phase::ShowPhase>("phase"),
    command::<list::List>("list"),
    command::<current::Current>("current"),
    command::<advance::Advance>("advance"),
    command::<skip::Skip>("skip"),
    command::<unskip::Unskip>("unskip"),
    command::<rollback::Rollback>("rollback"),
    command::<events::Events>("events"),
    command::<cancel::Cancel>("cancel"),
    command::<tokens::Tokens>("tokens"),
    command::<budget::Budget>("budget"),
    command::<set::Set>("set"),
    group("agent", "Agents: which agents work on a run", agent::NODES),
    group("artifact", "Artifacts: files that a run produced", artifact::NODES),
    group("action", "Actions: commands that are due when a run enters a phase", action::NODES),
];

/// The verbs of `ic phase`.
pub(in crate::cli) const PHASE_NODES: &[Node] = &[
    command::<phase::ShowPhase>("show"),
    command::<advance::Advance>("advance"),
    command::<skip::Skip>("skip"),
    command::<unskip::Unskip>("unskip"),
    command::<rollback::Rollback>("rollback"),
    command::<events::Events>("history"),
];

impl From<RunRef> for RunSelector {
    fn from(RunRef { id, scope, project }: RunRef) -> Self {
        Self { id, scope, project }
    }
}

impl Text for SkipAnswer {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{}: {}", self.status, self.phase)
    }
}
