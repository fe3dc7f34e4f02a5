//! The forms of `artifacts` in a task's object other than a list: lists by kind, or a single artifact.

use super::link::{Artifact, Kind};
use super::state::Editor;
use crate::domain::json::{Kind as Shape, Member, Node, quoted};

/// Returns the artifacts in the value of `artifacts`, whatever its form: a list, lists by kind, or a single
/// artifact.
pub fn filed(artifacts: &Node) -> Vec<&Node> {
    if let Some(elements) = artifacts.elements() {
        return elements.iter().collect();
    }
    if artifacts.members().is_empty() || artifacts.get("path").is_some() {
        return vec![artifacts];
    }
    let of = |member: &'_ Member| is_list_name(&member.key) || member.value.elements().is_some();
    let members = artifacts.members().iter().filter(|member| of(member));
    members
        .flat_map(|member| member.value.elements().unwrap_or(std::slice::from_ref(&member.value)))
        .collect()
}

/// Checks whether a member with that name holds artifacts of one of the known kinds.
fn is_list_name(key: &str) -> bool {
    let key = plain(key);
    let kinds = [Kind::Research, Kind::Plan, Kind::Summary, Kind::Implementation];
    kinds.iter().any(|kind| list_names(kind).contains(&key.as_str()))
}

fn plain(key: &str) -> String {
    key.to_lowercase().replace(['-', ' '], "_")
}

/// Returns the names of the list of a kind: first the singular, then the plural, then names that are only
/// read.
fn list_names(kind: &Kind) -> [&str; 5] {
    match kind {
        Kind::Research => ["research", "reports", "report", "research_reports", "research_report"],
        Kind::Plan => ["plan", "plans", "implementation_plans", "implementation_plan", ""],
        Kind::Summary => ["summary", "summaries", "implementation_summaries", "implementation_summary", ""],
        Kind::Implementation => ["implementation", "implementations", "", "", ""],
        Kind::Other(word) => [word, word, "", "", ""],
    }
}

impl Editor<'_> {
    /// Adds artifacts to an object that has lists of artifacts by kind.
    pub(super) fn file_by_kind(&mut self, lists: &Node, new: &[&Artifact], summary: Option<&str>) {
        let members = lists.members();
        let is_object = matches!(lists.kind, Shape::Object(_));
        if !is_object
            || !members.iter().any(|member| member.value.elements().is_some()) && !members.is_empty()
        {
            let message =
                "artifacts is neither a list nor an object of lists: there is no place for a new one";
            return self.unfit.push(message.to_owned());
        }
        let mut kinds: Vec<&Kind> = Vec::new();
        for artifact in new {
            if !kinds.contains(&&artifact.kind) {
                kinds.push(&artifact.kind);
            }
        }
        // New elements are objects if the present ones are.
        let like = members.iter().flat_map(|member| member.value.elements().unwrap_or(&[])).next_back();
        let strings = like.is_none_or(|like| like.members().is_empty());
        let mut lists_to_add = Vec::new();
        for kind in kinds {
            let of_kind: Vec<&Artifact> = new.iter().copied().filter(|new| new.kind == *kind).collect();
            let names = list_names(kind);
            let known = members.iter().rfind(|member| names.contains(&plain(&member.key).as_str()));
            let elements = known.map(|member| (member, member.value.elements()));
            match elements {
                Some((_, Some(elements))) if !elements.is_empty() => {
                    self.append(elements, &of_kind, summary);
                }
                Some((member, Some(_))) => {
                    let array = self.array(&of_kind, summary, strings);
                    self.edits.replace(member.value.span.clone(), array);
                }
                Some((member, None)) => {
                    self.unfit.push(format!("artifacts.{} is not a list", member.key));
                }
                None => {
                    let singular = members.iter().any(|member| {
                        let key = plain(&member.key);
                        let kinds = [Kind::Research, Kind::Plan, Kind::Summary, Kind::Implementation];
                        kinds.iter().any(|kind| list_names(kind)[0] == key)
                    });
                    let name = names[usize::from(!singular)].to_owned();
                    lists_to_add.push((name, self.array(&of_kind, summary, strings)));
                }
            }
        }
        if let Some(last) = members.last() {
            let (blanks, colon) = (self.between(members), self.colon(last));
            for (name, array) in lists_to_add {
                let name = quoted(&name, self.ascii);
                self.edits.insert(last.value.span.end, format!(",{blanks}{name}{colon}{array}"));
            }
        } else {
            let colon = self.task.members().last().map_or_else(|| ": ".to_owned(), |last| self.colon(last));
            let named =
                |(name, array): (String, String)| format!("{}{colon}{array}", quoted(&name, self.ascii));
            let new: Vec<_> = lists_to_add.into_iter().map(named).collect();
            self.edits.replace(lists.span.clone(), format!("{{{}}}", new.join(", ")));
        }
    }

    /// Returns a list on one line, as a member of an object of lists.
    fn array(&self, new: &[&Artifact], summary: Option<&str>, strings: bool) -> String {
        let element = |artifact: &&Artifact| {
            let path = quoted(&artifact.path, self.ascii);
            if strings {
                return path;
            }
            let mut members = vec![("path", path), ("type", quoted(artifact.kind.word(), self.ascii))];
            members.extend(summary.map(|summary| ("summary", quoted(summary, self.ascii))));
            let members: Vec<_> = members.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
            format!("{{{}}}", members.join(", "))
        };
        format!("[{}]", new.iter().map(element).collect::<Vec<_>>().join(", "))
    }
}
