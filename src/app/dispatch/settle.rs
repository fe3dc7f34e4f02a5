//! Bringing records and processes together: the next dispatch command ends the processes of cancelled
//! dispatches, and closes the records of those that are gone.

use std::path::Path;
use std::time::Duration;

use crate::app::{CommandContext, Error};
use crate::db::{ReadTx, WriteTx};
use crate::domain::dispatch::{Dispatch, DispatchStatus};
use crate::domain::ids::DispatchId;
use crate::domain::launch;
use crate::domain::time::Stamp;
use crate::ops::{self, OpsError};
use crate::os::child::{self, DETACHED};
use crate::os::files;
use crate::os::process::{self, Family, Identity, Liveness, Signal, Signalled};
use crate::store;
use crate::store::StoreError;
use crate::store::dispatch::{Ending, NewTokens, Stopping};

/// How long a process may take to end after SIGTERM. Then it is killed.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

/// The error in the record of a dispatch whose supervisor and child are gone without a trace.
const REASON_LOST: &str = "lost: supervisor and child gone";

/// The maximum number of bytes read of a file that a child leaves, at its beginning and at its end.
const MAX_BYTES: u64 = 64 * 1024;

/// The variable that marks a child and its descendants.
pub(super) const MARK: &str = "IC_DISPATCH_ID";

/// Ends the processes of cancelled dispatches, and closes the records of dispatches whose supervisor and
/// child are gone.
pub(crate) fn settle(cx: &mut CommandContext) -> Result<(), Error> {
    stop_processes(cx)?;
    for dispatch in cx.read(store::dispatch::live)? {
        if is_lost(&dispatch) {
            close(cx, &dispatch)?;
        }
    }
    Ok(())
}

/// Checks whether no process is left that would close the record.
pub(super) fn is_lost(dispatch: &Dispatch) -> bool {
    let keeper = dispatch.supervisor.as_ref().or(dispatch.process.as_ref());
    let identity = keeper.and_then(Identity::recorded);
    // A dispatch without a process was recorded by hand: its caller closes it.
    identity.is_some_and(|identity| identity.liveness() == Liveness::Gone)
}

/// Closes the record of a dispatch that no process looks after. The rest of its child's processes is killed
/// first.
///
/// After the process that launched it was killed, its supervisor may take over at this very moment: then it
/// is not lost.
fn close(cx: &mut CommandContext, dispatch: &Dispatch) -> Result<(), Error> {
    let seen = dispatch;
    let dispatch = &cx.read(|tx| store::dispatch::get(tx, &seen.id))?;
    if dispatch.status.is_terminal() || !is_lost(dispatch) {
        return Ok(());
    }
    end_rest(dispatch);
    let leftovers = Leftovers::read(dispatch);
    let verdict = leftovers.verdict.status.as_deref();
    // The exit status of a child that was started elsewhere is not known, so its verdict decides.
    let is_good = dispatch.supervisor.is_none() && matches!(verdict, Some("pass" | "warn"));
    let status = if is_good { DispatchStatus::Completed } else { DispatchStatus::Failed };
    let error = (!is_good).then(|| REASON_LOST.to_owned());
    let stamp = cx.now();
    cx.write(|tx| {
        let now = store::dispatch::get(tx, &dispatch.id)?;
        if now.supervisor == dispatch.supervisor && now.process == dispatch.process {
            leftovers.close(tx, dispatch, status, None, error.as_deref(), &stamp)?;
        }
        Ok::<_, OpsError>(())
    })
}

/// Kills the processes that are left of a dispatch whose supervisor is gone.
fn end_rest(dispatch: &Dispatch) {
    if dispatch.supervisor.is_none() {
        return;
    }
    if let Some(identity) = dispatch.process.as_ref().and_then(Identity::recorded) {
        let _ = process::signal(&identity, Signal::Kill); // gone, or not ours to signal
    }
    child::end_family(&family(&dispatch.id, None), Duration::ZERO);
}

