//! `ic run create`

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::app::Error;
use crate::cli::output::View;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx, args};
use crate::domain::action::{ActionMode, ActionType};
use crate::domain::order;
use crate::domain::phase::{Chain, Phase};
use crate::domain::rules::GateRules;
use crate::domain::text::Required;
use crate::ops::create::{self, Created, Project, Request};
use crate::ops::once::{Key, once};
use crate::store::action::NewAction;
use crate::store::run::NewRun;

/// Create a run
///
/// The run starts in the first phase of its chain unless --phase names another. With --projects it is a portfolio: a parent
/// run with a child for each project. Prints the new run's id.
#[derive(Debug, clap::Parser)]
#[command(
    after_help = "Example: ic run create --goal='Ship the parser' --phases='[\"plan\",\"build\",\"done\"]'"
)]
pub(in crate::cli) struct Create {
    /// What the run is for
    #[arg(long, visible_alias = "title")]
    goal: Required,
    /// More about it, kept in the metadata as `description`
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// The bead that it works on, kept in the metadata as `bead_id`
    #[arg(long, value_name = "ID")]
    bead: Option<String>,
    /// The project's directory [default: the working directory]
    #[arg(long, value_name = "DIR")]
    project: Option<String>,
    /// The projects of a portfolio, two or more
    #[arg(long, value_name = "DIR,DIR")]
    projects: Option<String>,
    /// Size of the work, 1 to 5
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(i64).range(1..=5))]
    complexity: i64,
    /// The run's own chain: a JSON array of two or more phase names
    #[arg(long, value_name = "JSON")]
    phases: Option<Chain>,
    /// The phase of the chain that it starts in [default: the first one]
    #[arg(long)]
    phase: Option<Phase>,
    /// The run's own gate rules: {"from→to":[{"check":…,"phase":…,"tier":…}]}
    #[arg(long, value_name = "JSON", conflicts_with = "gates_file")]
    gates: Option<String>,
    /// A file with the run's own gate rules
    #[arg(long, value_name = "FILE")]
    gates_file: Option<PathBuf>,
    /// Leave out the phases of the default chain that the complexity does not need
    #[arg(long)]
    auto_skip: bool,
    /// Walk every phase, whatever the complexity
    #[arg(long)]
    force_full: bool,
    /// A grouping of your own
    #[arg(long, value_name = "ID")]
    scope_id: Option<String>,
    /// A goal kept elsewhere
    #[arg(long, value_name = "ID")]
    goal_id: Option<String>,
    /// Tokens that the run may use
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    token_budget: Option<i64>,
    /// Percentage of the budget from which a warning is due
    #[arg(long, value_name = "PCT", default_value_t = 80, value_parser = clap::value_parser!(i64).range(1..=99))]
    budget_warn_pct: i64,
    /// Make the budget a gate
    #[arg(long)]
    budget_enforce: bool,
    /// Most agents ever, 0 for no limit
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..))]
    max_agents: i64,
    /// Most dispatches at a time, 0 for no limit
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..))]
    max_dispatches: i64,
    /// A JSON object of your own
    #[arg(long, value_name = "JSON", value_parser = args::metadata)]
    metadata: Option<Map<String, Value>>,
    /// What is due in which phase: {"phase":{"command":…,"args":…,"mode":…,"type":…}}
    #[arg(long, value_name = "JSON")]
    actions: Option<Actions>,
    /// Answer a repeated call with the first answer
    #[arg(long, value_name = "KEY", value_parser = args::key)]
    idempotency_key: Option<String>,
}

/// The actions of `--actions`, in the order of their phases' names.
#[derive(Clone, Debug)]
struct Actions(Vec<NewAction>);

#[derive(Deserialize)]
struct RawAction {
    command: String,
    args: Option<String>,
    mode: Option<ActionMode>,
    r#type: Option<ActionType>,
}

impl FromStr for Actions {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let raw: std::collections::BTreeMap<Phase, RawAction> =
            serde_json::from_str(text).map_err(|err| err.to_string())?;
        let action = |(phase, raw): (Phase, RawAction)| {
            if raw.command.trim().is_empty() {
                return Err(format!("the action of phase \"{phase}\" has an empty command"));
            }
            Ok(NewAction {
                phase,
                action_type: raw.r#type.unwrap_or(ActionType::Command),
                command: raw.command,
                args: raw.args,
                mode: raw.mode.unwrap_or(ActionMode::Interactive),
                priority: 0,
            })
        };
        raw.into_iter().map(action).collect::<Result<_, _>>().map(Self)
    }
}

