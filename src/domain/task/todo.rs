//! The structure of `TODO.md`: lines, entries of tasks, fields.
//!
//! Only the headings of tasks and the lines of an entry's core are parsed; everything else is text.

use std::ops::Range;

use super::status::Status;

/// A line, as positions of bytes in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub start: usize,
    /// The end of its text, without the line ending.
    pub end: usize,
    /// The start of the next line.
    pub next: usize,
    /// Whether it is part of a code block or of the front matter.
    pub fenced: bool,
}

/// A task's heading and the lines up to the next heading of its level or above, as numbers of lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The number of the task.
    pub number: u64,
    /// The text of the heading after the number.
    pub title: String,
    /// The line of the heading.
    pub heading: usize,
    /// The line after the core, which ends at the first rule (`---`): only the core is read or edited.
    pub core_end: usize,
    /// The line after the entry.
    pub end: usize,
}

/// A field: `- **Name**: value` or another spelling of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    pub line: usize,
    /// The text before the first star: indent and dash.
    pub prefix: &'a str,
    pub name: &'a str,
    /// The position after the colon and its stars.
    pub after: usize,
    /// The bytes of the value, without blanks around it.
    pub value: Range<usize>,
}

/// Why a task has no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// No heading has this number.
    Heading,
    /// There is a heading without a status below it.
    Status,
    /// There are several entries with a status, as many as this.
    Ambiguous(usize),
}

/// A parsed `TODO.md`.
#[derive(Clone, Debug)]
pub struct Todo<'a> {
    pub text: &'a str,
    pub lines: Vec<Line>,
    /// Every entry whose heading looks like that of a task.
    pub entries: Vec<Entry>,
}

impl<'a> Todo<'a> {
    /// Parses a text. Every text can be parsed.
    pub fn scan(text: &'a str) -> Self {
        let lines = lines(text);
        let mut found = Self { text, lines, entries: Vec::new() };
        found.entries = found.entries();
        found
    }

    /// Returns the text of a line.
    pub fn line(&self, at: usize) -> &'a str {
        &self.text[self.lines[at].start..self.lines[at].end]
    }

    /// Returns the one entry of a task that has a status.
    ///
    /// # Errors
    /// [`Missing`] if there is none, or more than one.
    pub fn find(&self, number: u64) -> Result<&Entry, Missing> {
        let mut headings = self.entries.iter().filter(|entry| entry.number == number).peekable();
        if headings.peek().is_none() {
            return Err(Missing::Heading);
        }
        let with_status: Vec<_> = headings.filter(|entry| self.status(entry).is_some()).collect();
        match with_status[..] {
            [] => Err(Missing::Status),
            [one] => Ok(one),
            _ => Err(Missing::Ambiguous(with_status.len())),
        }
    }

    /// Returns the lines of an entry's core that may be fields, without the heading.
    pub fn core(&self, entry: &Entry) -> impl Iterator<Item = usize> + '_ {
        (entry.heading + 1..entry.core_end).filter(|at| !self.lines[*at].fenced)
    }

    /// Returns the fields of an entry's core, from top to bottom.
    pub fn fields(&self, entry: &Entry) -> impl Iterator<Item = Field<'a>> + '_ {
        self.core(entry).filter_map(|at| self.field(at))
    }

    /// Parses a line as a field.
    pub fn field(&self, at: usize) -> Option<Field<'a>> {
        field(self.text, &self.lines[at], at)
    }

    /// Returns the status line of an entry: the first one of its core.
    pub fn status(&self, entry: &Entry) -> Option<Field<'a>> {
        self.fields(entry).find(|field| field.name == "Status")
    }

    /// Returns the line after the field run: the status line and the fields or indented lines directly below
    /// it.
    pub fn run_end(&self, entry: &Entry, status: &Field<'_>) -> usize {
        let belongs = |at: &usize| {
            let line = self.line(*at);
            !self.lines[*at].fenced
                && !line.trim().is_empty()
                && (line.starts_with([' ', '\t']) || self.field(*at).is_some())
        };
        (status.line + 1..entry.core_end).take_while(belongs).last().map_or(status.line + 1, |last| last + 1)
    }

    /// Returns the lines directly below a label that are bullets or belong to one: indented deeper than the
    /// label.
    pub fn bullets(&self, entry: &Entry, label: &Field<'_>) -> Range<usize> {
        let depth = indent(self.line(label.line));
        let deeper = |at: &usize| {
            let line = self.line(*at);
            let other = !is_bullet(line) && self.field(*at).is_some();
            !self.lines[*at].fenced && !line.trim().is_empty() && indent(line) > depth && !other
        };
        let first = label.line + 1;
        if first >= entry.core_end || !is_bullet(self.line(first)) {
            return first..first;
        }
        first..(first..entry.core_end).take_while(deeper).last().map_or(first, |last| last + 1)
    }

    fn entries(&self) -> Vec<Entry> {
        let mut out: Vec<Entry> = Vec::new();
        let mut open: Option<(u64, String, usize)> = None;
        let mut close = |open: Option<(u64, String, usize)>, end: usize| {
            if let Some((number, title, heading)) = open {
                let rule = |at: &usize| !self.lines[*at].fenced && is_rule(self.line(*at));
                let core_end = (heading + 1..end).find(rule).unwrap_or(end);
                out.push(Entry { number, title, heading, core_end, end });
            }
        };
        for (at, line) in self.lines.iter().enumerate() {
            if line.fenced {
                continue;
            }
            let Some((level, text)) = heading(self.line(at)) else { continue };
            if level <= 3 {
                close(open.take(), at);
                open = (level == 3)
                    .then(|| numbered(text))
                    .flatten()
                    .map(|(number, title)| (number, title.to_owned(), at));
            }
        }
        close(open, self.lines.len());
        out
    }
}

