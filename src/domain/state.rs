//! State: the values that scripts keep between calls, with their keys, scopes and payloads.

use std::fmt;
use std::str::FromStr;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::secret;

/// The scope of a value that does not belong to a particular owner.
pub const GLOBAL: &str = "global";

/// The maximum length of a payload in bytes.
pub const MAX_PAYLOAD: usize = 1 << 20;
const MAX_KEY: usize = 200;
const MAX_DEPTH: usize = 20;
const MAX_STRING: usize = 100 * 1024;
const MAX_MEMBER: usize = 1000;
const MAX_ARRAY: usize = 10_000;

/// The name of a value: dot-separated segments, the first of them a plain word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(String);

impl FromStr for Key {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("key must not be empty".to_owned());
        }
        if text.len() > MAX_KEY {
            return Err(format!("key too long: {} chars (max {MAX_KEY})", text.len()));
        }
        let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_' || c == b'-';
        let (first, rest) = text.split_once('.').map_or((text, None), |(first, rest)| (first, Some(rest)));
        let starts = first.as_bytes().first().is_some_and(u8::is_ascii_lowercase) && first.bytes().all(plain);
        let goes_on = rest.is_none_or(|rest| {
            !rest.is_empty()
                && !rest.ends_with('.')
                && rest.bytes().all(|c| plain(c) || c == b'.' || c == b':')
        });
        if starts && goes_on {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!(
                "invalid key \"{text}\": must be lowercase alphanumeric with optional dot-separated segments (e.g., \
                 'dispatch', 'sprint.checkpoint')"
            ))
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The owner of a value or a sentinel: text on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope(String);

