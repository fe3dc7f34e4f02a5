//! `ic task audit`

use std::io::{self, Write};

use super::directory;
use crate::app::task::audit::{self, Findings};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::domain::task::audit::Finding;
use crate::domain::text::one_line;

/// Report everything on which TODO.md and state.json disagree, and what else is wrong with them
///
/// Changes nothing. Exit code 1 if anything was found, 2 if one of the files cannot be used at all.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic task audit --dir=specs")]
pub(in crate::cli) struct Audit {
    /// The directory of TODO.md and state.json [default: specs, .claude/specs or .opencode/specs]
    #[arg(long, value_parser = directory)]
    dir: Option<String>,
}

impl Command for Audit {
    type Answer = Findings;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<Findings>, Error> {
        audit::audit(cx, self.dir.as_deref())
    }
}

impl Text for Findings {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        for Finding { kind, task, message } in &self.findings {
            let task = task.map_or_else(|| "-".to_owned(), |task| task.to_string());
            writeln!(w, "{task}\t{kind}\t{}", one_line(message))?;
        }
        Ok(())
    }
}
