//! `ic run create`

use std::io::{self, Write};
use std::path::PathBuf;
use std::str::FromStr;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::app::run::create::{self, CreateAnswer, CreateRequest, GatesSource, NewAction};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::args;
use crate::cli::command::{Access, Command, Text};
use crate::domain::action::{ActionMode, ActionType};
use crate::domain::phase::{Chain, Phase};
use crate::domain::stored::Stored;
use crate::domain::text::Required;

/// Create a run
///
/// The run starts in the first phase of its chain unless --phase names another. With --projects it is a
/// portfolio: a parent run with a child for each project. Prints the new run's id.
#[derive(Debug, clap::Parser)]
#[command(
    after_help = "Example: ic run create --goal='Ship the parser' --phases='[\"plan\",\"build\",\"done\"]'"
)]
pub(in crate::cli) struct Create {
    /// The goal of the run
    #[arg(long, visible_alias = "title")]
    goal: Stored<Required>,
    /// A description, stored in the metadata as `description`
    #[arg(long, value_name = "TEXT")]
    description: Option<Stored>,
    /// The bead that the run works on, stored in the metadata as `bead_id`
    #[arg(long, value_name = "ID")]
    bead: Option<Stored>,
    /// The project's directory [default: the working directory]
    #[arg(long, value_name = "DIR")]
    project: Option<Stored>,
    /// The projects of a portfolio, two or more
    #[arg(long, value_name = "DIR,DIR")]
    projects: Option<Stored>,
    /// Size of the work, 1 to 5
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(i64).range(1..=5))]
    complexity: i64,
    /// The run's own chain: a JSON array of two or more phase names
    #[arg(long, value_name = "JSON")]
    phases: Option<Stored<Chain>>,
    /// The phase of the chain that the run starts in [default: the first one]
    #[arg(long)]
    phase: Option<Stored<Phase>>,
    /// The run's own gate rules: {"from→to":[{"check":…,"phase":…,"tier":…}]}
    #[arg(long, value_name = "JSON", conflicts_with = "gates_file")]
    gates: Option<Stored>,
    /// A file with the run's own gate rules
    #[arg(long, value_name = "FILE")]
    gates_file: Option<PathBuf>,
    /// Leave out the phases of the default chain that the complexity does not need
    #[arg(long)]
    auto_skip: bool,
    /// Walk every phase, whatever the complexity
    #[arg(long)]
    force_full: bool,
    /// Caller-defined scope
    #[arg(long, value_name = "ID")]
    scope_id: Option<Stored>,
    /// The id of a goal that another program keeps
    #[arg(long, value_name = "ID")]
    goal_id: Option<Stored>,
    /// Tokens that the run may use
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    token_budget: Option<i64>,
    /// Percentage of the budget from which a warning is due
    #[arg(long, value_name = "PCT", default_value_t = 80, value_parser = clap::value_parser!(i64).range(1..=99))]
    budget_warn_pct: i64,
    /// Make the budget a gate
    #[arg(long)]
    budget_enforce: bool,
    /// Maximum number of agents over the run's lifetime, 0 for no limit
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..))]
    max_agents: i64,
    /// Maximum number of dispatches at a time, 0 for no limit
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..))]
    max_dispatches: i64,
    /// Caller-defined metadata: a JSON object
    #[arg(long, value_name = "JSON", value_parser = args::stored(args::metadata))]
    metadata: Option<Stored<Map<String, Value>>>,
    /// The actions that are due in each phase: {"phase":{"command":…,"args":…,"mode":…,"type":…}}
    #[arg(long, value_name = "JSON")]
    actions: Option<Stored<Actions>>,
    /// Do this once per key: a repeated call returns the first answer
    #[arg(long, value_name = "KEY", value_parser = args::stored(args::key))]
    idempotency_key: Option<Stored>,
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

impl Command for Create {
    type Answer = CreateAnswer;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<CreateAnswer>, Error> {
        let gates = match (self.gates, self.gates_file) {
            (Some(json), _) => Some(GatesSource::Json(json.into_inner())),
            (None, file) => file.map(GatesSource::File),
        };
        let request = CreateRequest {
            goal: self.goal.to_string(),
            description: args::given_stored(self.description),
            bead: args::given_stored(self.bead),
            project: args::given_stored(self.project),
            projects: self.projects.map(Stored::into_inner),
            complexity: self.complexity,
            phases: self.phases.map(Stored::into_inner),
            phase: self.phase.map(Stored::into_inner),
            gates,
            auto_skip: self.auto_skip,
            force_full: self.force_full,
            scope_id: args::given_stored(self.scope_id),
            goal_id: args::given_stored(self.goal_id),
            token_budget: self.token_budget,
            budget_warn_pct: self.budget_warn_pct,
            budget_enforce: self.budget_enforce,
            max_agents: self.max_agents,
            max_dispatches: self.max_dispatches,
            metadata: self.metadata.map(Stored::into_inner),
            actions: self.actions.map_or_else(Vec::new, |actions| actions.into_inner().0),
            idempotency_key: self.idempotency_key.map(Stored::into_inner),
        };
        create::create(cx, request)
    }
}

impl Text for CreateAnswer {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{}", self.id)?;
        self.children.iter().try_for_each(|child| writeln!(w, "  child: {child}"))
    }
}
