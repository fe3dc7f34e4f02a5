//! Every command, by noun and verb.

use super::{Node, command, group, hidden, leaf, stream};
use crate::cli::commands::{self, config, coordination, schema, task};
use crate::cli::{
    action, agent, artifact, backup, compat, completions, demo, dispatch as child, events, gate, health,
    help, hook, hook_watch, import, init, interspect, lock, man, restore, run, sentinel, state, version,
};

const AGENT: &[Node] =
    &[leaf::<agent::Add>("add"), leaf::<agent::List>("list"), leaf::<agent::Update>("update")];
const ARTIFACT: &[Node] =
    &[leaf::<artifact::Add>("add"), leaf::<artifact::Get>("get"), leaf::<artifact::List>("list")];

/// Every command. `ic run agent …` and `ic agent …` are the same commands, as are `ic run advance` and `ic phase advance`.
pub(in crate::cli) const ROOT: &[Node] = &[
    leaf::<init::Init>("init"),
    leaf::<health::Health>("health"),
    leaf::<backup::Backup>("backup"),
    leaf::<restore::Restore>("restore"),
    leaf::<version::Version>("version"),
    group(
        "run",
        "Runs: pieces of work on their way through a chain of phases",
        &[
            leaf::<run::create::Create>("create"),
            leaf::<run::status::Status>("status"),
            leaf::<run::phase::Show>("phase"),
            leaf::<run::list::List>("list"),
            leaf::<run::current::Current>("current"),
            leaf::<run::advance::Advance>("advance"),
            leaf::<run::skip::Skip>("skip"),
            leaf::<run::skip::Unskip>("unskip"),
            leaf::<run::rollback::Rollback>("rollback"),
            leaf::<run::events::History>("events"),
            leaf::<run::cancel::Cancel>("cancel"),
            leaf::<run::tokens::Tokens>("tokens"),
            leaf::<run::budget::RunBudget>("budget"),
            leaf::<run::set::Set>("set"),
            group("agent", "Agents: who works on a run", AGENT),
            group("artifact", "Artifacts: what a run produced", ARTIFACT),
            group(
                "action",
                "Actions: what is due when a run enters a phase",
                &[
                    leaf::<action::Add>("add"),
                    leaf::<action::List>("list"),
                    leaf::<action::Update>("update"),
                    leaf::<action::Delete>("delete"),
                ],
            ),
        ],
    ),
    group(
        "phase",
        "Phases: where a run is, and where it goes next",
        &[
            leaf::<run::phase::Show>("show"),
            leaf::<run::advance::Advance>("advance"),
            leaf::<run::skip::Skip>("skip"),
            leaf::<run::skip::Unskip>("unskip"),
            leaf::<run::rollback::Rollback>("rollback"),
            leaf::<run::events::History>("history"),
        ],
    ),
    group(
        "gate",
        "Gates: what must be true before a run leaves a phase",
        &[
            leaf::<gate::check::Check>("check"),
            leaf::<gate::over::Override>("override"),
            leaf::<gate::rules::Rules>("rules"),
            leaf::<gate::signals::Signals>("signals"),
        ],
    ),
    group("agent", "Agents: who works on a run", AGENT),
    group("artifact", "Artifacts: what a run produced", ARTIFACT),
    group(
        "dispatch",
        "Dispatches: child processes and what is known of them",
        &[
            leaf::<child::spawn::Spawn>("spawn"),
            leaf::<child::record::Record>("record"),
            leaf::<child::Status>("status"),
            leaf::<child::List>("list"),
            leaf::<child::wait::Poll>("poll"),
            leaf::<child::wait::Wait>("wait"),
            leaf::<child::kill::Kill>("kill"),
            leaf::<child::logs::Logs>("logs"),
            leaf::<child::retry::Retry>("retry"),
            leaf::<child::Tokens>("tokens"),
            leaf::<child::kill::Prune>("prune"),
            hidden::<child::supervise::Supervise>("supervise"),
            hidden::<child::supervise::Guard>("guard"),
        ],
    ),
    group(
        "events",
        "Events: the one append-only log of everything that happened",
        &[
            stream::<commands::events::tail::Tail>("tail"),
            leaf::<events::record::Record>("record"),
            leaf::<events::record::Emit>("emit"),
            leaf::<events::record::Add>("add"),
            group(
                "cursor",
                "Cursors: how far each consumer has read",
                &[
                    leaf::<events::cursor::List>("list"),
                    leaf::<events::cursor::Get>("get"),
                    leaf::<events::cursor::Set>("set"),
                    leaf::<events::cursor::Register>("register"),
                    leaf::<events::cursor::Reset>("reset"),
                ],
            ),
            leaf::<events::lists::Reviews>("list-review"),
            leaf::<events::lists::Agencies>("list-agency"),
            leaf::<events::stats::Stats>("stats"),
            leaf::<events::verify::Verify>("verify"),
            leaf::<events::export::Export>("export"),
            leaf::<events::export::Import>("import"),
        ],
    ),
    group("coordination", "Coordination: reservations of files and names", coordination::NODES),
    group(
        "hook",
        "Hooks: what agents and git call before and after they change files",
        &[
            leaf::<hook::edit::PreEdit>("pre-edit"),
            leaf::<hook::edit::PostEdit>("post-edit"),
            leaf::<hook::stop::Stop>("stop"),
            leaf::<hook::commit::PreCommit>("pre-commit"),
            leaf::<hook::install::Install>("install"),
            leaf::<hook::install::Uninstall>("uninstall"),
        ],
    ),
    group(
        "interspect",
        "What was noticed about agents, and which are left out for it",
        &[
            leaf::<events::record::Interspect>("record"),
            leaf::<events::lists::Interspect>("query"),
            leaf::<interspect::lists::Import>("import"),
            leaf::<interspect::look::Eligible>("eligible"),
            leaf::<interspect::look::Triage>("triage"),
            leaf::<interspect::look::List>("list"),
            leaf::<interspect::look::Status>("status"),
            leaf::<interspect::change::Propose>("propose"),
            leaf::<interspect::change::Approve>("approve"),
            leaf::<interspect::change::Apply>("apply"),
            leaf::<interspect::change::Revert>("revert"),
            leaf::<interspect::lists::Blacklist>("blacklist"),
            leaf::<interspect::lists::Unblock>("unblock"),
            group("canary", "Canaries: how overrides turn out", &[leaf::<interspect::lists::Check>("check")]),
        ],
    ),
    group("task", "Tasks: TODO.md, state.json and plans, which change together or not at all", task::NODES),
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
    hidden::<hook_watch::HookWatch>("hook-watch"),
];
