//! `ic run skip`, `ic run unskip`, and the same under `ic phase`

use std::io::{self, Write};

use serde::Serialize;

use crate::app::Error;
use crate::cli::output::View;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx, args};
use crate::domain::ids::RunId;
use crate::domain::phase::Phase;
use crate::domain::text::Required;
use crate::ops::skip::{self, Request};
use crate::store::phase;

#[derive(Debug, clap::Args)]
struct Which {
    /// The run
    id: RunId,
    /// The phase
    phase: Phase,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Required,
    /// Who asks
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// Do it only if the run is in this phase (exit 1 otherwise)
    #[arg(long, value_name = "PHASE")]
    expect_phase: Option<Phase>,
}

impl Which {
    fn request(self) -> Request {
        Request {
            id: self.id,
            phase: self.phase,
            skip: phase::Skip { reason: self.reason.to_string(), actor: args::given(self.actor) },
            expect: self.expect_phase,
        }
    }
}

/// Let a run walk past a phase that is ahead of it
///
/// The phase that is left still has to meet its own exit rules; only those of the skipped phase are waived. The last phase
/// cannot be skipped. Skipping a phase twice changes nothing.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic run skip \"$run\" polish --reason='nothing to polish'")]
pub(in crate::cli) struct Skip {
    #[command(flatten)]
    which: Which,
}

/// Take a skip back
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic run unskip \"$run\" polish --reason='the reviewer asked for it'")]
pub(in crate::cli) struct Unskip {
    #[command(flatten)]
    which: Which,
}

impl Verb for Skip {
    const KEPT: &'static [&'static str] = &["reason", "actor"];

    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let (request, stamp) = (self.which.request(), cx.stamp.clone());
        cx.write(|tx| skip::skip(tx, &request, &stamp))?;
        cx.out.show(&Shown { phase: request.phase, status: "skipped" })?;
        Ok(Answer::Yes)
    }
}

impl Verb for Unskip {
    const KEPT: &'static [&'static str] = &["reason", "actor"];

    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let (request, stamp) = (self.which.request(), cx.stamp.clone());
        cx.write(|tx| skip::unskip(tx, &request, &stamp))?;
        cx.out.show(&Shown { phase: request.phase, status: "unskipped" })?;
        Ok(Answer::Yes)
    }
}

#[derive(Serialize)]
struct Shown {
    phase: Phase,
    status: &'static str,
}

impl View for Shown {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{}: {}", self.status, self.phase)
    }
}
