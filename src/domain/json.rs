//! The positions of the values in a JSON document. One value can be changed and every other byte stays,
//! because the document is never printed anew.

use std::fmt::Write as _;
use std::ops::Range;

/// A value with its position in the text.
#[derive(Clone, Debug)]
pub struct Node {
    pub span: Range<usize>,
    pub kind: Kind,
}

/// The kind of a value.
#[derive(Clone, Debug)]
pub enum Kind {
    /// An object with its members in order; a key may occur twice.
    Object(Vec<Member>),
    Array(Vec<Node>),
    /// A string, a number, `true`, `false` or `null`.
    Scalar,
}

/// A member of an object.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its key, decoded.
    pub key: String,
    /// The key's bytes, with its quotes.
    pub at: Range<usize>,
    pub value: Node,
}

impl Node {
    /// Returns the members, if it is an object.
    pub fn members(&self) -> &[Member] {
        match &self.kind {
            Kind::Object(members) => members,
            _ => &[],
        }
    }

    /// Returns the elements, if it is an array.
    pub fn elements(&self) -> Option<&[Node]> {
        match &self.kind {
            Kind::Array(elements) => Some(elements),
            _ => None,
        }
    }

    /// Returns the member that counts: the last one if a key occurs twice.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.members().iter().rfind(|member| member.key == key).map(|member| &member.value)
    }

    /// Returns the text, if it is a string.
    pub fn text(&self, text: &str) -> Option<String> {
        serde_json::from_str(&text[self.span.clone()]).ok()
    }

    /// Returns the number, if it is a whole one, or a string of its digits.
    pub fn number(&self, text: &str) -> Option<u64> {
        let raw = &text[self.span.clone()];
        raw.trim_matches('"').parse().ok().filter(|_| matches!(self.kind, Kind::Scalar))
    }
}

/// The search for the end of an object that arrives in pieces. Only brackets and strings are parsed.
#[derive(Debug, Default)]
pub struct ObjectEnd {
    at: usize,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl ObjectEnd {
    /// Scans the bytes that have arrived since the last call; `bytes` holds all of them. Returns the length
    /// of the object once it is complete.
    ///
    /// # Errors
    /// If `bytes` does not begin with an object.
    pub fn find(&mut self, bytes: &[u8]) -> Result<Option<usize>, &'static str> {
        while let Some(byte) = bytes.get(self.at) {
            self.at += 1;
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' if self.depth > 0 => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' if self.depth > 0 || *byte == b'{' => self.depth += 1,
                b'}' | b']' if self.depth > 1 => self.depth -= 1,
                b'}' | b']' if self.depth == 1 => return Ok(Some(self.at)),
                b' ' | b'\t' | b'\n' | b'\r' => {}
                _ if self.depth == 0 => return Err("it is no object"),
                _ => {}
            }
        }
        Ok(None)
    }
}

/// Parses a document.
///
/// # Errors
/// A message with the position if the text is not JSON.
pub fn scan(text: &str) -> Result<Node, String> {
    // This parser is strict, and refuses a document that is too deep for the walk below, which only finds the
    // positions. (Parsing into `IgnoredAny` would be cheaper, but has no depth limit.)
    serde_json::from_str::<serde_json::Value>(text).map_err(|err| err.to_string())?;
    let mut walk = Walk { text, at: 0 };
    walk.blanks();
    walk.value().ok_or_else(|| "no value".to_owned())
}

struct Walk<'a> {
    text: &'a str,
    at: usize,
}

