//! The changes that a commit makes.

use std::path::Path;

use super::record::Entries;

/// A path of a commit.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// Relative to the top of the working tree.
    pub path: &'a Path,
    /// The content in the commit.
    pub content: Content<'a>,
}

/// The content of a commit at a path.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// That of the working tree: a file, a symlink, or nothing.
    WorkTree,
    /// That of the working tree, made from these bytes. If the staged version is neither that of the branch
    /// nor one of these two, it is the user's own, and the commit is refused.
    WorkTreeFrom(&'a [u8]),
    /// These bytes, whatever the working tree has. The mode is that of the branch, or of an ordinary file.
    #[cfg_attr(not(test), expect(dead_code, reason = "the program itself knows what it commits over"))]
    Bytes(&'a [u8]),
    /// The bytes `new`, made from the versions of the branch, the index and the working tree. The commit is
    /// refused if one of them has another version at the time at which the branch moves.
    Edit {
        /// The version of the branch and the index; `None` for no file.
        base: Option<&'a [u8]>,
        /// The version of the working tree; `None` for no file.
        file: Option<&'a [u8]>,
        /// The content to commit.
        new: &'a [u8],
    },
}

/// The tree of a commit, and the entries that it changes.
pub struct Built {
    pub tree: String,
    /// The entries at the given paths in the parent; `after` in this commit.
    pub before: Entries,
    pub after: Entries,
}
