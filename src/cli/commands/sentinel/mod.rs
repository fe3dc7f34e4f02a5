//! `ic sentinel`: things that may happen once, or once per interval.

pub(in crate::cli) mod check;
pub(in crate::cli) mod list;
pub(in crate::cli) mod prune;
pub(in crate::cli) mod reset;

use std::io::{self, Write};

use crate::app::sentinel::{SentinelAnswer, SentinelStatus};
use crate::cli::command::Text;
use crate::cli::tree::{Node, command};

/// The verbs of `ic sentinel`.
pub(in crate::cli) const NODES: &[Node] = &[
    command::<check::Check>("check"),
    command::<reset::Reset>("reset"),
    command::<list::List>("list"),
    command::<prune::Prune>("prune"),
];

impl Text for SentinelAnswer {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        w.write_all(match self.status {
            SentinelStatus::Allowed => b"allowed\n",
            SentinelStatus::Throttled => b"throttled\n",
            SentinelStatus::Reset => b"reset\n",
        })
    }
}
