//! `ic coordination reserve`, `ic coordination renew`

use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use super::{LockView, change, held, lives_with, scope, wait, word};
use crate::cli::error::CliError;
use crate::cli::output::View;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx, args};
use crate::domain::coordination::{Lock, LockKind};
use crate::domain::text::one_line;
use crate::ops::OpsError;
use crate::ops::coordination::{self, Request, Reserved, Turn, Wait};

/// Hold files, or a name
///
/// Granted if nobody else holds what overlaps, unless both are shared; otherwise exit code 1, with the lock that is in the
/// way. What the owner holds already is renewed. A pattern is relative to its scope: `*`, `?` and `[…]` within a segment,
/// `**` across segments; a plain path covers what lies below it unless it is a file, `dir/` too. An owner may hold patterns
/// that overlap.
///
/// With --wait it stands in line: of the processes that wait now, the one that came first goes first. A wait that would end in
/// a circle, because the others wait for this owner, is refused (`deadlock`): to the kernel an owner is one, even with several
/// processes. A wait in vain ends in exit code 1. Its place in the line is kept for --grace: the owner's next call for the same
/// thing comes back to it. Until then the place keeps nothing from the processes that are there.
#[derive(Debug, clap::Parser)]
#[command(
    after_help = "Example: ic coordination reserve --owner=me --scope=. --pattern='src/**' --ttl=15m\n         \
                        ic coordination reserve --owner=me --scope=. --pattern=deploy --type=named_lock --wait=30s"
)]
pub(in crate::cli) struct Reserve {
    /// Whose it is to be
    #[arg(long, value_parser = word)]
    owner: String,
    /// Where it counts: a directory stands for its repository; any other name for itself
    #[arg(long, value_parser = word)]
    scope: String,
    /// What is to be held
    #[arg(long)]
    pattern: String,
    /// What it is for: `file_reservation`, `write_set` or `named_lock`
    #[arg(long = "type", value_name = "TYPE", default_value_t = LockKind::FileReservation)]
    kind: LockKind,
    /// For how long, in seconds or as a duration; 0 until it is released [default: files 1h, names 5m, a write set 0]
    #[arg(long, value_name = "DURATION", value_parser = args::seconds)]
    ttl: Option<i64>,
    /// Whether nobody else may hold what overlaps
    #[arg(
        long,
        value_name = "BOOL",
        action = clap::ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_value = "true",
        default_missing_value = "true",
        hide_default_value = true,
        value_parser = args::switch
    )]
    exclusive: bool,
    /// Why, free text
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// The dispatch that it is for
    #[arg(long, value_name = "ID")]
    dispatch: Option<String>,
    /// The run that it is for
    #[arg(long, value_name = "ID")]
    run: Option<String>,
    /// The process that it lives with
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(i32).range(2..))]
    owner_pid: Option<i32>,
    /// Wait in line for so long, first come first served
    #[arg(long, value_name = "DURATION", value_parser = args::patience)]
    wait: Option<Duration>,
    /// The place in line that an earlier call was given, which the same owner has without saying so
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    ticket: Option<i64>,
    /// How long the place in line is kept once its process is gone, in seconds or as a duration
    #[arg(long, value_name = "DURATION", value_parser = args::grace, default_value = "5")]
    grace: i64,
}

#[derive(Serialize)]
struct Granted {
    lock: LockView,
}

impl View for Granted {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{}", self.lock.id)
    }
}

#[derive(Serialize)]
struct Refused {
    conflict: Blocker,
}

#[derive(Serialize)]
struct Blocker {
    #[serde(rename = "blocker_id")]
    id: String,
    #[serde(rename = "blocker_owner")]
    owner: String,
    #[serde(rename = "blocker_pattern")]
    pattern: String,
    #[serde(rename = "blocker_reason", skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(rename = "blocker_expires_at", skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    deadlock: Vec<Step>,
}

/// Somebody waits for somebody.
#[derive(Serialize)]
struct Step {
    owner: String,
    holder: String,
    pattern: String,
}

