//! Edits of one task's object in `state.json`.

use super::edit::Edits;
use super::filed::filed;
use super::link::{Artifact, same_file};
use super::status::Status;
use crate::domain::json::{Kind as Shape, Member, Node, quoted, scan};

/// A parsed `state.json`.
#[derive(Clone, Debug)]
pub struct State<'a> {
    pub text: &'a str,
    root: Node,
}

/// Why a task has no object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// It is not among the active tasks, but perhaps in the list that is named.
    Absent(Option<&'static str>),
    /// There are several, as many as this.
    Ambiguous(usize),
}

impl<'a> State<'a> {
    /// Parses a text.
    ///
    /// # Errors
    /// A sentence if the text is not JSON, or has no array `active_projects` at its root.
    pub fn scan(text: &'a str) -> Result<Self, String> {
        let root = scan(text)?;
        match root.get("active_projects").map(Node::elements) {
            Some(Some(_)) => Ok(Self { text, root }),
            Some(None) => Err("active_projects is no array".to_owned()),
            None => Err("there is no array active_projects at its root".to_owned()),
        }
    }

    /// Returns the objects of all active tasks.
    pub fn tasks(&self) -> &[Node] {
        self.root.get("active_projects").and_then(Node::elements).unwrap_or(&[])
    }

    /// Returns a member of the root.
    pub fn root(&self, key: &str) -> Option<&Node> {
        self.root.get(key)
    }

    /// Returns the number of a task's object.
    pub fn number(&self, task: &Node) -> Option<u64> {
        task.get("project_number")?.number(self.text)
    }

    /// Returns the one object of a task.
    ///
    /// # Errors
    /// [`Missing`] if there is none, or more than one.
    pub fn find(&self, number: u64) -> Result<&Node, Missing> {
        let is = |task: &&Node| self.number(task) == Some(number);
        let found: Vec<&Node> = self.tasks().iter().filter(is).collect();
        match found[..] {
            [one] => Ok(one),
            [] => {
                let others = ["pending_tasks", "completed_projects"];
                let holds = |key: &&str| {
                    self.root
                        .get(key)
                        .and_then(Node::elements)
                        .is_some_and(|tasks| tasks.iter().any(|task| is(&task)))
                };
                Err(Missing::Absent(others.into_iter().find(holds)))
            }
            _ => Err(Missing::Ambiguous(found.len())),
        }
    }

    /// Returns a string member of a task's object.
    pub fn text_of(&self, task: &Node, key: &str) -> Option<String> {
        task.get(key)?.text(self.text)
    }

    /// Returns the paths of the artifacts and of the plan of a task's object.
    pub fn paths(&self, task: &Node) -> Vec<String> {
        let filed = task.get("artifacts").map(filed).unwrap_or_default();
        let paths = filed.into_iter().filter_map(|artifact| self.path_of(artifact));
        paths.chain(self.text_of(task, "plan_path")).collect()
    }

    /// Returns the path of an artifact, which is a string or an object with a member `path`.
    fn path_of(&self, artifact: &Node) -> Option<String> {
        artifact.get("path").unwrap_or(artifact).text(self.text)
    }

    /// Checks whether a value is `null`.
    fn is_null(&self, node: &Node) -> bool {
        &self.text[node.span.clone()] == "null"
    }
}

/// A task's object with its edits.
pub struct Editor<'a> {
    state: &'a State<'a>,
    pub(super) task: &'a Node,
    dir: &'a str,
    /// Whether the document escapes everything that is not ASCII.
    pub(super) ascii: bool,
    /// The members to add, with their values as JSON.
    new: Vec<(String, String)>,
    /// Why values of an unexpected form were not overwritten.
    pub unfit: Vec<String>,
    pub edits: Edits,
}

impl<'a> Editor<'a> {
    /// Returns the editor of a task's object; `dir` is the directory of the file, relative to the top of the
    /// repository.
    pub fn new(state: &'a State<'a>, task: &'a Node, dir: &'a str) -> Self {
        let ascii = state.text.is_ascii() && state.text.contains("\\u");
        Self { state, task, dir, ascii, new: Vec::new(), unfit: Vec::new(), edits: Edits::default() }
    }

    /// Sets a status.
    pub fn set_status(&mut self, to: Status) {
        self.set("status", to.as_str());
    }

