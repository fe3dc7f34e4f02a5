//! Links to artifacts: their kinds, labels and paths.

/// The kind of an artifact. Aliases count as the kind that they stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Research,
    Plan,
    Summary,
    Implementation,
    /// Any other kind, by its name.
    Other(String),
}

impl Kind {
    /// Reads a kind. `None` if the text is not one plain word.
    pub fn read(word: &str) -> Option<Self> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if word.is_empty() || word.len() > 40 || !word.chars().all(plain) {
            return None;
        }
        Some(match word.to_ascii_lowercase().replace('-', "_").as_str() {
            "research" | "report" | "research_report" => Self::Research,
            "plan" | "implementation_plan" => Self::Plan,
            "summary" | "implementation_summary" => Self::Summary,
            "implementation" => Self::Implementation,
            _ => Self::Other(word.to_owned()),
        })
    }

    /// Returns the word for the kind in `state.json`.
    pub fn word(&self) -> &str {
        match self {
            Self::Research => "research",
            Self::Plan => "plan",
            Self::Summary => "summary",
            Self::Implementation => "implementation",
            Self::Other(word) => word,
        }
    }

    /// Returns the label of a new line in `TODO.md`: the kind in title case.
    pub fn label(&self) -> String {
        let title = |word: &str| {
            let mut letters = word.chars();
            letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
        };
        self.word().split(['_', '-']).map(title).collect::<Vec<_>>().join(" ")
    }

    /// Checks whether a label in `TODO.md` is one for this kind.
    pub fn is_label(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        let known: &[&str] = match self {
            Self::Research => {
                &["research", "research report", "research reports", "research artifacts", "reports"]
            }
            Self::Plan => &["plan", "implementation plan", "plan artifacts"],
            Self::Summary => &["summary", "implementation summary", "summaries"],
            Self::Implementation => &["implementation", "implementation artifacts"],
            Self::Other(_) => return name == self.label().to_lowercase(),
        };
        known.contains(&name.as_str())
    }
}

/// An artifact of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    pub kind: Kind,
    /// The path as the files keep it.
    pub path: String,
}

impl Artifact {
    /// Returns the last part of the path: the text of its link.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Returns the link in Markdown.
    pub fn link(&self) -> String {
        if self.path.contains(' ') {
            return format!("[{}](<{}>)", self.name(), self.path);
        }
        format!("[{}]({})", self.name(), self.path)
    }
}

/// Reads `TYPE:PATH`.
///
/// # Errors
/// A sentence for the caller.
pub fn artifact(text: &str) -> Result<Artifact, String> {
    let (kind, path) = text.split_once(':').ok_or("want TYPE:PATH, say research:docs/report.md")?;
    let kind = Kind::read(kind).ok_or("the type must be one word of letters, digits, _ and -")?;
    Ok(Artifact { kind, path: path_in_link(path)? })
}

/// Reads a path that can be the target of a link, and removes a leading `./`.
///
/// # Errors
/// A sentence for the caller.
pub fn path_in_link(path: &str) -> Result<String, String> {
    let mut plain = path;
    while let Some(rest) = plain.strip_prefix("./") {
        plain = rest.trim_start_matches('/');
    }
    if plain.trim() != plain || plain.is_empty() || plain.ends_with('/') {
        return Err("the path must name a file".to_owned());
    }
    if plain.len() > 4096
        || crate::domain::text::one_line(plain) != plain
        || plain.contains(['(', ')', '[', ']', '<', '>'])
    {
        return Err("the path must be short and plain: no brackets, no control characters".to_owned());
    }
    Ok(plain.to_owned())
}

/// Names of label lines with links to artifacts of several kinds, in lower case.
const SHARED_LABELS: [&str; 3] = ["artifacts", "handoff", "handoffs"];

