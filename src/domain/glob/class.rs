//! Sets of characters, for the brackets in a pattern.

use super::error::PatternError;
use crate::domain::order;

/// A set of characters, without `/` and NUL, which no name contains.
#[derive(Clone, Debug)]
pub(super) struct Class {
    /// The members below 128, one bit for each.
    ascii: u128,
    /// Sorted and disjoint, with both ends included.
    ranges: Vec<(u32, u32)>,
}

const LAST: u32 = char::MAX as u32;

impl Class {
    /// Parses the text after `[` in a segment. Returns the set, and its length in bytes including the `]`.
    pub(super) fn parse(text: &str) -> Result<(Self, usize), PatternError> {
        let mut chars = text.char_indices().peekable();
        let negated = chars.next_if(|&(_, c)| c == '!' || c == '^').is_some();
        let mut members = Vec::new();
        loop {
            let (at, c) = chars.next().ok_or(PatternError::Unclosed)?;
            if c == ']' && !members.is_empty() {
                return Ok((Self::new(members, negated), at + 1));
            }
            let low = if c == '\\' { chars.next().ok_or(PatternError::Unclosed)?.1 } else { c };
            let mut ahead = chars.clone();
            let mut high = low;
            if ahead.next().is_some_and(|(_, c)| c == '-') && ahead.peek().is_some_and(|&(_, c)| c != ']') {
                chars = ahead;
                high = match chars.next() {
                    Some((_, '\\')) => chars.next().ok_or(PatternError::Unclosed)?.1,
                    Some((_, c)) => c,
                    None => return Err(PatternError::Unclosed),
                };
                if high < low {
                    return Err(PatternError::Range(low, high));
                }
            }
            members.push((u32::from(low), u32::from(high)));
        }
    }

    fn new(mut members: Vec<(u32, u32)>, negated: bool) -> Self {
        order::natural(&mut members);
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(members.len());
        for (low, high) in members {
            match merged.last_mut() {
                Some(last) if low <= last.1 + 1 => last.1 = last.1.max(high),
                _ => merged.push((low, high)),
            }
        }
        // The set is complemented on both ways, so that characters that never occur in a name can be added in
        // between.
        let mut outside = if negated { merged } else { complement(&merged) };
        let slash = u32::from('/');
        outside.extend([(0, 0), (slash, slash), (0xd800, 0xdfff)]);
        order::natural(&mut outside);
        let ranges = complement(&outside);
        let ascii = ranges
            .iter()
            .take_while(|range| range.0 < 128)
            .flat_map(|&(low, high)| low..=high.min(127))
            .fold(0, |bits, c| bits | 1 << c);
        Self { ascii, ranges }
    }

    pub(super) fn contains(&self, c: char) -> bool {
        let c = u32::from(c);
        if c < 128 {
            return self.ascii >> c & 1 == 1;
        }
        let at = self.ranges.partition_point(|&(_, high)| high < c);
        self.ranges.get(at).is_some_and(|&(low, _)| low <= c)
    }

    /// Returns the intersection as ranges.
    fn common<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = (u32, u32)> + 'a {
        let (mut i, mut j) = (0, 0);
        std::iter::from_fn(move || {
            while let (Some(a), Some(b)) = (self.ranges.get(i), other.ranges.get(j)) {
                let both = (a.0.max(b.0), a.1.min(b.1));
                if a.1 < b.1 {
                    i += 1;
                } else {
                    j += 1;
                }
                if both.0 <= both.1 {
                    return Some(both);
                }
            }
            None
        })
    }

    pub(super) fn meets(&self, other: &Self) -> bool {
        self.ascii & other.ascii != 0 || self.common(other).next().is_some()
    }

    /// Returns a character that is in both, a small letter if possible, and a full stop only if `dot`.
    pub(super) fn pick(&self, other: &Self, dot: bool) -> Option<char> {
        let dot = |c: &char| dot || *c != '.';
        let good = ('a'..='z').chain('A'..='Z').chain('0'..='9').chain('!'..='~');
        let any = self.common(other).flat_map(|(low, high)| [Some(low), Some(high), low.checked_add(1)]);
        let any = any.flatten().filter_map(char::from_u32);
        good.chain(any).filter(dot).find(|&c| self.contains(c) && other.contains(c))
    }
}

/// Returns the gaps between sorted ranges.
fn complement(ranges: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let mut out = Vec::with_capacity(ranges.len() + 1);
    let mut next = 0;
    for &(low, high) in ranges {
        if next < low {
            out.push((next, low - 1));
        }
        next = next.max(high + 1);
    }
    if next <= LAST {
        out.push((next, LAST));
    }
    out
}
