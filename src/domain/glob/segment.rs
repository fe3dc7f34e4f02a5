//! The comparison of two segments: the search for a name that both match.
//!
//! A segment is fixed text and single-character wildcards, with or without stars in between.
//!
//! - Neither has a star: they have the same length, and the elements match one by one.
//! - One has stars: its first piece matches at the start of the other, its last at the end, and those in
//!   between at the leftmost free position. Taking the leftmost never excludes a match, so nothing is tried
//!   twice.
//! - Both have stars: only the parts before the first and after the last star of each must agree. Each star
//!   matches the middle of the other segment.

use super::cursor::{Cursor, Head, agree, pick};
use super::shape::{Kind, Seg, Shape, Tok, length};

/// One segment of a shape.
#[derive(Clone, Copy)]
pub(super) struct Segment<'a> {
    shape: &'a Shape,
    seg: &'a Seg,
}

static STAR: Shape = Shape {
    text: String::new(),
    toks: Vec::new(),
    classes: Vec::new(),
    segs: Vec::new(),
    deep: None,
    wildcards: 0,
};
static STAR_SEG: Seg = Seg {
    kind: Kind::Glob,
    toks: (0, 0),
    text: (0, 0),
    chars: 0,
    stars: Some((0, 0)),
    head: 0,
    tail: 0,
    run: 0,
};

/// The segment `*`: any name.
pub(super) static NAME: Segment<'static> = Segment { shape: &STAR, seg: &STAR_SEG };

/// The receiver of a comparison of two segments: it gets the characters of a name that both match, in order.
pub(super) trait Told {
    /// Receives characters that both ask for, until one of the two stops.
    fn pair(&mut self, _a: Cursor<'_>, _b: Cursor<'_>) {}
    /// Receives characters that only one asks for.
    fn alone(&mut self, _at: Cursor<'_>, _chars: usize) {}
    /// Receives characters that stars of both match.
    fn free(&mut self) {}
    /// Receives the whole name.
    fn name(&mut self, _name: &[char]) {}
}

impl Told for () {}

impl<'a> Segment<'a> {
    pub(super) fn of(shape: &'a Shape, at: usize) -> Self {
        Self { shape, seg: &shape.segs[at] }
    }

    fn toks(&self, from: usize, to: usize) -> &'a [Tok] {
        self.shape.toks.get(from..to).unwrap_or_default()
    }

    fn all(&self) -> &'a [Tok] {
        self.toks(self.seg.toks.0, self.seg.toks.1)
    }

    fn cursor(&self, toks: &'a [Tok]) -> Cursor<'a> {
        Cursor::new(self.shape, toks)
    }

    /// Returns the part before the first star, or all.
    fn head(&self) -> Cursor<'a> {
        // A cursor stops at a star.
        self.cursor(self.all())
    }

    /// Returns the part after the last star. Only for a segment that has one.
    fn tail(&self) -> Cursor<'a> {
        let last = self.seg.stars.unwrap_or_default().1;
        self.cursor(self.toks(last + 1, self.seg.toks.1))
    }

    /// Returns the pieces between the first and the last star.
    fn pieces(&self) -> impl Iterator<Item = &'a [Tok]> + use<'a> {
        let (first, last) = self.seg.stars.unwrap_or_default();
        let between = self.toks(first + 1, last);
        between.split(is_star).filter(|piece| !piece.is_empty())
    }
}

fn is_star(tok: &Tok) -> bool {
    matches!(tok, Tok::Star)
}

/// Returns true if any name matches a segment.
pub(super) fn possible(shape: &Shape, at: usize) -> bool {
    shape.segs[at].kind != Kind::Glob || meet(Segment::of(shape, at), NAME, &mut ())
}

/// Returns true if a name matches both segments.
pub(super) fn meet(a: Segment<'_>, b: Segment<'_>, told: &mut impl Told) -> bool {
    // A literal is never `.` or `..`, so short names need no special case.
    let literal = a.seg.kind == Kind::Literal || b.seg.kind == Kind::Literal;
    match (a.seg.stars, b.seg.stars) {
        (Some(_), Some(_)) => both_starred(a, b, told),
        (None, Some(_)) if a.seg.chars < b.seg.chars => false,
        (Some(_), None) if b.seg.chars < a.seg.chars => false,
        (None, None) if a.seg.chars != b.seg.chars => false,
        (None, _) if a.seg.chars <= 2 && !literal => short(a, b, told),
        (Some(_), None) if b.seg.chars <= 2 && !literal => short(b, a, told),
        (None, Some(_)) => one_starred(a, b, told),
        (Some(_), None) => one_starred(b, a, told),
        (None, None) => {
            let found = agree(a.head(), b.head());
            if found {
                told.pair(a.head(), b.head());
            }
            found
        }
    }
}