impl Scope {
    /// Returns the global scope.
    pub fn global() -> Self {
        Self(GLOBAL.to_owned())
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            Err("must not be empty".to_owned())
        } else if text.chars().any(char::is_control) {
            Err("must not contain control characters".to_owned())
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

/// The reason to refuse a payload.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// Too many bytes.
    #[error("payload too large: {0} bytes (max {MAX_PAYLOAD})")]
    TooLarge(usize),
    /// Not exactly one JSON value.
    #[error("invalid JSON payload")]
    NotJson,
    /// An object that the parser would take for a number.
    #[error("JSON object key not allowed: {NUMBER}")]
    Number,
    /// Looks like a secret; the message does not repeat it.
    #[error("payload contains a likely secret value; store variable names for provenance, not secret values")]
    Secret,
    /// Arrays and objects too deep.
    #[error("JSON nesting too deep: >{MAX_DEPTH} levels")]
    TooDeep,
    /// A string too long.
    #[error("JSON string value too long: {0} bytes (max {MAX_STRING})")]
    LongString(usize),
    /// A member's name too long.
    #[error("JSON object key too long: {0} bytes (max {MAX_MEMBER})")]
    LongMember(usize),
    /// An array too long.
    #[error("JSON array too long: >{MAX_ARRAY} elements")]
    LongArray,
}

/// Checks a payload of JSON; the order of the checks is part of the interface.
///
/// # Errors
/// The first [`PayloadError`] that applies.
pub fn check_json(text: &str) -> Result<(), PayloadError> {
    check_size(text)?;
    let mut found = Found::default();
    let mut json = serde_json::Deserializer::from_str(text);
    let walk = Walk { found: &mut found, depth: 0, member: None };
    let parsed = walk.deserialize(&mut json).and_then(|()| json.end());
    if parsed.is_err() {
        // The parser's own limit is beyond ours.
        return Err(if found.deepest > MAX_DEPTH * 2 {
            PayloadError::TooDeep
        } else {
            PayloadError::NotJson
        });
    }
    if found.secret {
        return Err(PayloadError::Secret);
    }
    if found.numbers != numbers(text) {
        return Err(PayloadError::Number);
    }
    if found.deepest > MAX_DEPTH {
        return Err(PayloadError::TooDeep);
    }
    if found.longest_string > MAX_STRING {
        return Err(PayloadError::LongString(found.longest_string));
    }
    if found.longest_member > MAX_MEMBER {
        return Err(PayloadError::LongMember(found.longest_member));
    }
    if found.longest_array > MAX_ARRAY {
        return Err(PayloadError::LongArray);
    }
    Ok(())
}

/// Returns the number of numbers in a JSON document: outside its strings, nothing else has digits.
fn numbers(text: &str) -> usize {
    let (mut found, mut in_string, mut escaped, mut before) = (0, false, false, b' ');
    for byte in text.bytes() {
        match byte {
            b'"' if !escaped => in_string = !in_string,
            b'-' | b'0'..=b'9' if !in_string => {
                found += usize::from(!matches!(before, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
            }
            _ => {}
        }
        escaped = byte == b'\\' && !escaped;
        before = byte;
    }
    found
}

/// Returns true if a text contains a secret, or is a JSON document that contains one.
pub fn holds_secret(text: &str) -> bool {
    if is_secret(text) {
        return true;
    }
    let mut found = Found::default();
    if text.trim_start().starts_with(['{', '[', '"']) {
        // A text that is not JSON has been checked as text above.
        let walk = Walk { found: &mut found, depth: 0, member: None };
        let _ = walk.deserialize(&mut serde_json::Deserializer::from_str(text));
    }
    found.secret
}

/// Checks a payload of any text.
///
/// # Errors
/// [`PayloadError::TooLarge`] and [`PayloadError::Secret`].
pub fn check_raw(text: &str) -> Result<(), PayloadError> {
    check_size(text)?;
    if is_secret(text) { Err(PayloadError::Secret) } else { Ok(()) }
}

/// Checks a payload that is not JSON: the part of it that can be parsed as JSON must not hold a secret
/// either.
///
/// # Errors
/// Fails as [`check_raw`] does.
pub fn check_text(text: &str) -> Result<(), PayloadError> {
    check_size(text)?;
    if holds_secret(text) { Err(PayloadError::Secret) } else { Ok(()) }
}

fn is_secret(text: &str) -> bool {
    secret::begins_with_token(text) || secret::has_token(text) || secret::has_assignment(text)
}

fn check_size(text: &str) -> Result<(), PayloadError> {
    if text.len() > MAX_PAYLOAD { Err(PayloadError::TooLarge(text.len())) } else { Ok(()) }
}

#[derive(Default)]
struct Found {
    secret: bool,
    numbers: usize,
    deepest: usize,
    longest_string: usize,
    longest_member: usize,
    longest_array: usize,
}

/// The walk over a document as it is written, including members that a later one of the same name would hide.
struct Walk<'a> {
    found: &'a mut Found,
    depth: usize,
    member: Option<&'a str>,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// The member by which `serde_json` passes a number that it keeps as written.
const NUMBER: &str = "$serde_json::private::Number";

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.found.numbers += 1;
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        self.found.numbers += 1;
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.found.numbers += 1;
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.found.longest_string = self.found.longest_string.max(text.len());
        self.found.secret |=
            is_secret(text) || self.member.is_some_and(|name| secret::is_secret_member(name, text));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let depth = self.depth + 1;
        self.found.deepest = self.found.deepest.max(depth);
        let mut length = 0;
        while seq.next_element_seed(Walk { found: self.found, depth, member: self.member })?.is_some() {
            length += 1;
        }
        self.found.longest_array = self.found.longest_array.max(length);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut depth = self.depth + 1;
        let mut first = true;
        while let Some(name) = map.next_key::<String>()? {
            if first && name == NUMBER {
                depth -= 1;
                self.found.numbers += 1;
            }
            first = false;
            self.found.deepest = self.found.deepest.max(depth);
            self.found.longest_member = self.found.longest_member.max(name.len());
            self.found.secret |= is_secret(&name);
            map.next_value_seed(Walk { found: self.found, depth, member: Some(&name) })?;
        }
        if first {
            self.found.deepest = self.found.deepest.max(depth);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_follow_their_grammar() {
        for good in ["a", "a_b", "a-b", "a.b", "a..b", "a.b.c:d", &"a".repeat(200)] {
            assert!(good.parse::<Key>().is_ok(), "{good}");
        }
        for bad in ["A", "1a", ".a", "a.", "a.B", "a b", "", &"a".repeat(201)] {
            assert!(bad.parse::<Key>().is_err(), "{bad}");
        }
        assert!(
            "a\tb".parse::<Scope>().is_err()
                && "".parse::<Scope>().is_err()
                && "é b".parse::<Scope>().is_ok()
        );
    }

    #[test]
    fn limits_hold_at_their_edges() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        let objects = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        let string = |length: usize| format!("\"{}\"", "x".repeat(length));
        let array = |length: usize, item: &str| format!("[{}]", vec![item; length].join(","));
        for (good, bad, expected) in [
            (nested(20), nested(21), PayloadError::TooDeep),
            (objects(20), objects(21), PayloadError::TooDeep),
            (nested(20), nested(500), PayloadError::TooDeep),
            (objects(20), objects(500), PayloadError::TooDeep),
            (string(102_400), string(102_401), PayloadError::LongString(102_401)),
            (array(10_000, "1"), array(10_001, "1"), PayloadError::LongArray),
            (array(10_000, "[]"), array(10_001, "[]"), PayloadError::LongArray),
            (
                format!("{{{}:1}}", string(1000)),
                format!("{{{}:1}}", string(1001)),
                PayloadError::LongMember(1001),
            ),
            (string(10), " ".repeat(MAX_PAYLOAD + 1), PayloadError::TooLarge(MAX_PAYLOAD + 1)),
        ] {
            assert_eq!(check_json(&good), Ok(()));
            assert_eq!(check_json(&bad), Err(expected));
        }
        for bad in ["", "{", "1 2", "nope", "{'a':1}", "[1,]"] {
            assert_eq!(check_json(bad), Err(PayloadError::NotJson), "{bad}");
        }
        for hidden in
            ["{\"$serde_json::private::Number\":\"1\"}", "[1,{\"\\u0024serde_json::private::Number\":{}}]"]
        {
            assert_eq!(check_json(hidden), Err(PayloadError::Number), "{hidden}");
        }
        let many = r#"[-1.5E+7,0,{"a 1\\\"2":-0,"3\\\\":1e-3},true,null,[4]]"#;
        assert_eq!((check_json(many), numbers(many)), (Ok(()), 5));
        for good in ["1e400", "-0.10", "\"\\u0000\"", "null", "{\"a\":1,\"a\":2}"] {
            assert_eq!(check_json(good), Ok(()), "{good}");
        }
    }

    /// K-16: keys, values, members and duplicates; nothing of it is said.
    #[test]
    fn secrets_are_refused_wherever_they_stand() {
        let token = "sk-a1B2c3D4e5F6g7H8i9J0k1L2";
        for bad in [
            format!("\"{token}\""),
            "\"sk-abcdefghijklmnopqrstuvwxyz\"".to_owned(),
            format!("{{\"{token}\":1}}"),
            format!("{{\"a\":1,\"{token}\":1}}"),
            format!("{{\"a\":\"{token}\",\"a\":1}}"),
            format!("[[\"x {token}\"]]"),
            "{\"password\":\"hunter2hunter2\"}".to_owned(),
            "{\"password\":[\"hunter2hunter2\"]}".to_owned(),
            "{\"note\":\"password: hunter2hunter2\"}".to_owned(),
        ] {
            assert_eq!(check_json(&bad), Err(PayloadError::Secret), "{bad}");
        }
        assert!(!PayloadError::Secret.to_string().contains("sk-"));
        assert_eq!(check_raw(token), Err(PayloadError::Secret));
        for bad in [
            token,
            "{\"db_password\":\"hunter2hunter2\"}",
            "[\"password: hunter2hunter2\"]",
            "x token=abcdefg1",
        ] {
            assert!(holds_secret(bad), "{bad}");
        }
        assert!(!holds_secret("{\"a\":[1]}") && !holds_secret("[not json") && !holds_secret("words"));
        assert_eq!(check_raw("any text, {not json"), Ok(()));
    }
}
