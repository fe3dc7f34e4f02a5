//! Every command, by noun and verb.

use super::{Node, command, group, page};
use crate::cli::commands::{
    agent, artifact, backup, compat, completions, config, coordination, demo, dispatch, events, gate, health,
    help, hook, hook_watch, import, init, interspect, lock, man, restore, run, schema, sentinel, state, task,
    version,
};

/// Every command. `ic run agent` and `ic agent` are the same commands, as are `ic run advance` and `ic phase advance`.
pub(in crate::cli) const ROOT: &[Node] = &[
    command::<init::Init>("init"),
    command::<health::Health>("health"),
    command::<backup::Backup>("backup"),
    command::<restore::Restore>("restore"),
    command::<version::Version>("version"),
    group("run", "Runs: pieces of work on their way through a chain of phases", run::NODES),
    group("phase", "Phases: where a run is, and where it goes next", run::PHASE_NODES),
    group("gate", "Gates: what must be true before a run leaves a phase", gate::NODES),
    group("agent", "Agents: which agents work on a run", agent::NODES),
    group("artifact", "Artifacts: files that a run produced", artifact::NODES),
    group("dispatch", "Dispatches: child processes and their records", dispatch::NODES),
    group("events", "Events: the append-only log of everything that happened", events::NODES),
    group("coordination", "Coordination: reservations of files and names", coordination::NODES),
    group("hook", "Hooks: what agents and git call before and after they change files", hook::NODES),
    group("interspect", "Evidence about agents, and overrides that exclude them", interspect::NODES),
    group("task", "Tasks: TODO.md, state.json and plans, which change together or not at all", task::NODES),
    group("state", "State: values that scripts keep between calls", state::NODES),
    group("sentinel", "Sentinels: things that may happen once, or once per interval", sentinel::NODES),
    group("config", "Settings of the project", config::NODES),
    group("lock", "Locks: directories, which need no database", lock::NODES),
    group(
        "compat",
        "Compatibility: files of older hooks, and their counterparts in the database",
        compat::NODES,
    ),
    command::<import::Import>("import"),
    page::<demo::Demo>("demo"),
    page::<help::Help>("help"),
    command::<schema::SchemaOf>("schema"),
    page::<completions::Completions>("completions"),
    command::<man::Man>("man"),
    command::<hook_watch::HookWatch>("hook-watch").hidden(),
];
