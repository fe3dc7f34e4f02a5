//! A path that two patterns both cover, built from their comparison.

use super::cursor::{self, Cursor, Head};
use super::overlap;
use super::segment::{self, Segment};
use super::shape::Shape;

/// Returns a path that matches both shapes.
pub(super) fn path(a: &Shape, b: &Shape) -> Option<String> {
    let mut path = Path(String::new());
    overlap::meet(a, b, &mut path).then_some(path.0)
}

struct Path(String);

impl Path {
    fn push(&mut self, name: &str) {
        if !self.0.is_empty() {
            self.0.push('/');
        }
        self.0.push_str(name);
    }
}

impl overlap::Told for Path {
    fn pair(&mut self, a: Segment<'_>, b: Segment<'_>) {
        let mut name = Name { text: String::new(), free: None };
        segment::meet(a, b, &mut name);
        self.push(&name.finish());
    }

    fn alone(&mut self, segment: Segment<'_>) {
        self.pair(segment, segment::NAME);
    }
}

struct Name {
    text: String,
    /// The place where any text may be inserted.
    free: Option<usize>,
}

impl Name {
    /// Returns the name, with a character inserted if it would not be a valid name.
    fn finish(mut self) -> String {
        if let (Some(at), "" | "." | "..") = (self.free, self.text.as_str()) {
            self.text.insert(at, 'x');
        }
        self.text
    }
}

impl segment::Told for Name {
    fn pair(&mut self, mut a: Cursor<'_>, mut b: Cursor<'_>) {
        while !matches!(a.head(), Head::Stop) && !matches!(b.head(), Head::Stop) {
            // This is called only where the two agree.
            self.text.extend(cursor::pick(a.head(), b.head(), true));
            a.next();
            b.next();
        }
    }

    fn alone(&mut self, mut at: Cursor<'_>, chars: usize) {
        for _ in 0..chars {
            self.text.extend(cursor::pick(at.head(), Head::Stop, true));
            at.next();
        }
    }

    fn free(&mut self) {
        self.free = Some(self.text.len());
    }

    fn name(&mut self, name: &[char]) {
        self.text.extend(name);
    }
}