fn lines(text: &str) -> Vec<Line> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut fence: Option<(u8, usize)> = None;
    let mut matter = text.lines().next().is_some_and(|line| line.trim_end() == "---")
        && text.lines().skip(1).any(|line| line.trim_end() == "---");
    for whole in text.split_inclusive('\n') {
        let plain = whole.strip_suffix('\n').unwrap_or(whole);
        let plain = plain.strip_suffix('\r').unwrap_or(plain);
        let mut fenced = fence.is_some();
        if matter {
            fenced = true;
            matter = out.is_empty() || plain.trim_end() != "---";
        } else {
            let mark = plain.trim_start();
            let sign = mark.bytes().next().filter(|byte| matches!(byte, b'`' | b'~'));
            let long = sign.map_or(0, |sign| mark.bytes().take_while(|byte| *byte == sign).count());
            match (fence, sign) {
                (Some((open, least)), Some(sign))
                    if sign == open && long >= least && mark[long..].trim().is_empty() =>
                {
                    fence = None;
                }
                // A line such as ```code``` does not open a block.
                (None, Some(sign)) if long >= 3 && !(sign == b'`' && mark[long..].contains('`')) => {
                    fence = Some((sign, long));
                    fenced = true;
                }
                _ => {}
            }
        }
        out.push(Line { start, end: start + plain.len(), next: start + whole.len(), fenced });
        start += whole.len();
    }
    out
}

/// Returns the level and the text of a heading.
pub fn heading(line: &str) -> Option<(usize, &str)> {
    let text = line.trim_start_matches(' ');
    let level = text.bytes().take_while(|byte| *byte == b'#').count();
    let rest = &text[level..];
    let fits = line.len() - text.len() <= 3 && (1..=6).contains(&level);
    (fits && (rest.is_empty() || rest.starts_with([' ', '\t']))).then(|| (level, rest.trim()))
}

/// Returns the number and the title of a task's heading: `12. Title`, with at most one sign before the
/// number, and struck through or not.
fn numbered(text: &str) -> Option<(u64, &str)> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let mut rest = text;
    if let Some((sign, behind)) = text.split_once(' ') {
        let is_sign =
            sign.chars().all(|c| !c.is_alphanumeric() && !c.is_ascii()) && sign.chars().count() <= 2;
        rest = if is_sign { behind.trim_start() } else { rest };
    }
    rest = rest.strip_prefix("~~").unwrap_or(rest);
    let length = digits(rest);
    let number = rest[..length].parse().ok()?;
    let behind = rest[length..].strip_prefix('.')?;
    Some((number, behind.strip_prefix("~~").unwrap_or(behind).trim()))
}

