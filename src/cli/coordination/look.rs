//! `ic coordination check`, `list`, `verify`

use std::io::{self, Write};

use serde::Serialize;

use super::{Around, LockView, held, scope, word};
use crate::cli::error::CliError;
use crate::cli::output::View;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx};
use crate::domain::coordination::LockKind;
use crate::domain::text::one_line;
use crate::ops::coordination;
use crate::store::coordination::Filter;
use crate::store::{self, StoreError};

/// Would a reservation be in somebody's way?
///
/// Prints the locks that a reservation of the same kind would meet, and exits with 1 if there are any. Only asking: between
/// this and a reservation somebody else may be faster, so reserve and look at the answer.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic coordination check --scope=. --pattern=src/main.rs --exclude-owner=me")]
pub(in crate::cli) struct Check {
    /// Where it counts
    #[arg(long, value_parser = word)]
    scope: String,
    /// What is to be held
    #[arg(long)]
    pattern: String,
    /// What it is for: `file_reservation`, `write_set` or `named_lock`
    #[arg(long = "type", value_name = "TYPE", default_value_t = LockKind::FileReservation)]
    kind: LockKind,
    /// Leave this owner's locks out
    #[arg(long, value_name = "OWNER", value_parser = word)]
    exclude_owner: Option<String>,
    /// For a reservation that others may share
    #[arg(long)]
    shared: bool,
}

#[derive(Serialize)]
#[serde(transparent)]
struct Blockers(Vec<LockView>);

impl View for Blockers {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        for LockView { owner, pattern, reason, .. } in &self.0 {
            let reason = reason.as_deref().unwrap_or("");
            writeln!(w, "{}\t{}\t{}", one_line(owner), one_line(pattern), one_line(reason))?;
        }
        Ok(())
    }
}

impl Verb for Check {
    fn run(self, cx: &mut Cx) -> Result<Answer, CliError> {
        let scope = scope(&self.scope)?;
        let held = held("check", self.kind, &scope, &self.pattern)?;
        let around = Around::look(cx)?;
        let stamp = cx.stamp.clone();
        let asked = coordination::Asked {
            scope: &scope,
            kind: self.kind,
            held: &held,
            exclusive: !self.shared,
            but: self.exclude_owner.as_deref(),
            ticket: None,
        };
        let found = around.with(|outside| cx.read(|tx| coordination::check(tx, &asked, outside, &stamp)))?;
        let answer = if found.is_empty() { Answer::Yes } else { Answer::No };
        cx.out.show(&Blockers(found.into_iter().map(|lock| LockView::new(lock, cx)).collect()))?;
        Ok(answer)
    }
}

/// List locks, newest first, and the processes that wait for one
///
/// Places in the queue follow the locks, first come first; --active leaves them out. Their state is `waiting`, or `left` while
/// a place is kept for an owner of which no process waits now; `release --owner` and `sweep` remove such places. A lock that
/// another program has written and that cannot be understood holds all that it may mean; its line names what is unreadable, and
/// `release ID` ends it. A byte that is not UTF-8 is shown as `\xNN`, also in an ID.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic coordination list --active --scope=.")]
pub(in crate::cli) struct List {
    /// Only of this scope
    #[arg(long, value_parser = word)]
    scope: Option<String>,
    /// Only of this owner
    #[arg(long, value_parser = word)]
    owner: Option<String>,
    /// Only of this type
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<LockKind>,
    /// Only those that hold
    #[arg(long)]
    active: bool,
}

#[derive(Serialize)]
#[serde(transparent)]
struct Locks {
    locks: Vec<LockView>,
    #[serde(skip)]
    now: i64,
}

impl View for Locks {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        for LockView { id, kind, owner, pattern, state, created_at, unreadable, .. } in &self.locks {
            // A clock that was set back makes nothing older than it is.
            let age = self.now.saturating_sub(*created_at).max(0);
            let (id, kind) = (one_line(id), one_line(kind));
            write!(w, "{id}\t{kind}\t{}\t{}\t{state}\t{age}s", one_line(owner), one_line(pattern))?;
            if unreadable.is_empty() {
                writeln!(w)?;
            } else {
                writeln!(w, "\tunreadable: {}", unreadable.join(", "))?;
            }
        }
        Ok(())
    }
}

impl Verb for List {
    fn run(self, cx: &mut Cx) -> Result<Answer, CliError> {
        let now = cx.stamp.clone();
        let scope = self.scope.as_deref().map(scope).transpose()?;
        let filter = Filter {
            scope: scope.clone(),
            owner: self.owner.clone(),
            kind: self.kind,
            live_at: self.active.then(|| now.clone()),
        };
        let around = Around::here()?;
        let (locks, mut waiters) = around.with(|outside| {
            cx.read(|tx| {
                let mut locks = store::coordination::list(tx, &filter)?;
                // Nobody has met these yet: their scope may be written otherwise.
                if let Some(scope) = &scope
                    && store::coordination::pending(tx, now.secs())?.strangers
                {
                    let all = Filter { scope: None, ..filter.clone() };
                    locks = store::coordination::list(tx, &all)?;
                    locks.retain(|lock| {
                        lock.scope == *scope
                            || (outside.canonical)(&lock.scope) == *scope
                            || lock.unreadable("scope").is_some()
                    });
                }
                let waiters = if self.active { Vec::new() } else { coordination::look(tx, outside, &now)? };
                Ok::<_, StoreError>((locks, waiters))
            })
        })?;
        waiters.retain(|waiter| {
            scope.as_ref().is_none_or(|scope| waiter.scope == *scope)
                && self.owner.as_ref().is_none_or(|owner| waiter.owner == *owner)
                && self.kind.is_none_or(|kind| waiter.kind == kind)
        });
        let locks = locks.into_iter().map(|lock| LockView::new(lock, cx));
        let locks = locks.chain(waiters.into_iter().map(LockView::waiter)).collect();
        cx.out.show(&Locks { locks, now: now.secs() })?;
        Ok(Answer::Yes)
    }
}

/// Does a lock still hold, under this token?
///
/// Whoever writes under a lock passes the token that came with it (`fence`). One that was granted before the present one is
/// refused with exit code 1, however sure its holder is.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic coordination verify l3k9x2ab --token=1042")]
pub(in crate::cli) struct Verify {
    /// The lock
    id: String,
    /// The token that came with it
    #[arg(long, value_name = "N")]
    token: i64,
}

#[derive(Serialize)]
struct Holds {
    ok: bool,
    id: String,
}

impl View for Holds {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "ok")
    }
}

impl Verb for Verify {
    fn run(self, cx: &mut Cx) -> Result<Answer, CliError> {
        let stamp = cx.stamp.clone();
        let lock = cx.read(|tx| coordination::verify(tx, &self.id, self.token, &stamp))?;
        cx.out.show(&Holds { ok: true, id: lock.id })?;
        Ok(Answer::Yes)
    }
}
