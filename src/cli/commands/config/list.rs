//! `ic config list`

use std::io::{self, Write};

use crate::app::config::{self, Settings};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::domain::text::one_line;

/// List the settings of the project that are set
///
/// With --verbose also those that are known and not set, with what they do.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic config list --verbose")]
pub(in crate::cli) struct List {}

impl Command for List {
    type Answer = Settings;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<Settings>, Error> {
        config::list(cx)
    }
}

impl Text for Settings {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        if self.set.is_empty() && self.unset.is_empty() {
            return writeln!(w, "no config values set (use --verbose to see available keys)");
        }
        for (name, value) in &self.set {
            writeln!(w, "{name:<25} = {}", one_line(&value.to_string()))?;
        }
        for known in &self.unset {
            writeln!(w, "{:<25}   (not set) — {}", known.key, known.description)?;
        }
        Ok(())
    }
}
