//! Links to artifacts: what kind, under which label, to which file.

use std::ops::Range;

/// What an artifact is. Aliases count as what they stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A report.
    Research,
    /// A plan.
    Plan,
    /// What was done.
    Summary,
    /// What was made.
    Implementation,
    /// Anything else, by its own name.
    Other(String),
}

impl Kind {
    /// Reads a type. `None` for what is no plain word.
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

    /// The word that `state.json` has for it.
    pub fn word(&self) -> &str {
        match self {
            Self::Research => "research",
            Self::Plan => "plan",
            Self::Summary => "summary",
            Self::Implementation => "implementation",
            Self::Other(word) => word,
        }
    }

    /// The label of a new line in `TODO.md`: the type in title case.
    pub fn label(&self) -> String {
        let title = |word: &str| {
            let mut letters = word.chars();
            letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
        };
        self.word().split(['_', '-']).map(title).collect::<Vec<_>>().join(" ")
    }

    /// Whether a label in `TODO.md` is one for this kind.
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
    /// What it is.
    pub kind: Kind,
    /// Where it is, as it is to be written.
    pub path: String,
}

impl Artifact {
    /// The last part of its path: the text of its link.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The link to it.
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
/// What is wrong with it.
pub fn artifact(text: &str) -> Result<Artifact, String> {
    let (kind, path) = text.split_once(':').ok_or("want TYPE:PATH, say research:docs/report.md")?;
    let kind = Kind::read(kind).ok_or("the type must be one word of letters, digits, _ and -")?;
    Ok(Artifact { kind, path: path_in_link(path)? })
}

/// Reads a path that a link can lead to; `./` before it is left out.
///
/// # Errors
/// What is wrong with it.
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

/// What a part of a line leads to: targets of links, paths between brackets, and bare paths of Markdown files; each with the
/// bytes of all that belongs to it.
pub fn targets(text: &str) -> Vec<(String, Range<usize>)> {
    let mut out: Vec<(String, Range<usize>)> = Vec::new();
    let mut at = 0;
    while let Some(open) = text[at..].find('[').map(|found| at + found) {
        bare(text, at..open, &mut out);
        let Some(close) = text[open..].find(']').map(|found| open + found) else {
            at = open;
            break;
        };
        let inside = &text[open + 1..close];
        let target = text[close + 1..].strip_prefix('(').and_then(|rest| Some(&rest[..rest.find(')')?]));
        if let Some(target) = target {
            at = close + 1 + target.len() + 2;
            let plain = target.trim();
            let plain = plain.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(plain);
            out.push((plain.to_owned(), open..at));
        } else {
            at = close + 1;
            if inside.contains('/') || is_markdown(inside) {
                out.push((inside.trim().to_owned(), open..at));
            }
        }
    }
    bare(text, at..text.len(), &mut out);
    out
}

fn is_markdown(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(name, ending)| !name.is_empty() && ending == "md")
}

fn bare(text: &str, part: Range<usize>, out: &mut Vec<(String, Range<usize>)>) {
    let ends = |c: char| c.is_whitespace() || matches!(c, ',' | '`' | '(' | ')' | '[' | ']' | ';');
    let mut start = part.start;
    for piece in text[part].split(ends) {
        if is_markdown(piece) {
            out.push((piece.to_owned(), start..start + piece.len()));
        }
        let behind = start + piece.len();
        start = behind + text[behind..].chars().next().map_or(0, char::len_utf8);
    }
}

/// Whether two paths mean one file: each is taken from the top of the repository, or from the directory of `TODO.md`, which
/// is `dir` as seen from the top.
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

    #[test]
    fn what_a_line_leads_to() {
        let found = |text| targets(text).into_iter().map(|(path, _)| path).collect::<Vec<_>>();
        assert_eq!(found("[a.md](x/a.md), [b](<y z/b.md>) — note (v2)"), ["x/a.md", "y z/b.md"]);
        assert_eq!(found("[x/a.md] and x/b.md, `c.md`; [PLANNED]"), ["x/a.md", "x/b.md", "c.md"]);
        assert_eq!(found("[a](x.md) through [b](y.md)"), ["x.md", "y.md"]);
        assert!(found("None [x] .md é [open").is_empty());
    }

    #[test]
    fn one_file_by_two_names() {
        assert!(same_file("specs/6_a/r.md", "6_a/r.md", "specs"));
        assert!(same_file("./specs/../specs/6_a/r.md", "specs/6_a/r.md", "specs"));
        assert!(!same_file("specs/6_a/r.md", "specs/6_b/r.md", "specs"));
    }
}
