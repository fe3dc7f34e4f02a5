//! What follows the commit of a phase change, and only then: its hook (design rule: inside the transaction, touch only it).

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::{CommandContext, Environment};
use crate::domain::phase::Phase;
use crate::domain::run::Run;
use crate::domain::time::rfc3339;
use crate::os::hook;

/// The time that a hook may take (PH-10).
pub(crate) const HOOK_LIMIT: Duration = Duration::from_secs(5);

/// A phase event that was committed.
pub(crate) struct Moved<'a> {
    pub event_id: i64,
    pub kind: &'a str,
    pub from: &'a Phase,
    pub to: &'a Phase,
    pub reason: Option<&'a str>,
}

/// Starts the project's `on-phase-advance` hook, if it has one, and does not wait for it (PH-10).
///
/// A failure is a warning: the phase has changed, and its event is in the log for everybody who missed the call.
pub(crate) fn phase_hook(cx: &CommandContext, run: &Run, moved: &Moved<'_>) {
    let Moved { event_id, kind, from, to, reason } = moved;
    cx.info(format_args!("event {event_id}: {kind} {from} → {to} (run {})", run.id));
    if run.is_portfolio() {
        return;
    }
    let project = Path::new(&run.project_dir);
    let Some(hook) = hook::find(project) else { return };
    let mut event = json!({
        "id": event_id,
        "run_id": run.id,
        "source": "phase",
        "type": kind,
        "from_state": from,
        "to_state": to,
        "timestamp": rfc3339(cx.stamp.millis()),
    });
    if let Some(reason) = reason {
        event["reason"] = (*reason).into();
    }
    let started = Environment::program()
        .and_then(|ic| hook::start_watcher(&ic, &hook, project, format!("{event}\n").as_bytes()));
    if let Err(err) = started {
        cx.warn(format_args!("hook {} was not started: {err}", hook.display()));
    }
}
