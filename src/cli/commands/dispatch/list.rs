//! `ic dispatch list`

use crate::app::dispatch::{Dispatches, query};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::args;
use crate::cli::command::{Access, Command};

/// List dispatches, newest first
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic dispatch list --active --scope=k3x9q2ab")]
pub(in crate::cli) struct List {
    /// Only dispatches that are not over
    #[arg(long)]
    active: bool,
    /// Only dispatches of this run, or of this caller-defined scope
    #[arg(long)]
    scope: Option<String>,
}

impl Command for List {
    type Answer = Dispatches;
    const ACCESS: Access = Access::Process;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<Dispatches>, Error> {
        query::list(cx, self.active, args::given(self.scope).as_deref())
    }
}
