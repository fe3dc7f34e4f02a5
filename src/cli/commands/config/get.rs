//! `ic config get`

use crate::app::config::{self, Setting, SettingName};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command};

/// Print a setting of the project
///
/// Exit code 1 if it is not set.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic config get max_spawn_depth")]
pub(in crate::cli) struct Get {
    /// The key
    key: SettingName,
}

impl Command for Get {
    type Answer = Setting;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<Setting>, Error> {
        config::get(cx, self.key)
    }
}
