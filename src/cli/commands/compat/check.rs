//! `ic compat check`

use std::io::{self, Write};

use crate::app::compat::{self, KeyCheck};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::domain::text::one_line;

/// Check whether the database has a value of a key
///
/// If there is none, or it has expired, the exit code is 1.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic compat check dispatch && rm -f /tmp/clavain-dispatch-*.json")]
pub(in crate::cli) struct Check {
    /// The key
    key: String,
}

impl Command for Check {
    type Answer = KeyCheck;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<KeyCheck>, Error> {
        compat::check(cx, self.key)
    }
}

impl Text for KeyCheck {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        let key = one_line(&self.key);
        match self.scopes {
            0 => writeln!(w, "{key}: not in DB"),
            n => writeln!(w, "{key}: {n} scope(s) in DB"),
        }
    }
}