fn is_rule(line: &str) -> bool {
    let line = line.trim();
    line.len() >= 3 && line.bytes().all(|byte| byte == b'-')
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches([' ', '\t']).len()
}

fn is_bullet(line: &str) -> bool {
    line.starts_with([' ', '\t']) && ["- ", "* ", "+ "].iter().any(|sign| line.trim_start().starts_with(sign))
}

fn field<'a>(text: &'a str, line: &Line, at: usize) -> Option<Field<'a>> {
    let whole = &text[line.start..line.end];
    let unindented = whole.trim_start_matches(' ');
    if whole.len() - unindented.len() > 3 {
        return None;
    }
    let bare = unindented.strip_prefix("- ").or_else(|| unindented.strip_prefix("* ")).unwrap_or(unindented);
    let bare = bare.trim_start_matches(' ');
    let stars = |text: &str| text.bytes().take_while(|byte| *byte == b'*').count();
    let open = stars(bare);
    let name = bare.get(open..)?;
    let length = name.find(['*', ':'])?;
    let (name, rest) = name.split_at(length);
    let behind = match rest.strip_prefix(':') {
        Some(rest) => rest.get(stars(rest)..).filter(|_| (1..=2).contains(&stars(rest)))?,
        None => rest.get(stars(rest)..).filter(|_| (1..=2).contains(&stars(rest)))?.strip_prefix(':')?,
    };
    if !(1..=2).contains(&open) || name.trim().is_empty() || name.contains(['[', '`']) {
        return None;
    }
    let after = line.end - behind.len();
    let trimmed = behind.trim();
    let from = if trimmed.is_empty() { after } else { after + (behind.len() - behind.trim_start().len()) };
    let prefix = &whole[..whole.len() - bare.len()];
    Some(Field { line: at, prefix, name: name.trim(), after, value: from..from + trimmed.len() })
}

/// The place of a status in a text, and the present status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// The bytes to replace by a marker, or by a marker in brackets if `bare`.
    pub span: Range<usize>,
    /// Whether the brackets are missing.
    pub bare: bool,
    /// The present status, if it is a known one.
    pub status: Option<Status>,
    /// The text after the status.
    pub note: Option<String>,
}

