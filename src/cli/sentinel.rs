//! `ic sentinel …`: things that may happen once, or once per interval.

use std::io::{self, Write};

use serde::Serialize;

use super::output::View;
use super::state::Pruned;
use super::verb::Verb;
use super::{Answer, Cx, args};
use crate::app::Error;
use crate::domain::state::Scope;
use crate::domain::text::one_line;
use crate::store;

/// Ask whether something may happen now
///
/// The first to ask is allowed; until the interval is over everybody else is throttled (exit 1). With an interval of 0 it
/// happens once. Asking and claiming are one step: of any number of callers at the same moment, one is allowed.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic sentinel check drift s42 --interval=60s || exit 0")]
pub(super) struct Check {
    /// What may happen
    name: Scope,
    /// For whom
    scope: Scope,
    /// How long it is throttled: seconds, or a duration such as 60s
    #[arg(long, value_name = "SECONDS", value_parser = args::seconds)]
    interval: i64,
}

impl Verb for Check {
    const KEPT: &'static [&'static str] = &["name", "scope"];

    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let clock = cx.clock();
        let allowed =
            cx.write(|tx| store::sentinel::check(tx, &self.name, &self.scope, self.interval, &clock()))?;
        cx.out.show(&Word { status: if allowed { "allowed" } else { "throttled" } })?;
        Ok(if allowed { Answer::Yes } else { Answer::No })
    }
}

#[derive(Serialize)]
struct Word {
    status: &'static str,
}

impl View for Word {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{}", self.status)
    }
}

/// Forget that something happened
#[derive(Debug, clap::Parser)]
#[command(after_help = "Examples:\n  ic sentinel reset drift s42\n  ic sentinel reset drift --all")]
pub(super) struct Reset {
    /// What may happen
    name: Scope,
    /// For whom
    scope: Option<Scope>,
    /// For everybody, in one step
    #[arg(long)]
    all: bool,
}

impl Verb for Reset {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        match (&self.scope, self.all) {
            (Some(scope), false) => cx.write(|tx| store::sentinel::reset(tx, &self.name, scope))?,
            (None, true) => cx.write(|tx| store::sentinel::reset_all(tx, &self.name))?,
            _ => return Err(Error::usage("sentinel reset: want a scope, or --all")),
        }
        cx.out.show(&Word { status: "reset" })?;
        Ok(Answer::Yes)
    }
}

/// List sentinels by name and scope
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic sentinel list")]
pub(super) struct List {}

impl Verb for List {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let found = cx.read(store::sentinel::list)?;
        cx.out.show(&Sentinels(found))?;
        Ok(Answer::Yes)
    }
}

#[derive(Serialize)]
struct Sentinels(Vec<store::sentinel::Sentinel>);

impl View for Sentinels {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        self.0.iter().try_for_each(|s| {
            let (name, scope) = (one_line(&s.name), one_line(&s.scope_id));
            writeln!(w, "{name}\t{scope}\t{}", s.last_fired)
        })
    }
}

/// Forget what happened long ago
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic sentinel prune --older-than=168h")]
pub(super) struct Prune {
    /// How long ago
    #[arg(long, value_name = "DURATION", value_parser = args::duration_seconds)]
    older_than: i64,
}

impl Verb for Prune {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let stamp = cx.stamp.clone();
        let pruned = cx.write(|tx| store::sentinel::prune(tx, self.older_than, &stamp))?;
        cx.out.show(&Pruned { pruned })?;
        Ok(Answer::Yes)
    }
}
