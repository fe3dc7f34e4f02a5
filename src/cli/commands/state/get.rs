//! `ic state get`

use std::io::{self, Write};

use super::ValueArgs;
use crate::app::state::{self, StateValue};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::domain::state::Scope;

/// Print a value
///
/// If there is no value, or it has expired, the exit code is 1 and nothing is printed; with --json, an object
/// with the code `state_not_found`.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: step=$(ic state get sprint.checkpoint s42) || step='{}'")]
pub(in crate::cli) struct Get {
    #[command(flatten)]
    value: ValueArgs,
}

impl Command for Get {
    type Answer = StateValue;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<StateValue>, Error> {
        let ValueArgs { key, scope } = self.value;
        state::get(cx, &key, &scope.unwrap_or_else(Scope::global))
    }
}

impl Text for StateValue {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        let Self::Found(payload) = self else { return Ok(()) };
        // Text that ends with a newline comes back unchanged.
        let end = if payload.ends_with('\n') { "" } else { "\n" };
        write!(w, "{payload}{end}")
    }

    fn verbatim_json(&self) -> Option<&str> {
        let Self::Found(payload) = self else { return None };
        let is_json = serde_json::from_str::<serde::de::IgnoredAny>(payload).is_ok();
        is_json.then(|| payload.trim())
    }
}