/// Checks whether a label with that name holds links, such as `Research` or `Research (task 6)`. Bare paths
/// count as links only on such lines.
pub fn is_link_label(name: &str) -> bool {
    let name = name.split_once(" (").map_or(name, |(name, _)| name);
    let kinds = [Kind::Research, Kind::Plan, Kind::Summary, Kind::Implementation];
    kinds.iter().any(|kind| kind.is_label(name)) || SHARED_LABELS.contains(&name.to_lowercase().as_str())
}

/// Returns the link targets in the value of a label, or in a bullet below the label.
///
/// On a label that holds links (`of_links`), links between brackets count anywhere, and bare paths of
/// Markdown files where the value lists them: a path in a sentence is only mentioned. On any other label only
/// links between brackets count, and only if the value is a list of links.
pub fn listed(text: &str, of_links: bool) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    let mut at_item = true;
    while !rest.is_empty() {
        let item = if at_item { bracketed(rest).or_else(|| bare(rest).filter(|_| of_links)) } else { None };
        let behind = match item {
            Some((path, length)) => {
                found.push(path);
                at_item = false;
                Some(&rest[length..])
            }
            None if at_item => None,
            None => match behind_item(rest) {
                Some(Behind::Item(next)) => {
                    at_item = true;
                    Some(next)
                }
                Some(Behind::Note(length)) => Some(&rest[length..]),
                None => None,
            },
        };
        let Some(behind) = behind else {
            // The rest is prose.
            return if of_links { found.into_iter().chain(within(rest)).collect() } else { Vec::new() };
        };
        rest = behind.trim_start();
    }
    found
}

/// The text after an item of a list of links.
enum Behind<'a> {
    /// A separator and the rest of the list.
    Item(&'a str),
    /// A note, by its length in bytes.
    Note(usize),
}

fn behind_item(rest: &str) -> Option<Behind<'_>> {
    const SEPARATORS: [&str; 6] = [",", ";", "&", "through ", "and ", "+ "];
    const NOTES: [&str; 7] = ["- ", "— ", "– ", "-- ", "→ ", "✓", "✅"];
    if let Some(next) = SEPARATORS.iter().find_map(|sign| rest.strip_prefix(sign)) {
        return Some(Behind::Item(next));
    }
    if rest.starts_with('(') {
        return Some(Behind::Note(rest.find(')').map_or(rest.len(), |at| at + 1)));
    }
    // A note without brackets ends at the next link, or with the text.
    let note = NOTES.iter().any(|sign| rest.starts_with(sign));
    note.then(|| Behind::Note(rest.find(", [").unwrap_or(rest.len())))
}

/// Returns the link at the beginning of a text and its length: a Markdown link, or a path between brackets.
fn bracketed(text: &str) -> Option<(String, usize)> {
    let inside = text.strip_prefix('[')?;
    let close = inside.find(']')?;
    let (inside, behind) = (&inside[..close], &inside[close + 1..]);
    if let Some(target) = behind.strip_prefix('(').and_then(|rest| Some(&rest[..rest.find(')')?])) {
        let plain = target.trim();
        let plain = plain.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(plain);
        return Some((plain.to_owned(), close + 2 + target.len() + 2));
    }
    let is_path = inside.contains('/') || is_markdown(inside);
    is_path.then(|| (inside.trim().to_owned(), close + 2))
}

/// Returns the bare path of a Markdown file at the beginning of a text, with or without backticks, and its
/// length. A sentence that begins with a path is not a list of links.
fn bare(text: &str) -> Option<(String, usize)> {
    let ends = |c: char| c.is_whitespace() || matches!(c, ',' | '`' | '(' | ')' | '[' | ']' | ';');
    let open = usize::from(text.starts_with('`'));
    let length = text[open..].find(ends).unwrap_or(text.len() - open);
    let path = &text[open..open + length];
    let end = open + length + open;
    let closed = open == 0 || text[open + length..].starts_with('`');
    let behind = text.get(end..).unwrap_or("").trim_start();
    let fits = is_markdown(path) && closed && (behind.is_empty() || behind_item(behind).is_some());
    fits.then(|| (path.to_owned(), end))
}

