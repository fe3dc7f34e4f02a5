//! Dispatching the agents of a run when it enters `executing`.

use std::path::Path;

use super::DEFAULT_SANDBOX;
use super::launch::{self, LaunchRequest, Launched};
use crate::app::{CommandContext, Error};
use crate::domain::agent::{Agent, AgentStatus};
use crate::domain::phase::Phase;
use crate::domain::run::Run;
use crate::store;

/// The phase in which agents are dispatched.
const EXECUTING: &str = "executing";

/// Dispatches the active agents of a run that has entered `executing`. An agent whose dispatch is still live
/// is left alone.
///
/// A failure is a warning: the phase has changed, and the agent stays active.
pub(crate) fn dispatch_agents(cx: &mut CommandContext, run: &Run, entered: &Phase) {
    if entered.as_str() != EXECUTING || run.is_portfolio() {
        return;
    }
    let agents = match cx.read(|tx| store::agent::list(tx, &run.id)) {
        Ok(agents) => agents,
        Err(err) => return cx.warn(format_args!("auto-spawn failed: {err}")),
    };
    for agent in agents.iter().filter(|agent| agent.status == AgentStatus::Active) {
        if let Err(err) = dispatch_agent(cx, run, agent) {
            cx.warn(format_args!("auto-spawn failed: agent {}: {err}", agent.id));
        }
    }
}

fn dispatch_agent(cx: &mut CommandContext, run: &Run, agent: &Agent) -> Result<(), Error> {
    let earlier = match &agent.dispatch_id {
        None => None,
        // A dispatch that was never recorded, or was pruned, does not count.
        Some(id) => cx.read(|tx| store::dispatch::get(tx, id)).ok(),
    };
    if earlier.as_ref().is_some_and(|dispatch| !dispatch.status.is_terminal()) {
        return Ok(());
    }
    let prompt = earlier.and_then(|dispatch| dispatch.prompt_file);
    let prompt = match (prompt, &agent.name) {
        (Some(prompt), _) => prompt,
        (None, Some(name)) if !name.contains('/') => {
            let path = Path::new(&run.project_dir).join(".ic/prompts").join(format!("{name}.md"));
            path.display().to_string()
        }
        (None, Some(name)) => {
            return Err(Error::usage(format!("\"{name}\" is not a valid name of a prompt")));
        }
        (None, None) => return Err(Error::usage("it has no name to find a prompt by")),
    };
    let request = LaunchRequest {
        agent_type: agent.agent_type.clone(),
        program: launch::program(cx, None)?,
        project: run.project_dir.clone(),
        prompt: Some(prompt),
        output: None,
        name: agent.name.clone(),
        model: None,
        sandbox: DEFAULT_SANDBOX.to_owned(),
        sandbox_spec: None,
        scope_id: Some(run.id.to_string()),
        parent_id: None,
        parent_dispatch: None,
        timeout_sec: None,
        retry: None,
    };
    let row = request.row(cx)?;
    match launch::launch(cx, &row, None, Some(agent))? {
        Launched::Started { id, .. } => {
            cx.info(format_args!("agent {} works in dispatch {id}", agent.id));
            Ok(())
        }
        Launched::Overtaken => Ok(()),
        Launched::Rejected(why) => Err(Error::Rejected(why.reason, why.current, why.limit)),
    }
}
