//! Edits of one entry of `TODO.md`: status, dates, reasons, links.

use super::edit::Edits;
use super::link::{Artifact, Kind, is_link_label, listed, same_file};
use super::status::Status;
use super::todo::{Entry, Field, Marker, Todo, marker};

/// Names of metadata fields, in lower case. New links follow the last of these fields.
const METADATA: [&str; 30] = [
    "effort",
    "status",
    "priority",
    "language",
    "type",
    "created",
    "updated",
    "started",
    "researched",
    "planned",
    "revised",
    "completed",
    "implemented",
    "blocking",
    "blocked",
    "blocked on",
    "blocked by",
    "blocking reason",
    "abandoned",
    "abandonment reason",
    "dependencies",
    "depends",
    "depends on",
    "parent",
    "parent task",
    "subtasks",
    "related",
    "source",
    "session",
    "session id",
];

/// Names of fields that hold a date.
const DATES: [&str; 8] =
    ["created", "started", "researched", "planned", "revised", "completed", "blocked", "abandoned"];

/// Returns the paths to which the label lines of an entry and the bullets below them have links.
pub fn links(todo: &Todo<'_>, entry: &Entry) -> Vec<String> {
    let is_prose = |field: &Field<'_>| field.name.eq_ignore_ascii_case("description");
    let fields = todo.fields(entry).filter(|field| !is_prose(field));
    fields
        .flat_map(|field| {
            let mut found = links_beside(todo, &field);
            found.extend(links_below(todo, entry, &field));
            found
        })
        .collect()
}

/// Returns the paths to which the value of a label has links.
fn links_beside(todo: &Todo<'_>, label: &Field<'_>) -> Vec<String> {
    listed(&todo.text[label.value.clone()], is_link_label(label.name))
}

/// Returns the paths to which the bullets below a label have links.
fn links_below(todo: &Todo<'_>, entry: &Entry, label: &Field<'_>) -> Vec<String> {
    let of_links = is_link_label(label.name);
    let text = |at: usize| {
        let line = todo.line(at).trim_start();
        ["- ", "* ", "+ "].iter().find_map(|sign| line.strip_prefix(sign)).unwrap_or(line)
    };
    todo.bullets(entry, label).flat_map(|at| listed(text(at), of_links)).collect()
}

/// An entry with its edits.
pub struct Editor<'a> {
    todo: &'a Todo<'a>,
    entry: &'a Entry,
    status: Field<'a>,
    marker: Marker,
    run_end: usize,
    /// The directory of `TODO.md`, relative to the top of the repository.
    dir: &'a str,
    pub edits: Edits,
}

impl<'a> Editor<'a> {
    /// Returns the editor of an entry. `None` if its status line has neither brackets nor a status, and
    /// cannot be changed.
    pub fn new(todo: &'a Todo<'a>, entry: &'a Entry, dir: &'a str) -> Option<Self> {
        let status = todo.status(entry)?;
        let marker = marker(todo.text, &status.value)?;
        let run_end = todo.run_end(entry, &status);
        Some(Self { todo, entry, status, marker, run_end, dir, edits: Edits::default() })
    }

    /// Returns the present status as it is written.
    pub fn shown(&self) -> &str {
        &self.todo.text[self.marker.span.clone()]
    }

    /// Returns the present status, if it is a known one.
    pub fn status(&self) -> Option<Status> {
        self.marker.status
    }

    /// Writes the marker of a status. Returns the text after it, which stays as it is.
    pub fn set_status(&mut self, to: Status) -> Option<&str> {
        let marker = to.marker();
        if self.marker.bare {
            self.edits.replace(self.marker.span.clone(), format!("[{marker}]"));
        } else if self.shown() != marker {
            self.edits.replace(self.marker.span.clone(), marker);
        } else {
            return None;
        }
        self.marker.note.as_deref()
    }

    /// Writes fields that belong together: each replaces its first value, or is a new line after the dates.
    /// The dates at which the task was created and started are never replaced.
    pub fn set_fields(&mut self, fields: &[(&str, &str)]) {
        let mut new = String::new();
        for (name, value) in fields {
            let there = self.todo.fields(self.entry).find(|field| field.name.eq_ignore_ascii_case(name));
            match there {
                Some(_) if matches!(*name, "Started" | "Created") => {}
                Some(field) if &self.todo.text[field.value.clone()] == *value => {}
                Some(field) if field.value.is_empty() => {
                    self.edits.replace(field.after..self.todo.lines[field.line].end, format!(" {value}"));
                }
                Some(field) => self.edits.replace(field.value, *value),
                None => new.push_str(&self.new_line(name, value)),
            }
        }
        if !new.is_empty() {
            let dates = self.run().filter(|field| DATES.contains(&field.name.to_lowercase().as_str()));
            let last = dates.last().map_or(self.status.line, |field| field.line);
            self.insert_behind(last, new);
        }
    }

    /// Checks whether the label lines of the entry have a link to a file. Prose that mentions the file does
    /// not count.
    pub fn links(&self, path: &str) -> bool {
        links(self.todo, self.entry).iter().any(|target| same_file(target, path, self.dir))
    }

    /// Checks whether the entry has links of a kind.
    pub fn has_links(&self, kind: &Kind) -> bool {
        self.labels(kind).next().is_some()
    }

