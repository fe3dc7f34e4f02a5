//! Waiting for dispatches to end.

use std::thread;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Serialize;

use super::settle::{self, is_lost};
use super::{DispatchAnswer, Dispatches};
use crate::app::{Code, CommandContext, Error, Reply};
use crate::domain::dispatch::{Dispatch, DispatchStatus};
use crate::domain::ids::DispatchId;
use crate::store;
use crate::store::StoreError;
use crate::store::dispatch::Decision;

/// How often a commit is checked for. A check costs some 20 µs.
const POLL_INTERVAL: Duration = Duration::from_millis(10);
/// How often children without a supervisor are checked for.
const LOST_CHECK_INTERVAL: Duration = Duration::from_millis(100);
/// How often the spinner turns.
const SPINNER_INTERVAL: Duration = Duration::from_millis(120);

/// The dispatches to wait for.
#[derive(Debug)]
pub(crate) struct WaitRequest {
    pub ids: Vec<DispatchId>,
    /// Return when the first dispatch ends, not when all have ended.
    pub any: bool,
    /// The longest wait. Dispatches that are live after it are ended.
    pub timeout: Option<Duration>,
}

/// The dispatch that was waited for, or all of them.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum WaitAnswer {
    One(Box<DispatchAnswer>),
    Several(Dispatches),
}

/// Waits until the dispatches have ended. The negative if one of them failed or timed out.
///
/// # Errors
/// [`Error::Ops`] if a dispatch does not exist.
pub(crate) fn wait(cx: &mut CommandContext, request: &WaitRequest) -> Result<Reply<WaitAnswer>, Error> {
    settle::settle(cx)?;
    let mut dispatches = request.wait(cx)?;
    if !request.is_met(&dispatches) {
        for id in &request.ids {
            time_out(cx, id)?;
        }
        settle::wait_until_gone(cx, &request.ids)?;
        dispatches = request.read(cx)?;
    }
    if request.any {
        let first = dispatches.into_iter().find(|dispatch| dispatch.status.is_terminal());
        dispatches = first.into_iter().collect();
    }
    let is_good = dispatches
        .iter()
        .all(|dispatch| matches!(dispatch.status, DispatchStatus::Completed | DispatchStatus::Cancelled));
    if (request.any || request.ids.len() == 1) && dispatches.len() == 1 {
        let answer = dispatches.remove(0).into();
        return Ok(Reply::of(WaitAnswer::One(Box::new(answer)), is_good, Code::DispatchFailed));
    }
    let answer = WaitAnswer::Several(dispatches.into_iter().collect());
    Ok(if is_good { Reply::yes(answer) } else { Reply::no_list(answer) })
}

impl WaitRequest {
    /// Waits until the request is met or its time is over, and returns the dispatches as they are then.
    fn wait(&self, cx: &mut CommandContext) -> Result<Vec<Dispatch>, Error> {
        let start = Instant::now();
        let (mut checked, mut turned) = (Instant::now(), None::<Instant>);
        loop {
            // Read before the dispatches are: a commit between the two then ends the next sleep at once.
            let version = cx.existing()?.version()?;
            let dispatches = self.read(cx)?;
            if self.is_met(&dispatches) {
                cx.progress("");
                return Ok(dispatches);
            }
            loop {
                let left = self.timeout.map(|timeout| timeout.saturating_sub(start.elapsed()));
                if left.is_some_and(|left| left.is_zero()) {
                    cx.progress("");
                    return Ok(dispatches);
                }
                if turned.is_none_or(|turned| turned.elapsed() >= SPINNER_INTERVAL) {
                    turned = Some(Instant::now());
                    cx.progress(spinner(start.elapsed(), &dispatches));
                }
                thread::sleep(left.unwrap_or(POLL_INTERVAL).min(POLL_INTERVAL));
                if cx.existing()?.version()? != version {
                    break;
                }
                if checked.elapsed() >= LOST_CHECK_INTERVAL {
                    checked = Instant::now();
                    // No other process may be running that would notice.
                    if dispatches.iter().any(|one| !one.status.is_terminal() && is_lost(one)) {
                        settle::settle(cx)?;
                        break;
                    }
                }
            }
        }
    }

    fn read(&self, cx: &mut CommandContext) -> Result<Vec<Dispatch>, Error> {
        cx.read(|tx| {
            let all = self.ids.iter().map(|id| store::dispatch::get(tx, id));
            Ok::<_, Error>(all.collect::<Result<Vec<_>, StoreError>>()?)
        })
    }

    /// Checks whether enough dispatches have ended.
    fn is_met(&self, dispatches: &[Dispatch]) -> bool {
        let mut over = dispatches.iter().map(|dispatch| dispatch.status.is_terminal());
        if self.any { over.any(|over| over) } else { over.all(|over| over) }
    }
}

fn spinner(elapsed: Duration, dispatches: &[Dispatch]) -> String {
    const FRAMES: [char; 8] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠇'];
    let turns = elapsed.as_millis() / SPINNER_INTERVAL.as_millis();
    let frame = FRAMES[usize::try_from(turns).unwrap_or(0) % FRAMES.len()];
    let left = dispatches.iter().filter(|dispatch| !dispatch.status.is_terminal()).count();
    format!("{frame} {left} running, {} s", elapsed.as_secs())
}

/// Ends a live dispatch because the wait for it is over.
fn time_out(cx: &mut CommandContext, id: &DispatchId) -> Result<(), Error> {
    let stamp = cx.now();
    cx.write(|tx| {
        let dispatch = store::dispatch::get(tx, id)?;
        if dispatch.status.is_terminal() {
            return Ok(());
        }
        let decision = Decision {
            status: DispatchStatus::Timeout,
            reason: "timeout waiting for dispatch",
            cause: None,
            stop: true,
        };
        store::dispatch::decide(tx, &dispatch, &decision, &stamp)
    })
}
