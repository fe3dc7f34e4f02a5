//! `ic run status`, and how a run is shown.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use crate::app::Error;
use crate::cli::args::RunRef;
use crate::cli::output::View;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx};
use crate::domain::rules::GateRules;
use crate::domain::run::Run;
use crate::domain::text::one_line;
use crate::store;

/// Show a run
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic run status --json")]
pub(in crate::cli) struct Status {
    #[command(flatten)]
    run: RunRef,
}

impl Verb for Status {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let wanted = self.run.wanted()?;
        let shown = cx.read(|tx| {
            let run = wanted.find(tx)?;
            let children = store::run::children(tx, &run.id)?;
            Ok::<_, Error>(Shown { run, children })
        })?;
        cx.out.show(&shown)?;
        Ok(Answer::Yes)
    }
}

struct Shown {
    run: Run,
    children: Vec<Run>,
}

impl serde::Serialize for Shown {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = object(&self.run);
        if !self.children.is_empty() {
            let children =
                self.children.iter().map(|child| self::object(child).into()).collect::<Vec<Value>>();
            object.insert("children".to_owned(), children.into());
        }
        object.serialize(serializer)
    }
}

/// A run as a JSON object; members that are not set are left out.
pub(in crate::cli) fn object(run: &Run) -> Map<String, Value> {
    let mut map = Map::new();
    let mut put = |key: &str, value: Value| {
        map.insert(key.to_owned(), value);
    };
    put("id", json!(run.id));
    put("project_dir", json!(run.project_dir));
    put("goal", json!(run.goal));
    put("status", json!(run.status));
    put("phase", json!(run.phase));
    put("complexity", json!(run.complexity));
    put("force_full", json!(run.force_full));
    put("auto_advance", json!(run.auto_advance));
    put("created_at", json!(run.created_at));
    put("updated_at", json!(run.updated_at));
    let optional = [
        ("phases", run.phases.as_ref().map(|chain| json!(chain.phases()))),
        ("completed_at", run.completed_at.map(Value::from)),
        ("scope_id", run.scope_id.clone().map(Value::from)),
        ("token_budget", run.token_budget.map(Value::from)),
        ("budget_warn_pct", run.token_budget.map(|_| json!(run.budget_warn_pct))),
        ("metadata", run.metadata.clone().map(Value::from)),
        ("parent_run_id", run.parent_run_id.as_ref().map(|id| json!(id))),
        ("goal_id", run.goal_id.clone().map(Value::from)),
        ("max_dispatches", (run.max_dispatches > 0).then(|| json!(run.max_dispatches))),
        ("budget_enforce", run.budget_enforce.then_some(Value::Bool(true))),
        ("max_agents", (run.max_agents > 0).then(|| json!(run.max_agents))),
        ("gate_rules", run.gate_rules.as_ref().map(rules)),
    ];
    for (key, value) in optional {
        if let Some(value) = value {
            put(key, value);
        }
    }
    map
}

/// Gate rules as the Go program prints them: inner keys capitalised, all three always there.
fn rules(rules: &GateRules) -> Value {
    let gates = rules.gates().iter().map(|gate| {
        let rules = gate.rules.iter().map(|rule| {
            let phase = rule.phase.as_ref().map_or("", |phase| phase.as_str());
            let tier = rule.tier.map_or("", |tier| tier.as_str());
            json!({ "Check": rule.check, "Phase": phase, "Tier": tier })
        });
        (format!("{}→{}", gate.from, gate.to), rules.collect::<Vec<_>>().into())
    });
    Value::Object(gates.collect())
}

impl View for Shown {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        let run = &self.run;
        let mut line = |label: &str, value: &str| writeln!(w, "{label:<12}{}", one_line(value));
        line("ID:", run.id.as_str())?;
        line("Status:", run.status.as_str())?;
        line("Phase:", run.phase.as_str())?;
        line("Goal:", &run.goal)?;
        line("Project:", &run.project_dir)?;
        line("Complexity:", &run.complexity.to_string())?;
        if run.force_full {
            line("ForceFull:", "true")?;
        }
        if !run.auto_advance {
            line("AutoAdv:", "false")?;
        }
        if let Some(scope) = &run.scope_id {
            line("Scope:", scope)?;
        }
        if let Some(tokens) = run.token_budget {
            line("Budget:", &format!("{tokens} tokens (warn at {}%)", run.budget_warn_pct))?;
        }
        if let Some(parent) = &run.parent_run_id {
            line("Parent:", parent.as_str())?;
        }
        if run.max_dispatches > 0 {
            line("MaxDisp:", &run.max_dispatches.to_string())?;
        }
        if !self.children.is_empty() {
            writeln!(w, "\nChildren: ({})", self.children.len())?;
        }
        for child in &self.children {
            let (project, goal) = (one_line(&child.project_dir), one_line(&child.goal));
            writeln!(w, "  {}\t{}\t{}\t{project}\t{goal}", child.id, child.status, child.phase)?;
        }
        Ok(())
    }
}