/// Returns the processes that belong to a dispatch. `child` is its process, if the calling process is its
/// supervisor.
pub(super) fn family(id: &DispatchId, child: Option<&Identity>) -> Family {
    Family {
        mark: format!("{MARK}={id}"),
        group: child.map(|child| child.pid),
        guardian: child.and_then(|_| i32::try_from(std::process::id()).ok()),
        stranger: format!("{DETACHED}=1"),
    }
}

/// The verdict and the token counts that a child left in files.
pub(super) struct Leftovers {
    verdict: launch::Verdict,
    tokens: Option<(i64, i64)>,
}

impl Leftovers {
    /// Reads the files. Those that are missing count as empty.
    pub(super) fn read(dispatch: &Dispatch) -> Self {
        let beside = |suffix: &str| dispatch.output_file.as_ref().map(|output| format!("{output}.{suffix}"));
        let verdict_file = dispatch.verdict_file.clone().or_else(|| beside("verdict"));
        let text = |path: Option<String>| {
            path.and_then(|path| files::text(Path::new(&path), MAX_BYTES)).unwrap_or_default()
        };
        Self {
            verdict: launch::verdict(&text(verdict_file)),
            tokens: launch::tokens(&text(beside("summary"))),
        }
    }

    /// Returns the final status that the exit status and the verdict amount to.
    pub(super) fn status(&self, exit_code: i64) -> DispatchStatus {
        launch::ending(Some(exit_code), self.verdict.status.as_deref())
    }

    /// Closes the record. Returns `false` if it is closed already.
    pub(super) fn close(
        &self,
        tx: &WriteTx<'_>,
        dispatch: &Dispatch,
        status: DispatchStatus,
        exit_code: Option<i64>,
        error: Option<&str>,
        stamp: &Stamp,
    ) -> Result<bool, OpsError> {
        let now = store::dispatch::get(tx, &dispatch.id)?;
        let ending = Ending {
            exit_code,
            error: error.map(ToOwned::to_owned),
            verdict_status: self.verdict.status.clone(),
            verdict_summary: self.verdict.summary.clone(),
        };
        if !store::dispatch::finish(tx, &now, status, &ending, stamp)? {
            return Ok(false);
        }
        if let Some((input, output)) = self.tokens {
            let tokens = NewTokens { input: Some(input), output: Some(output), cache: None };
            ops::dispatch::set_tokens(tx, &dispatch.id, &tokens, stamp)?;
        }
        Ok(true)
    }
}

/// Reads the counters that a child keeps for its user interface: turns, commands, messages.
///
/// A file that is older than the record of a child that was started here belongs to an earlier process with
/// the same pid.
pub(super) fn counters(dispatch: &Dispatch) -> Option<[i64; 3]> {
    let pid = dispatch.process.as_ref()?.pid;
    let since = dispatch.supervisor.as_ref().map_or(0, |_| dispatch.created_at);
    let text = files::own_text(Path::new(&format!("/tmp/clavain-dispatch-{pid}.json")), since, MAX_BYTES)?;
    let state: serde_json::Value = serde_json::from_str(&text).ok()?;
    let number = |name: &str| state[name].as_i64().filter(|number| *number >= 0);
    Some([number("turns")?, number("commands")?, number("messages")?])
}

