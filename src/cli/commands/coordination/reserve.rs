//! `ic coordination reserve`

use std::io::{self, Write};
use std::time::Duration;

use crate::app::coordination::reserve::{self, ReserveAnswer, ReserveRequest};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::args;
use crate::cli::command::{Access, Command, Text};
use crate::domain::coordination::{LockKind, word};
use crate::domain::stored::Stored;
use crate::domain::text::one_line;

/// Reserve files, or a name
///
/// Granted if no other owner holds what overlaps, unless both are shared; otherwise exit code 1, with the lock that is in the
/// way. What the owner holds already is renewed. A pattern is relative to its scope: `*`, `?` and `[…]` within a segment,
/// `**` across segments; a plain path covers what lies below it unless it is a file, `dir/` too. An owner may hold patterns
/// that overlap.
///
/// With --wait the call queues: of the processes that wait now, the one that came first goes first. A wait that would close a
/// circle, because the other owners wait for this one, is refused (`deadlock`): several processes of one owner count as one.
/// After a wait in vain the exit code is 1. Its place in the queue is kept for --grace: the owner's next call for the same
/// thing returns to it. Until then the place does not block processes that ask for the lock.
#[derive(Debug, clap::Parser)]
#[command(
    after_help = "Example: ic coordination reserve --owner=me --scope=. --pattern='src/**' --ttl=15m\n         \
                        ic coordination reserve --owner=me --scope=. --pattern=deploy --type=named_lock --wait=30s"
)]
pub(in crate::cli) struct Reserve {
    /// The owner of the lock
    #[arg(long, value_parser = args::stored(word))]
    owner: Stored,
    /// The scope: a directory stands for its repository, any other name for itself
    #[arg(long, value_parser = args::stored(word))]
    scope: Stored,
    /// The files or the name
    #[arg(long)]
    pattern: Stored,
    /// Kind of lock: `file_reservation`, `write_set` or `named_lock`
    #[arg(long = "type", value_name = "TYPE", default_value_t = LockKind::FileReservation)]
    kind: LockKind,
    /// Time to hold the lock, in seconds or as a duration; 0 until it is released [default: files 1h, names 5m, a write set 0]
    #[arg(long, value_name = "DURATION", value_parser = args::seconds)]
    ttl: Option<i64>,
    /// Keep other owners from holding what overlaps
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
    /// The reason, free text
    #[arg(long, value_name = "TEXT")]
    reason: Option<Stored>,
    /// The dispatch that the lock is held for
    #[arg(long, value_name = "ID")]
    dispatch: Option<Stored>,
    /// The run that the lock is held for
    #[arg(long, value_name = "ID")]
    run: Option<Stored>,
    /// The process whose end frees the lock
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(i32).range(2..))]
    owner_pid: Option<i32>,
    /// Time to wait in the queue, first come first served
    #[arg(long, value_name = "DURATION", value_parser = args::timeout)]
    wait: Option<Duration>,
    /// The place in the queue that an earlier call was given; the same owner returns to it without this flag
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    ticket: Option<i64>,
    /// Time for which the place in the queue is kept once its process is gone, in seconds or as a duration
    #[arg(long, value_name = "DURATION", value_parser = args::grace, default_value = "5")]
    grace: i64,
}

impl Command for Reserve {
    type Answer = ReserveAnswer;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<ReserveAnswer>, Error> {
        let request = ReserveRequest {
            owner: self.owner.into_inner(),
            scope: self.scope.into_inner(),
            pattern: self.pattern.into_inner(),
            kind: self.kind,
            ttl_seconds: self.ttl,
            exclusive: self.exclusive,
            reason: args::given_stored(self.reason),
            dispatch_id: args::given_stored(self.dispatch),
            run_id: args::given_stored(self.run),
            owner_pid: self.owner_pid,
            wait: self.wait.unwrap_or_default(),
            ticket: self.ticket,
            grace: self.grace,
        };
        reserve::reserve(cx, request)
    }
}

impl Text for ReserveAnswer {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Granted { lock } => writeln!(w, "{}", lock.id),
            Self::Refused { .. } => Ok(()),
        }
    }

    fn remarks(&self) -> Vec<String> {
        let Self::Refused { conflict } = self else { return Vec::new() };
        let reason = conflict.blocker_reason.as_deref();
        let reason = reason.map_or_else(String::new, |reason| format!(" ({})", one_line(reason)));
        let (pattern, owner) = (one_line(&conflict.blocker_pattern), one_line(&conflict.blocker_owner));
        let mut remarks = vec![format!("coordination conflict: {pattern} is held by {owner}{reason}")];
        if let Some(ticket) = conflict.ticket {
            remarks.push(format!(
                "the place in line is kept for a while; call again for it (--ticket={ticket})"
            ));
        }
        remarks
    }
}
