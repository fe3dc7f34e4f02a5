//! Small rules about text: which text may be stored, and its form on one line.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::str::FromStr;

/// Text that is empty although a value is required.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must not be empty")]
pub struct Empty;

/// Text with at least one character that is not white space: a goal, a reason, a path.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Required(String);

impl Required {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Required {
    type Err = Empty;

    fn from_str(text: &str) -> Result<Self, Empty> {
        if text.trim().is_empty() { Err(Empty) } else { Ok(Self(text.to_owned())) }
    }
}

impl fmt::Display for Required {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Replaces every control character (such as tabs, newlines and escapes) and every direction mark by a space,
/// so that the text cannot break line-oriented output. JSON output keeps the text as stored.
pub fn one_line(text: &str) -> Cow<'_, str> {
    if text.chars().any(breaks_a_line) {
        Cow::Owned(text.chars().map(|c| if breaks_a_line(c) { ' ' } else { c }).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// Quotes an argument for a shell, if needed.
pub fn shell_word(arg: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,→@%+".contains(c);
    if !arg.is_empty() && arg.chars().all(plain) {
        Cow::Borrowed(arg)
    } else {
        Cow::Owned(format!("'{}'", arg.replace('\'', "'\\''")))
    }
}

/// Returns true if a character breaks a line, or changes the display of the characters around it.
fn breaks_a_line(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns a JSON document with such characters escaped, also where JSON itself does not require it: the same
/// document, and safe to print. Between the strings of a document they occur only as white space, which
/// stays.
pub fn escaped_json(text: &str) -> Cow<'_, str> {
    let steers = |c: char| c > '\u{7e}' && breaks_a_line(c);
    if text.is_ascii() && !text.contains('\u{7f}') || !text.chars().any(steers) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if steers(c) {
            // All of them have four digits. Writing to a `String` cannot fail.
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Returns bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}"); // writing to a `String` cannot fail
        out
    })
}

/// Returns a text that need not be UTF-8, with each invalid byte as `\xNN`.
pub fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// K-08
    #[test]
    fn one_line_has_no_control_characters() {
        assert_eq!(one_line("plain → text"), "plain → text");
        assert_eq!(one_line("a\tb\nc\u{1b}[31m\u{202e}d"), "a b c [31m d");
    }

    /// K-08
    #[test]
    fn json_can_be_looked_at() {
        let hostile = "\u{7f}\u{9b}31m\u{85}\u{202e}\u{2028}\u{61c} é → 🦀";
        let text = serde_json::to_string(hostile).unwrap();
        let escaped = escaped_json(&text);
        assert!(!escaped.chars().any(breaks_a_line) && escaped.contains("é → 🦀"), "{escaped}");
        assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), hostile);
        assert!(matches!(escaped_json("{\"a\": \"é\"}\n"), Cow::Borrowed(_)));
    }

    #[test]
    fn blank_text_is_not_something_said() {
        assert_eq!(" \t".parse::<Required>(), Err(Empty));
        assert_eq!(" x ".parse::<Required>().unwrap().as_str(), " x ");
    }
}
