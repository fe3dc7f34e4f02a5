//! The supervisor of a dispatch: a process that starts the child, waits for its end, and closes the record.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::launch::log_paths;
use super::persist::{insist, persist};
use super::settle::{self, GRACE, Leftovers, MARK, family};
use super::unexpected;
use crate::app::reply::{Refusal, Sink};
use crate::app::{Code, CommandContext, Error, Verdict};
use crate::domain::dispatch::{Dispatch, DispatchStatus};
use crate::domain::ids::{DispatchId, RunId};
use crate::domain::launch::Command;
use crate::domain::process::ProcessKey;
use crate::os::child::{self, Child, DETACHED, Ended, Plan, Woken};
use crate::os::process::{self, Signal};
use crate::store;
use crate::store::dispatch::{Ending, Stopping};

/// How often the supervisor checks whether its dispatch was cancelled: signals may be lost, commits are not.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// How often the supervisor records that it is at work.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(30);
/// What the supervisor writes to its guard when its work is done.
pub(super) const DONE: &[u8] = b"done";
/// The reason in the record of a dispatch whose supervisor was terminated.
const REASON_TERMINATED: &str = "its supervisor was asked to end";
/// The report on a dispatch that was cancelled before its child started.
const REASON_CANCELLED: &str = "it was called off before it started";
/// A flag that is never raised.
static NEVER: AtomicBool = AtomicBool::new(false);

/// The one report of a supervisor to the process that launched the dispatch.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
pub(crate) struct SupervisorReport {
    /// Null if the child has not started.
    pub pid: Option<i64>,
    /// Null unless the child could not be started.
    pub error: Option<String>,
}

/// Why the supervision of a child ends.
enum Outcome {
    /// The child exited.
    Exited,
    /// The time limit of the dispatch is over.
    TimedOut,
    /// The dispatch was cancelled; its record says so already.
    Cancelled,
    /// The supervisor was asked to end; the record does not say so yet.
    Terminated,
}

/// Starts the child of a dispatch after `delay`, and supervises it to its end. The sink receives one report,
/// and is delivered as soon as the child runs: from then on the process that launched the dispatch does not
/// wait any more.
///
/// # Errors
/// [`Error::Ops`] if the record cannot be written. The guard does what is left to do then.
pub(crate) fn supervise(
    cx: &mut CommandContext,
    id: &DispatchId,
    delay: Duration,
    sink: &mut dyn Sink<SupervisorReport>,
) -> Result<Verdict, Error> {
    child::detach().map_err(unexpected)?;
    let stop = cx.stop_flag()?;
    let me = ProcessKey::from(process::myself().map_err(unexpected)?);
    if !persist(cx, |tx, stamp| store::dispatch::claim(tx, id, &me, stamp))? {
        clear_stop_request(cx, id)?;
        report(sink, None, Some(REASON_CANCELLED.to_owned()))?;
        return Ok(Verdict::No(Refusal::Code(Code::SpawnFailed)));
    }
    let ic = child::own_program().map_err(unexpected)?;
    let mut guard = child::start_guard(&ic, &["dispatch", "guard", id.as_str()]).map_err(unexpected)?;
    if !delay.is_zero() {
        report(sink, None, None)?;
    }
    let sink = delay.is_zero().then_some(sink);
    let done = if is_due(cx, id, delay, &stop)? { attend(cx, id, sink, &stop) } else { Ok(()) };
    if done.is_ok() {
        let _ = guard.write_all(DONE); // a guard that is gone has nothing to do either
    }
    done.map(|()| Verdict::Yes)
}

/// Waits for the time of the start. Returns `false` if the dispatch is over before that.
fn is_due(
    cx: &mut CommandContext,
    id: &DispatchId,
    delay: Duration,
    stop: &AtomicBool,
) -> Result<bool, Error> {
    let start = Instant::now();
    loop {
        let dispatch = insist(|| cx.read(|tx| store::dispatch::get(tx, id)))?;
        if dispatch.status != DispatchStatus::Spawned {
            clear_stop_request(cx, id)?;
            return Ok(false);
        }
        if stop.load(Ordering::Relaxed) {
            let ending = Ending { error: Some(REASON_TERMINATED.to_owned()), ..Ending::default() };
            persist(cx, |tx, stamp| {
                store::dispatch::finish(tx, &dispatch, DispatchStatus::Cancelled, &ending, stamp)
            })?;
            return Ok(false);
        }
        let left = delay.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Ok(true);
        }
        thread::sleep(left.min(POLL_INTERVAL));
    }
}