fn both_starred(a: Segment<'_>, b: Segment<'_>, told: &mut impl Told) -> bool {
    let heads = a.seg.head.min(b.seg.head);
    let tails = a.seg.tail.min(b.seg.tail);
    let (mut x, mut y) = (a.tail(), b.tail());
    x.skip(a.seg.tail - tails);
    y.skip(b.seg.tail - tails);
    if !agree(a.head(), b.head()) || !agree(x, y) {
        return false;
    }
    told.pair(a.head(), b.head());
    for segment in [a, b] {
        let mut rest = segment.head();
        rest.skip(heads);
        told.alone(rest, segment.seg.head - heads);
    }
    for segment in [a, b] {
        for piece in segment.pieces() {
            told.alone(segment.cursor(piece), length(piece));
        }
    }
    told.free();
    for segment in [a, b] {
        told.alone(segment.tail(), segment.seg.tail - tails);
    }
    told.pair(x, y);
    true
}

/// Compares `fixed`, which has no star, with `starred`, which has one and needs no more characters.
fn one_starred(fixed: Segment<'_>, starred: Segment<'_>, told: &mut impl Told) -> bool {
    let mut at = fixed.head();
    let first = starred.head();
    if !agree(at, first) {
        return false;
    }
    told.pair(at, first);
    at.skip(starred.seg.head);
    // The end comes before the middle, because the middle costs more.
    let tail = starred.tail();
    let mut end = at;
    end.skip(fixed.seg.chars - starred.seg.head - starred.seg.tail);
    if !agree(end, tail) {
        return false;
    }
    // The number of characters that may still be skipped to the left of the current place.
    let mut spare = fixed.seg.chars - starred.seg.chars;
    for piece in starred.pieces() {
        let cursor = starred.cursor(piece);
        while !agree(at, cursor) {
            if spare == 0 {
                return false;
            }
            told.alone(at, 1);
            at.next();
            spare -= 1;
        }
        told.pair(at, cursor);
        at.skip(length(piece));
    }
    told.alone(at, spare);
    told.pair(end, tail);
    true
}

/// Compares segments for names of one or two characters, by trying all places: not every match counts,
/// because `.` and `..` are not names. `fixed` has no star.
fn short(fixed: Segment<'_>, other: Segment<'_>, told: &mut impl Told) -> bool {
    for mask in 0..1_u8 << fixed.seg.chars {
        if mask.count_ones() as usize == other.seg.chars
            && let Some(name) = placed(fixed, other, mask)
        {
            told.name(&name[..fixed.seg.chars]);
            return true;
        }
    }
    false
}

/// Returns a name where the characters of `other` lie at the places of the mask, and its stars match the
/// rest.
fn placed(fixed: Segment<'_>, other: Segment<'_>, mask: u8) -> Option<[char; 2]> {
    let mut heads = [(Head::Stop, Head::Stop); 2];
    let mut at = fixed.head();
    // Without tokens, the segment is the star that stands for any name.
    let mut over = other.head();
    let mut star = other.all().is_empty();
    for (place, heads) in heads.iter_mut().enumerate().take(fixed.seg.chars) {
        while over.toks.first().is_some_and(is_star) && over.text().is_empty() {
            star = true;
            over.next();
        }
        heads.0 = at.head();
        if mask >> place & 1 == 1 {
            heads.1 = over.head();
            over.next();
            star = false;
        } else if !star {
            return None;
        }
        at.next();
    }
    let [first, second] = heads.map(|(a, b)| [pick(a, b, true), pick(a, b, false)]);
    if fixed.seg.chars == 1 {
        return Some([first[1]?, '/']);
    }
    match (first, second) {
        ([_, Some(a)], [Some(b), _]) | ([Some(a), _], [_, Some(b)]) => Some([a, b]),
        _ => None,
    }
}
