//! Whether one name can match two segments, and which.
//!
//! A segment is fixed text and single-character wildcards, with or without stars in between.
//!
//! - Neither has a star: both are as long, and each character meets its opposite.
//! - One has stars: its first piece lies at the start of the other, its last at the end, and those between lie at the
//!   leftmost place that is free. To take the leftmost never costs a match, so nothing is tried twice.
//! - Both have stars: only what is before the first and behind the last star of each must agree. Each star takes in what
//!   the other segment has in its middle.

use super::class::Class;
use super::parse::{Shape, Tok};

/// What one place of a segment asks for.
#[derive(Clone, Copy)]
pub(super) enum Head<'a> {
    Text(&'a str),
    Any,
    Class(&'a Class),
    /// At a star or at the end.
    Stop,
}

/// Reads a segment from left to right, up to a star or the end.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    shape: &'a Shape,
    toks: &'a [Tok],
    /// What is left of a literal token that was begun; `toks` is what follows.
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn new(shape: &'a Shape, toks: &'a [Tok]) -> Self {
        let mut cursor = Self { shape, toks, rest: "" };
        cursor.fill();
        cursor
    }

    fn fill(&mut self) {
        if let ("", [Tok::Lit { start, end, .. }, toks @ ..]) = (self.rest, self.toks) {
            (self.rest, self.toks) = (&self.shape.text[*start..*end], toks);
        }
    }

    pub(super) fn head(&self) -> Head<'a> {
        match self.toks {
            _ if !self.rest.is_empty() => Head::Text(self.rest),
            [Tok::Any, ..] => Head::Any,
            [Tok::Class(at), ..] => Head::Class(&self.shape.classes[*at]),
            _ => Head::Stop,
        }
    }

    /// Goes on by so many bytes of literal text, or by one wildcard.
    fn bump(&mut self, bytes: usize) {
        if self.rest.is_empty() {
            self.toks = self.toks.get(1..).unwrap_or_default();
        } else {
            self.rest = &self.rest[bytes..];
        }
        self.fill();
    }

    /// Goes on by one character.
    pub(super) fn next(&mut self) {
        self.bump(self.rest.chars().next().map_or(0, char::len_utf8));
    }

    /// Goes on by so many characters.
    fn skip(&mut self, mut chars: usize) {
        while chars > 0 {
            if let Head::Text(text) = self.head() {
                // A piece of ASCII is as long in bytes.
                let bytes = text.len().min(chars);
                if text.is_char_boundary(bytes) && text.as_bytes()[..bytes].is_ascii() {
                    chars -= bytes;
                    self.bump(bytes);
                    continue;
                }
            }
            self.next();
            chars -= 1;
        }
    }
}

/// One segment of a shape.
#[derive(Clone, Copy)]
pub(super) struct Segment<'a> {
    shape: &'a Shape,
    toks: &'a [Tok],
    chars: usize,
    starred: bool,
}

static NOTHING: Shape = Shape {
    text: String::new(),
    toks: Vec::new(),
    classes: Vec::new(),
    segs: Vec::new(),
    deep: None,
    wildcards: 0,
};

/// The segment `*`: any name.
pub(super) static NAME: Segment<'static> =
    Segment { shape: &NOTHING, toks: &[Tok::Star], chars: 0, starred: true };

/// What is told while two segments are compared: the characters of a name that both match, in order.
pub(super) trait Told {
    /// Characters that both ask for, until one of the two stops.
    fn pair(&mut self, _a: Cursor<'_>, _b: Cursor<'_>) {}
    /// Characters that only one asks for.
    fn alone(&mut self, _at: Cursor<'_>, _chars: usize) {}
    /// Characters that stars of both take in.
    fn free(&mut self) {}
    /// The name.
    fn name(&mut self, _name: &[char]) {}
}

impl Told for () {}

impl<'a> Segment<'a> {
    pub(super) fn of(shape: &'a Shape, at: usize) -> Self {
        let seg = &shape.segs[at];
        Self { shape, toks: &shape.toks[seg.toks.0..seg.toks.1], chars: seg.chars, starred: seg.starred }
    }

    fn cursor(&self, toks: &'a [Tok]) -> Cursor<'a> {
        Cursor::new(self.shape, toks)
    }

    /// What stands before the first star.
    fn head(&self) -> &'a [Tok] {
        self.toks.split(is_star).next().unwrap_or_default()
    }

    /// What stands behind the last star.
    fn tail(&self) -> &'a [Tok] {
        self.toks.rsplit(is_star).next().unwrap_or_default()
    }

    /// The pieces between the first and the last star.
    fn pieces(&self) -> impl Iterator<Item = &'a [Tok]> + use<'a> {
        let stars = self.toks.iter().filter(|tok| is_star(tok)).count();
        self.toks.split(is_star).skip(1).take(stars.saturating_sub(1))
    }
}

fn is_star(tok: &Tok) -> bool {
    matches!(tok, Tok::Star)
}

fn length(toks: &[Tok]) -> usize {
    let length = |tok: &Tok| match tok {
        Tok::Lit { chars, .. } => *chars,
        Tok::Any | Tok::Class(_) => 1,
        Tok::Star => 0,
    };
    toks.iter().map(length).sum()
}

/// Whether any name at all matches a segment.
pub(super) fn possible(shape: &Shape, at: usize) -> bool {
    shape.segs[at].toks.0 == shape.segs[at].toks.1 || meet(Segment::of(shape, at), NAME, &mut ())
}

