//! Edits of parts of a text: every other byte stays as it is.

use std::ops::Range;

/// Replacements in one text that do not overlap, in the order of their positions.
#[derive(Clone, Debug, Default)]
pub struct Edits(Vec<(Range<usize>, String)>);

impl Edits {
    /// Replaces the bytes of `span` by `new`.
    pub fn replace(&mut self, span: Range<usize>, new: impl Into<String>) {
        // After the edits of the same position, so that insertions keep their order.
        let at = self.0.partition_point(|(other, _)| (other.start, other.end) <= (span.start, span.end));
        self.0.insert(at, (span, new.into()));
    }

    /// Inserts `new` at a position, after what was inserted there before.
    pub fn insert(&mut self, at: usize, new: impl Into<String>) {
        self.replace(at..at, new);
    }

    /// Returns the text with all replacements made.
    pub fn apply(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len() + 256);
        let mut at = 0;
        for (span, new) in &self.0 {
            debug_assert!(at <= span.start, "edits overlap");
            out.push_str(&text[at..span.start]);
            out.push_str(new);
            at = span.end;
        }
        out.push_str(&text[at..]);
        out
    }

    /// Returns the number of bytes that are removed: the text may become shorter by at most that many.
    pub fn removed(&self) -> usize {
        self.0.iter().map(|(span, _)| span.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_named_stays() {
        let mut edits = Edits::default();
        edits.replace(4..7, "ZWEI");
        edits.insert(0, "a");
        edits.insert(0, "b");
        edits.insert(7, "!");
        assert_eq!(edits.apply("ein two drei"), "abein ZWEI! drei");
        assert_eq!(edits.removed(), 3);
    }
}
