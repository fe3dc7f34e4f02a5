//! Patterns of file reservations: what they cover, and whether two of them can cover the same path.
//!
//! A path is a list of names below the scope, none of them empty, `.` or `..`. A pattern is made of segments
//! between `/`:
//!
//! | in a pattern | covers |
//! |---|---|
//! | `*` | any characters of one segment, also none (a whole segment is never empty) |
//! | `?` | one character |
//! | `[a-z_]`, `[!a]`, `[^a]` | one character that is, or is not, among these; `]` first and `-` first or last are themselves |
//! | `\x` | the character `x` itself, also within brackets |
//! | `**` as a whole segment | any number of segments, also none; at the end at least one (`src/**` is what lies below `src`) |
//! | `dir/` | `dir` and all below it |
//! | a pattern without wildcards | that path and all below it |
//! | everything else, braces too | itself; upper and lower case differ |
//!
//! Two patterns overlap when there is a path that both cover. That is answered exactly (`overlap.rs`,
//! `segment.rs`), without recursion, backtracking or allocation, in `O(|a| · |b|)` at worst: a character of
//! one pattern is held against a character of the other at most twice, and literal text is compared as
//! slices. A set of `n` characters adds a factor `log n`.

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
    /// Without wildcards, `text` unescaped: the path that is covered with all below it.
    literal: bool,
    /// A plain path that is known to be a file: nothing lies below it.
    file: bool,
    shape: Shape,
}

impl Pattern {
    /// Reads a pattern that is relative to its scope. `./`, `//` and needless escapes go away; `.` alone is
    /// everything.
    ///
    /// # Errors
    /// See [`PatternError`]. The text is never repeated, nor looked at beyond its length when it is too long.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        parse::pattern(text).map(Self::from)
    }

    /// As [`Pattern::parse`], but an absolute pattern is taken as relative to `scope` if it lies in it. The
    /// scope is canonical already: whether it is a path, and which, only the file system knows.
    ///
    /// # Errors
    /// [`PatternError::Outside`] for an absolute pattern elsewhere, or if the scope is no absolute path.
    pub fn parse_in(scope: &str, text: &str) -> Result<Self, PatternError> {
        parse::within(scope, text).and_then(Self::parse)
    }

    /// Returns the pattern of one path, whatever characters it is made of, and of what lies below it. An
    /// absolute path has to lie in `scope`.
    ///
    /// # Errors
    /// As [`Pattern::parse_in`].
    pub fn of_path(scope: &str, path: &str) -> Result<Self, PatternError> {
        Self::parse_in(scope, &parse::escape(path))
    }

    /// Returns the text of a pattern that means a path as it is, whatever characters it is made of.
    pub fn escaped(path: &str) -> String {
        parse::escape(path).into_owned()
    }

    /// For a stored text that cannot be read: the narrowest pattern that covers all that it could have meant,
    /// the directory named by its leading plain segments, or everything. A readable text gives its own
    /// pattern.
    pub fn widened(text: &str) -> Self {
        Self::parse(text).unwrap_or_else(|_| parse::widened(text).into())
    }

    /// Returns the same pattern, of which somebody knows that its plain path is a file: it covers nothing
    /// below, so it does not meet `**/*.rs` for what might be there. A pattern with wildcards stays as it is.
    #[must_use]
    pub fn of_file(mut self) -> Self {
        if self.literal && !self.file {
            self.file = true;
            self.shape.end_here();
        }
        self
    }

    /// Returns the canonical text: what is stored, shown, and compared to tell whether two patterns are the
    /// same. Reading it gives the same pattern again.
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

    /// Returns true if it is a plain path below which nothing lies ([`Pattern::of_file`]).
    pub fn is_file(&self) -> bool {
        self.file
    }

    /// Returns true if the pattern covers the path, given relative to the scope. What is no such path is
    /// covered by nothing.
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

    /// Returns what an index needs to find the patterns that can overlap.
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

/// The same canonical text.
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
