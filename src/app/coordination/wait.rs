//! Waiting for a lock. Between two attempts no lock of the database and no snapshot is held.

use std::thread;
use std::time::{Duration, Instant};

use super::Surroundings;
use crate::app::{CommandContext, Error};
use crate::domain::text::one_line;
use crate::ops::coordination::{self, Request, Reserved, Turn};
use crate::os::process;

/// Time between two checks for a commit: at first, and at most. A check costs some 20 µs.
const POLL_INTERVALS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(16));
/// Time between two checks for what no commit shows: a process that died, a lock of another program, a database that was
/// moved.
const FULL_CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// Time after its deadline for which a waiter still counts as waiting: it may be late to leave.
const SLACK: Duration = Duration::from_secs(1);

/// Reserves; if a lock is in the way, waits in the queue for up to `timeout`.
pub(super) fn reserve(
    cx: &mut CommandContext,
    request: &Request,
    mut turn: Turn,
    timeout: Duration,
) -> Result<Reserved, Error> {
    if timeout.is_zero() {
        return attempt(cx, request, &turn);
    }
    let deadline = Instant::now() + timeout;
    let me = process::myself().map_err(|err| Error::Unexpected(err.into()))?;
    turn.waits = Some(me.into());
    let millis = i64::try_from((timeout + SLACK).as_millis()).unwrap_or(i64::MAX);
    turn.deadline = cx.now().millis().saturating_add(millis);
    loop {
        let (ticket, blocker) = match attempt(cx, request, &turn)? {
            Reserved::Waiting { ticket, blocker } => (ticket, blocker),
            over => {
                cx.progress("");
                return Ok(over);
            }
        };
        turn.ticket = Some(ticket);
        let waits_for = format!("waiting for {} of {}", one_line(&blocker.pattern), one_line(&blocker.owner));
        cx.progress(waits_for);
        if !wait(cx, request, ticket, deadline)? {
            cx.progress("");
            turn.waits = None;
            // A last attempt. If it fails too, the refusal is recorded and the place is kept for a while.
            return attempt(cx, request, &turn);
        }
    }
}

fn attempt(cx: &mut CommandContext, request: &Request, turn: &Turn) -> Result<Reserved, Error> {
    let (surroundings, clock) = (Surroundings::with_foreign_locks(cx)?, cx.clock());
    surroundings.with(|outside| cx.write(|tx| coordination::reserve(tx, request, turn, outside, &clock())))
}

/// Waits until another attempt may succeed. Returns `false` if the time is over first.
fn wait(cx: &mut CommandContext, request: &Request, ticket: i64, deadline: Instant) -> Result<bool, Error> {
    let place = cx.existing()?.place()?;
    loop {
        // Read before the locks are: a commit between the two then ends the next sleep at once.
        let version = cx.existing()?.version()?;
        let (surroundings, stamp) = (Surroundings::with_foreign_locks(cx)?, cx.now());
        let outlook = surroundings
            .with(|outside| cx.read(|tx| coordination::outlook(tx, request, ticket, outside, &stamp)));
        let due = match outlook? {
            Ok(()) => return Ok(true),
            Err(due) => {
                due.map(|due| Duration::from_millis(u64::try_from(due - stamp.millis()).unwrap_or(0)))
            }
        };
        let checked = Instant::now();
        let until = due.map_or(FULL_CHECK_INTERVAL, |due| due.min(FULL_CHECK_INTERVAL));
        let mut pause = POLL_INTERVALS.0;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            let rest = until.saturating_sub(checked.elapsed());
            if rest.is_zero() {
                cx.existing()?.require_at(place)?;
                break;
            }
            thread::sleep(pause.min(left).min(rest));
            pause = (pause * 2).min(POLL_INTERVALS.1);
            if cx.existing()?.version()? != version {
                break;
            }
        }
    }
}
