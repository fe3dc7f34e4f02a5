//! `ic compat`: files that older hooks left, and their keys in the database.

pub(in crate::cli) mod check;
pub(in crate::cli) mod status;

use crate::cli::tree::{Node, command};

/// The verbs of `ic compat`.
pub(in crate::cli) const NODES: &[Node] =
    &[command::<status::Status>("status"), command::<check::Check>("check")];