/// Starts the child and supervises it to its end. `sink` is there unless the report was made before the
/// start.
fn attend(
    cx: &mut CommandContext,
    id: &DispatchId,
    sink: Option<&mut dyn Sink<SupervisorReport>>,
    stop: &AtomicBool,
) -> Result<(), Error> {
    let dispatch = insist(|| cx.read(|tx| store::dispatch::get(tx, id)))?;
    let start = Instant::now();
    let mut child = match plan(cx, &dispatch).and_then(|plan| {
        Child::start(&plan).map_err(|source| Error::File {
            what: "starting program",
            path: PathBuf::from(&plan.argv[0]),
            source,
        })
    }) {
        Ok(child) => child,
        Err(err) => {
            let error = err.to_string();
            let ending = Ending { error: Some(format!("start: {error}")), ..Ending::default() };
            persist(cx, |tx, stamp| {
                store::dispatch::finish(tx, &dispatch, DispatchStatus::Failed, &ending, stamp)
            })?;
            return sink.map_or(Ok(()), |sink| report(sink, None, Some(error)));
        }
    };
    let process = ProcessKey::from(child.identity().clone());
    let is_running = persist(cx, |tx, stamp| store::dispatch::started(tx, &dispatch, &process, stamp))?;
    if let Some(sink) = sink {
        report(sink, Some(process.pid), (!is_running).then(|| REASON_CANCELLED.to_owned()))?;
    }
    let dispatch = Dispatch { process: Some(process), ..dispatch };
    let outcome =
        if is_running { watch(cx, &dispatch, &mut child, start, stop)? } else { Outcome::Cancelled };
    if !matches!(outcome, Outcome::Exited) {
        terminate(&mut child)?;
    }
    let ended = child.reap().map_err(unexpected)?;
    let closed = close(cx, id, &outcome, ended);
    // Only now: a process that waits for the dispatch waits for the child, and not for what the child left
    // running.
    child::end_family(&family(id, Some(child.identity())), GRACE);
    closed?;
    clear_stop_request(cx, id)
}

/// Returns the program to start, with its environment.
fn plan(cx: &mut CommandContext, dispatch: &Dispatch) -> Result<Plan, Error> {
    let broken = || Error::Unexpected(anyhow::anyhow!("the command of dispatch {} is damaged", dispatch.id));
    let text = dispatch.command.as_deref().ok_or_else(broken)?;
    let command: Command = serde_json::from_str(text).map_err(|_| broken())?;
    let cwd = PathBuf::from(&command.cwd);
    if let Err(source) = cwd.metadata() {
        return Err(Error::File { what: "entering", path: cwd, source });
    }
    let db = cx.existing()?.path().to_owned();
    let (stdout, stderr) = log_paths(&db, &dispatch.id)?;
    let run = match dispatch.scope_id.as_deref().and_then(|scope| scope.parse::<RunId>().ok()) {
        None => None,
        Some(id) => cx.read(|tx| store::run::find(tx, &id))?.map(|run| run.id),
    };
    let mut env: Vec<(&'static str, OsString)> = Vec::new();
    let mut set = |name, value: Option<&str>| env.extend(value.map(|value| (name, OsString::from(value))));
    set(MARK, Some(dispatch.id.as_str()));
    set("IC_RUN_ID", run.as_ref().map(RunId::as_str));
    set("IC_SPAWN_DEPTH", Some(&dispatch.spawn_depth.to_string()));
    set("IC_DISPATCH_MODEL", dispatch.model.as_deref());
    set("IC_DISPATCH_PROMPT", dispatch.prompt_file.as_deref());
    set("IC_DISPATCH_OUTPUT", dispatch.output_file.as_deref());
    set("IC_DISPATCH_VERDICT", dispatch.verdict_file.as_deref());
    let trace = &cx.stamp.trace;
    let own = run.as_ref().map_or(dispatch.id.as_str(), RunId::as_str);
    set("IC_TRACE_ID", Some(trace.trace_id.as_deref().unwrap_or(own)));
    set("IC_SPAN_ID", Some(&format!("dispatch:{}", dispatch.id)));
    set("IC_PARENT_SPAN_ID", trace.span_id.as_deref());
    env.push(("INTERCORE_DB", db.into_os_string()));
    Ok(Plan {
        argv: command.argv.into_iter().map(OsString::from).collect(),
        cwd,
        env,
        // Set for the dispatch that this one was started from, if there is one, and wrong here.
        without: vec![DETACHED, "IC_RUN_ID", "IC_DISPATCH_MODEL", "IC_DISPATCH_PROMPT", "IC_PARENT_SPAN_ID"],
        stdout,
        stderr,
    })
}

/// Waits for the end of the child, of its time, or of its dispatch. A database that cannot be read for a
/// while does not end the supervision.
fn watch(
    cx: &mut CommandContext,
    dispatch: &Dispatch,
    child: &mut Child,
    start: Instant,
    stop: &AtomicBool,
) -> Result<Outcome, Error> {
    let limit = dispatch.timeout_sec.and_then(|secs| u64::try_from(secs).ok()).map(Duration::from_secs);
    let mut beat = Instant::now();
    let mut version = None;
    loop {
        let left = limit.map(|limit| limit.saturating_sub(start.elapsed()));
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(Outcome::TimedOut);
        }
        match child.wait(left.unwrap_or(POLL_INTERVAL).min(POLL_INTERVAL), stop).map_err(unexpected)? {
            Woken::Ended => return Ok(Outcome::Exited),
            Woken::Asked => {
                let now = cx.read(|tx| store::dispatch::get(tx, &dispatch.id));
                let is_over = now.is_ok_and(|now| now.status.is_terminal());
                return Ok(if is_over { Outcome::Cancelled } else { Outcome::Terminated });
            }
            Woken::Elapsed => {}
        }
        if beat.elapsed() >= HEARTBEAT_INTERVAL {
            beat = Instant::now();
            let counters = settle::counters(dispatch);
            let stamp = cx.now();
            // The next heartbeat makes up for one that fails.
            let _ = cx.write(|tx| store::dispatch::heartbeat(tx, &dispatch.id, counters, &stamp));
        }
        let Ok(seen) = cx.existing().and_then(|db| Ok(db.version()?)) else { continue };
        if version != Some(seen) {
            match cx.read(|tx| store::dispatch::get(tx, &dispatch.id)) {
                Ok(now) if now.status.is_terminal() && now.stop_requested_at.is_some() => {
                    return Ok(Outcome::Cancelled);
                }
                Ok(_) => version = Some(seen),
                // An older state of the database was restored, in which no command could ever stop the child.
                Err(err) if err.code() == Code::DispatchNotFound => return Ok(Outcome::Cancelled),
                Err(_) => {}
            }
        }
    }
}

