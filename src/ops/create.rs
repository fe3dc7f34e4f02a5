//! Creating single runs, and portfolios with a child per project.

use serde::{Deserialize, Serialize};

use super::OpsError;
use crate::db::WriteTx;
use crate::domain::ids::RunId;
use crate::domain::phase::{Chain, Phase};
use crate::domain::time::Stamp;
use crate::store;
use crate::store::action::NewAction;
use crate::store::phase::{AUTO, Skip};
use crate::store::run::NewRun;

/// A project directory: as the caller knows it, and without symlinks.
#[derive(Clone, Debug, Serialize)]
pub struct Project {
    /// Absolute and clean.
    pub dir: String,
    /// The same without symlinks.
    pub key: String,
}

/// A run as a caller asks for it. Serialized, it is what an idempotency key stands for.
#[derive(Clone, Debug, Serialize)]
pub struct Request {
    /// The run; of a portfolio, the parent.
    pub run: NewRun,
    /// The projects of a portfolio; empty for a single run.
    pub projects: Vec<Project>,
    /// The actions that are due in each phase.
    pub actions: Vec<NewAction>,
    /// Whether phases of the default chain are skipped according to the complexity.
    pub auto_skip: bool,
}

/// The run that was created. It is also stored as the answer for a repeated call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Created {
    pub id: RunId,
    /// The phase in which it starts.
    pub phase: Phase,
    /// The children of a portfolio.
    pub children: Vec<RunId>,
}

/// Creates a run, or a portfolio, with its actions and skips.
///
/// # Errors
/// [`StoreError`](store::StoreError) for a duplicate action.
pub fn create(tx: &WriteTx<'_>, request: &Request, stamp: &Stamp) -> Result<Created, OpsError> {
    let chain = request.run.phases.clone().unwrap_or_default();
    let skips = if request.auto_skip && request.run.phases.is_none() && !request.run.force_full {
        Chain::auto_skips(request.run.complexity)
    } else {
        Vec::new()
    };
    let phase = request.run.phase.as_ref().unwrap_or(chain.first()).clone();
    // Phases before the first one need no skips.
    let skips =
        skips.into_iter().filter(|skipped| chain.index(skipped) > chain.index(&phase)).collect::<Vec<_>>();
    let auto_advance = super::config::delegation(tx, stamp)?.level.auto_advance();
    let add = |new: &NewRun| -> Result<RunId, OpsError> {
        let run = store::run::insert(tx, new, auto_advance, stamp)?;
        for phase in &skips {
            let skip = Skip {
                reason: format!("complexity {}", request.run.complexity),
                actor: Some(AUTO.to_owned()),
            };
            store::phase::add_skip(tx, &run, phase, &skip, None, stamp)?;
        }
        Ok(run.id)
    };
    let id = add(&request.run)?;
    for action in &request.actions {
        store::action::insert(tx, &id, action, stamp)?;
    }
    let mut children = Vec::new();
    for project in &request.projects {
        // A child shares the work and the chain; gates, budget and scope are the portfolio's.
        children.push(add(&NewRun {
            project_dir: project.dir.clone(),
            project_key: project.key.clone(),
            parent_run_id: Some(id.clone()),
            scope_id: None,
            goal_id: None,
            token_budget: None,
            budget_enforce: false,
            max_dispatches: 0,
            max_agents: 0,
            gate_rules: None,
            ..request.run.clone()
        })?);
    }
    Ok(Created { id, phase, children })
}
