//! Lossless JSON: members keep their order, and scalars keep their text. Only white space is normalized, to
//! two spaces per level, as `jq .` prints it.

use std::fmt::Write as _;

use serde_json::Value;

use crate::domain::json::{self, Kind, Member, Node};

/// A JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// A string, number, boolean or null, as it was written.
    Scalar(String),
    /// A list of values.
    Array(Vec<Json>),
    /// Members in their order. Keys are as they were written, with their quotes.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads a document.
    ///
    /// # Errors
    /// A description of the fault, and its place.
    pub fn parse(text: &str) -> Result<Self, String> {
        Ok(Self::of(&json::scan(text)?, text))
    }

    fn of(node: &Node, text: &str) -> Self {
        match &node.kind {
            Kind::Object(members) => {
                let each =
                    |member: &Member| (text[member.at.clone()].to_owned(), Self::of(&member.value, text));
                Self::Object(members.iter().map(each).collect())
            }
            Kind::Array(items) => Self::Array(items.iter().map(|item| Self::of(item, text)).collect()),
            Kind::Scalar => Self::Scalar(text[node.span.clone()].to_owned()),
        }
    }

    /// Makes a string.
    pub fn string(text: &str) -> Self {
        // `jq` escapes this character, too. Every other control character is escaped already.
        Self::Scalar(Value::from(text).to_string().replace('\u{7f}', "\\u007f"))
    }

    /// Makes a whole number.
    pub fn number(number: i64) -> Self {
        Self::Scalar(number.to_string())
    }

    /// Makes a list of strings.
    pub fn strings(texts: &[String]) -> Self {
        Self::Array(texts.iter().map(|text| Self::string(text)).collect())
    }

    /// Makes an object of members.
    pub fn object(members: impl IntoIterator<Item = (&'static str, Self)>) -> Self {
        Self::Object(members.into_iter().map(|(key, value)| (quoted(key), value)).collect())
    }

    /// Returns a member of an object. Of several members with one name the last one counts.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Self::Object(members) = self else { return None };
        members.iter().rev().find(|(name, _)| unquoted(name).as_deref() == Some(key)).map(|(_, value)| value)
    }

    /// Returns a member as [`Json::get`], to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
        let Self::Object(members) = self else { return None };
        let found = members.iter_mut().rev().find(|(name, _)| unquoted(name).as_deref() == Some(key));
        found.map(|(_, value)| value)
    }

    /// Sets a member of an object. A new member is inserted after the last of the members `after` that exist,
    /// else at the end.
    pub fn set(&mut self, key: &'static str, value: Self, after: &[&str]) {
        if let Some(there) = self.get_mut(key) {
            *there = value;
            return;
        }
        let Self::Object(members) = self else { return };
        let known = |name: &str| unquoted(name).is_some_and(|name| after.contains(&name.as_str()));
        let at = members.iter().rposition(|(name, _)| known(name)).map_or(members.len(), |at| at + 1);
        members.insert(at, (quoted(key), value));
    }

    /// Removes a member of an object.
    pub fn remove(&mut self, key: &str) {
        if let Self::Object(members) = self {
            members.retain(|(name, _)| unquoted(name).as_deref() != Some(key));
        }
    }

    /// Returns the text of a string.
    pub fn as_str(&self) -> Option<String> {
        match self {
            Self::Scalar(raw) => unquoted(raw),
            _ => None,
        }
    }

    /// Returns the items of a list.
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// Converts the value to a [`Value`].
    pub fn to_value(&self) -> Value {
        serde_json::from_str(&self.pretty()).unwrap_or(Value::Null)
    }

    /// Formats the document as `jq .` prints it, with a newline at the end.
    pub fn pretty(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, 1);
        out.push('\n');
        out
    }

    fn write(&self, out: &mut String, depth: usize) {
        let line = |out: &mut String, depth: usize| {
            // Writing to a string cannot fail.
            let _ = write!(out, "\n{:width$}", "", width = 2 * depth);
        };
        match self {
            Self::Scalar(raw) => out.push_str(raw),
            Self::Array(items) if items.is_empty() => out.push_str("[]"),
            Self::Object(members) if members.is_empty() => out.push_str("{}"),
            Self::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    out.push(if at == 0 { '[' } else { ',' });
                    line(out, depth);
                    item.write(out, depth + 1);
                }
                line(out, depth - 1);
                out.push(']');
            }
            Self::Object(members) => {
                for (at, (key, value)) in members.iter().enumerate() {
                    out.push(if at == 0 { '{' } else { ',' });
                    line(out, depth);
                    out.push_str(key);
                    out.push_str(": ");
                    value.write(out, depth + 1);
                }
                line(out, depth - 1);
                out.push('}');
            }
        }
    }
}

fn quoted(key: &str) -> String {
    Value::from(key).to_string()
}

fn unquoted(raw: &str) -> Option<String> {
    if raw.starts_with('"') { serde_json::from_str(raw).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that is not changed keeps its text: order, numbers, escapes, members of one name.
    #[test]
    fn a_document_comes_back_as_it_was_written() {
        let text = r#"{
  "z": 1.0,
  "a": {
    "\u0062": "é\/\"\\",
    "big": 12345678901234567890.00,
    "e": 1E+5
  },
  "l": [
    [],
    {},
    null,
    true,
    [
      -0
    ]
  ],
  "z": ",]}"
}
"#;
        let json = Json::parse(text).unwrap();
        assert_eq!(json.pretty(), text);
        assert_eq!(Json::parse(&text.replace(['\n', ' '], "")).unwrap().pretty(), text);
        assert_eq!(json.get("z").unwrap().as_str().unwrap(), ",]}", "the last one counts");
        assert_eq!(json.get("a").unwrap().get("b").unwrap().as_str().unwrap(), "é/\"\\");
        for scalar in ["1", " \"x\" ", "null", "[]", "{}", "[1,2]", "{\"a\":[{}]}"] {
            let pretty = Json::parse(scalar).unwrap().pretty();
            let (one, other): (Value, Value) =
                (serde_json::from_str(scalar).unwrap(), serde_json::from_str(&pretty).unwrap());
            assert_eq!(one, other);
        }
        for bad in ["", "{", "[1,]", "{\"a\":1,}", "{} {}", "nul", "'a'", &"[".repeat(100_000)] {
            assert!(Json::parse(bad).is_err(), "{bad:.20}");
        }
    }

    #[test]
    fn members_are_set_in_their_place() {
        let mut json = Json::parse(r#"{"b":1,"c":2,"d":3}"#).unwrap();
        json.set("c", Json::string("\u{7f}é\n"), &[]);
        json.set("x", Json::number(7), &["b", "nothing"]);
        json.set("y", Json::strings(&["p".to_owned()]), &["nothing"]);
        json.remove("d");
        let compact: String = json.pretty().split_whitespace().collect();
        assert_eq!(compact, r#"{"b":1,"x":7,"c":"\u007fé\n","y":["p"]}"#);
        assert_eq!(json.to_value()["x"], 7);
        let mut list = Json::Array(Vec::new());
        list.set("a", Json::number(1), &[]);
        list.remove("a");
        assert_eq!((list.get("a"), list.as_array()), (None, Some(&[][..])));
    }
}