impl Verb for Reserve {
    const KEPT: &'static [&'static str] = &["owner", "scope", "pattern", "reason", "dispatch", "run"];

    fn run(self, cx: &mut Cx) -> Result<Answer, CliError> {
        let scope = scope(&self.scope)?;
        let held = held("reserve", self.kind, &scope, &self.pattern)?;
        let ttl_seconds = match self.ttl {
            Some(0) if self.kind.is_named() => {
                return Err(CliError::usage("coordination reserve: --ttl: a named lock always ends"));
            }
            Some(ttl) if ttl > args::LONGEST_LEASE => {
                return Err(CliError::usage(
                    "coordination reserve: --ttl: is too long (0 is until it is released)",
                ));
            }
            Some(ttl) => Some(ttl).filter(|ttl| *ttl > 0),
            None => self.kind.default_ttl(),
        };
        let request = Request {
            kind: self.kind,
            process: lives_with(&self.owner, self.owner_pid)?,
            owner: self.owner,
            scope,
            held,
            exclusive: self.exclusive,
            ttl_seconds,
            at_least: false,
            automatic: false,
            reason: args::given(self.reason),
            dispatch_id: args::given(self.dispatch),
            run_id: args::given(self.run),
        };
        let turn = Turn { ticket: self.ticket, waits: None, deadline: 0, grace: self.grace };
        match wait::reserve(cx, &request, turn, self.wait.unwrap_or_default())? {
            Reserved::Granted(lock) => {
                if let (None, Some(ttl)) = (self.ttl, ttl_seconds) {
                    cx.out.remark(format_args!("held for {ttl} s; --ttl says for how long"));
                }
                let lock = LockView::new(lock, cx);
                cx.out.show(&Granted { lock })?;
                Ok(Answer::Yes)
            }
            Reserved::Conflict { blocker, ticket } => refuse(cx, blocker, ticket, &[]),
            Reserved::Waiting { ticket, blocker } => refuse(cx, blocker, Some(ticket), &[]),
            Reserved::Deadlock { blocker, cycle } => {
                refuse(cx, blocker, None, &cycle)?;
                Err(OpsError::Deadlock(cycle).into())
            }
        }
    }
}

fn refuse(cx: &mut Cx, blocker: Lock, ticket: Option<i64>, cycle: &[Wait]) -> Result<Answer, CliError> {
    let reason = blocker.reason.filter(|reason| !reason.is_empty());
    if cx.out.is_json() {
        let step = |Wait { owner, holder, pattern }: &Wait| Step {
            owner: owner.clone(),
            holder: holder.clone(),
            pattern: pattern.clone(),
        };
        let conflict = Blocker {
            id: blocker.id,
            owner: blocker.owner,
            pattern: blocker.pattern,
            reason,
            expires_at: blocker.expires_at,
            ticket,
            deadlock: cycle.iter().map(step).collect(),
        };
        cx.out.document(&Refused { conflict })?;
    } else {
        let why = reason.map_or_else(String::new, |reason| format!(" ({})", one_line(&reason)));
        cx.out.remark(format_args!(
            "coordination conflict: {} is held by {}{why}",
            one_line(&blocker.pattern),
            one_line(&blocker.owner)
        ));
        if let Some(ticket) = ticket {
            cx.out.remark(format_args!(
                "the place in line is kept for a while; call again for it (--ticket={ticket})"
            ));
        }
    }
    Ok(Answer::No)
}

/// Hold a lock for longer
///
/// The heartbeat of whoever works under it. Exit code 1 if it does not hold any more.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic coordination renew l3k9x2ab --owner=me --ttl=15m")]
pub(in crate::cli) struct Renew {
    /// The lock
    id: String,
    /// Refuse if it is somebody else's
    #[arg(long, value_parser = word)]
    owner: Option<String>,
    /// From now on for how long [default: as long as when it was reserved]
    #[arg(long, value_name = "DURATION", value_parser = args::lease)]
    ttl: Option<i64>,
}

impl Verb for Renew {
    fn run(self, cx: &mut Cx) -> Result<Answer, CliError> {
        let owner = self.owner.as_deref();
        let lock = change(cx, |tx, stamp| coordination::renew(tx, &self.id, owner, self.ttl, stamp))?;
        let lock = LockView::new(lock, cx);
        cx.out.show(&Granted { lock })?;
        Ok(Answer::Yes)
    }
}