/// Whether there is a name that matches both segments.
pub(super) fn meet(a: Segment<'_>, b: Segment<'_>, told: &mut impl Told) -> bool {
    match (a.starred, b.starred) {
        (true, true) => both_starred(a, b, told),
        (false, true) => one_starred(a, b, told),
        (true, false) => one_starred(b, a, told),
        (false, false) if a.chars != b.chars => false,
        (false, false) if a.chars <= 2 => short(a, b, told),
        (false, false) => {
            let (a, b) = (a.cursor(a.toks), b.cursor(b.toks));
            let found = agree(a, b);
            if found {
                told.pair(a, b);
            }
            found
        }
    }
}

/// Whether the characters agree until one of the two stops.
fn agree(mut a: Cursor<'_>, mut b: Cursor<'_>) -> bool {
    loop {
        match (a.head(), b.head()) {
            (Head::Stop, _) | (_, Head::Stop) => return true,
            (Head::Text(x), Head::Text(y)) => {
                let bytes = x.len().min(y.len());
                if x.as_bytes()[..bytes] != y.as_bytes()[..bytes] {
                    return false;
                }
                a.bump(bytes);
                b.bump(bytes);
            }
            (x, y) => {
                if !meets(x, y) {
                    return false;
                }
                a.next();
                b.next();
            }
        }
    }
}

fn meets(a: Head<'_>, b: Head<'_>) -> bool {
    match (a, b) {
        (Head::Text(text), Head::Class(class)) | (Head::Class(class), Head::Text(text)) => {
            text.chars().next().is_some_and(|c| class.contains(c))
        }
        (Head::Class(a), Head::Class(b)) => a.meets(b),
        _ => true,
    }
}

/// A character that both ask for; the full stop only where it may be. `Stop` asks for nothing here.
pub(super) fn pick(a: Head<'_>, b: Head<'_>, dot: bool) -> Option<char> {
    match (a, b) {
        (Head::Text(text), other) | (other, Head::Text(text)) => {
            let c = text.chars().next()?;
            let fits = match other {
                Head::Text(other) => other.starts_with(c),
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

fn both_starred(a: Segment<'_>, b: Segment<'_>, told: &mut impl Told) -> bool {
    let heads = (a.cursor(a.head()), b.cursor(b.head()));
    let tails = (a.cursor(a.tail()), b.cursor(b.tail()));
    let sizes = (length(a.tail()), length(b.tail()));
    let least = sizes.0.min(sizes.1);
    let (mut x, mut y) = tails;
    x.skip(sizes.0 - least);
    y.skip(sizes.1 - least);
    if !agree(heads.0, heads.1) || !agree(x, y) {
        return false;
    }
    told.pair(heads.0, heads.1);
    let sizes_before = (length(a.head()), length(b.head()));
    let shared = sizes_before.0.min(sizes_before.1);
    for (mut cursor, size) in [(heads.0, sizes_before.0), (heads.1, sizes_before.1)] {
        cursor.skip(shared);
        told.alone(cursor, size - shared);
    }
    for segment in [a, b] {
        for piece in segment.pieces() {
            told.alone(segment.cursor(piece), length(piece));
        }
    }
    told.free();
    told.alone(tails.0, sizes.0 - least);
    told.alone(tails.1, sizes.1 - least);
    told.pair(x, y);
    true
}

/// `fixed` has no star, `starred` has.
fn one_starred(fixed: Segment<'_>, starred: Segment<'_>, told: &mut impl Told) -> bool {
    let size = fixed.chars;
    if starred.chars > size {
        return false;
    }
    if size <= 2 {
        return short(fixed, starred, told);
    }
    let head = starred.head();
    let mut at = fixed.cursor(fixed.toks);
    let first = starred.cursor(head);
    if !agree(at, first) {
        return false;
    }
    told.pair(at, first);
    at.skip(length(head));
    // How many characters may still be left out, to the left of the place that is looked at.
    let mut spare = size - starred.chars;
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
    let last = starred.cursor(starred.tail());
    told.alone(at, spare);
    at.skip(spare);
    let found = agree(at, last);
    if found {
        told.pair(at, last);
    }
    found
}

/// Names of one or two characters, by trying all places: not every match will do, since `.` and `..` are no names.
/// `fixed` has no star.
fn short(fixed: Segment<'_>, other: Segment<'_>, told: &mut impl Told) -> bool {
    for mask in 0..1_u8 << fixed.chars {
        if mask.count_ones() as usize == other.chars
            && let Some(name) = placed(fixed, other, mask)
        {
            told.name(&name[..fixed.chars]);
            return true;
        }
    }
    false
}

/// A name where the characters of `other` lie at the places of the mask, and its stars take in the rest.
fn placed(fixed: Segment<'_>, other: Segment<'_>, mask: u8) -> Option<[char; 2]> {
    let mut heads = [(Head::Stop, Head::Stop); 2];
    let mut at = fixed.cursor(fixed.toks);
    let mut over = other.cursor(other.toks);
    let mut star = false;
    for (place, heads) in heads.iter_mut().enumerate().take(fixed.chars) {
        while over.toks.first().is_some_and(is_star) && over.rest.is_empty() {
            star = true;
            over.bump(0);
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
    if fixed.chars == 1 {
        return Some([first[1]?, '/']);
    }
    match (first, second) {
        ([_, Some(a)], [Some(b), _]) | ([Some(a), _], [_, Some(b)]) => Some([a, b]),
        _ => None,
    }
}
