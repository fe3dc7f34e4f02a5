//! Patterns of file reservations: the paths that they cover, and their overlaps.
//!
//! A path is a list of names below the scope, none of them empty, `.` or `..`. A pattern is made of segments
//! between `/`:
//!
//! | in a pattern | covers |
//! |---|---|
//! | `*` | any characters of one segment, also none (a whole segment is never empty) |
//! | `?` | one character |
//! | `[a-z_]`, `[!a]`, `[^a]` | one that is, or is not, in the set; first `]`, first or last `-`: literal |
//! | `\x` | the character `x` itself, also within brackets |
//! | `**` as a whole segment | any number of segments, also none; at the end at least one |
//! | `dir/` | `dir` and all below it |
//! | a pattern without wildcards | that path and all below it |
//! | everything else, braces too | itself; upper and lower case differ |
//!
//! Two patterns overlap if there is a path that both cover. The result is exact (`overlap.rs`, `segment.rs`),
//! and found without recursion, backtracking or allocation, in `O(|a| · |b|)` at worst: a character of one
//! pattern is compared with a character of the other at most twice, and literal text is compared as slices.
//! A set of `n` characters adds a factor `log n`.

mod class;
mod cursor;
mod error;
mod keys;
mod overlap;
mod parse;
mod segment;
mod shape;
mod witness;

pub use error::{MAX_BYTES, MAX_WILDCARDS, PatternError};
pub use keys::{Below, Key, Keys, Side};

use parse::Parsed;
use shape::Shape;
use std::fmt;
use std::str::FromStr;

/// A checked pattern in its canonical form.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    /// Whether it has no wildcards: it covers a path with all below it.
    literal: bool,
    /// Whether it is a plain path that is known to be a file, with nothing below it.
    file: bool,
    shape: Shape,
}

impl Pattern {
    /// Parses a pattern that is relative to its scope. `./`, `//` and needless escapes are removed; `.` alone
    /// covers everything.
    ///
    /// # Errors
    /// See [`PatternError`]. The text is never repeated, and only its length is checked if it is too long.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        parse::pattern(text).map(Self::from)
    }

    /// Parses a pattern as [`Pattern::parse`] does, but takes an absolute pattern in `scope` as relative to
    /// it. The scope must be canonical already, because this needs the file system.
    ///
    /// # Errors
    /// [`PatternError::Outside`] for an absolute pattern elsewhere, or if the scope is not an absolute path.
    pub fn parse_in(scope: &str, text: &str) -> Result<Self, PatternError> {
        parse::within(scope, text).and_then(Self::parse)
    }

    /// Returns the pattern of one path, with any characters, and of everything below it. An absolute path
    /// must lie in `scope`.
    ///
    /// # Errors
    /// As [`Pattern::parse_in`].
    pub fn of_path(scope: &str, path: &str) -> Result<Self, PatternError> {
        Self::parse_in(scope, &parse::escape(path))
    }

    /// Returns the text of a pattern for exactly this path, with any characters.
    pub fn escaped(path: &str) -> String {
        parse::escape(path).into_owned()
    }

    /// Returns the narrowest pattern that covers everything that a stored text could have meant, if it cannot
    /// be parsed: the directory named by its leading plain segments, or everything. A valid text gives its
    /// own pattern.
    pub fn widened(text: &str) -> Self {
        Self::parse(text).unwrap_or_else(|_| parse::widened(text).into())
    }

    /// Returns the same pattern, marked as the path of a file: it covers nothing below, so it does not
    /// overlap `**/*.rs` because of files that might be there. A pattern with wildcards stays as it is.
    #[must_use]
    pub fn of_file(mut self) -> Self {
        if self.literal && !self.file {
            self.file = true;
            self.shape.end_here();
        }
        self
    }

    /// Returns the canonical text, which is stored, shown, and compared for equality. Parsing it gives the
    /// same pattern again.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns true if the pattern has no wildcards: a path, with all below it.
    pub fn is_literal(&self) -> bool {
        self.literal
    }

    /// Returns the path of a pattern without wildcards.
    pub fn path(&self) -> Option<&str> {
        self.literal.then(|| self.plain())
    }

    /// Returns true if it is a plain path with nothing below it ([`Pattern::of_file`]).
    pub fn is_file(&self) -> bool {
        self.file
    }

    /// Returns true if the pattern covers the path, given relative to the scope. No pattern covers an invalid
    /// path.
    pub fn covers(&self, path: &str) -> bool {
        parse::path(path).is_some_and(|path| overlap::meet(&self.shape, &path, &mut ()))
    }

    /// Returns true if there is a path that both cover.
    pub fn overlaps(&self, other: &Self) -> bool {
        if self.literal && other.literal {
            let (short, long) =
                if self.plain().len() <= other.plain().len() { (self, other) } else { (other, self) };
            let below = |rest: &str| rest.is_empty() || (!short.file && rest.starts_with('/'));
            return long.plain().strip_prefix(short.plain()).is_some_and(below);
        }
        overlap::meet(&self.shape, &other.shape, &mut ())
    }

    /// Returns a path that both cover, if there is one.
    pub fn witness(&self, other: &Self) -> Option<String> {
        witness::path(&self.shape, &other.shape)
    }

    /// Returns the keys by which an index finds the patterns that can overlap.
    pub fn keys(&self) -> Keys {
        keys::of(&self.shape)
    }

    fn plain(&self) -> &str {
        self.shape.plain()
    }
}

impl From<Parsed> for Pattern {
    fn from(Parsed { text, literal, shape }: Parsed) -> Self {
        Self { text, literal, file: false, shape }
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        Self::parse(text)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Patterns are equal if their canonical texts are.
impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

#[cfg(test)]
mod prop_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod worst_tests;
