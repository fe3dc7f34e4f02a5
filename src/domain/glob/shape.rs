//! The parsed form of a pattern: segments and their parts.

use super::class::Class;

/// A part of a segment.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tok {
    /// A range of bytes of the shape's text, and its number of characters.
    Lit { start: usize, end: usize, chars: usize },
    /// `?`
    Any,
    /// Brackets: an index into the shape's classes.
    Class(usize),
    /// `*`
    Star,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name in one token.
    Literal,
    /// With wildcards.
    Glob,
    /// Any number of segments, also none.
    Deep,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Seg {
    pub kind: Kind,
    /// The range of its tokens.
    pub toks: (usize, usize),
    /// The range of its literal bytes.
    pub text: (usize, usize),
    /// The minimum number of characters: all but stars.
    pub chars: usize,
    /// The first and the last star among the tokens of the shape.
    pub stars: Option<(usize, usize)>,
    /// The number of characters before the first star, and after the last.
    pub head: usize,
    pub tail: usize,
    /// The number of consecutive literal segments from here.
    pub run: usize,
}

/// A parsed pattern. `Deep` means zero or more segments here, also at the end: `a/**` is `a/*` and a `Deep`,
/// and a pattern that covers everything below it ends in one.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape {
    /// The literal characters, with `/` between segments.
    pub text: String,
    pub toks: Vec<Tok>,
    pub classes: Vec<Class>,
    pub segs: Vec<Seg>,
    /// The first and the last `Deep`.
    pub deep: Option<(usize, usize)>,
    /// The number of wildcards that were parsed.
    pub wildcards: usize,
}

impl Shape {
    /// Returns the path of a shape that is literal except for a `Deep` at its end.
    pub(super) fn plain(&self) -> &str {
        match self.segs.iter().rev().find(|seg| seg.kind == Kind::Literal) {
            Some(last) => &self.text[..last.text.1],
            None => "",
        }
    }

    pub(super) fn deepen(&mut self) {
        if self.segs.last().is_none_or(|seg| seg.kind != Kind::Deep) {
            self.add(Kind::Deep, self.toks.len(), self.text.len());
        }
    }

    /// Removes the part that covers everything below.
    pub(super) fn end_here(&mut self) {
        self.segs.retain(|seg| seg.kind != Kind::Deep);
        self.finish();
    }

    /// Adds a segment `*`.
    pub(super) fn any_name(&mut self) {
        self.toks.push(Tok::Star);
        self.add(Kind::Glob, self.toks.len() - 1, self.text.len());
    }

    /// Adds a segment of the tokens from `first` and the text from `text`.
    pub(super) fn add(&mut self, kind: Kind, first: usize, text: usize) {
        let toks = &self.toks[first..];
        let star = |tok: &Tok| matches!(tok, Tok::Star);
        let stars = toks.iter().position(star).zip(toks.iter().rposition(star));
        let ends = stars.map(|(one, last)| (length(&toks[..one]), length(&toks[last..])));
        let (head, tail) = ends.unwrap_or_default();
        self.segs.push(Seg {
            kind,
            toks: (first, self.toks.len()),
            text: (text, self.text.len()),
            chars: length(toks),
            stars: stars.map(|(one, last)| (first + one, first + last)),
            head,
            tail,
            run: 0,
        });
    }

    /// Appends literal text to the last token, if that is literal and belongs to the segment that begins with
    /// token `first`, or adds a token.
    pub(super) fn literal(&mut self, first: usize, plain: &str) {
        let at = self.text.len();
        self.text.push_str(plain);
        let now = self.text.len();
        let more = plain.chars().count();
        match self.toks[first..].last_mut() {
            Some(Tok::Lit { end, chars, .. }) => (*end, *chars) = (now, *chars + more),
            _ => self.toks.push(Tok::Lit { start: at, end: now, chars: more }),
        }
    }

    /// Sets the fields that depend on all segments.
    pub(super) fn finish(&mut self) {
        let mut run = 0;
        for seg in self.segs.iter_mut().rev() {
            run = if seg.kind == Kind::Literal { run + 1 } else { 0 };
            seg.run = run;
        }
        let deep = |seg: &Seg| seg.kind == Kind::Deep;
        self.deep = self.segs.iter().position(deep).zip(self.segs.iter().rposition(deep));
    }
}

/// Returns the minimum number of characters that the tokens match.
pub(super) fn length(toks: &[Tok]) -> usize {
    let length = |tok: &Tok| match tok {
        Tok::Lit { chars, .. } => *chars,
        Tok::Any | Tok::Class(_) => 1,
        Tok::Star => 0,
    };
    toks.iter().map(length).sum()
}