    /// Adds links of one kind after the present ones. A file is never linked twice.
    pub fn append_links(&mut self, artifacts: &[&Artifact]) {
        let mut new: Vec<&Artifact> = Vec::new();
        for artifact in artifacts {
            let known = new.iter().any(|one| same_file(&one.path, &artifact.path, self.dir));
            if !known && !self.links(&artifact.path) {
                new.push(artifact);
            }
        }
        let Some(first) = new.first() else { return };
        let label = self.labels(&first.kind).next();
        let links: Vec<String> = new.iter().map(|artifact| artifact.link()).collect();
        match label {
            None => self.new_label(&first.kind, &links),
            Some(label) if label.value.is_empty() => {
                let bullets = self.todo.bullets(self.entry, &label);
                let sign = self.bullet_sign(bullets.start);
                let mut new = String::new();
                for link in links {
                    new.extend([sign, &link, self.ending()]);
                }
                self.insert_behind(bullets.end - 1, new);
            }
            Some(label) => self.edits.insert(label.value.end, format!(", {}", links.join(", "))),
        }
    }

    /// Checks whether the labels of the artifact's kind have a link to the artifact and no other.
    pub fn is_only_link(&self, artifact: &Artifact) -> bool {
        let labels: Vec<Field<'_>> = self.labels(&artifact.kind).collect();
        matches!(&labels[..], [label] if self.leads_only_to(label, &artifact.path))
    }

    fn leads_only_to(&self, label: &Field<'_>, path: &str) -> bool {
        let found = if label.value.is_empty() {
            links_below(self.todo, self.entry, label)
        } else {
            links_beside(self.todo, label)
        };
        matches!(&found[..], [one] if same_file(one, path, self.dir))
    }

    /// Makes a plan the only one that is linked under the plan's label.
    pub fn replace_link(&mut self, artifact: &Artifact) {
        let labels: Vec<Field<'_>> = self.labels(&artifact.kind).collect();
        let Some((label, further)) = labels.split_first() else {
            return self.new_label(&artifact.kind, &[artifact.link()]);
        };
        let bullets = self.todo.bullets(self.entry, label);
        let inline = !label.value.is_empty();
        let alone = self.leads_only_to(label, &artifact.path);
        if !alone && inline {
            self.edits.replace(label.value.clone(), artifact.link());
        } else if !alone {
            let sign = self.bullet_sign(bullets.start);
            let span = self.todo.lines[bullets.start].start..self.todo.lines[bullets.end - 1].end;
            self.edits.replace(span, format!("{sign}{}", artifact.link()));
        }
        for label in further {
            let last = if label.value.is_empty() {
                self.todo.bullets(self.entry, label).end
            } else {
                label.line + 1
            };
            self.edits.replace(self.todo.lines[label.line].start..self.todo.lines[last - 1].next, "");
        }
    }

    /// Returns the label lines of a kind that have links, themselves or in the bullets below them.
    pub fn labels<'s>(&'s self, kind: &'s Kind) -> impl Iterator<Item = Field<'a>> + 's {
        let leads = |field: &Field<'_>| {
            let found = if field.value.is_empty() {
                links_below(self.todo, self.entry, field)
            } else {
                links_beside(self.todo, field)
            };
            !found.is_empty()
        };
        self.todo
            .fields(self.entry)
            .filter(|field| kind.is_label(field.name))
            .filter(move |field| leads(field))
    }

    fn run(&self) -> impl Iterator<Item = Field<'a>> + '_ {
        (self.status.line..self.run_end).filter_map(|at| self.todo.field(at))
    }

    /// Returns the last line of a field and what is indented below it.
    fn last_line(&self, field: &Field<'_>) -> usize {
        self.todo.bullets(self.entry, field).end.max(field.line + 1) - 1
    }

    fn new_label(&mut self, kind: &Kind, links: &[String]) {
        let in_run = |kind: &Kind| self.labels(kind).filter(|label| label.line < self.run_end).last();
        let of_work = [Kind::Plan, Kind::Summary, Kind::Implementation];
        let first = of_work.iter().filter_map(in_run).map(|label| label.line).min().unwrap_or(self.run_end);
        let metadata = self
            .run()
            .take_while(|field| field.line < first)
            .filter(|field| METADATA.contains(&field.name.to_lowercase().as_str()));
        let default = metadata.last().map_or(self.status.line, |field| self.last_line(&field));
        let before: &[Kind] = match kind {
            Kind::Research => &[],
            Kind::Plan => &[Kind::Research],
            Kind::Summary | Kind::Implementation => &[Kind::Plan, Kind::Research],
            Kind::Other(_) => &[Kind::Summary, Kind::Implementation, Kind::Plan, Kind::Research],
        };
        let behind = before.iter().find_map(in_run).map_or(default, |label| self.last_line(&label));
        let line = self.new_line(&kind.label(), &links.join(", "));
        self.insert_behind(behind, line);
    }

    fn new_line(&self, name: &str, value: &str) -> String {
        format!("{}**{name}**: {value}{}", self.status.prefix, self.ending())
    }

    /// Returns the line ending of the status line.
    fn ending(&self) -> &'a str {
        let line = &self.todo.lines[self.status.line];
        let ending = &self.todo.text[line.end..line.next];
        if ending.is_empty() { "\n" } else { ending }
    }

    fn bullet_sign(&self, at: usize) -> &'a str {
        let line = self.todo.line(at);
        let text = line.trim_start();
        let sign = line.len() - text.len() + 1;
        let blanks = line[sign..].len() - line[sign..].trim_start_matches(' ').len();
        &line[..sign + blanks]
    }

    /// Inserts whole lines after a line, which may be the last of the file and lack its line ending.
    fn insert_behind(&mut self, line: usize, mut new: String) {
        let line = &self.todo.lines[line];
        if line.end == line.next {
            let ending = self.ending();
            new.truncate(new.len() - ending.len());
            new.insert_str(0, ending);
        }
        self.edits.insert(line.next, new);
    }
}
