//! What every command is.

use clap::Parser;

use super::{Answer, Cx};
use crate::app::Error;

/// A command: its arguments, and what it does with them.
pub(super) trait Verb: Parser {
    /// The arguments whose text is kept, in the database and in events: none of them may hold a secret (K-16).
    const KEPT: &'static [&'static str] = &[];

    /// Carries the command out.
    fn run(self, cx: &mut Cx) -> Result<Answer, Error>;
}
