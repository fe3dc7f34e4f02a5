//! The hidden commands behind a dispatch: its supervisor, and the guard that looks whether the supervisor is still there.

use std::ffi::OsString;
use std::io::Read;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::launch::logs;
use super::settle::{self, GRACE, Left, MARK, family};
use crate::app::{Code, Error};
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx};
use crate::db::{DbError, WriteTx};
use crate::domain::dispatch::{Dispatch, DispatchStatus};
use crate::domain::ids::{DispatchId, RunId};
use crate::domain::launch::Command;
use crate::domain::process::ProcessKey;
use crate::os::child::{self, Child, DETACHED, Ended, Plan, Woken};
use crate::os::process::{self, Signal};
use crate::os::stream;
use crate::store;
use crate::store::dispatch::{Ending, Stopping};

/// How often the supervisor looks whether its dispatch was called off: signals may be lost, commits are not.
const TICK: Duration = Duration::from_millis(500);
/// How often it says that it is at work.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// How often a write is tried that must not be lost.
const TRIES: u32 = 20;
/// How long the guard waits for a supervisor that let go of it to be gone.
const LEAVE: Duration = Duration::from_secs(5);
/// What a look at a dispatch answers whose record is none any more.
const GONE: Code = Code::DispatchNotFound;
/// What the supervisor says to its guard when its work is done.
const DONE: &[u8] = b"done";

/// Start the child of a dispatch and see it through
#[derive(Debug, clap::Parser)]
pub(in crate::cli) struct Supervise {
    id: DispatchId,
    /// How long to wait before it is started
    #[arg(long, default_value_t = 0)]
    delay_ms: u64,
}

/// See to it that nothing is left when the supervisor of a dispatch is killed
#[derive(Debug, clap::Parser)]
pub(in crate::cli) struct Guard {
    id: DispatchId,
}

#[derive(Default, Serialize)]
struct Report {
    pid: Option<i64>,
    error: Option<String>,
}

/// Why the supervisor ends a child, or does not.
enum End {
    /// It ended by itself.
    Exited,
    /// Its time is over.
    TimedOut,
    /// It was called off; the record says so already.
    CalledOff,
    /// The supervisor was asked to end, and the record knows nothing of it.
    Asked,
}

impl Verb for Supervise {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let unexpected = |err: std::io::Error| Error::Unexpected(err.into());
        child::detach().map_err(unexpected)?;
        let asked = stream::stop_flag().map_err(unexpected)?;
        let me = ProcessKey::from(process::myself().map_err(unexpected)?);
        let id = self.id;
        if !persist(cx, |tx, stamp| store::dispatch::claim(tx, &id, &me, stamp))? {
            forget_stop(cx, &id)?;
            return report(cx, None, Some("it was called off before it started".to_owned()));
        }
        let ic = std::env::current_exe().map_err(unexpected)?;
        let mut guard = child::start_guard(&ic, &["dispatch", "guard", id.as_str()]).map_err(unexpected)?;
        let delay = Duration::from_millis(self.delay_ms);
        if !delay.is_zero() {
            report(cx, None, None)?;
        }
        let done = if is_due(cx, &id, delay, &asked)? { attend(cx, &id, delay, &asked) } else { Ok(()) };
        // What is left to do, if anything failed, is for the guard.
        if done.is_ok() {
            use std::io::Write;
            let _ = guard.write_all(DONE);
        }
        done.map(|()| Answer::Yes)
    }
}

/// Waits for the time of the start. `false` if the dispatch is over before that.
fn is_due(cx: &mut Cx, id: &DispatchId, delay: Duration, asked: &AtomicBool) -> Result<bool, Error> {
    let start = Instant::now();
    loop {
        let dispatch = insist(|| cx.read(|tx| store::dispatch::get(tx, id)))?;
        if dispatch.status != DispatchStatus::Spawned {
            forget_stop(cx, id)?;
            return Ok(false);
        }
        if asked.load(Ordering::Relaxed) {
            give_up(cx, &dispatch)?;
            return Ok(false);
        }
        let left = delay.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Ok(true);
        }
        thread::sleep(left.min(TICK));
    }
}

/// Starts the child and sees it through.
fn attend(cx: &mut Cx, id: &DispatchId, delay: Duration, asked: &AtomicBool) -> Result<(), Error> {
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
            return if delay.is_zero() { report(cx, None, Some(error)).map(drop) } else { Ok(()) };
        }
    };
    let process = ProcessKey::from(child.identity().clone());
    let running = persist(cx, |tx, stamp| store::dispatch::started(tx, &dispatch, &process, stamp))?;
    if delay.is_zero() {
        let called_off = (!running).then(|| "it was called off before it started".to_owned());
        report(cx, Some(process.pid), called_off)?;
    }
    let dispatch = Dispatch { process: Some(process), ..dispatch };
    let end = if running { watch(cx, &dispatch, &mut child, start, asked)? } else { End::CalledOff };
    if !matches!(end, End::Exited) {
        stop(&mut child)?;
    }
    let ended = child.reap().map_err(|err| Error::Unexpected(err.into()))?;
    let closed = close(cx, id, &end, ended);
    // Only now, because whoever waits for the dispatch waits for the child and not for what it left behind.
    child::end_family(&family(id, Some(child.identity())), GRACE);
    closed?;
    forget_stop(cx, id)
}

