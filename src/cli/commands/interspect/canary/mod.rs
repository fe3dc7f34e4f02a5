//! `ic interspect canary`: the outcome of overrides.

pub(in crate::cli) mod check;

use crate::cli::tree::{Node, command};

/// The verbs of `ic interspect canary`.
pub(in crate::cli) const NODES: &[Node] = &[command::<check::Check>("check")];
