//! `ic run list`

use std::io::{self, Write};

use crate::app::Error;
use crate::cli::output::View;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx};
use crate::domain::run::Run;
use crate::domain::text::one_line;
use crate::store;
use crate::store::run::Filter;

/// List runs, newest first
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic run list --active --json")]
pub(in crate::cli) struct List {
    /// Only active runs
    #[arg(long)]
    active: bool,
    /// Only runs of this scope
    #[arg(long)]
    scope: Option<String>,
    /// Only portfolios
    #[arg(long)]
    portfolio: bool,
}

impl Verb for List {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let filter = Filter { active: self.active, scope: self.scope, portfolio: self.portfolio };
        let found = cx.read(|tx| store::run::list(tx, &filter))?;
        let mut runs = Vec::new();
        for run in found {
            match run {
                Ok(run) => runs.push(run),
                Err(bad) => cx.out.warn(format_args!("run {} left out: {}", one_line(&bad.id), bad.problem)),
            }
        }
        cx.out.show(&Shown(runs))?;
        Ok(Answer::Yes)
    }
}

struct Shown(Vec<Run>);

impl serde::Serialize for Shown {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(super::status::object))
    }
}

impl View for Shown {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        let mut line =
            |run: &Run| writeln!(w, "{}\t{}\t{}\t{}", run.id, run.status, run.phase, one_line(&run.goal));
        self.0.iter().try_for_each(&mut line)
    }
}
