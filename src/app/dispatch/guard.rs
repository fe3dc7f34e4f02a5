//! The guard of a supervisor: a process that ends what is left of a dispatch when its supervisor is killed.

use std::io::Read;
use std::thread;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Serialize;

use super::persist::insist;
use super::settle::{self, family};
use super::supervise::DONE;
use crate::app::{Code, CommandContext, Error, Reply};
use crate::domain::ids::DispatchId;
use crate::os::child;
use crate::store;

/// How long the guard waits for the supervisor to exit after its pipe closes.
const EXIT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often it checks.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The outcome of a guard's work.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct GuardAnswer {
    pub id: DispatchId,
    /// False if the supervisor finished its work, so that nothing was left to do.
    pub took_over: bool,
}

/// Waits for the supervisor at the other end of `pipe`. If it ends without saying that it is done, ends the
/// processes of the dispatch and closes its record.
///
/// # Errors
/// [`Error::Ops`] if the record cannot be closed; the processes are ended all the same.
pub(crate) fn guard(
    cx: &mut CommandContext,
    id: DispatchId,
    pipe: &mut dyn Read,
) -> Result<Reply<GuardAnswer>, Error> {
    let mut message = Vec::new();
    // An error counts as the end of the supervisor: the record tells whether it is true.
    let _ = pipe.read_to_end(&mut message);
    if message == DONE {
        return Ok(Reply::yes(GuardAnswer { id, took_over: false }));
    }
    let start = Instant::now();
    while start.elapsed() < EXIT_TIMEOUT {
        match cx.read(|tx| store::dispatch::get(tx, &id)) {
            Ok(dispatch) if dispatch.status.is_terminal() || settle::is_lost(&dispatch) => break,
            Err(err) if err.code() == Code::DispatchNotFound => break,
            _ => thread::sleep(POLL_INTERVAL),
        }
    }
    // The processes end also if the record cannot be closed, or was pruned.
    let settled = insist(|| settle::settle(cx));
    child::end_family(&family(&id, None), Duration::ZERO);
    settled.map(|()| Reply::yes(GuardAnswer { id, took_over: true }))
}