impl Walk<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Skips a sign if it comes next, and returns whether it did.
    fn takes(&mut self, sign: u8) -> bool {
        self.blanks();
        let found = self.peek() == Some(sign);
        self.at += usize::from(found);
        found
    }

    fn string(&mut self) -> Range<usize> {
        let start = self.at;
        self.at += 1;
        while let Some(byte) = self.peek() {
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                break;
            }
        }
        start..self.at
    }

    fn value(&mut self) -> Option<Node> {
        self.blanks();
        let start = self.at;
        let kind = match self.peek()? {
            b'{' => {
                self.at += 1;
                let mut members = Vec::new();
                while !self.takes(b'}') {
                    self.takes(b',');
                    self.blanks();
                    let at = self.string();
                    let key = serde_json::from_str(&self.text[at.clone()]).ok()?;
                    self.takes(b':');
                    members.push(Member { key, at, value: self.value()? });
                }
                Kind::Object(members)
            }
            b'[' => {
                self.at += 1;
                let mut elements = Vec::new();
                while !self.takes(b']') {
                    self.takes(b',');
                    elements.push(self.value()?);
                }
                Kind::Array(elements)
            }
            b'"' => {
                self.string();
                Kind::Scalar
            }
            _ => {
                while self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)) {
                    self.at += 1;
                }
                Kind::Scalar
            }
        };
        Some(Node { span: start..self.at, kind })
    }
}

/// Returns a string as JSON; with `ascii`, everything else as `\u` escapes.
pub fn quoted(text: &str, ascii: bool) -> String {
    let plain = serde_json::Value::from(text).to_string();
    if !ascii || plain.is_ascii() {
        return plain;
    }
    let mut out = String::with_capacity(plain.len() * 2);
    for c in plain.chars() {
        if c.is_ascii() {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(out, "\\u{unit:04x}"); // writing to a `String` cannot fail
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// TS-17
    #[test]
    fn places_are_found_in_any_style() {
        let text = "\n{ \"a\\u0062\":[1,2 , {}],\"n\": -13.0e+5,\n\t\"s\":\"q\\\"}]\", \"k\":1,\"k\":2 }\n";
        let root = scan(text).unwrap();
        assert_eq!(&text[root.span.clone()], text.trim());
        assert_eq!(root.get("ab").unwrap().elements().unwrap().len(), 3);
        assert_eq!(&text[root.get("n").unwrap().span.clone()], "-13.0e+5");
        assert_eq!(root.get("s").unwrap().text(text).unwrap(), "q\"}]");
        assert_eq!(root.get("k").unwrap().number(text), Some(2), "the last one counts");
        assert_eq!(root.get("n").unwrap().number(text), None);
        assert!(scan("[]").unwrap().elements().unwrap().is_empty());
    }

    /// TS-06
    #[test]
    fn what_is_no_json_is_refused_with_its_place() {
        for (text, place) in [
            ("{\n  \"a\": [1,\n  ]\n}", "line 3 column 3"),
            ("{\"a\": 1} {\"b\": 2}", "line 1 column 10"),
            ("{\"a\": ", "line 1 column 6"),
            ("", "line 1 column 0"),
            (&"[".repeat(100_000), "recursion limit exceeded"),
        ] {
            let err = scan(text).unwrap_err();
            assert!(err.contains(place), "{text:?}: {err}");
        }
    }

    #[test]
    fn an_object_ends_where_its_braces_close() {
        let text = " \n{\"a\": \"}\\\"]{\\\\\", \"b\": [{}, \"\\\\\"], \"c\": {\"d\": 1}} {";
        let end = text.len() - 2;
        assert_eq!(ObjectEnd::default().find(text.as_bytes()), Ok(Some(end)));
        let mut piecewise = ObjectEnd::default();
        for length in 0..end {
            assert_eq!(piecewise.find(&text.as_bytes()[..length]), Ok(None), "{length}");
        }
        assert_eq!(piecewise.find(text.as_bytes()), Ok(Some(end)));
        for other in ["[]", "null", "\"{}\"", "\u{feff}{}", "}"] {
            assert!(ObjectEnd::default().find(other.as_bytes()).is_err(), "{other}");
        }
    }

    #[test]
    fn strings_in_the_file_s_own_style() {
        assert_eq!(quoted("φ\"", false), "\"φ\\\"\"");
        assert_eq!(quoted("φ🦀", true), "\"\\u03c6\\ud83e\\udd80\"");
    }
}
