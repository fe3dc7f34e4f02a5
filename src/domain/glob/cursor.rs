//! Reading one segment, or two segments in parallel, character by character.

use super::class::Class;
use super::shape::{Shape, Tok};

/// The characters that one place of a segment asks for.
#[derive(Clone, Copy)]
pub(super) enum Head<'a> {
    Char(char),
    Any,
    Class(&'a Class),
    /// At a star or at the end.
    Stop,
}

/// A position in a segment that moves from left to right, up to a star or the end. It is small and always
/// inlined, because the innermost loops use it and the program is built for size.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    shape: &'a Shape,
    /// The rest of the current literal token, as positions in the text; `toks` are the tokens after it.
    at: usize,
    end: usize,
    pub(super) toks: &'a [Tok],
}

impl<'a> Cursor<'a> {
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "see the type")]
    pub(super) fn new(shape: &'a Shape, toks: &'a [Tok]) -> Self {
        let mut cursor = Self { shape, toks, at: 0, end: 0 };
        cursor.fill();
        cursor
    }

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "see the type")]
    fn fill(&mut self) {
        if self.at == self.end
            && let [Tok::Lit { start, end, .. }, toks @ ..] = self.toks
        {
            (self.at, self.end, self.toks) = (*start, *end, toks);
        }
    }

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "see the type")]
    pub(super) fn text(&self) -> &'a [u8] {
        &self.shape.text.as_bytes()[self.at..self.end]
    }

    /// Advances by a number of bytes of literal text.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "see the type")]
    fn bump(&mut self, bytes: usize) {
        self.at += bytes;
        self.fill();
    }

    pub(super) fn head(&self) -> Head<'a> {
        if self.at < self.end {
            // A token never ends within a character.
            let rest = self.shape.text.get(self.at..self.end);
            return rest.and_then(|rest| rest.chars().next()).map_or(Head::Stop, Head::Char);
        }
        match self.toks {
            [Tok::Any, ..] => Head::Any,
            [Tok::Class(at), ..] => Head::Class(&self.shape.classes[*at]),
            _ => Head::Stop,
        }
    }

    /// Advances by one character.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "see the type")]
    pub(super) fn next(&mut self) {
        if self.at < self.end {
            // The first byte of a character gives its length.
            let bytes = match self.shape.text.as_bytes()[self.at] {
                ..0xc0 => 1,
                0xc0..0xe0 => 2,
                0xe0..0xf0 => 3,
                _ => 4,
            };
            self.at += bytes;
        } else if let [_, toks @ ..] = self.toks {
            self.toks = toks;
        }
        self.fill();
    }

    /// Advances by a number of characters.
    pub(super) fn skip(&mut self, mut chars: usize) {
        while chars > 0 {
            let text = self.text();
            let text = &text[..text.len().min(chars)];
            let ascii =
                if text.is_ascii() { text.len() } else { text.iter().take_while(|b| b.is_ascii()).count() };
            if ascii > 0 {
                chars -= ascii;
                self.bump(ascii);
            } else {
                self.next();
                chars -= 1;
            }
        }
    }
}

/// Returns true if the two match up to the first stop of one of them.
#[inline(always)]
#[allow(clippy::inline_always, reason = "see the cursor")]
pub(super) fn agree(mut a: Cursor<'_>, mut b: Cursor<'_>) -> bool {
    loop {
        let (x, y) = (a.text(), b.text());
        let (Some(first), Some(second)) = (x.first(), y.first()) else {
            match wild(&a, &b) {
                Some(true) => {
                    a.next();
                    b.next();
                    continue;
                }
                Some(false) => return false,
                None => return true,
            }
        };
        let bytes = x.len().min(y.len());
        if first != second || bytes > 1 && x[..bytes] != y[..bytes] {
            return false;
        }
        a.bump(bytes);
        b.bump(bytes);
    }
}

/// Returns whether two places agree, at least one of which is not literal. `None` if one of them stops.
#[inline(always)]
#[allow(clippy::inline_always, reason = "see the cursor")]
fn wild(a: &Cursor<'_>, b: &Cursor<'_>) -> Option<bool> {
    match (a.text().is_empty(), a.toks, b.text().is_empty(), b.toks) {
        (true, [] | [Tok::Star, ..], ..) | (_, _, true, [] | [Tok::Star, ..]) => None,
        (true, [Tok::Any, ..], ..) | (_, _, true, [Tok::Any, ..]) => Some(true),
        _ => Some(match (a.head(), b.head()) {
            (Head::Char(c), Head::Class(class)) | (Head::Class(class), Head::Char(c)) => class.contains(c),
            (Head::Class(a), Head::Class(b)) => a.meets(b),
            _ => true,
        }),
    }
}

/// Returns a character that matches both; a full stop only if `dot`. A stop matches any character here.
pub(super) fn pick(a: Head<'_>, b: Head<'_>, dot: bool) -> Option<char> {
    match (a, b) {
        (Head::Char(c), other) | (other, Head::Char(c)) => {
            let fits = match other {
                Head::Char(other) => other == c,
                Head::Class(class) => class.contains(c),
                Head::Any | Head::Stop => true,
            };
            (fits && (dot || c != '.')).then_some(c)
        }
        (Head::Class(a), Head::Class(b)) => a.pick(b, dot),
        (Head::Class(class), _) | (_, Head::Class(class)) => class.pick(class, dot),
        _ => Some('x'),
    }
}
