//! `ic agent`, `ic run agent`: agents of a run.

pub(in crate::cli) mod add;
pub(in crate::cli) mod list;
pub(in crate::cli) mod update;

use crate::cli::tree::{Node, command};

/// The verbs of `ic agent`.
pub(in crate::cli) const NODES: &[Node] =
    &[command::<add::Add>("add"), command::<list::List>("list"), command::<update::Update>("update")];
