//! Reading a pattern: its grammar, canonical form and limits.

use super::class::Class;
use super::error::{MAX_BYTES, MAX_WILDCARDS, PatternError};
use super::segment;
use super::shape::{Kind, Shape, Tok};
use std::borrow::Cow;

/// A pattern that was read.
pub(super) struct Parsed {
    /// Canonical.
    pub text: String,
    /// Whether it has no wildcards.
    pub literal: bool,
    pub shape: Shape,
}

impl Shape {
    /// Parses a segment and adds its canonical text to `out`. `.` adds nothing.
    fn segment(&mut self, raw: &str, out: &mut String) -> Result<(), PatternError> {
        let (kept, written) = (self.text.len(), out.len());
        if !self.segs.is_empty() {
            self.text.push('/');
        }
        if !out.is_empty() {
            out.push('/');
        }
        let (first, start) = (self.toks.len(), self.text.len());
        let mut rest = raw;
        while let Some(&byte) = rest.as_bytes().first() {
            if !is_special(byte) {
                let end = rest.bytes().position(is_special).unwrap_or(rest.len());
                self.literal(first, &rest[..end]);
                out.push_str(&rest[..end]);
                rest = &rest[end..];
                continue;
            }
            rest = &rest[1..];
            match byte {
                b'*' => {
                    self.wildcards += 1;
                    if !matches!(self.toks[first..].last(), Some(Tok::Star)) {
                        self.toks.push(Tok::Star);
                        out.push('*');
                    }
                }
                b'?' => {
                    self.wildcards += 1;
                    self.toks.push(Tok::Any);
                    out.push('?');
                }
                b'[' => {
                    self.wildcards += 1;
                    let (class, length) = Class::parse(rest)?;
                    self.toks.push(Tok::Class(self.classes.len()));
                    self.classes.push(class);
                    out.push('[');
                    out.push_str(&rest[..length].replacen('^', "!", usize::from(rest.starts_with('^'))));
                    rest = &rest[length..];
                }
                _ => {
                    let c = rest.chars().next().ok_or(PatternError::Escape)?;
                    self.literal(first, &rest[..c.len_utf8()]);
                    rest = &rest[c.len_utf8()..];
                    push_escaped(out, c);
                }
            }
        }
        let literal = matches!(self.toks[first..], [Tok::Lit { .. }]);
        match &self.text[start..] {
            ".." if literal => return Err(PatternError::Parent),
            "." if literal => {
                self.text.truncate(kept);
                self.toks.truncate(first);
                out.truncate(written);
                return Ok(());
            }
            _ => {}
        }
        self.add(if literal { Kind::Literal } else { Kind::Glob }, first, start);
        Ok(())
    }
}

pub(super) fn pattern(text: &str) -> Result<Parsed, PatternError> {
    if text.is_empty() {
        return Err(PatternError::Empty);
    }
    if text.len() > MAX_BYTES {
        return Err(PatternError::TooLong(text.len()));
    }
    if text.starts_with('/') {
        return Err(PatternError::Outside);
    }
    if text.contains('\0') {
        return Err(PatternError::Nul);
    }
    let mut shape = Shape::default();
    let mut out = String::with_capacity(text.len());
    for raw in text.split('/') {
        match raw {
            "" | "." => {}
            "**" => {
                shape.wildcards += 2;
                if shape.segs.last().is_none_or(|seg| seg.kind != Kind::Deep) {
                    out.push_str(if out.is_empty() { "**" } else { "/**" });
                }
                shape.deepen();
            }
            _ => shape.segment(raw, &mut out)?,
        }
    }
    if shape.wildcards > MAX_WILDCARDS {
        return Err(PatternError::TooMany(shape.wildcards));
    }
    let literal = !shape.segs.is_empty() && shape.segs.iter().all(|seg| seg.kind == Kind::Literal);
    match shape.segs.last().map(|seg| seg.kind) {
        None => {
            out.push_str("**");
            shape.any_name();
            shape.deepen();
        }
        // This covers the paths below the directory, but not the directory itself.
        Some(Kind::Deep) => {
            shape.segs.pop();
            shape.any_name();
            shape.deepen();
        }
        Some(_) if literal => shape.deepen(),
        Some(_) if text.ends_with('/') || text.ends_with("/.") => {
            out.push('/');
            shape.deepen();
        }
        Some(_) => {}
    }
    shape.finish();
    if let Some(at) = (0..shape.segs.len()).find(|&at| !segment::possible(&shape, at)) {
        return Err(PatternError::Nothing(at + 1));
    }
    Ok(Parsed { text: out, literal, shape })
}