/// What is to be started, and what it is told.
fn plan(cx: &mut Cx, dispatch: &Dispatch) -> Result<Plan, Error> {
    let broken = || Error::Unexpected(anyhow::anyhow!("the command of dispatch {} is damaged", dispatch.id));
    let text = dispatch.command.as_deref().ok_or_else(broken)?;
    let command: Command = serde_json::from_str(text).map_err(|_| broken())?;
    let cwd = PathBuf::from(&command.cwd);
    if let Err(source) = cwd.metadata() {
        return Err(Error::File { what: "entering", path: cwd, source });
    }
    let db = cx.existing()?.path().to_owned();
    let (stdout, stderr) = logs(&db, &dispatch.id)?;
    let run = match dispatch.scope_id.as_deref().and_then(|scope| scope.parse::<RunId>().ok()) {
        None => None,
        Some(id) => cx.read(|tx| store::run::find(tx, &id))?.map(|run| run.id),
    };
    let mut env: Vec<(&'static str, OsString)> = Vec::new();
    let mut tell = |name, value: Option<&str>| env.extend(value.map(|value| (name, OsString::from(value))));
    tell(MARK, Some(dispatch.id.as_str()));
    tell("IC_RUN_ID", run.as_ref().map(RunId::as_str));
    tell("IC_SPAWN_DEPTH", Some(&dispatch.spawn_depth.to_string()));
    tell("IC_DISPATCH_MODEL", dispatch.model.as_deref());
    tell("IC_DISPATCH_PROMPT", dispatch.prompt_file.as_deref());
    tell("IC_DISPATCH_OUTPUT", dispatch.output_file.as_deref());
    tell("IC_DISPATCH_VERDICT", dispatch.verdict_file.as_deref());
    let trace = &cx.stamp.trace;
    let own = run.as_ref().map_or(dispatch.id.as_str(), RunId::as_str);
    tell("IC_TRACE_ID", Some(trace.trace_id.as_deref().unwrap_or(own)));
    tell("IC_SPAN_ID", Some(&format!("dispatch:{}", dispatch.id)));
    tell("IC_PARENT_SPAN_ID", trace.span_id.as_deref());
    env.push(("INTERCORE_DB", db.into_os_string()));
    Ok(Plan {
        argv: command.argv.into_iter().map(OsString::from).collect(),
        cwd,
        env,
        // What a dispatch that this one was started from was told is not true here.
        without: vec![DETACHED, "IC_RUN_ID", "IC_DISPATCH_MODEL", "IC_DISPATCH_PROMPT", "IC_PARENT_SPAN_ID"],
        stdout,
        stderr,
    })
}

/// Waits for the end of the child, of its time, or of its dispatch. A database that cannot be read for a while is no reason
/// to leave the child.
fn watch(
    cx: &mut Cx,
    dispatch: &Dispatch,
    child: &mut Child,
    start: Instant,
    asked: &AtomicBool,
) -> Result<End, Error> {
    let limit = dispatch.timeout_sec.and_then(|secs| u64::try_from(secs).ok()).map(Duration::from_secs);
    let mut beat = Instant::now();
    let mut version = None;
    loop {
        let left = limit.map(|limit| limit.saturating_sub(start.elapsed()));
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(End::TimedOut);
        }
        let woken = child.wait(left.unwrap_or(TICK).min(TICK), asked);
        match woken.map_err(|err| Error::Unexpected(err.into()))? {
            Woken::Ended => return Ok(End::Exited),
            Woken::Asked => {
                let now = cx.read(|tx| store::dispatch::get(tx, &dispatch.id));
                return Ok(if now.is_ok_and(|now| now.status.is_terminal()) {
                    End::CalledOff
                } else {
                    End::Asked
                });
            }
            Woken::Elapsed => {}
        }
        if beat.elapsed() >= HEARTBEAT {
            beat = Instant::now();
            let counters = settle::counters(dispatch);
            let stamp = cx.now();
            // The next one will do: nothing hangs on this one.
            let _ = cx.write(|tx| store::dispatch::heartbeat(tx, &dispatch.id, counters, &stamp));
        }
        let Ok(seen) = cx.existing().and_then(|db| Ok(db.version()?)) else { continue };
        if version != Some(seen) {
            match cx.read(|tx| store::dispatch::get(tx, &dispatch.id)) {
                Ok(now) if now.status.is_terminal() && now.stop_requested_at.is_some() => {
                    return Ok(End::CalledOff);
                }
                Ok(_) => version = Some(seen),
                // An older state of the database was restored: nobody could ever stop it.
                Err(err) if err.code() == GONE => return Ok(End::CalledOff),
                Err(_) => {}
            }
        }
    }
}

