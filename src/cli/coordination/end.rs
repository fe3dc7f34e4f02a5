//! `ic coordination release`, `sweep`, `transfer`

use std::io::{self, Write};

use serde::Serialize;

use super::{Around, change, scope, word};
use crate::cli::error::CliError;
use crate::cli::output::View;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx, args};
use crate::domain::text::one_line;
use crate::ops::coordination;

/// Give a lock back, or all that an owner holds in a scope
///
/// With --owner and --scope, the owner's places in the queue go too; a process that still waits there joins it anew.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic coordination release --owner=me --scope=.")]
pub(in crate::cli) struct Release {
    /// The lock
    id: Option<String>,
    /// Everything of this owner; beside an id, refuse if it is somebody else's
    #[arg(long, value_parser = word)]
    owner: Option<String>,
    /// In this scope
    #[arg(long, value_parser = word)]
    scope: Option<String>,
}

#[derive(Serialize)]
struct Released {
    released: usize,
}

impl View for Released {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{} released", self.released)
    }
}

impl Verb for Release {
    fn run(self, cx: &mut Cx) -> Result<Answer, CliError> {
        let released = match (&self.id, &self.owner, &self.scope) {
            (Some(id), owner, _) => {
                change(cx, |tx, stamp| coordination::release(tx, id, owner.as_deref(), stamp))?
            }
            (None, Some(owner), Some(given)) => {
                let scope = scope(given)?;
                change(cx, |tx, stamp| coordination::release_all(tx, owner, &scope, stamp))?
            }
            _ => return Err(CliError::usage("coordination release: provide <id> or --owner + --scope")),
        };
        cx.out.show(&Released { released })?;
        Ok(Answer::Yes)
    }
}

/// End locks whose time is over, and those whose process is gone
///
/// A reservation clears away what is in its way by itself; a sweep clears everything, and the places in the queue at which no
/// process waits. A lock lives with a process only if one was named with it, and processes of another machine are not judged.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic coordination sweep --older-than=1h --dry-run")]
pub(in crate::cli) struct Sweep {
    /// Only those whose time has been over for this long
    #[arg(long, value_name = "DURATION", value_parser = args::seconds, default_value = "0")]
    older_than: i64,
    /// Only say how many there are
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct Swept {
    expired: usize,
    total: usize,
    #[serde(skip)]
    dry_run: bool,
}

impl View for Swept {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        let dry_run = if self.dry_run { "(dry-run) " } else { "" };
        writeln!(w, "{dry_run}{} expired, {} total", self.expired, self.total)
    }
}

impl Verb for Sweep {
    fn run(self, cx: &mut Cx) -> Result<Answer, CliError> {
        let (around, stamp) = (Around::look(cx)?, cx.stamp.clone());
        let found = around.with(|outside| {
            if self.dry_run {
                cx.read(|tx| coordination::would_sweep(tx, self.older_than, outside, &stamp))
            } else {
                cx.write(|tx| coordination::sweep(tx, self.older_than, outside, &stamp))
            }
        })?;
        let total = found.expired + found.abandoned;
        cx.out.show(&Swept { expired: found.expired, total, dry_run: self.dry_run })?;
        Ok(Answer::Yes)
    }
}

/// Hand over all that an owner holds in a scope
///
/// Locks that are live move, with new tokens. Refused with exit code 1 if one of them overlaps a lock that the new owner has,
/// unless both are shared; --force moves them all the same.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic coordination transfer --from=me --to=you --scope=.")]
pub(in crate::cli) struct Transfer {
    /// Who has them
    #[arg(long, value_parser = word)]
    from: String,
    /// Who gets them
    #[arg(long, value_parser = word)]
    to: String,
    /// In this scope
    #[arg(long, value_parser = word)]
    scope: String,
    /// Also what overlaps
    #[arg(long)]
    force: bool,
}

#[derive(Serialize)]
struct Transferred {
    transferred: usize,
}

impl View for Transferred {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{} transferred", self.transferred)
    }
}

impl Verb for Transfer {
    const KEPT: &'static [&'static str] = &["to"];

    fn run(self, cx: &mut Cx) -> Result<Answer, CliError> {
        let scope = scope(&self.scope)?;
        let moved = change(cx, |tx, stamp| {
            coordination::transfer(tx, &self.from, &self.to, &scope, self.force, stamp)
        })?;
        match moved {
            Ok(transferred) => {
                cx.out.show(&Transferred { transferred })?;
                Ok(Answer::Yes)
            }
            Err((lock, other)) => {
                cx.out.remark(format_args!(
                    "transfer conflict: {} overlaps with existing lock {}",
                    one_line(&lock.pattern),
                    one_line(&other.pattern)
                ));
                Ok(Answer::No)
            }
        }
    }
}