/// Ends the processes of these dispatches, which are over: SIGTERM, a wait, SIGKILL.
pub(super) fn wait_until_gone(cx: &mut CommandContext, ids: &[DispatchId]) -> Result<(), Error> {
    let start = std::time::Instant::now();
    loop {
        stop_all(cx, start.elapsed())?;
        let due = cx.read(store::dispatch::to_stop)?;
        let waiting = due.iter().any(|dispatch| ids.contains(&dispatch.id) && !is_elsewhere(dispatch));
        // The supervisor itself needs a moment longer than its child.
        if !waiting || start.elapsed() > GRACE * 4 {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Sends SIGTERM to the processes of cancelled dispatches, and SIGKILL to those that got it longer ago than
/// [`GRACE`]; records those that are gone. Returns how many were signalled.
///
/// The request to stop them was committed with the cancellation, so a process that dies between that commit
/// and this call leaves the work to the next dispatch command.
pub(crate) fn stop_processes(cx: &mut CommandContext) -> Result<usize, Error> {
    stop_all(cx, Duration::ZERO)
}

/// Stops processes as [`stop_processes`] does. Those that got SIGTERM have had `waited` at least, whatever
/// the clock says.
fn stop_all(cx: &mut CommandContext, waited: Duration) -> Result<usize, Error> {
    let due = cx.read(|tx: &ReadTx<'_>| store::dispatch::to_stop(tx))?;
    let mut steps: Vec<(DispatchId, Stopping)> = Vec::new();
    let mut signalled = 0;
    for dispatch in due {
        match stop(&dispatch, cx.now().secs(), waited) {
            Ok(Stop { sent, step }) => {
                signalled += usize::from(sent);
                steps.extend(step.map(|step| (dispatch.id.clone(), step)));
            }
            Err(err) => {
                cx.warn(format_args!("dispatch {}: its process was not signalled: {err}", dispatch.id));
            }
        }
    }
    if !steps.is_empty() {
        let stamp = cx.now();
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

fn stop(dispatch: &Dispatch, now: i64, waited: Duration) -> std::io::Result<Stop> {
    let over = Stop { sent: false, step: Some(Stopping::Over) };
    let waiting = Stop { sent: false, step: None };
    let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    let grace = seconds(GRACE);
    let asked = dispatch.stop_signalled_at.map(|asked| (now - asked).max(seconds(waited)));
    let child = dispatch.process.as_ref().and_then(Identity::recorded).filter(|child| child.pid > 1);
    let is_gone = |child: &Option<Identity>| child.as_ref().is_none_or(|c| c.liveness() == Liveness::Gone);
    let supervisor = dispatch.supervisor.as_ref().and_then(Identity::recorded);
    match supervisor.filter(|supervisor| supervisor.liveness() != Liveness::Gone) {
        // This is still the process that launched the dispatch. The supervisor will find that there is
        // nothing to start.
        Some(_) if dispatch.heartbeat_at.is_none() => return Ok(waiting),
        // It runs elsewhere, and cannot be judged from here.
        Some(supervisor) if supervisor.liveness() == Liveness::Foreign => return Ok(waiting),
        // Only the supervisor is signalled: it ends the child, with all processes that belong to it.
        Some(supervisor) => match asked {
            None => match process::signal(&supervisor, Signal::Term)? {
                Signalled::Sent => return Ok(Stop { sent: true, step: Some(Stopping::Asked) }),
                Signalled::Foreign => return Ok(waiting),
                Signalled::Gone => {}
            },
            Some(asked) if asked < 3 * grace => return Ok(if is_gone(&child) { over } else { waiting }),
            // The supervisor does not react.
            Some(_) => end_rest(dispatch),
        },
        None => end_rest(dispatch),
    }
    let Some(child) = child else { return Ok(over) };
    let signal = match asked {
        None => Signal::Term,
        Some(asked) if asked >= grace => Signal::Kill,
        Some(_) => return Ok(if is_gone(&Some(child)) { over } else { waiting }),
    };
    Ok(match process::signal(&child, signal)? {
        Signalled::Sent => Stop { sent: true, step: asked.is_none().then_some(Stopping::Asked) },
        Signalled::Gone => over,
        // A process of another machine or sandbox: a dispatch command there will find it.
        Signalled::Foreign => waiting,
    })
}

/// Checks whether the process belongs to another machine or sandbox, where alone it can be judged and
/// stopped.
pub(super) fn is_elsewhere(dispatch: &Dispatch) -> bool {
    let process = dispatch.supervisor.as_ref().or(dispatch.process.as_ref()).and_then(Identity::recorded);
    process.is_some_and(|process| process.liveness() == Liveness::Foreign)
}
