//! Standing in line for a lock (CO-16): between two attempts nothing is held, neither a lock of the database nor a snapshot.

use std::thread;
use std::time::{Duration, Instant};

use super::Around;
use crate::cli::Cx;
use crate::cli::error::CliError;
use crate::domain::text::one_line;
use crate::ops::coordination::{self, Request, Reserved, Turn};
use crate::os::process;

/// How often it is looked for a commit: at first, and at last. A look costs some 20 µs.
const GLANCES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(16));
/// How often it is looked for what no commit tells: a process that died, a lock of another program, a database that was
/// moved.
const LOOK: Duration = Duration::from_millis(250);

/// A waiter that is late to leave is still there.
const SLACK: Duration = Duration::from_secs(1);

/// Reserves; if somebody is in the way, stands in line for up to `patience`.
pub(super) fn reserve(
    cx: &mut Cx,
    request: &Request,
    mut turn: Turn,
    patience: Duration,
) -> Result<Reserved, CliError> {
    if patience.is_zero() {
        return attempt(cx, request, &turn);
    }
    let deadline = Instant::now() + patience;
    let me = process::myself().map_err(|err| CliError::Unexpected(err.into()))?;
    turn.waits = Some(me.into());
    let millis = i64::try_from((patience + SLACK).as_millis()).unwrap_or(i64::MAX);
    turn.deadline = cx.now().millis().saturating_add(millis);
    loop {
        let (ticket, blocker) = match attempt(cx, request, &turn)? {
            Reserved::Waiting { ticket, blocker } => (ticket, blocker),
            over => {
                cx.out.progress("");
                return Ok(over);
            }
        };
        turn.ticket = Some(ticket);
        let waits_for = format!("waiting for {} of {}", one_line(&blocker.pattern), one_line(&blocker.owner));
        cx.out.progress(&waits_for);
        if !stand(cx, request, ticket, deadline)? {
            cx.out.progress("");
            turn.waits = None;
            // One last time, and if it is in vain, the refusal is on record and the place is kept for a while.
            return attempt(cx, request, &turn);
        }
    }
}

fn attempt(cx: &mut Cx, request: &Request, turn: &Turn) -> Result<Reserved, CliError> {
    let (around, clock) = (Around::look(cx)?, cx.clock());
    around.with(|outside| cx.write(|tx| coordination::reserve(tx, request, turn, outside, &clock())))
}

/// Waits until another attempt may succeed. `false` if the time is over before.
fn stand(cx: &mut Cx, request: &Request, ticket: i64, deadline: Instant) -> Result<bool, CliError> {
    let place = cx.existing()?.place()?;
    loop {
        // Before looking: a commit between the two ends the next sleep at once.
        let version = cx.existing()?.version()?;
        let (around, stamp) = (Around::look(cx)?, cx.now());
        let outlook =
            around.with(|outside| cx.read(|tx| coordination::outlook(tx, request, ticket, outside, &stamp)));
        let due = match outlook? {
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