/// Returns the shape of one path, which covers nothing but itself. `None` if it is not a path below the
/// scope.
pub(super) fn path(text: &str) -> Option<Shape> {
    let mut shape = Shape::default();
    if text.starts_with('/') || text.contains('\0') {
        return None;
    }
    for name in text.split('/').filter(|name| !matches!(*name, "" | ".")) {
        shape.segment(&escape(name), &mut String::new()).ok()?;
    }
    shape.finish();
    (!shape.segs.is_empty()).then_some(shape)
}

/// Returns the part of an absolute pattern below the scope; any other pattern as it is.
pub(super) fn within<'a>(scope: &str, text: &'a str) -> Result<&'a str, PatternError> {
    if text.len() > MAX_BYTES {
        return Err(PatternError::TooLong(text.len()));
    }
    if !text.starts_with('/') {
        return Ok(text);
    }
    if !scope.starts_with('/') {
        return Err(PatternError::Outside);
    }
    let mut rest = text;
    for name in scope.split('/').filter(|name| !name.is_empty()) {
        rest = after_separators(rest);
        let end = rest.find('/').unwrap_or(rest.len());
        if !is_literally(&rest[..end], name) {
            return Err(PatternError::Outside);
        }
        rest = &rest[end..];
    }
    let rest = after_separators(rest);
    Ok(if rest.is_empty() { "." } else { rest })
}

/// Returns the text after leading `/` and `/./`.
fn after_separators(text: &str) -> &str {
    let mut rest = text.trim_start_matches('/');
    while let Some(next) = rest.strip_prefix("./") {
        rest = next.trim_start_matches('/');
    }
    rest
}

/// Returns true if a segment of a pattern is exactly this name.
fn is_literally(raw: &str, name: &str) -> bool {
    plain_name(raw).is_some_and(|plain| plain == name)
}

/// Returns the name of a segment without wildcards.
fn plain_name(raw: &str) -> Option<String> {
    let mut plain = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        match c {
            '*' | '?' | '[' => return None,
            '\\' => plain.push(chars.next()?),
            c => plain.push(c),
        }
    }
    Some(plain)
}

/// Parses the leading part of a text that is a plain directory, or returns the pattern of everything.
pub(super) fn widened(text: &str) -> Parsed {
    let mut dir = String::new();
    for raw in text.split('/') {
        match plain_name(raw).as_deref() {
            _ if text.starts_with('/') || dir.len() + raw.len() > MAX_BYTES - 2 => break,
            Some("" | ".") => {}
            Some(name) if name != ".." && !name.contains('\0') => {
                dir.push_str(raw);
                dir.push('/');
            }
            _ => break,
        }
    }
    // `..` leaves the directory, so the path may lead anywhere.
    if text.split('/').any(|raw| plain_name(raw).as_deref() == Some("..")) {
        dir.clear();
    }
    if let Ok(pattern) = pattern(&dir) {
        return pattern;
    }
    let mut shape = Shape::default();
    shape.any_name();
    shape.deepen();
    shape.finish();
    Parsed { text: "**".to_owned(), literal: false, shape }
}

/// Returns the path as a pattern, with wildcards escaped.
pub(super) fn escape(path: &str) -> Cow<'_, str> {
    if !path.bytes().any(is_special) {
        return Cow::Borrowed(path);
    }
    let mut out = String::with_capacity(path.len() + 8);
    path.chars().for_each(|c| push_escaped(&mut out, c));
    Cow::Owned(out)
}

/// Returns true if a byte has a special meaning.
fn is_special(byte: u8) -> bool {
    matches!(byte, b'*' | b'?' | b'[' | b'\\')
}

fn push_escaped(out: &mut String, c: char) {
    if u8::try_from(c).is_ok_and(is_special) {
        out.push('\\');
    }
    out.push(c);
}
