//! `ic dispatch`: child processes and what is known of them.

pub(super) mod auto;
pub(super) mod kill;
pub(super) mod launch;
pub(super) mod logs;
pub(super) mod record;
pub(super) mod retry;
mod settle;
pub(super) mod spawn;
pub(super) mod supervise;
mod tokens;
mod view;
pub(super) mod wait;

use std::io::{self, Write};

use serde::Serialize;

use super::output::View;
use super::verb::Verb;
use super::{Answer, Cx, args};
use crate::app::Error;
use crate::domain::ids::DispatchId;
use crate::domain::text::one_line;
use crate::store;
use view::DispatchView;

pub(crate) use settle::stop_processes;
pub(super) use tokens::Tokens;

/// Show a dispatch
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic dispatch status w8d2f5gh --json")]
pub(super) struct Status {
    /// The dispatch
    id: DispatchId,
}

impl Verb for Status {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        settle::settle(cx)?;
        let dispatch = cx.read(|tx| store::dispatch::get(tx, &self.id))?;
        cx.out.show(&DispatchView::from(dispatch))?;
        Ok(Answer::Yes)
    }
}

/// List dispatches, newest first
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic dispatch list --active --scope=k3x9q2ab")]
pub(super) struct List {
    /// Only those that are not over
    #[arg(long)]
    active: bool,
    /// Only those of this run, or of this scope of the caller's
    #[arg(long)]
    scope: Option<String>,
}

#[derive(Serialize)]
#[serde(transparent)]
struct Dispatches(Vec<DispatchView>);

impl View for Dispatches {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        for DispatchView { id, status, agent_type, name, .. } in &self.0 {
            let name = name.as_deref().unwrap_or_default();
            writeln!(w, "{id}\t{status}\t{}\t{}", one_line(agent_type), one_line(name))?;
        }
        Ok(())
    }
}

impl Verb for List {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let scope = args::given(self.scope);
        settle::settle(cx)?;
        let found = cx.read(|tx| store::dispatch::list(tx, self.active, scope.as_deref()))?;
        cx.out.show(&Dispatches(found.into_iter().map(DispatchView::from).collect()))?;
        Ok(Answer::Yes)
    }
}
