//! The comparison of two patterns: the same three cases as within a segment (`segment.rs`), with segments
//! for characters, and `Deep` for the star. No pair of segments is compared twice, except those of a piece
//! that is tried again at its previous place; so the sum over all pairs of segments bounds the total:
//! `|a| · |b|` characters.

use super::segment::{self, Segment};
use super::shape::{Kind, Seg, Shape};
use std::ops::Range;

/// The receiver of a comparison of two patterns: it gets the segments of a path that both match, in order.
pub(super) trait Told {
    /// Receives a segment of each, matched by one name.
    fn pair(&mut self, _a: Segment<'_>, _b: Segment<'_>) {}
    /// Receives a segment that only one asks for.
    fn alone(&mut self, _segment: Segment<'_>) {}
}

impl Told for () {}

/// Some segments of a shape.
#[derive(Clone)]
struct Part<'a> {
    shape: &'a Shape,
    range: Range<usize>,
}

impl<'a> Part<'a> {
    fn segment(&self, at: usize) -> Segment<'a> {
        Segment::of(self.shape, self.range.start + at)
    }

    fn len(&self) -> usize {
        self.range.len()
    }

    fn sub(&self, range: Range<usize>) -> Self {
        let start = self.range.start;
        Self { shape: self.shape, range: start + range.start..start + range.end }
    }

    fn tell(&self, told: &mut impl Told) {
        for at in 0..self.len() {
            told.alone(self.segment(at));
        }
    }
}

impl Shape {
    fn part(&self, range: Range<usize>) -> Part<'_> {
        Part { shape: self, range }
    }

    /// Returns the parts before the first `Deep` and after the last. Only for a shape that has one.
    fn ends(&self) -> (Part<'_>, Part<'_>) {
        let (first, last) = self.deep.unwrap_or_default();
        (self.part(0..first), self.part(last + 1..self.segs.len()))
    }

    /// Returns the pieces between the first and the last `Deep`.
    fn pieces(&self) -> impl Iterator<Item = Part<'_>> {
        let (mut at, last) = self.deep.unwrap_or_default();
        std::iter::from_fn(move || {
            let start = at + 1;
            at = (start..=last).find(|&at| self.segs[at].kind == Kind::Deep)?;
            Some(self.part(start..at))
        })
    }
}

/// Returns true if a path matches both shapes.
pub(super) fn meet(a: &Shape, b: &Shape, told: &mut impl Told) -> bool {
    match (a.deep.is_some(), b.deep.is_some()) {
        (true, true) => both_deep(a, b, told),
        (false, true) => one_deep(a, b, told),
        (true, false) => one_deep(b, a, told),
        (false, false) => {
            let (a, b) = (a.part(0..a.segs.len()), b.part(0..b.segs.len()));
            a.len() == b.len() && agree(&a, &b) && {
                tell_pairs(&a, &b, told);
                true
            }
        }
    }
}

/// Returns true if segments match one by one. Both parts have the same length.
fn agree(a: &Part<'_>, b: &Part<'_>) -> bool {
    let mut at = 0;
    while at < a.len() {
        let (x, y) = (a.range.start + at, b.range.start + at);
        let run = a.shape.segs[x].run.min(b.shape.segs[y].run).min(a.len() - at);
        if run == 0 {
            if !segment::meet(a.segment(at), b.segment(at), &mut ()) {
                return false;
            }
            at += 1;
        } else {
            // This compares the names and the `/` between them at once.
            if literal(a.shape, x, run) != literal(b.shape, y, run) {
                return false;
            }
            at += run;
        }
    }
    true
}

/// Returns the text of `run` literal segments.
fn literal(shape: &Shape, from: usize, run: usize) -> &[u8] {
    let (first, last): (&Seg, &Seg) = (&shape.segs[from], &shape.segs[from + run - 1]);
    &shape.text.as_bytes()[first.text.0..last.text.1]
}

fn tell_pairs(a: &Part<'_>, b: &Part<'_>, told: &mut impl Told) {
    for at in 0..a.len() {
        told.pair(a.segment(at), b.segment(at));
    }
}

fn both_deep(a: &Shape, b: &Shape, told: &mut impl Told) -> bool {
    let ((a_head, a_tail), (b_head, b_tail)) = (a.ends(), b.ends());
    let heads = a_head.len().min(b_head.len());
    let tails = a_tail.len().min(b_tail.len());
    let (a_rest, b_rest) = (a_tail.len() - tails, b_tail.len() - tails);
    let first = (a_head.sub(0..heads), b_head.sub(0..heads));
    let last = (a_tail.sub(a_rest..a_tail.len()), b_tail.sub(b_rest..b_tail.len()));
    if !agree(&first.0, &first.1) || !agree(&last.0, &last.1) {
        return false;
    }
    tell_pairs(&first.0, &first.1, told);
    a_head.sub(heads..a_head.len()).tell(told);
    b_head.sub(heads..b_head.len()).tell(told);
    a.pieces().chain(b.pieces()).for_each(|piece| piece.tell(told));
    a_tail.sub(0..a_rest).tell(told);
    b_tail.sub(0..b_rest).tell(told);
    tell_pairs(&last.0, &last.1, told);
    true
}

/// Compares `flat`, which has no `Deep`, with `deep`, which has one.
fn one_deep(flat: &Shape, deep: &Shape, told: &mut impl Told) -> bool {
    let (head, tail) = deep.ends();
    let pieces: usize = deep.pieces().map(|piece| piece.len()).sum();
    let all = flat.part(0..flat.segs.len());
    let Some(mut spare) = all.len().checked_sub(head.len() + tail.len() + pieces) else { return false };
    let ends = (all.sub(0..head.len()), all.sub(all.len() - tail.len()..all.len()));
    if !agree(&ends.0, &head) || !agree(&ends.1, &tail) {
        return false;
    }
    tell_pairs(&ends.0, &head, told);
    let mut at = head.len();
    for piece in deep.pieces() {
        while !agree(&all.sub(at..at + piece.len()), &piece) {
            if spare == 0 {
                return false;
            }
            told.alone(all.segment(at));
            at += 1;
            spare -= 1;
        }
        tell_pairs(&all.sub(at..at + piece.len()), &piece, told);
        at += piece.len();
    }
    all.sub(at..at + spare).tell(told);
    tell_pairs(&ends.1, &tail, told);
    true
}
