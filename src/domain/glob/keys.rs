//! The keys of an index, by which a pattern is compared only with the patterns that it could overlap.
//!
//! The prefix key of a pattern is the directory that contains every path that it covers; the suffix key is
//! the common end of these paths, backwards. A path has both, so two patterns that overlap have prefix keys
//! of which one is the other or a directory above it, and suffix keys of which one begins with the other.
//! Hence the candidates for a pattern are, by either key: the rows whose key is one of [`Key::ancestors`]
//! (equality), and the rows in [`Key::below`] (one range).
//!
//! A pattern without wildcards covers everything below it, so its paths have no common end: its suffix key is
//! empty. That of a file is its whole path, or the end of it. Keys are compared by bytes (`BINARY` in SQLite,
//! `COLLATE "C"` in PostgreSQL).

use super::shape::{Kind, Shape, Tok};
use std::ops::Range;

/// The maximum number of names in a prefix key. A shorter key only matches more, and the limit bounds the
/// number of probes.
const MAX_NAMES: usize = 32;
/// The maximum number of characters in a suffix key, for the same reason.
const MAX_CHARS: usize = 32;

/// Both keys of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The directory that contains its paths; empty for the whole scope.
    pub prefix: Key,
    /// The common end of its paths, backwards; empty if there is none.
    pub suffix: Key,
}

impl Keys {
    /// Returns the more selective key, which the index should be queried with.
    pub fn longer(&self) -> &Key {
        if self.suffix.text.len() > self.prefix.text.len() { &self.suffix } else { &self.prefix }
    }
}

/// One key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    text: String,
    side: Side,
}

/// The end of a pattern that a key is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The beginning, in whole names.
    Prefix,
    /// The end, in characters.
    Suffix,
}

/// The keys strictly below another one, as a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Below {
    /// Included.
    pub from: String,
    /// Not included; without it the range has no end.
    pub to: Option<String>,
}

impl Below {
    /// Returns true if a key is in the range.
    pub fn contains(&self, key: &str) -> bool {
        self.from.as_str() <= key && self.to.as_deref().is_none_or(|to| key < to)
    }
}

impl Key {
    /// Returns the stored text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the side, which decides the column that it is stored in.
    pub fn side(&self) -> Side {
        self.side
    }

    /// Returns the key itself and all above it, from the longest to the empty one: at most 33.
    pub fn ancestors(&self) -> impl Iterator<Item = &str> {
        let side = self.side;
        std::iter::successors(Some(self.text.as_str()), move |key| match side {
            Side::Prefix if key.is_empty() => None,
            Side::Prefix => Some(&key[..key.rfind('/').unwrap_or(0)]),
            Side::Suffix => key.char_indices().next_back().map(|(last, _)| &key[..last]),
        })
    }

    /// Returns the keys strictly below: names in the directory, or longer endings.
    pub fn below(&self) -> Below {
        match self.side {
            Side::Prefix if !self.text.is_empty() => {
                Below { from: format!("{}/", self.text), to: Some(format!("{}0", self.text)) }
            }
            // No key contains NUL.
            _ => Below { from: format!("{}\u{1}", self.text), to: successor(&self.text) },
        }
    }
}

/// Returns the least text that is greater than all texts that begin with this one.
fn successor(text: &str) -> Option<String> {
    let mut text = text.to_owned();
    while let Some(last) = text.pop() {
        // The next character is the next in bytes too; surrogates are not characters.
        if let Some(next) = (last..=char::MAX).nth(1) {
            text.push(next);
            return Some(text);
        }
    }
    None
}

pub(super) fn of(shape: &Shape) -> Keys {
    Keys {
        prefix: Key { text: prefix(shape), side: Side::Prefix },
        suffix: Key { text: suffix(shape), side: Side::Suffix },
    }
}

fn prefix(shape: &Shape) -> String {
    let names = shape.segs.first().map_or(0, |seg| seg.run).min(MAX_NAMES);
    match names.checked_sub(1) {
        Some(last) => shape.text[..shape.segs[last].text.1].to_owned(),
        None => String::new(),
    }
}

fn suffix(shape: &Shape) -> String {
    let mut key = String::new();
    for (at, seg) in shape.segs.iter().enumerate().rev() {
        if seg.kind == Kind::Deep {
            break;
        }
        let Range { start, end } = match shape.toks[..seg.toks.1].last() {
            Some(&Tok::Lit { start, end, .. }) => start..end,
            _ => break,
        };
        key.extend(shape.text[start..end].chars().rev());
        let whole = seg.kind == Kind::Literal;
        // The first name, or one that `**` can put first, need not have a `/` before it.
        if !whole || at == 0 || shape.segs[at - 1].kind == Kind::Deep {
            break;
        }
        key.push('/');
    }
    match key.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => key[..end].to_owned(),
        None => key,
    }
}