/// Asks the child's group to end, and kills it when the grace period is over.
fn stop(child: &mut Child) -> Result<(), Error> {
    static NEVER: AtomicBool = AtomicBool::new(false);
    let unexpected = |err: std::io::Error| Error::Unexpected(err.into());
    child.signal_group(Signal::Term);
    if child.wait(GRACE, &NEVER).map_err(unexpected)? != Woken::Ended {
        child.signal_group(Signal::Kill);
    }
    Ok(())
}

/// Closes the record, unless it is closed.
fn close(cx: &mut Cx, id: &DispatchId, end: &End, ended: Ended) -> Result<(), Error> {
    let dispatch = insist(|| cx.read(|tx| store::dispatch::get(tx, id)))?;
    let (left, counters) = (Left::of(&dispatch), settle::counters(&dispatch));
    let (status, error) = match end {
        End::Exited => (left.ending(ended.code), said(ended)),
        End::TimedOut => {
            let limit = dispatch.timeout_sec.unwrap_or_default();
            (DispatchStatus::Timeout, Some(format!("timed out after {limit} seconds")))
        }
        End::CalledOff | End::Asked => {
            (DispatchStatus::Cancelled, Some("its supervisor was asked to end".to_owned()))
        }
    };
    let error = error.as_deref();
    persist(cx, |tx, stamp| {
        if counters.is_some() {
            store::dispatch::heartbeat(tx, id, counters, stamp)?;
        }
        left.write(tx, &dispatch, status, Some(ended.code), error, stamp)
    })?;
    Ok(())
}

fn said(ended: Ended) -> Option<String> {
    match ended {
        Ended { signal: Some(signal), .. } => Some(format!("killed by signal {signal}")),
        Ended { code: 0, .. } => None,
        Ended { code, .. } => Some(format!("exit status {code}")),
    }
}

/// Closes a record whose child was not started, because the supervisor was asked to end.
fn give_up(cx: &mut Cx, dispatch: &Dispatch) -> Result<(), Error> {
    let ending = Ending { error: Some("its supervisor was asked to end".to_owned()), ..Ending::default() };
    persist(cx, |tx, stamp| {
        store::dispatch::finish(tx, dispatch, DispatchStatus::Cancelled, &ending, stamp)
    })?;
    Ok(())
}

/// Says that what was to be stopped has been seen gone.
fn forget_stop(cx: &mut Cx, id: &DispatchId) -> Result<(), Error> {
    let dispatch = cx.read(|tx| store::dispatch::get(tx, id))?;
    if dispatch.stop_requested_at.is_some() {
        persist(cx, |tx, stamp| store::dispatch::note_stop(tx, id, Stopping::Over, stamp))?;
    }
    Ok(())
}

/// A write that must not be lost to a busy database or a full disk.
fn persist<T, E>(
    cx: &mut Cx,
    mut f: impl FnMut(&WriteTx<'_>, &crate::domain::time::Stamp) -> Result<T, E>,
) -> Result<T, Error>
where
    E: From<DbError>,
    Error: From<E>,
{
    insist(|| {
        let stamp = cx.now();
        cx.write(|tx| f(tx, &stamp))
    })
}

/// Tries again, for minutes if need be, while the database is busy, or its disk is full or fails. What is
/// recorded here may be recorded twice.
fn insist<T>(mut attempt: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    let mut tried = 0;
    loop {
        match attempt() {
            Err(err)
                if matches!(err.code(), Code::DbBusy | Code::DbFull | Code::DbError | Code::DbInDoubt)
                    && tried < TRIES =>
            {
                tried += 1;
                thread::sleep(Duration::from_millis(100) * tried);
            }
            done => return done,
        }
    }
}

/// Tells whoever asked for the dispatch, who waits for it, and lets them go.
fn report(cx: &mut Cx, pid: Option<i64>, error: Option<String>) -> Result<Answer, Error> {
    let answer = if error.is_some() { Answer::No } else { Answer::Yes };
    // Nobody may be there any more: the work goes on.
    let _ = cx.out.document(&Report { pid, error });
    child::let_go_of_stdout().map_err(|err| Error::Unexpected(err.into()))?;
    Ok(answer)
}

impl Verb for Guard {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let mut said = Vec::new();
        // An error is as good as an end: then it is looked.
        let _ = std::io::stdin().lock().read_to_end(&mut said);
        if said == DONE {
            return Ok(Answer::Yes);
        }
        let start = Instant::now();
        while start.elapsed() < LEAVE {
            match cx.read(|tx| store::dispatch::get(tx, &self.id)) {
                Ok(dispatch) if dispatch.status.is_terminal() || settle::is_lost(&dispatch) => break,
                Err(err) if err.code() == GONE => break,
                _ => thread::sleep(Duration::from_millis(20)),
            }
        }
        // Whoever is left ends also if the record cannot be closed, or is none any more.
        let settled = insist(|| settle::settle(cx));
        child::end_family(&family(&self.id, None), Duration::ZERO);
        settled.map(|()| Answer::Yes)
    }
}