    /// Sets a string: in its place, or as a new last member. Returns whether that is a change.
    pub fn set(&mut self, key: &str, value: &str) -> bool {
        if self.state.text_of(self.task, key).as_deref() == Some(value) {
            return false;
        }
        let value = quoted(value, self.ascii);
        self.set_raw(key, value);
        true
    }

    /// Sets numbers, as [`Self::set`]. A value that is not a list of numbers is left alone.
    pub fn set_numbers(&mut self, key: &str, numbers: &[u64]) {
        let state = self.state;
        let number = |element: &Node| element.number(state.text).is_some();
        if let Some(node) = self.task.get(key)
            && !state.is_null(node)
            && !node.elements().is_some_and(|elements| elements.iter().all(number))
        {
            self.unfit.push(format!("{key} is not a list of numbers"));
            return;
        }
        let words: Vec<_> = numbers.iter().map(u64::to_string).collect();
        let value = format!("[{}]", words.join(", "));
        match self.task.get(key) {
            Some(node) => self.edits.replace(node.span.clone(), value),
            None => self.new.push((key.to_owned(), value)),
        }
    }

    /// Sets the value of a member, unless the present value is a list or an object.
    fn set_raw(&mut self, key: &str, value: String) {
        match self.task.get(key) {
            Some(node) if !matches!(node.kind, Shape::Scalar) => {
                self.unfit.push(format!("{key} is a list or an object, not a text"));
            }
            Some(node) => self.edits.replace(node.span.clone(), value),
            None => self.new.push((key.to_owned(), value)),
        }
    }

    /// Adds artifacts, each once; a summary is also added to the present ones. Returns whether anything
    /// changed. Artifacts that are not in a list are added to in their own form, or left alone.
    pub fn add_artifacts(&mut self, artifacts: &[Artifact], summary: Option<&str>) -> bool {
        let list = self.task.get("artifacts").filter(|list| !self.state.is_null(list));
        let there = list.map(filed).unwrap_or_default();
        let (mut new, mut changed): (Vec<&Artifact>, bool) = (Vec::new(), false);
        for artifact in artifacts {
            let same = |path: &str| same_file(path, &artifact.path, self.dir);
            let path = |element: &&&Node| self.state.path_of(element).is_some_and(|path| same(&path));
            match there.iter().find(path) {
                Some(known) => changed |= self.summarise(known, summary),
                None if new.iter().any(|one| same(&one.path)) => {}
                None => new.push(artifact),
            }
        }
        if new.is_empty() {
            return changed;
        }
        match list {
            Some(list) if list.elements().is_none() => self.file_by_kind(list, &new, summary),
            _ => self.file(list, &new, summary),
        }
        true
    }

    /// Adds artifacts to a list, or creates the list.
    fn file(&mut self, list: Option<&Node>, new: &[&Artifact], summary: Option<&str>) {
        let there = list.and_then(Node::elements).unwrap_or(&[]);
        if !there.is_empty() {
            return self.append(there, new, summary);
        }
        let (outer, inner) = self.indents();
        let elements: Vec<String> = new
            .iter()
            .map(|artifact| format!("{inner}{}", self.element(artifact, summary, false, None)))
            .collect();
        let array = format!("[{}{outer}]", elements.join(if inner.is_empty() { ", " } else { "," }));
        match self.task.get("artifacts") {
            Some(list) => self.edits.replace(list.span.clone(), array),
            None => self.new.push(("artifacts".to_owned(), array)),
        }
    }

    /// Adds artifacts after the last element of a list, in the style of the elements.
    pub(super) fn append(&mut self, there: &[Node], new: &[&Artifact], summary: Option<&str>) {
        let Some(end) = there.last() else { return };
        let strings = there.iter().all(|element| self.state.text[element.span.clone()].starts_with('"'));
        let before = &self.state.text[..end.span.start];
        let blanks = &before[before.trim_end().len()..];
        let colon = self.task.members().last().map_or_else(String::new, |last| self.colon(last));
        let blanks =
            if there.len() == 1 && blanks.is_empty() { colon.trim_start_matches(':') } else { blanks };
        for artifact in new {
            let element = self.element(artifact, summary, strings, Some(end));
            self.edits.insert(end.span.end, format!(",{blanks}{element}"));
        }
    }

