//! What every command is.

use clap::Parser;

use super::error::CliError;
use super::{Answer, Cx};

/// A command: its arguments, and what it does with them.
pub(super) trait Verb: Parser {
    /// Carries the command out.
    fn run(self, cx: &mut Cx) -> Result<Answer, CliError>;
}
