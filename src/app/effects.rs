//! What follows the commit of a phase change: the project's hook, agents that are dispatched, processes that
//! are stopped.
//!
//! A transaction touches nothing but the database, so that it can be run again and leaves nothing behind if
//! it fails.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::{CommandContext, Environment};
use crate::domain::ids::RunId;
use crate::domain::phase::Phase;
use crate::domain::run::Run;
use crate::domain::time::rfc3339;
use crate::ops::advance::{Advance, Outcome};
use crate::os::hook;

// The one place where phase changes reach dispatches.
pub(crate) use super::dispatch::auto::dispatch_agents;
pub(crate) use super::dispatch::settle::stop_processes;

/// The time after which a hook is killed.
pub(crate) const HOOK_LIMIT: Duration = Duration::from_secs(5);

/// A phase event that was committed.
pub(crate) struct PhaseChange<'a> {
    pub event_id: i64,
    pub kind: &'a str,
    pub from: &'a Phase,
    pub to: &'a Phase,
    pub reason: Option<&'a str>,
}

/// The document that a hook reads.
#[derive(Serialize)]
struct HookEvent<'a> {
    from_state: &'a Phase,
    id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    run_id: &'a RunId,
    source: &'static str,
    timestamp: String,
    to_state: &'a Phase,
    #[serde(rename = "type")]
    kind: &'a str,
}

/// Does what follows the commit of an advance, whether it was taken or refused: starts the project's hook,
/// and dispatches the agents that work in the phase that was entered.
pub(crate) fn follow(cx: &mut CommandContext, done: &Advance) {
    let change = PhaseChange {
        event_id: done.event_id,
        kind: done.outcome.event_type(),
        from: &done.step.from,
        to: &done.step.to,
        reason: done.reason.as_deref(),
    };
    phase_hook(cx, &done.run, &change);
    if done.outcome == Outcome::Advanced {
        dispatch_agents(cx, &done.run, &done.step.to);
    }
}

/// Starts the project's `on-phase-advance` hook, if it has one, and does not wait for it.
///
/// A failure is a warning: the phase has changed, and consumers that missed the call find the event in the
/// log.
pub(crate) fn phase_hook(cx: &CommandContext, run: &Run, change: &PhaseChange<'_>) {
    let PhaseChange { event_id, kind, from, to, reason } = *change;
    cx.info(format_args!("event {event_id}: {kind} {from} → {to} (run {})", run.id));
    if run.is_portfolio() {
        return;
    }
    let project = Path::new(&run.project_dir);
    let Some(hook) = hook::find(project) else { return };
    let event = HookEvent {
        from_state: from,
        id: event_id,
        reason,
        run_id: &run.id,
        source: "phase",
        timestamp: rfc3339(cx.stamp.millis()),
        to_state: to,
        kind,
    };
    let started = serde_json::to_string(&event).map_err(std::io::Error::from).and_then(|event| {
        let ic = Environment::program()?;
        hook::start_watcher(&ic, &hook, project, format!("{event}\n").as_bytes())
    });
    if let Err(err) = started {
        cx.warn(format_args!("hook {} was not started: {err}", hook.display()));
    }
}
