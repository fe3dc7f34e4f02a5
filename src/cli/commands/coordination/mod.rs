//! `ic coordination`: reservations of files and names.

pub(in crate::cli) mod check;
pub(in crate::cli) mod explain;
pub(in crate::cli) mod list;
pub(in crate::cli) mod mirror;
pub(in crate::cli) mod release;
pub(in crate::cli) mod renew;
pub(in crate::cli) mod reserve;
pub(in crate::cli) mod sweep;
pub(in crate::cli) mod transfer;
pub(in crate::cli) mod verify;

use crate::cli::tree::{Node, command};

/// The verbs of `ic coordination`.
pub(in crate::cli) const NODES: &[Node] = &[
    command::<reserve::Reserve>("reserve"),
    command::<release::Release>("release"),
    command::<renew::Renew>("renew"),
    command::<check::Check>("check"),
    command::<list::List>("list"),
    command::<sweep::Sweep>("sweep"),
    command::<transfer::Transfer>("transfer"),
    command::<verify::Verify>("verify"),
    command::<explain::Explain>("explain"),
    command::<mirror::Mirror>("mirror"),
];
