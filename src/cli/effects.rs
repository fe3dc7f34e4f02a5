//! What follows a commit, and only then: hooks and signals (design rule: inside the transaction, touch only it).

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::error::CliError;
use super::{Cx, output};
use crate::db::ReadTx;
use crate::domain::dispatch::{Dispatch, ProcessKey};
use crate::domain::ids::DispatchId;
use crate::domain::phase::Phase;
use crate::domain::run::Run;
use crate::os::hook;
use crate::os::process::{self, Identity, Liveness, Signal, Signalled};
use crate::store;
use crate::store::StoreError;
use crate::store::dispatch::Stopping;

/// How long a process may take to end after it was asked to, in seconds. Then it is killed.
const GRACE: i64 = 5;

/// The time that a hook may take (PH-10).
pub(super) const HOOK_LIMIT: Duration = Duration::from_secs(5);

/// A phase event that was committed.
pub(super) struct Moved<'a> {
    pub event_id: i64,
    pub kind: &'a str,
    pub from: &'a Phase,
    pub to: &'a Phase,
    pub reason: Option<&'a str>,
}

/// Starts the project's `on-phase-advance` hook, if it has one, and does not wait for it (PH-10).
///
/// A failure is a warning: the phase has changed, and its event is in the log for everybody who missed the call.
pub(super) fn phase_hook(cx: &Cx, run: &Run, moved: &Moved<'_>) {
    let Moved { event_id, kind, from, to, reason } = moved;
    cx.out.info(format_args!("event {event_id}: {kind} {from} → {to} (run {})", run.id));
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
        "timestamp": output::rfc3339(cx.stamp.millis()),
    });
    if let Some(reason) = reason {
        event["reason"] = (*reason).into();
    }
    let started = std::env::current_exe()
        .and_then(|ic| hook::start_watcher(&ic, &hook, project, format!("{event}\n").as_bytes()));
    if let Err(err) = started {
        cx.out.warn(format_args!("hook {} was not started: {err}", hook.display()));
    }
}

/// Asks the processes of cancelled dispatches to end, kills those that were asked long enough ago, and forgets those that
/// are gone (RB-11, RB-16). Answers how many were signalled.
///
/// What is to be stopped was committed with the cancellation, so a process that dies between that commit and this call
/// leaves the work to the next dispatch command.
pub(super) fn stop_processes(cx: &mut Cx) -> Result<usize, CliError> {
    let due = cx.read(|tx: &ReadTx<'_>| store::dispatch::to_stop(tx))?;
    let mut steps: Vec<(DispatchId, Stopping)> = Vec::new();
    let mut signalled = 0;
    for dispatch in due {
        match stop(&dispatch, cx.stamp.secs()) {
            Ok(Stop { sent, step }) => {
                signalled += usize::from(sent);
                steps.extend(step.map(|step| (dispatch.id.clone(), step)));
            }
            Err(err) => {
                cx.out.warn(format_args!("dispatch {}: its process was not signalled: {err}", dispatch.id));
            }
        }
    }
    if !steps.is_empty() {
        let stamp = cx.stamp.clone();
        cx.write(|tx| {
            steps.iter().try_for_each(|(id, step)| store::dispatch::note_stop(tx, id, *step, &stamp))?;
            Ok::<_, StoreError>(())
        })?;
    }
    Ok(signalled)
}

struct Stop {
    sent: bool,
    step: Option<Stopping>,
}

fn stop(dispatch: &Dispatch, now: i64) -> std::io::Result<Stop> {
    let over = Stop { sent: false, step: Some(Stopping::Over) };
    let Some(identity) = dispatch.process.as_ref().and_then(identity) else { return Ok(over) };
    let signal = match dispatch.stop_signalled_at {
        None => Signal::Term,
        Some(asked) if now - asked >= GRACE => Signal::Kill,
        Some(_) => {
            let waiting = Stop { sent: false, step: None };
            return Ok(if identity.liveness() == Liveness::Gone { over } else { waiting });
        }
    };
    Ok(match process::signal(&identity, signal)? {
        Signalled::Sent => {
            Stop { sent: true, step: dispatch.stop_signalled_at.is_none().then_some(Stopping::Asked) }
        }
        Signalled::Gone => over,
        // Another machine's process: a dispatch command over there will find it.
        Signalled::Foreign => Stop { sent: false, step: None },
    })
}

fn identity(key: &ProcessKey) -> Option<Identity> {
    Some(Identity {
        pid: i32::try_from(key.pid).ok()?,
        start_time: key.start_time,
        boot_id: key.boot_id.clone(),
        host: key.host.clone(),
    })
}
