//! `ic config set`

use crate::app::config::{self, Setting, SettingName};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command};
use crate::domain::stored::Stored;

/// Set a setting of the project
///
/// Known settings are checked: autonomy.delegation_level (0 to 5), global_max_dispatches, max_spawn_depth. Any other key
/// takes any JSON.
#[derive(Debug, clap::Parser)]
#[expect(clippy::doc_markdown, reason = "shown as help, where back quotes would be seen")]
#[command(after_help = "Example: ic config set autonomy.delegation_level L1")]
pub(in crate::cli) struct Set {
    /// The key
    key: Stored<SettingName>,
    /// The value
    #[arg(allow_negative_numbers = true)]
    value: String,
}

impl Command for Set {
    type Answer = Setting;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<Setting>, Error> {
        config::set(cx, self.key.into_inner(), &self.value)
    }
}
