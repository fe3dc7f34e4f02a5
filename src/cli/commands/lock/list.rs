//! `ic lock list`

use crate::app::lock::{self, HeldLocks};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command};

/// List the locks that are held
///
/// The output has a line for each: name, scope, owner and age, separated by tabs. Owner and age are empty if
/// the lock does not name its owner.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic lock list")]
pub(in crate::cli) struct List {}

impl Command for List {
    type Answer = HeldLocks;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<HeldLocks>, Error> {
        lock::list(cx, 0)
    }
}
