//! `ic dispatch kill`, `ic dispatch prune`

use std::io::{self, Write};

use serde::Serialize;

use super::{launch, settle};
use crate::app::Error;
use crate::cli::output::View;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx, args};
use crate::domain::dispatch::{Dispatch, DispatchStatus};
use crate::domain::ids::DispatchId;
use crate::os::rotated::older;
use crate::store;
use crate::store::StoreError;
use crate::store::dispatch::Decision;

/// End a dispatch, with everybody that its child brought along
///
/// The process group is asked to end and killed five seconds later; then whatever is left of it. A process is told by its
/// start time: another one that has its number by now is not touched.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic dispatch kill w8d2f5gh")]
pub(in crate::cli) struct Kill {
    /// The dispatch
    id: DispatchId,
}

#[derive(Serialize)]
struct Killed {
    id: DispatchId,
    status: DispatchStatus,
}

impl View for Killed {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "killed")
    }
}

impl Verb for Kill {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        settle::settle(cx)?;
        let stamp = cx.stamp.clone();
        cx.write(|tx| {
            let dispatch = store::dispatch::get(tx, &self.id)?;
            if dispatch.status.is_terminal() {
                return Ok::<_, StoreError>(());
            }
            let known = dispatch.process.is_some() || dispatch.supervisor.is_some();
            let decision = Decision {
                status: DispatchStatus::Cancelled,
                reason: if known { "killed by user" } else { "no PID to kill" },
                cause: None,
                stop: true,
            };
            store::dispatch::decide(tx, &dispatch, &decision, &stamp)
        })?;
        settle::see_through(cx, std::slice::from_ref(&self.id))?;
        let now = cx.read(|tx| store::dispatch::get(tx, &self.id))?;
        cx.out.show(&Killed { id: self.id, status: now.status })?;
        Ok(Answer::Yes)
    }
}

/// Remove the records of dispatches that are over
///
/// With what their children wrote. Their events stay.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic dispatch prune --older-than=30d")]
pub(in crate::cli) struct Prune {
    /// Only those that were recorded longer ago than this
    #[arg(long, value_name = "DURATION", value_parser = args::seconds)]
    older_than: i64,
}

/// Removes the answer of a dispatch that had no place of its own for it.
fn remove_answer(dispatch: &Dispatch) {
    let Some(output) = dispatch.output_file.as_deref().filter(|output| launch::is_own_output(output)) else {
        return;
    };
    for suffix in ["", ".verdict", ".summary"] {
        let _ = std::fs::remove_file(format!("{output}{suffix}")); // there may be none
    }
}

#[derive(Serialize)]
struct Pruned {
    pruned: usize,
}

impl View for Pruned {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{} pruned", self.pruned)
    }
}

impl Verb for Prune {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        settle::settle(cx)?;
        let stamp = cx.stamp.clone();
        let before = stamp.secs().saturating_sub(self.older_than);
        let gone = cx.write(|tx| {
            let old = store::dispatch::ended_before(tx, before)?;
            // Whose process has not been seen gone is still needed.
            let gone: Vec<_> =
                old.into_iter().filter(|dispatch| dispatch.stop_requested_at.is_none()).collect();
            gone.iter().try_for_each(|dispatch| store::dispatch::remove(tx, dispatch, &stamp))?;
            Ok::<_, StoreError>(gone)
        })?;
        let db = cx.existing()?.path().to_owned();
        for dispatch in &gone {
            let (stdout, stderr) = launch::logs(&db, &dispatch.id)?;
            for log in [&stdout, &stderr, &older(&stdout), &older(&stderr)] {
                let _ = std::fs::remove_file(log); // there may be none
            }
            remove_answer(dispatch);
        }
        cx.out.show(&Pruned { pruned: gone.len() })?;
        Ok(Answer::Yes)
    }
}
