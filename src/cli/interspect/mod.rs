//! `ic interspect …`: what was noticed about agents, and which are left out for it.

pub(super) mod change;
mod flow;
pub(super) mod lists;
pub(super) mod look;
mod roster;
mod site;

use crate::domain::routing::{AgentName, override_path};
use crate::domain::time::rfc3339_seconds as written;

/// How long evidence is kept back before it counts, in hours, unless `INTERSPECT_QUARANTINE_HOURS` says otherwise.
const QUARANTINE_HOURS: i64 = 48;

/// Where the overrides are, and who there is.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Where {
    /// The file, relative to the repository [default: `FLUX_ROUTING_OVERRIDES_PATH`, else
    /// .claude/routing-overrides.json]
    #[arg(long, value_name = "FILE", value_parser = override_path)]
    path: Option<String>,
    /// A directory in which agents are defined; may be repeated [default: `INTERSPECT_ROSTER`, else those of the project
    /// and of installed plugins]
    #[arg(long, value_name = "DIR")]
    roster: Vec<String>,
}

/// An agent, on the command line.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Named {
    /// The agent, say fd-performance
    #[arg(value_name = "AGENT")]
    agent: AgentName,
}

/// How long evidence is kept back, in seconds.
fn quarantine() -> i64 {
    let hours = std::env::var("INTERSPECT_QUARANTINE_HOURS").ok().and_then(|text| text.parse::<i64>().ok());
    hours.filter(|hours| (0..=24 * 365).contains(hours)).unwrap_or(QUARANTINE_HOURS) * 3600
}