/// Sends SIGTERM to the child's group, and SIGKILL when the grace period is over.
fn terminate(child: &mut Child) -> Result<(), Error> {
    child.signal_group(Signal::Term);
    if child.wait(GRACE, &NEVER).map_err(unexpected)? != Woken::Ended {
        child.signal_group(Signal::Kill);
    }
    Ok(())
}

/// Closes the record, unless it is closed.
fn close(cx: &mut CommandContext, id: &DispatchId, outcome: &Outcome, ended: Ended) -> Result<(), Error> {
    let dispatch = insist(|| cx.read(|tx| store::dispatch::get(tx, id)))?;
    let (leftovers, counters) = (Leftovers::read(&dispatch), settle::counters(&dispatch));
    let (status, error) = match outcome {
        Outcome::Exited => (leftovers.status(ended.code), exit_error(ended)),
        Outcome::TimedOut => {
            let limit = dispatch.timeout_sec.unwrap_or_default();
            (DispatchStatus::Timeout, Some(format!("timed out after {limit} seconds")))
        }
        Outcome::Cancelled | Outcome::Terminated => {
            (DispatchStatus::Cancelled, Some(REASON_TERMINATED.to_owned()))
        }
    };
    let error = error.as_deref();
    persist(cx, |tx, stamp| {
        if counters.is_some() {
            store::dispatch::heartbeat(tx, id, counters, stamp)?;
        }
        leftovers.close(tx, &dispatch, status, Some(ended.code), error, stamp)
    })?;
    Ok(())
}

fn exit_error(ended: Ended) -> Option<String> {
    match ended {
        Ended { signal: Some(signal), .. } => Some(format!("killed by signal {signal}")),
        Ended { code: 0, .. } => None,
        Ended { code, .. } => Some(format!("exit status {code}")),
    }
}

/// Records that the processes that were to be stopped are gone.
fn clear_stop_request(cx: &mut CommandContext, id: &DispatchId) -> Result<(), Error> {
    let dispatch = cx.read(|tx| store::dispatch::get(tx, id))?;
    if dispatch.stop_requested_at.is_some() {
        persist(cx, |tx, stamp| store::dispatch::note_stop(tx, id, Stopping::Over, stamp))?;
    }
    Ok(())
}

/// Reports to the process that launched the dispatch, and lets it go.
fn report(
    sink: &mut dyn Sink<SupervisorReport>,
    pid: Option<i64>,
    error: Option<String>,
) -> Result<(), Error> {
    sink.put(&SupervisorReport { pid, error })?;
    sink.deliver(&NEVER).map(drop)
}