    /// Returns the edits of the object, including the new members.
    pub fn finish(mut self) -> Edits {
        if let Some(last) = self.task.members().last() {
            let colon = self.colon(last);
            let blanks = self.between(self.task.members());
            for (key, value) in std::mem::take(&mut self.new) {
                let key = quoted(&key, self.ascii);
                self.edits.insert(last.value.span.end, format!(",{blanks}{key}{colon}{value}"));
            }
        }
        self.edits
    }

    fn summarise(&mut self, element: &Node, summary: Option<&str>) -> bool {
        let (Some(summary), Some(last)) = (summary, element.members().last()) else { return false };
        let quoted = quoted(summary, self.ascii);
        match element.get("summary") {
            Some(old) if old.text(self.state.text).as_deref() == Some(summary) => return false,
            Some(old) if !matches!(old.kind, Shape::Scalar) => {
                self.unfit.push("the summary of an artifact is a list or an object, not a text".to_owned());
                return false;
            }
            Some(old) => self.edits.replace(old.span.clone(), quoted),
            None => {
                let blanks = self.between(element.members());
                let new = format!(",{blanks}\"summary\"{}{quoted}", self.colon(last));
                self.edits.insert(last.value.span.end, new);
            }
        }
        true
    }

    /// Returns an artifact in the style of its neighbours: a string, an object on one line, or an object on
    /// several lines.
    fn element(
        &self,
        artifact: &Artifact,
        summary: Option<&str>,
        string: bool,
        like: Option<&Node>,
    ) -> String {
        let path = quoted(&artifact.path, self.ascii);
        if string {
            return path;
        }
        let mut members = vec![("path", path), ("type", quoted(artifact.kind.word(), self.ascii))];
        members.extend(summary.map(|summary| ("summary", quoted(summary, self.ascii))));
        let like = like.filter(|like| !like.members().is_empty());
        let (open, close, colon) = if let Some(like) = like {
            let first = &like.members()[0];
            let end = &self.state.text[..like.span.end - 1];
            (self.blanks_before(first), end[end.trim_end().len()..].to_owned(), self.colon(first))
        } else {
            let (outer, inner) = self.indents();
            let step = inner.strip_prefix(outer.as_str()).unwrap_or("").to_owned();
            let colon = self.task.members().last().map_or_else(|| ": ".to_owned(), |last| self.colon(last));
            (format!("{inner}{step}"), inner, colon)
        };
        let between = if open.is_empty() && colon.ends_with(' ') { " " } else { &open };
        let members: Vec<_> = members.iter().map(|(key, value)| format!("\"{key}\"{colon}{value}")).collect();
        format!("{{{open}{}{close}}}", members.join(&format!(",{between}")))
    }

    /// Returns the white space before the members of the task's object, and before members one level deeper.
    fn indents(&self) -> (String, String) {
        let Some(first) = self.task.members().first() else { return (String::new(), String::new()) };
        let outer = self.blanks_before(first);
        let end = &self.state.text[..self.task.span.end - 1];
        let brace = &end[end.trim_end().len()..];
        if !outer.contains('\n') {
            return (String::new(), String::new());
        }
        let step = outer.strip_prefix(brace).filter(|step| !step.is_empty()).unwrap_or("  ").to_owned();
        let inner = format!("{outer}{step}");
        (outer, inner)
    }

    /// Returns the white space between two members. With a single member, its colon tells whether the
    /// document has blanks.
    pub(super) fn between(&self, members: &[Member]) -> String {
        let Some(last) = members.last() else { return String::new() };
        let blanks = self.blanks_before(last);
        let roomy = members.len() == 1 && blanks.is_empty() && self.colon(last).ends_with(' ');
        if roomy { " ".to_owned() } else { blanks }
    }

    fn blanks_before(&self, member: &Member) -> String {
        let before = &self.state.text[..member.at.start];
        before[before.trim_end().len()..].to_owned()
    }

