//! `ic run current`

use std::io::{self, Write};

use serde_json::json;

use crate::app::Error;
use crate::cli::output::View;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx, args};
use crate::domain::run::Run;
use crate::store;

/// Print the newest active run of a project
///
/// Several active runs per project are legal. Without one the exit code is 1.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: run=$(ic run current) || echo 'no active run here'")]
pub(in crate::cli) struct Current {
    /// The project's directory, however it is spelled [default: the working directory]
    #[arg(long, value_name = "DIR")]
    project: Option<String>,
}

impl Verb for Current {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let project = args::project(self.project.as_deref())?;
        let found = cx.read(|tx| store::run::current(tx, &project.key, None))?;
        let answer = if found.is_some() { Answer::Yes } else { Answer::No };
        cx.out.show(&Shown(found))?;
        Ok(answer)
    }
}

struct Shown(Option<Run>);

impl serde::Serialize for Shown {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            None => json!({ "found": false }),
            Some(run) => json!({ "found": true, "id": run.id, "phase": run.phase, "goal": run.goal }),
        }
        .serialize(serializer)
    }
}

impl View for Shown {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        self.0.as_ref().map_or(Ok(()), |run| writeln!(w, "{}", run.id))
    }
}
