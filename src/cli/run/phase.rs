//! `ic run phase`, `ic phase show`

use std::io::{self, Write};

use serde::Serialize;

use crate::app::Error;
use crate::cli::args::{RunRef, Wanted};
use crate::cli::output::View;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx};
use crate::domain::ids::RunId;
use crate::domain::phase::Phase;
use crate::store;

/// Print the phase that a run is in
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: phase=$(ic run phase \"$run\")")]
pub(in crate::cli) struct Show {
    #[command(flatten)]
    run: RunRef,
}

impl Verb for Show {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let wanted = self.run.wanted()?;
        let shown = cx.read(|tx| match wanted {
            Wanted::Id(id) => Ok::<_, Error>(Shown { phase: store::run::phase_of(tx, &id)?, id }),
            current @ Wanted::Current { .. } => {
                let run = current.find(tx)?;
                Ok(Shown { id: run.id, phase: run.phase })
            }
        })?;
        cx.out.show(&shown)?;
        Ok(Answer::Yes)
    }
}

#[derive(Serialize)]
struct Shown {
    id: RunId,
    phase: Phase,
}

impl View for Shown {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{}", self.phase)
    }
}