    pub(super) fn colon(&self, member: &Member) -> String {
        self.state.text[member.at.end..member.value.span.start].to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::task::link::artifact;

    fn changed(text: &str, change: impl FnOnce(&mut Editor<'_>)) -> String {
        let state = State::scan(text).unwrap();
        let task = state.find(7).unwrap();
        let mut editor = Editor::new(&state, task, "specs");
        change(&mut editor);
        editor.finish().apply(text)
    }

    /// TS-17, TS-23: one value changes, new members come last, in the style of the object.
    #[test]
    fn members_are_set_in_place_or_added_behind() {
        let text = "{\n  \"active_projects\": [\n    {\n      \"project_number\": \"7\",\n      \"status\": \"planned\",\n      \
                    \"status\": \"x\",\n      \"h\": 13.0, \"l\": [1,\n2]\n    }\n  ]\n}";
        let new = changed(text, |task| {
            task.set_status(Status::Implementing);
            assert!(task.set("started", "now"));
            assert!(!task.set("status", "x"));
        });
        let expected =
            text.replace("\"x\"", "\"implementing\"").replace("\n2]\n", "\n2], \"started\": \"now\"\n");
        assert_eq!(new, expected);
        let new = changed("{\"active_projects\":[{\"project_number\":7}]}", |task| _ = task.set("a", "φ"));
        assert_eq!(new, "{\"active_projects\":[{\"project_number\":7,\"a\":\"φ\"}]}");
    }

    /// TS-20, TS-23: an artifact is filed once, in the form that the list has.
    #[test]
    fn artifacts_in_the_form_of_the_list() {
        let one = [artifact("report:specs/7_a/r.md").unwrap()];
        let task = |list: &str| format!("{{\"active_projects\": [{{\"project_number\": 7{list}}}]}}");
        for (before, after) in [
            (
                "",
                ", \"artifacts\": [{\"path\": \"specs/7_a/r.md\", \"type\": \"research\", \"summary\": \"s\"}]",
            ),
            (
                ", \"artifacts\": []",
                ", \"artifacts\": [{\"path\": \"specs/7_a/r.md\", \"type\": \"research\", \"summary\": \"s\"}]",
            ),
            (", \"artifacts\": [\"a.md\"]", ", \"artifacts\": [\"a.md\", \"specs/7_a/r.md\"]"),
            (", \"artifacts\": [\"7_a/r.md\"]", ", \"artifacts\": [\"7_a/r.md\"]"),
            (
                ", \"artifacts\": [ {\"path\":\"7_a/r.md\"} ]",
                ", \"artifacts\": [ {\"path\":\"7_a/r.md\",\"summary\":\"s\"} ]",
            ),
        ] {
            let new = changed(&task(before), |task| _ = task.add_artifacts(&one, Some("s")));
            assert_eq!(new, task(after), "{before}");
            assert_eq!(changed(&new, |task| assert!(!task.add_artifacts(&one, Some("s")))), new, "once");
        }
        let lines = "{\n  \"active_projects\": [\n    {\n      \"project_number\": 7,\n      \"artifacts\": [\n        {\n          \
                     \"type\": \"plan\",\n          \"path\": \"p\"\n        }\n      ]\n    }\n  ]\n}\n";
        let new = changed(lines, |task| _ = task.add_artifacts(&one, None));
        let added = "        },\n        {\n          \"path\": \"specs/7_a/r.md\",\n          \"type\": \"research\"\n        }\n      ]";
        assert_eq!(new, lines.replace("        }\n      ]", added));
        let empty = lines
            .replace(&lines[lines.find("[\n        {").unwrap()..lines.find("\n    }\n").unwrap()], "[]");
        let new = changed(&empty, |task| _ = task.add_artifacts(&one, None));
        let first = "[\n        {\n          \"path\": \"specs/7_a/r.md\",\n          \"type\": \"research\"\n        }\n      ]";
        assert_eq!(new, empty.replace("[]", first));
    }

    /// TS-08, TS-09, TS-57
    #[test]
    fn what_is_not_one_task() {
        let text = r#"{"active_projects": [{"project_number": 1}, {"project_number": "1"}, {"x": 2}], "completed_projects": [{"project_number": 3}]}"#;
        let state = State::scan(text).unwrap();
        assert_eq!(state.find(1).unwrap_err(), Missing::Ambiguous(2));
        assert_eq!(state.find(3).unwrap_err(), Missing::Absent(Some("completed_projects")));
        assert_eq!(state.find(4).unwrap_err(), Missing::Absent(None));
        for bad in [r#"{"project_number": 1, "status": "planned"}"#, "[]", r#"{"active_projects": {}}"#] {
            assert!(State::scan(bad).unwrap_err().contains("active_projects"), "{bad}");
        }
    }
}