/// Returns the links between brackets anywhere in a text.
fn within(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(open) = text[at..].find('[').map(|open| at + open) {
        let link = bracketed(&text[open..]);
        at = open + link.as_ref().map_or(1, |(_, length)| *length);
        found.extend(link.map(|(path, _)| path));
    }
    found
}

fn is_markdown(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(name, ending)| !name.is_empty() && ending == "md")
}

/// Checks whether two paths name one file. Each may be relative to the top of the repository or to the
/// directory of `TODO.md`, which is `dir` relative to the top.
pub fn same_file(one: &str, other: &str, dir: &str) -> bool {
    let places = |path: &str| [clean(path), clean(&format!("{dir}/{path}"))];
    let others = places(other);
    places(one).iter().any(|place| others.contains(place))
}

fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop(),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_labels() {
        for (word, kind, label) in [
            ("report", Kind::Research, "Research"),
            ("implementation-summary", Kind::Summary, "Summary"),
            ("implementation_plan", Kind::Plan, "Plan"),
            ("lean_module", Kind::Other("lean_module".to_owned()), "Lean Module"),
        ] {
            assert_eq!(Kind::read(word).unwrap(), kind);
            assert_eq!(kind.label(), label);
            assert!(kind.is_label(label) && kind.is_label(&label.to_uppercase()));
        }
        for name in ["Plan (v1)", "Previous Plan", "Research (task 6)"] {
            assert!(!Kind::Plan.is_label(name) && !Kind::Research.is_label(name), "{name}");
        }
        assert_eq!((Kind::read(""), Kind::read("a b"), Kind::read("a:b")), (None, None, None));
    }

    #[test]
    fn artifacts_are_read_with_care() {
        let read = artifact("report:./a b/r.md").unwrap();
        assert_eq!(
            (read.kind.word(), &*read.path, &*read.link()),
            ("research", "a b/r.md", "[r.md](<a b/r.md>)")
        );
        for bad in
            ["r.md", ":r.md", "research:", "research:a/", "x y:r.md", "research:a(b).md", "research:a\nb"]
        {
            assert!(artifact(bad).is_err(), "{bad:?}");
        }
    }

    /// TS-67
    #[test]
    fn what_a_value_leads_to() {
        let all = |text| listed(text, true);
        assert_eq!(all("[a.md](x/a.md), [b](<y z/b.md>) — note (v2)"), ["x/a.md", "y z/b.md"]);
        assert_eq!(all("[x/a.md] and x/b.md, `c.md`; [d.md]"), ["x/a.md", "x/b.md", "c.md", "d.md"]);
        assert_eq!(all("[a](x.md) through [b](y.md)"), ["x.md", "y.md"]);
        assert_eq!(all("[a](a.md) — first, see c.md, [b](b.md) (d.md)"), ["a.md", "b.md"]);
        assert_eq!(all("as x/a.md says, [b](b.md)"), ["b.md"]);
        for prose in ["None [x] .md é [open", "a.md says", "to b.md", "`a.md", "", "[PLANNED]", "(a.md)"] {
            assert!(all(prose).is_empty(), "{prose}");
        }
        assert_eq!(listed("[a](a.md) (v2), [x/b.md]", false), ["a.md", "x/b.md"]);
        for other in ["a.md", "see [a](a.md)", "[a](a.md) is it", "[x] [a](a.md)"] {
            assert!(listed(other, false).is_empty(), "{other}");
        }
    }

    #[test]
    fn one_file_by_two_names() {
        assert!(same_file("specs/6_a/r.md", "6_a/r.md", "specs"));
        assert!(same_file("./specs/../specs/6_a/r.md", "specs/6_a/r.md", "specs"));
        assert!(!same_file("specs/6_a/r.md", "specs/6_b/r.md", "specs"));
    }
}