impl Verb for Create {
    const KEPT: &'static [&'static str] = &[
        "goal",
        "description",
        "bead",
        "phase",
        "project",
        "projects",
        "phases",
        "gates",
        "scope_id",
        "goal_id",
        "metadata",
        "actions",
        "idempotency_key",
    ];

    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let key = self.idempotency_key.clone();
        let request = self.request()?;
        // Chain and rules are left out by the request's own serialisation: they go along as what was typed.
        let identity = (
            &request.run,
            request.run.phases.as_ref().map(Chain::to_json),
            request.run.gate_rules.as_ref().map(GateRules::to_json),
            &request.projects,
            &request.actions,
            request.auto_skip,
        );
        let stamp = cx.stamp.clone();
        let once_key = Key { command: "run create", key: key.as_deref() };
        let created =
            cx.write(|tx| once(tx, once_key, &identity, &stamp, || create::create(tx, &request, &stamp)))?;
        cx.out.show(&Shown(created))?;
        Ok(Answer::Yes)
    }
}

impl Create {
    fn request(self) -> Result<Request, Error> {
        let projects = match &self.projects {
            None => Vec::new(),
            Some(list) => {
                if args::given(self.project.clone()).is_some() {
                    return Err(Error::usage("run create: --project and --projects are mutually exclusive"));
                }
                portfolio(list)?
            }
        };
        let own = if projects.is_empty() {
            args::project(self.project.as_deref())?
        } else {
            Project { dir: String::new(), key: String::new() }
        };
        if self.auto_skip && self.phases.is_some() {
            return Err(Error::usage(
                "run create: --auto-skip works on the default chain, not with --phases",
            ));
        }
        let chain = self.phases.clone().unwrap_or_default();
        let gates = match (&self.gates, &self.gates_file) {
            (Some(json), _) => json.clone(),
            (None, Some(path)) => read(path)?,
            (None, None) => String::new(),
        };
        let gate_rules = GateRules::parse(&gates, &chain).map_err(|err| match &self.gates_file {
            None => Error::usage(format!("run create: --gates: {err}")),
            Some(path) => Error::Input(format!("run create: --gates-file {}: {err}", path.display())),
        })?;
        let actions = self.actions.map_or_else(Vec::new, |actions| actions.0);
        if let Some(stray) = actions.iter().find(|action| chain.index(&action.phase).is_none()) {
            return Err(Error::Usage {
                message: format!(
                    "run create: --actions names phase \"{}\", which the chain does not have",
                    stray.phase
                ),
                hint: Some(format!("the chain is {}", chain.to_json())),
            });
        }
        if let Some(phase) = self.phase.as_ref().filter(|phase| !chain.has_next(phase)) {
            return Err(Error::Usage {
                message: format!("run create: a run cannot start in phase \"{phase}\""),
                hint: Some(format!("name any but the last of {}", chain.to_json())),
            });
        }
        let mut metadata = self.metadata.unwrap_or_default();
        for (member, value) in [("description", self.description), ("bead_id", self.bead)] {
            metadata.extend(args::given(value).map(|value| (member.to_owned(), Value::from(value))));
        }
        let metadata = (!metadata.is_empty()).then(|| Value::from(metadata).to_string());
        let run = NewRun {
            project_dir: own.dir,
            project_key: own.key,
            goal: self.goal.to_string(),
            complexity: self.complexity,
            force_full: self.force_full,
            scope_id: args::given(self.scope_id),
            metadata,
            phases: self.phases,
            phase: self.phase,
            token_budget: self.token_budget,
            budget_warn_pct: self.budget_warn_pct,
            parent_run_id: None,
            goal_id: args::given(self.goal_id),
            max_dispatches: self.max_dispatches,
            budget_enforce: self.budget_enforce,
            max_agents: self.max_agents,
            gate_rules,
        };
        Ok(Request { run, projects, actions, auto_skip: self.auto_skip })
    }
}

fn read(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|source| Error::File {
        what: "run create: reading --gates-file",
        path: path.to_owned(),
        source,
    })
}

fn portfolio(list: &str) -> Result<Vec<Project>, Error> {
    let names: Vec<&str> = list.split(',').map(str::trim).collect();
    if names.len() < 2 {
        return Err(Error::usage("run create: --projects requires at least 2 comma-separated paths"));
    }
    if names.contains(&"") {
        return Err(Error::usage("run create: --projects has an empty item"));
    }
    let projects = names.iter().map(|name| args::project(Some(name))).collect::<Result<Vec<_>, _>>()?;
    let distinct = order::set(projects.iter().map(|project| project.key.as_str()));
    if distinct.len() < projects.len() {
        return Err(Error::usage("run create: --projects names the same project twice"));
    }
    Ok(projects)
}

struct Shown(Created);

impl Serialize for Shown {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Created { id, phase, children } = &self.0;
        let mut map = serde_json::json!({ "id": id, "phase": phase });
        if !children.is_empty() {
            map["children"] = serde_json::json!(children);
        }
        map.serialize(serializer)
    }
}

impl View for Shown {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{}", self.0.id)?;
        self.0.children.iter().try_for_each(|child| writeln!(w, "  child: {child}"))
    }
}
