//! `ic coordination verify`

use std::io::{self, Write};

use crate::app::coordination::query::{self, Verified};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};

/// Check that a lock still holds under a token
///
/// A process that writes under a lock passes the token that came with it (`fence`). A token from an earlier grant is refused
/// with exit code 1, whatever its holder believes.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic coordination verify l3k9x2ab --token=1042")]
pub(in crate::cli) struct Verify {
    /// The lock
    id: String,
    /// The token that came with it
    #[arg(long, value_name = "N")]
    token: i64,
}

impl Command for Verify {
    type Answer = Verified;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<Verified>, Error> {
        query::verify(cx, &self.id, self.token)
    }
}

impl Text for Verified {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "ok")
    }
}
