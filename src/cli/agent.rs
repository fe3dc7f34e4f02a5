//! `ic agent`: who works on a run.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::args::{self, RunRef};
use super::output::View;
use super::verb::Verb;
use super::{Answer, Cx};
use crate::app::Error;
use crate::domain::agent::{Agent, AgentStatus};
use crate::domain::ids::{AgentId, DispatchId, RunId};
use crate::domain::phase::Phase;
use crate::domain::text::one_line;
use crate::domain::time::rfc3339_seconds;
use crate::ops::members::{self, AddAgent};
use crate::ops::once::{Key, once};
use crate::store;

/// Add an agent to a run
///
/// The agent starts active, in the run's phase unless another is given.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic agent add k3x9q2ab --type=claude --name=reviewer")]
pub(super) struct Add {
    /// The run that it works on
    run: RunId,
    /// Kind of agent, free text
    #[arg(long = "type", value_name = "TYPE", default_value = "claude")]
    agent_type: String,
    /// Its name, free text
    #[arg(long)]
    name: Option<String>,
    /// The phase that it belongs to [default: the run's phase]
    #[arg(long)]
    phase: Option<Phase>,
    /// The dispatch that it runs in
    #[arg(long, value_name = "ID")]
    dispatch_id: Option<String>,
    /// Do this once per key: a repeat answers the same
    #[arg(long, value_name = "KEY", value_parser = args::key)]
    idempotency_key: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Added {
    id: AgentId,
}

impl View for Added {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{}", self.id)
    }
}

impl Verb for Add {
    const KEPT: &'static [&'static str] = &["agent_type", "name", "phase", "dispatch_id", "idempotency_key"];

    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let add = AddAgent {
            run_id: self.run,
            agent_type: args::given(Some(self.agent_type)).unwrap_or_else(|| "claude".to_owned()),
            name: args::given(self.name),
            phase: self.phase,
            dispatch_id: self.dispatch_id.and_then(|id| id.parse::<DispatchId>().ok()),
        };
        let stamp = cx.stamp.clone();
        let key = Key { command: "agent add", key: self.idempotency_key.as_deref() };
        let added = cx.write(|tx| {
            once(tx, key, &add, &stamp, || Ok(Added { id: members::add_agent(tx, &add, &stamp)?.id }))
        })?;
        cx.out.show(&added)?;
        Ok(Answer::Yes)
    }
}

/// List the agents of a run, oldest first
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic agent list k3x9q2ab --json")]
pub(super) struct List {
    #[command(flatten)]
    run: RunRef,
}

#[derive(Serialize)]
struct AgentView {
    agent_type: String,
    /// RFC 3339, as the readers of this list expect; every other time of a table is in Unix seconds.
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    dispatch_id: Option<DispatchId>,
    id: AgentId,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    phase: Phase,
    run_id: RunId,
    status: AgentStatus,
    updated_at: i64,
}

impl From<Agent> for AgentView {
    fn from(agent: Agent) -> Self {
        Self {
            agent_type: agent.agent_type,
            created_at: rfc3339_seconds(agent.created_at),
            dispatch_id: agent.dispatch_id,
            id: agent.id,
            name: agent.name,
            phase: agent.phase,
            run_id: agent.run_id,
            status: agent.status,
            updated_at: agent.updated_at,
        }
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Agents(Vec<AgentView>);

impl View for Agents {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        for AgentView { id, agent_type, status, name, .. } in &self.0 {
            let name = name.as_deref().unwrap_or_default();
            writeln!(w, "{id}\t{}\t{status}\t{}", one_line(agent_type), one_line(name))?;
        }
        Ok(())
    }
}

impl Verb for List {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let wanted = self.run.wanted()?;
        let agents = cx.read(|tx| {
            let run = wanted.find(tx)?;
            Ok::<_, Error>(store::agent::list(tx, &run.id)?)
        })?;
        cx.out.show(&Agents(agents.into_iter().map(AgentView::from).collect()))?;
        Ok(Answer::Yes)
    }
}

/// Change the status of an agent
///
/// With two ids the first is the run that the agent has to belong to.
#[derive(Debug, clap::Parser)]
#[command(
    override_usage = "ic agent update [OPTIONS] --status <STATUS> [RUN] <AGENT>",
    after_help = "Example: ic agent update p4m7z1cd --status=completed"
)]
pub(super) struct Update {
    /// The agent, or the run and the agent
    #[arg(required = true, num_args = 1..=2, value_name = "AGENT")]
    ids: Vec<String>,
    /// What it is doing now: active, completed or failed
    #[arg(long)]
    status: AgentStatus,
}

#[derive(Serialize)]
struct Updated {
    id: AgentId,
    status: AgentStatus,
}

impl View for Updated {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "updated")
    }
}

impl Update {
    /// The run, if it was named, and the agent.
    fn ids(&self) -> Result<(Option<RunId>, AgentId), Error> {
        let empty = |_| Error::usage("an agent or run id must not be empty");
        match self.ids.as_slice() {
            [agent] => Ok((None, agent.parse().map_err(empty)?)),
            [run, agent] => Ok((Some(run.parse().map_err(empty)?), agent.parse().map_err(empty)?)),
            _ => Err(Error::usage("want <agent> or <run> <agent>")),
        }
    }
}

impl Verb for Update {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let (run, agent) = self.ids()?;
        let stamp = cx.stamp.clone();
        let Agent { id, status, .. } =
            cx.write(|tx| members::update_agent(tx, &agent, run.as_ref(), self.status, &stamp))?;
        cx.out.show(&Updated { id, status })?;
        Ok(Answer::Yes)
    }
}
