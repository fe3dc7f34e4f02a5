//! `ic dispatch poll`, `ic dispatch wait`

use std::thread;
use std::time::{Duration, Instant};

use super::settle::{self, is_lost};
use super::{Dispatches, view::DispatchView};
use crate::cli::error::CliError;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx};
use crate::domain::dispatch::{Dispatch, DispatchStatus};
use crate::domain::ids::DispatchId;
use crate::store;
use crate::store::StoreError;
use crate::store::dispatch::Decision;

/// How often it is looked for a commit; a look costs some 20 µs.
const GLANCE: Duration = Duration::from_millis(10);
/// How often children that nobody supervises are looked for.
const LOOK: Duration = Duration::from_millis(100);
/// How often the spinner turns.
const TURN: Duration = Duration::from_millis(120);

/// Bring the record of a dispatch up to date and show it
///
/// Supervised dispatches keep their record up to date by themselves. Of a child that was started elsewhere, the counters are
/// read and, once it is gone, what it left.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic dispatch poll w8d2f5gh --json")]
pub(in crate::cli) struct Poll {
    /// The dispatch
    id: DispatchId,
}

impl Verb for Poll {
    fn run(self, cx: &mut Cx) -> Result<Answer, CliError> {
        settle::settle(cx)?;
        let dispatch = cx.read(|tx| store::dispatch::get(tx, &self.id))?;
        if !dispatch.status.is_terminal()
            && !settle::is_elsewhere(&dispatch) // its pid is another process's here
            && let Some(counters) = settle::counters(&dispatch)
        {
            let stamp = cx.stamp.clone();
            cx.write(|tx| store::dispatch::heartbeat(tx, &self.id, Some(counters), &stamp))?;
        }
        let dispatch = cx.read(|tx| store::dispatch::get(tx, &self.id))?;
        cx.out.show(&DispatchView::from(dispatch))?;
        Ok(Answer::Yes)
    }
}

/// Wait for dispatches to end
///
/// For all of them, or with --any for the first one. Exit code 0 if they were completed or cancelled, 1 if one failed or
/// timed out. With --timeout those that are not over by then are ended, with status timeout.
#[derive(Debug, clap::Parser)]
#[command(
    after_help = "Example: ic dispatch wait w8d2f5gh --timeout=10m\n         ic dispatch wait $a $b --any"
)]
pub(in crate::cli) struct Wait {
    /// The dispatches
    #[arg(required = true)]
    ids: Vec<DispatchId>,
    /// Until the first one ends
    #[arg(long, conflicts_with = "all")]
    any: bool,
    /// Until all have ended, which is the default
    #[arg(long)]
    all: bool,
    /// How long to wait at most; then they are ended
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,
    /// Accepted for older callers: an end is seen within 50 ms anyway
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, hide = true)]
    poll: Option<Duration>,
}

impl Verb for Wait {
    fn run(self, cx: &mut Cx) -> Result<Answer, CliError> {
        settle::settle(cx)?;
        let mut over = self.wait(cx)?;
        if !self.is_enough(&over) {
            for id in &self.ids {
                give_up(cx, id)?;
            }
            settle::see_through(cx, &self.ids)?;
            over = self.look(cx)?;
        }
        let ended: Vec<Dispatch> = if self.any {
            over.into_iter().filter(|dispatch| dispatch.status.is_terminal()).take(1).collect()
        } else {
            over
        };
        let well = |dispatch: &Dispatch| {
            matches!(dispatch.status, DispatchStatus::Completed | DispatchStatus::Cancelled)
        };
        let answer = if ended.iter().all(well) { Answer::Yes } else { Answer::No };
        match ended.as_slice() {
            [one] if self.any || self.ids.len() == 1 => cx.out.show(&DispatchView::from(one.clone()))?,
            _ => cx.out.show(&Dispatches(ended.into_iter().map(DispatchView::from).collect()))?,
        }
        Ok(answer)
    }
}

impl Wait {
    /// Waits, and answers how things stand then.
    fn wait(&self, cx: &mut Cx) -> Result<Vec<Dispatch>, CliError> {
        let start = Instant::now();
        let (mut looked, mut turned) = (Instant::now(), None::<Instant>);
        loop {
            let version = cx.existing()?.version()?;
            let now = self.look(cx)?;
            if self.is_enough(&now) {
                cx.out.progress("");
                return Ok(now);
            }
            loop {
                let left = self.timeout.map(|timeout| timeout.saturating_sub(start.elapsed()));
                if left.is_some_and(|left| left.is_zero()) {
                    cx.out.progress("");
                    return Ok(now);
                }
                if turned.is_none_or(|turned| turned.elapsed() >= TURN) {
                    turned = Some(Instant::now());
                    cx.out.progress(&spinner(start.elapsed(), &now));
                }
                thread::sleep(left.unwrap_or(GLANCE).min(GLANCE));
                if cx.existing()?.version()? != version {
                    break;
                }
                if looked.elapsed() >= LOOK {
                    looked = Instant::now();
                    // Nobody else may be there to notice.
                    if now.iter().any(|dispatch| !dispatch.status.is_terminal() && is_lost(dispatch)) {
                        settle::settle(cx)?;
                        break;
                    }
                }
            }
        }
    }

    fn look(&self, cx: &mut Cx) -> Result<Vec<Dispatch>, CliError> {
        cx.read(|tx| {
            let all = self.ids.iter().map(|id| store::dispatch::get(tx, id));
            Ok::<_, CliError>(all.collect::<Result<Vec<_>, StoreError>>()?)
        })
    }

    fn is_enough(&self, now: &[Dispatch]) -> bool {
        let mut over = now.iter().map(|dispatch| dispatch.status.is_terminal());
        if self.any { over.any(|over| over) } else { over.all(|over| over) }
    }
}

fn spinner(elapsed: Duration, now: &[Dispatch]) -> String {
    const FRAMES: [char; 8] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠇'];
    let at = usize::try_from(elapsed.as_millis() / TURN.as_millis()).unwrap_or(0) % FRAMES.len();
    let left = now.iter().filter(|dispatch| !dispatch.status.is_terminal()).count();
    format!("{} {left} running, {} s", FRAMES[at], elapsed.as_secs())
}

/// Ends a dispatch that was waited for in vain.
fn give_up(cx: &mut Cx, id: &DispatchId) -> Result<(), CliError> {
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
