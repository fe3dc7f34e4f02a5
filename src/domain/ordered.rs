//! JSON documents of other programs: one place is changed, and the rest keeps the order of its members, its
//! numbers and its strings.

use super::json::{self, Kind, Node};

/// A value. A value that has not been opened stays as it is written, with its spaces and line ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ordered {
    /// An unopened value, as it is written.
    Raw(String),
    /// The elements of an array.
    Array(Vec<Ordered>),
    /// The members of an object, in order.
    Object(Vec<(String, Ordered)>),
}

impl Ordered {
    /// Parses a document.
    ///
    /// # Errors
    /// A message with the position if the text is not JSON.
    pub fn parse(text: &str) -> Result<Self, String> {
        Ok(Self::Raw(text[json::scan(text)?.span].to_owned()))
    }

    /// Opens a value, one level deep: that level is printed anew, and the values below stay as they are
    /// written.
    pub fn open(&mut self) -> &mut Self {
        if let Self::Raw(text) = self
            && let Ok(node) = json::scan(text)
        {
            let raw = |node: &Node| Self::Raw(text[node.span.clone()].to_owned());
            *self = match &node.kind {
                Kind::Array(items) => Self::Array(items.iter().map(raw).collect()),
                Kind::Object(members) => Self::Object(
                    members.iter().map(|member| (member.key.clone(), raw(&member.value))).collect(),
                ),
                Kind::Scalar => return self,
            };
        }
        self
    }

    /// Creates a string.
    pub fn text(text: &str) -> Self {
        Self::Raw(serde_json::Value::from(text).to_string())
    }

    /// Returns the decoded string, if this is one.
    pub fn as_text(&self) -> Option<String> {
        match self {
            Self::Raw(raw) => serde_json::from_str(raw).ok(),
            _ => None,
        }
    }

    /// Returns a member of an object, and creates it if it is missing; `None` if this is not an object.
    pub fn member(&mut self, name: &str, new: impl FnOnce() -> Self) -> Option<&mut Self> {
        let Self::Object(members) = self.open() else { return None };
        if !members.iter().any(|(key, _)| key == name) {
            members.push((name.to_owned(), new()));
        }
        members.iter_mut().rev().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Returns the document with one member per line, each level indented by `indent`, and with a newline at
    /// the end.
    pub fn pretty(&self, indent: &str) -> String {
        let mut out = String::new();
        self.write(indent, 0, &mut out);
        out.push('\n');
        out
    }

    fn write(&self, indent: &str, depth: usize, out: &mut String) {
        let (open, close, length) = match self {
            Self::Raw(raw) => return out.push_str(raw),
            Self::Array(items) => ('[', ']', items.len()),
            Self::Object(members) => ('{', '}', members.len()),
        };
        out.push(open);
        for at in 0..length {
            out.push_str(if at == 0 { "\n" } else { ",\n" });
            out.push_str(&indent.repeat(depth + 1));
            match self {
                Self::Array(items) => items[at].write(indent, depth + 1, out),
                Self::Object(members) => {
                    let (name, value) = &members[at];
                    out.push_str(&serde_json::Value::from(name.as_str()).to_string());
                    out.push_str(": ");
                    value.write(indent, depth + 1, out);
                }
                Self::Raw(_) => {}
            }
        }
        if length > 0 {
            out.push('\n');
            out.push_str(&indent.repeat(depth));
        }
        out.push(close);
    }
}

/// Returns the indent of a document: that of its first indented line, or two spaces.
pub fn indent_of(text: &str) -> String {
    let blank = |line: &str| line.chars().take_while(|c| matches!(c, ' ' | '\t')).collect::<String>();
    text.lines().map(blank).find(|indent| !indent.is_empty()).unwrap_or_else(|| "  ".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_stays_as_it_is() {
        let text =
            "{\n  \"z\": 13.0,\n  \"a\": [1e400, \"\\u03c6\"],\n  \"o\": {\"x\":{ }},\n  \"z\": 1\n}\n";
        let mut read = Ordered::parse(text).unwrap();
        assert_eq!(read.pretty("  "), text);
        read.open();
        assert_eq!(read.pretty("  "), text, "one level is looked into");
        assert_eq!(
            read.member("z", || Ordered::text("")),
            Some(&mut Ordered::Raw("1".into())),
            "the last one counts"
        );
        assert_eq!(indent_of("{\n\t\"a\": 1\n}"), "\t");
        assert_eq!(indent_of("{}"), "  ");
        assert!(Ordered::parse("{\"a\":1,}").is_err());
        assert!(Ordered::parse(&format!("{}{}", "[".repeat(20_000), "]".repeat(20_000))).is_err());
        read.member("new", || Ordered::Object(Vec::new()))
            .unwrap()
            .member("x", || Ordered::text("\""))
            .unwrap();
        assert!(read.pretty("  ").ends_with("\"new\": {\n    \"x\": \"\\\"\"\n  }\n}\n"));
    }
}
