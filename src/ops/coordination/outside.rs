//! Facts from the operating system and other programs, supplied by the caller.

use crate::domain::coordination::Lock;
use crate::domain::process::ProcessKey;

/// The surroundings of the database.
#[derive(Clone, Copy)]
pub struct Outside<'a> {
    /// Returns the canonical form of a scope that another program wrote.
    pub canonical: &'a dyn Fn(&str) -> String,
    /// Returns true if the path (second) in the scope (first) is a file.
    pub is_file: &'a dyn Fn(&str, &str) -> bool,
    /// Returns true if a process of this machine is gone.
    pub is_gone: &'a dyn Fn(&ProcessKey) -> bool,
    /// The reservations in another program's file.
    pub theirs: &'a [Theirs],
}

/// A reservation of another program.
#[derive(Clone, Debug)]
pub struct Theirs {
    /// The reservation as a lock of ours, with the scope's name on this machine.
    pub lock: Lock,
    /// The other program's name for the scope.
    pub project: String,
    /// Whether it was released there before its time.
    pub released: bool,
}
