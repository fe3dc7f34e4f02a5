//! `ic state`: values that scripts keep between calls.

pub(in crate::cli) mod delete;
pub(in crate::cli) mod get;
pub(in crate::cli) mod list;
pub(in crate::cli) mod prune;
pub(in crate::cli) mod set;

use crate::cli::tree::{Node, command};
use crate::domain::state::{Key, Scope};

/// The verbs of `ic state`.
pub(in crate::cli) const NODES: &[Node] = &[
    command::<set::Set>("set"),
    command::<get::Get>("get"),
    command::<delete::Delete>("delete"),
    command::<list::List>("list"),
    command::<prune::Prune>("prune"),
];

#[derive(Debug, clap::Args)]
struct ValueArgs {
    /// The key
    key: Key,
    /// The scope [default: global]
    scope: Option<Scope>,
}
