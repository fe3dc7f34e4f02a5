//! `ic gate`: what must be true before a run leaves a phase.

pub(in crate::cli) mod check;
pub(in crate::cli) mod override_;
pub(in crate::cli) mod rules;
pub(in crate::cli) mod signals;

use crate::cli::tree::{Node, command};

/// The verbs of `ic gate`.
pub(in crate::cli) const NODES: &[Node] = &[
    command::<check::Check>("check"),
    command::<override_::Override>("override"),
    command::<rules::Rules>("rules"),
    command::<signals::Signals>("signals"),
];
