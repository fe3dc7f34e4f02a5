//! Standing in line for a lock (CO-16): between two attempts nothing is held, neither a lock of the database nor a snapshot.

use std::thread;
use std::time::{Duration, Instant};

use super::{is_gone, meaning};
use crate::cli::Cx;
use crate::cli::error::CliError;
use crate::domain::text::one_line;
use crate::ops::coordination::{self, Outside, Request, Reserved, Turn};
use crate::os::process;

/// How often it is looked for a commit: at first, and at last. A look costs some 20 µs.
const GLANCES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(16));
/// How often it is looked for what no commit tells: a process that died, a database that was moved.
const LOOK: Duration = Duration::from_millis(250);

/// Reserves; if somebody is in the way, stands in line for up to `patience`.
pub(super) fn reserve(
    cx: &mut Cx,
    request: &Request,
    mut turn: Turn,
    patience: Duration,
) -> Result<Reserved, CliError> {
    let meaning = meaning()?;
    let outside = Outside { canonical: &meaning, is_gone: &is_gone };
    let stamp = cx.stamp.clone();
    if patience.is_zero() {
        return cx.write(|tx| coordination::reserve(tx, request, &turn, outside, &stamp));
    }
    let deadline = Instant::now() + patience;
    let me = process::myself().map_err(|err| CliError::Unexpected(err.into()))?;
    turn.waits = Some(me.into());
    loop {
        let stamp = cx.now();
        let (ticket, blocker) =
            match cx.write(|tx| coordination::reserve(tx, request, &turn, outside, &stamp))? {
                Reserved::Waiting { ticket, blocker } => (ticket, blocker),
                over => {
                    cx.out.progress("");
                    return Ok(over);
                }
            };
        turn.ticket = Some(ticket);
        let waits_for = format!("waiting for {} of {}", one_line(&blocker.pattern), one_line(&blocker.owner));
        cx.out.progress(&waits_for);
        if !stand(cx, request, ticket, outside, deadline)? {
            cx.out.progress("");
            turn.waits = None;
            let stamp = cx.now();
            // One last time, and if it is in vain, the refusal is on record and the place is kept for a while.
            return cx.write(|tx| coordination::reserve(tx, request, &turn, outside, &stamp));
        }
    }
}

/// Waits until another attempt may succeed. `false` if the time is over before.
fn stand(
    cx: &mut Cx,
    request: &Request,
    ticket: i64,
    outside: Outside<'_>,
    deadline: Instant,
) -> Result<bool, CliError> {
    let place = cx.existing()?.place()?;
    loop {
        // Before looking: a commit between the two ends the next sleep at once.
        let version = cx.existing()?.version()?;
        let stamp = cx.now();
        let due = match cx.read(|tx| coordination::outlook(tx, request, ticket, outside, &stamp))? {
            Ok(()) => return Ok(true),
            Err(due) => {
                due.map(|due| Duration::from_millis(u64::try_from(due - stamp.millis()).unwrap_or(0)))
            }
        };
        let looked = Instant::now();
        let until = due.map_or(LOOK, |due| due.min(LOOK));
        let mut pause = GLANCES.0;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            let rest = until.saturating_sub(looked.elapsed());
            if rest.is_zero() {
                cx.existing()?.require_at(place)?;
                break;
            }
            thread::sleep(pause.min(left).min(rest));
            pause = (pause * 2).min(GLANCES.1);
            if cx.existing()?.version()? != version {
                break;
            }
        }
    }
}