/// Returns the marker in the value of a status line. `None` if the value has neither brackets nor a status.
pub fn marker(text: &str, value: &Range<usize>) -> Option<Marker> {
    let shown = &text[value.clone()];
    let bracketed = shown.find('[').and_then(|open| {
        let close = open + shown[open..].find(']')?;
        let inside = &shown[open + 1..close];
        let status = Status::read(inside);
        let link = shown[close + 1..].starts_with('(');
        // Brackets that are not at the beginning count only if they hold a status.
        ((open == 0 && !link) || status.is_some()).then(|| (open + 1..close, status, close + 1))
    });
    if let Some((inside, status, behind)) = bracketed {
        let note = shown[behind..].trim();
        let note = (!note.is_empty()).then(|| note.to_owned());
        let span = value.start + inside.start..value.start + inside.end;
        return Some(Marker { span, bare: false, status, note });
    }
    let status = Status::read(shown)?;
    Some(Marker { span: value.clone(), bare: true, status: Some(status), note: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// TS-19, TS-26: headings, whatever is around their numbers; and what only looks like one.
    #[test]
    fn headings_of_tasks() {
        for (line, number, title) in [
            ("### 12. Title", 12, "Title"),
            ("### ✓ 12. Title", 12, "Title"),
            ("### ✅ 12. Title", 12, "Title"),
            ("### 12. ✓ Title", 12, "✓ Title"),
            ("### 12.Title", 12, "Title"),
            ("### ~~12.~~ Title", 12, "Title"),
        ] {
            let text = format!("{line}\n- **Status**: [PLANNED]\n");
            let todo = Todo::scan(&text);
            assert_eq!((todo.entries[0].number, &*todo.entries[0].title), (number, title), "{line}");
            assert!(todo.find(12).is_ok());
        }
        for line in ["## Task 12: Title", "### 12-meta. Title", "#### 12. Title", "## 12. Title", "###12. x"]
        {
            let text = format!("{line}\n- **Status**: [PLANNED]\n");
            assert_eq!(Todo::scan(&text).find(12).unwrap_err(), Missing::Heading, "{line}");
        }
    }

    /// TS-26
    #[test]
    fn code_and_front_matter_hold_no_tasks() {
        let text = "---\n### 1. a\n- **Status**: [PLANNED]\n---\n# TODO\n```md\n### 2. b\n**Status**: [PLANNED]\n```\n\
                    ~~~\n```\n### 3. c\n~~~\n### 4. d\n```js\n---\n**Status**: [NO]\n```\n**Status**: [PLANNED]\n";
        let todo = Todo::scan(text);
        assert_eq!(todo.entries.iter().map(|entry| entry.number).collect::<Vec<_>>(), [4]);
        assert_eq!(&text[todo.status(&todo.entries[0]).unwrap().value], "[PLANNED]");
    }

    /// TS-08, TS-09, TS-26: only an entry with a status counts, and only its core.
    #[test]
    fn which_entry_is_the_task() {
        let text = "### 6. Backlog\ntext\n### 6. Real\n\n- **Status**: [PLANNED]\n---\n- **Status**: [LOST]\n\
                    ### 7. Empty\n---\n- **Status**: [LOST]\n### 8. a\n**Status**: [X]\n## End\n### 8. b\n**Status**: [X]\n";
        let todo = Todo::scan(text);
        assert_eq!(todo.find(6).unwrap().title, "Real");
        assert_eq!(todo.find(7).unwrap_err(), Missing::Status);
        assert_eq!(todo.find(8).unwrap_err(), Missing::Ambiguous(2));
        assert_eq!(todo.find(9).unwrap_err(), Missing::Heading);
    }

    /// TS-19
    #[test]
    fn every_shape_of_a_status_line() {
        for (line, prefix, value, note) in [
            ("- **Status**: [PLANNED]", "- ", "PLANNED", None),
            (" **Status**: [PLANNED]", " ", "PLANNED", None),
            ("**Status**: [PLANNED]  ", "", "PLANNED", None),
            ("*Status**: [PLANNED]", "", "PLANNED", None),
            ("*Status*: [PLANNED]", "", "PLANNED", None),
            ("  - **Status**: [PLANNED]", "  - ", "PLANNED", None),
            ("* **Status:** [PLANNED] (Started: 2026-01-01)", "* ", "PLANNED", Some("(Started: 2026-01-01)")),
            ("- **Status**: [COMPLETED] ✓", "- ", "COMPLETED", Some("✓")),
            ("- **Status**: [IN PROGRESS] → see [r](x.md)", "- ", "IN PROGRESS", Some("→ see [r](x.md)")),
            ("- **Status**: Not Started", "- ", "Not Started", None),
        ] {
            let text = format!("{line}\n");
            let todo = Todo::scan(&text);
            let field = todo.field(0).unwrap_or_else(|| panic!("{line}"));
            assert_eq!((field.prefix, field.name), (prefix, "Status"), "{line}");
            let marker = marker(&text, &field.value).unwrap();
            assert_eq!((&text[marker.span.clone()], marker.note.as_deref()), (value, note), "{line}");
            assert!(marker.status.is_some());
        }
        for line in ["    - **Status**: [X]", "Status: [X]", "- Status: [X]", "- **Status** [X]"] {
            assert_eq!(Todo::scan(line).field(0), None, "{line}");
        }
        for value in ["PARTIAL (4/12 implemented)", "", "see [report](r.md)", "[report](r.md)"] {
            assert_eq!(marker(value, &(0..value.len())), None, "{value}");
        }
    }
}
