//! Changes to parts of a text: whatever they do not name stays as it is, byte for byte.

use std::ops::Range;

/// Replacements in one text, none of which overlap, in the order of their places.
#[derive(Clone, Debug, Default)]
pub struct Edits(Vec<(Range<usize>, String)>);

impl Edits {
    /// Puts `new` in the place of the bytes of `span`.
    pub fn replace(&mut self, span: Range<usize>, new: impl Into<String>) {
        // Behind those of the same place: what is put there stays in the order in which it came.
        let at = self.0.partition_point(|(other, _)| (other.start, other.end) <= (span.start, span.end));
        self.0.insert(at, (span, new.into()));
    }

    /// Puts `new` at a place, behind what was put there before.
    pub fn insert(&mut self, at: usize, new: impl Into<String>) {
        self.replace(at..at, new);
    }

    /// The text with all replacements made.
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

    /// How many bytes of a text are taken out of it: it may become shorter by that, and by no more (TS-58).
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
