//! Creating a run, or a portfolio.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::find::project;
use crate::app::{CommandContext, Error, Reply};
use crate::domain::ids::RunId;
use crate::domain::order;
use crate::domain::phase::{Chain, Phase};
use crate::domain::rules::GateRules;
use crate::ops::create::{self, Created, Project, Request};
use crate::ops::once::{Key, once};
use crate::os::files;
use crate::store::run::NewRun;

pub(crate) use crate::store::action::NewAction;

/// The run that a caller asks for.
#[derive(Debug)]
pub(crate) struct CreateRequest {
    pub goal: String,
    /// Stored in the metadata.
    pub description: Option<String>,
    /// Stored in the metadata as `bead_id`.
    pub bead: Option<String>,
    pub project: Option<String>,
    /// The projects of a portfolio, separated by commas.
    pub projects: Option<String>,
    /// 1 to 5.
    pub complexity: i64,
    /// The run's own chain.
    pub phases: Option<Chain>,
    /// The phase that it starts in, if not the first one.
    pub phase: Option<Phase>,
    pub gates: Option<GatesSource>,
    pub auto_skip: bool,
    pub force_full: bool,
    pub scope_id: Option<String>,
    pub goal_id: Option<String>,
    pub token_budget: Option<i64>,
    /// Percentage of the budget from which a warning is due.
    pub budget_warn_pct: i64,
    pub budget_enforce: bool,
    /// 0 for no limit.
    pub max_agents: i64,
    /// 0 for no limit.
    pub max_dispatches: i64,
    pub metadata: Option<Map<String, Value>>,
    pub actions: Vec<NewAction>,
    pub idempotency_key: Option<String>,
}

/// Where the run's own gate rules come from.
#[derive(Debug)]
pub(crate) enum GatesSource {
    Json(String),
    File(PathBuf),
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CreateAnswer {
    /// The runs of a portfolio, in the order of its projects; left out for other runs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<RunId>,
    pub id: RunId,
    pub phase: Phase,
}

/// Creates a run. With an idempotency key, a repeated call returns the first answer.
///
/// # Errors
/// * [`Error::Usage`] if arguments contradict each other.
/// * [`Error::Input`] if the gates file is not valid.
/// * [`Error::Ops`] if the idempotency key was used before with other arguments.
pub(crate) fn create(
    cx: &mut CommandContext,
    mut request: CreateRequest,
) -> Result<Reply<CreateAnswer>, Error> {
    let key = request.idempotency_key.take();
    let request = checked(cx, request)?;
    let stamp = cx.stamp.clone();
    let key = Key { command: "run create", key: key.as_deref() };
    let Created { id, phase, children } =
        cx.write(|tx| once(tx, key, &request, &stamp, || create::create(tx, &request, &stamp)))?;
    Ok(Reply::yes(CreateAnswer { children, id, phase }))
}

/// Checks a request, and completes it from the environment.
fn checked(cx: &CommandContext, request: CreateRequest) -> Result<Request, Error> {
    let projects = match &request.projects {
        None => Vec::new(),
        Some(list) => {
            if request.project.is_some() {
                return Err(Error::usage("run create: --project and --projects are mutually exclusive"));
            }
            portfolio(cx, list)?
        }
    };
    let own = if projects.is_empty() {
        project(request.project.as_deref(), &cx.env)?
    } else {
        Project { dir: String::new(), key: String::new() }
    };
    if request.auto_skip && request.phases.is_some() {
        return Err(Error::usage("run create: --auto-skip works on the default chain, not with --phases"));
    }
    let default = Chain::default();
    let chain = request.phases.as_ref().unwrap_or(&default);
    let gate_rules = request.gates.map_or(Ok(None), |gates| gates.read(cx, chain))?;
    if let Some(stray) = request.actions.iter().find(|action| chain.index(&action.phase).is_none()) {
        return Err(Error::Usage {
            message: format!(
                "run create: --actions names phase \"{}\", which the chain does not have",
                stray.phase
            ),
            hint: Some(format!("the chain is {}", chain.to_json())),
        });
    }
    if let Some(phase) = request.phase.as_ref().filter(|phase| !chain.has_next(phase)) {
        return Err(Error::Usage {
            message: format!("run create: a run cannot start in phase \"{phase}\""),
            hint: Some(format!("name any but the last of {}", chain.to_json())),
        });
    }
    let mut metadata = request.metadata.unwrap_or_default();
    for (member, value) in [("description", request.description), ("bead_id", request.bead)] {
        metadata.extend(value.map(|value| (member.to_owned(), Value::from(value))));
    }
    let metadata = (!metadata.is_empty()).then(|| Value::from(metadata).to_string());
    let run = NewRun {
        project_dir: own.dir,
        project_key: own.key,
        goal: request.goal,
        complexity: request.complexity,
        force_full: request.force_full,
        scope_id: request.scope_id,
        metadata,
        phases: request.phases,
        phase: request.phase,
        token_budget: request.token_budget,
        budget_warn_pct: request.budget_warn_pct,
        parent_run_id: None,
        goal_id: request.goal_id,
        max_dispatches: request.max_dispatches,
        budget_enforce: request.budget_enforce,
        max_agents: request.max_agents,
        gate_rules,
    };
    Ok(Request { run, projects, actions: request.actions, auto_skip: request.auto_skip })
}

impl GatesSource {
    fn read(self, cx: &CommandContext, chain: &Chain) -> Result<Option<GateRules>, Error> {
        match self {
            Self::Json(json) => GateRules::parse(&json, chain)
                .map_err(|err| Error::usage(format!("run create: --gates: {err}"))),
            Self::File(path) => GateRules::parse(&read(cx, &path)?, chain)
                .map_err(|err| Error::Input(format!("run create: --gates-file {}: {err}", path.display()))),
        }
    }
}

fn read(cx: &CommandContext, path: &Path) -> Result<String, Error> {
    files::read_to_string(&cx.cwd()?.join(path)).map_err(|source| Error::File {
        what: "run create: reading --gates-file",
        path: path.to_owned(),
        source,
    })
}

/// Reads the list of a portfolio's projects.
fn portfolio(cx: &CommandContext, list: &str) -> Result<Vec<Project>, Error> {
    let names: Vec<&str> = list.split(',').map(str::trim).collect();
    if names.len() < 2 {
        return Err(Error::usage("run create: --projects requires at least 2 comma-separated paths"));
    }
    if names.contains(&"") {
        return Err(Error::usage("run create: --projects has an empty item"));
    }
    let projects = names.iter().map(|name| project(Some(name), &cx.env)).collect::<Result<Vec<_>, _>>()?;
    let distinct = order::set(projects.iter().map(|project| project.key.as_str()));
    if distinct.len() < projects.len() {
        return Err(Error::usage("run create: --projects names the same project twice"));
    }
    Ok(projects)
}
