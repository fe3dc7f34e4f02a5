//! Every command, by noun and verb.

use super::{Node, command, group, hidden, hidden_command, leaf, stream};
use crate::cli::commands::{self, config, coordination, events, gate, hook, hook_watch, run, schema};
use crate::cli::{
    action, agent, artifact, backup, compat, completions, demo, health, help, import, init, lock, man,
    restore, sentinel, state, task, version,
};

pub(in crate::cli) const AGENT: &[Node] =
    &[leaf::<agent::Add>("add"), leaf::<agent::List>("list"), leaf::<agent::Update>("update")];
pub(in crate::cli) const ARTIFACT: &[Node] =
    &[leaf::<artifact::Add>("add"), leaf::<artifact::Get>("get"), leaf::<artifact::List>("list")];
pub(in crate::cli) const ACTION: &[Node] = &[
    leaf::<action::Add>("add"),
    leaf::<action::List>("list"),
    leaf::<action::Update>("update"),
    leaf::<action::Delete>("delete"),
];

/// Every command. `ic run agent …` and `ic agent …` are the same commands, as are `ic run advance` and `ic phase advance`.
pub(in crate::cli) const ROOT: &[Node] = &[
    leaf::<init::Init>("init"),
    leaf::<health::Health>("health"),
    leaf::<backup::Backup>("backup"),
    leaf::<restore::Restore>("restore"),
    leaf::<version::Version>("version"),
    group("run", "Runs: pieces of work on their way through a chain of phases", run::NODES),
    group("phase", "Phases: where a run is, and where it goes next", run::PHASE_NODES),
    group("gate", "Gates: what must be true before a run leaves a phase", gate::NODES),
    group("agent", "Agents: who works on a run", AGENT),
    group("artifact", "Artifacts: what a run produced", ARTIFACT),
    group("dispatch", "Dispatches: child processes and their records", commands::dispatch::NODES),
    group("events", "Events: the append-only log of everything that happened", events::NODES),
    group("coordination", "Coordination: reservations of files and names", coordination::NODES),
    group("hook", "Hooks: what agents and git call before and after they change files", hook::NODES),
    group(
        "interspect",
        "Evidence about agents, and overrides that exclude them",
        commands::interspect::NODES,
    ),
    group(
        "task",
        "Tasks: TODO.md, state.json and plans, which change together or not at all",
        &[
            leaf::<task::Preflight>("preflight"),
            leaf::<task::Postflight>("postflight"),
            leaf::<task::Set>("set"),
            leaf::<task::look::Show>("show"),
            leaf::<task::look::List>("list"),
            leaf::<task::verify::Verify>("verify"),
            leaf::<task::look::Audit>("audit"),
            leaf::<task::look::Errors>("errors"),
            leaf::<task::look::Transitions>("transitions"),
        ],
    ),
    group(
        "state",
        "State: values that scripts keep between calls",
        &[
            leaf::<state::Set>("set"),
            leaf::<state::Get>("get"),
            leaf::<state::Delete>("delete"),
            leaf::<state::List>("list"),
            leaf::<state::Prune>("prune"),
        ],
    ),
    group(
        "sentinel",
        "Sentinels: things that may happen once, or once per interval",
        &[
            leaf::<sentinel::Check>("check"),
            leaf::<sentinel::Reset>("reset"),
            leaf::<sentinel::List>("list"),
            leaf::<sentinel::Prune>("prune"),
        ],
    ),
    group("config", "Settings of the project", config::NODES),
    group(
        "lock",
        "Locks: one at a time, also where there is no database",
        &[
            leaf::<lock::Acquire>("acquire"),
            leaf::<lock::Release>("release"),
            leaf::<lock::List>("list"),
            leaf::<lock::Stale>("stale"),
            leaf::<lock::Clean>("clean"),
        ],
    ),
    group(
        "compat",
        "Compatibility: what older hooks left, and what is in the database by now",
        &[leaf::<compat::Status>("status"), leaf::<compat::Check>("check")],
    ),
    leaf::<import::Import>("import"),
    leaf::<demo::Demo>("demo"),
    leaf::<help::Help>("help"),
    command::<schema::SchemaOf>("schema"),
    leaf::<completions::Completions>("completions"),
    leaf::<man::Man>("man"),
    hidden_command::<hook_watch::HookWatch>("hook-watch"),
];
