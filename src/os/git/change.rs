//! The changes that a commit makes.

use std::path::Path;

use super::record::Entries;

/// A path of a commit.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// Relative to the top of the working tree.
    pub path: &'a Path,
    /// What the commit has there.
    pub content: Content<'a>,
}

/// What a commit has at a path.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// What the working tree has: a file, a symlink, or nothing.
    WorkTree,
    /// What the working tree has, made from these bytes. A staged version that is neither that of the branch
    /// nor one of these two is the user's own, and the commit is refused.
    WorkTreeFrom(&'a [u8]),
    /// These bytes; the working tree is not looked at. The mode is that of the branch, or of an ordinary file.
    Bytes(&'a [u8]),
    /// The bytes `new`, made from what the branch, the index and the working tree had. The commit is refused
    /// if one of them has something else by the time at which the branch moves.
    Edit {
        /// What the branch and the index must have; `None` for no file.
        base: Option<&'a [u8]>,
        /// What the working tree must have.
        file: Option<&'a [u8]>,
        /// What is committed.
        new: &'a [u8],
    },
}

/// What a commit is built from and of.
pub struct Built {
    pub tree: String,
    /// The entries at the given paths, in the commit before and in this one.
    pub before: Entries,
    pub after: Entries,
}
