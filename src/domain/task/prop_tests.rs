//! Whatever a change does, it changes only what it names.

use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::change::{Texts, change};
use super::request::{Request, sample};
use super::status::{ALL, Status};
use super::todo::Todo;

/// A task in both files, in one of the styles that there are.
#[derive(Clone, Debug)]
struct Task {
    status: Status,
    style: usize,
    fields: Vec<usize>,
    note: bool,
    rule: bool,
    object: usize,
}

const FIELDS: [&str; 12] = [
    "- **Effort**: 2 hours",
    "- **Priority**: High",
    "- **Language**: lean",
    "- **Researched**: 2025-12-01",
    "- **Started**: 2025-12-02",
    "- **Research**: [r-001.md](specs/1_a/reports/r-001.md)",
    "- **Research**:\n  - [r-002.md](1_a/reports/r-002.md) — first\n  - [r-003.md](1_a/reports/r-003.md)",
    "- **Plan**: [p-001.md](specs/1_a/plans/p-001.md) (v1)",
    "**Plan Artifacts**:\n  - Plan v1: [specs/1_a/plans/p-001.md]\n  - Plan v2: [specs/1_a/plans/p-002.md]",
    "- **Summary**: It is done, more or less",
    "- **Note**: [PLANNED] is what **Status**: [PLANNED] says",
    "- **Blocking Reason**: something",
];

fn task() -> impl Strategy<Value = Task> {
    let status = (0..ALL.len()).prop_map(|at| ALL[at]);
    let fields = prop::collection::vec(0..FIELDS.len(), 0..6);
    (status, 0..5_usize, fields, any::<bool>(), any::<bool>(), 0..4_usize).prop_map(
        |(status, style, fields, note, rule, object)| Task { status, style, fields, note, rule, object },
    )
}

fn todo(tasks: &[Task], ending: &str) -> String {
    let mut text =
        "---\nlast_updated: 2026-01-01\nnext_project_number: 9\n---\n\n# TODO\n\n## Tasks\n\n".to_owned();
    for (at, task) in tasks.iter().enumerate() {
        let number = at + 1;
        let marker = format!("[{}]", task.status.marker());
        let status = match task.style {
            0 => format!("- **Status**: {marker}"),
            1 => format!(" **Status**: {marker}"),
            2 => format!("**Status**: {marker}"),
            3 => format!("*Status**: {marker}"),
            _ => format!("- **Status**: {}", task.status.marker()),
        };
        let note = if task.note && task.style < 4 { " (Started: 2025-12-02)" } else { "" };
        write!(text, "### {number}. Task φ {number}\n{status}{note}\n").unwrap();
        for field in &task.fields {
            text += FIELDS[*field];
            text.push('\n');
        }
        text +=
            "\n**Description**: [PLANNED] see specs/1_a\n```\n### 1. no task\n- **Status**: [PLANNED]\n```\n";
        text += if task.rule { "\n---\n\n" } else { "\n" };
    }
    text.trim_end_matches('\n').replace('\n', ending) + if tasks[0].note { "" } else { ending }
}

fn state(tasks: &[Task]) -> String {
    let mut text = "{\n  \"_comment\": \"\\u03c6\", \"n\": 13.0,\n  \"active_projects\": [\n".to_owned();
    for (at, task) in tasks.iter().enumerate() {
        let (number, status) = (at + 1, task.status);
        let object = match task.object {
            0 => format!(
                "    {{\n      \"project_number\": {number},\n      \"status\": \"{status}\",\n      \"a\": [1, 2],\n      \"artifacts\": []\n    }}"
            ),
            1 => format!(
                "    {{\"status\":\"x\",\"project_number\":\"{number}\",\"status\":\"{status}\",\"artifacts\":[\"specs/1_a/reports/r-001.md\"]}}"
            ),
            2 => format!(
                "    {{\n\t\"project_number\": {number}, \"h\": 13.0, \"\\u03c6\": \"\\u03c6\",\n\t\"status\": \"{status}\",\n\t\"plan_path\": \"old\", \"started\": \"2025-12-02\",\n\t\"artifacts\": [\n\t\t{{\n\t\t\t\"type\": \"plan\",\n\t\t\t\"path\": \"specs/1_a/plans/p-001.md\"\n\t\t}}\n\t]\n    }}"
            ),
            _ => format!(
                "    {{\"project_number\": {number}, \"status\": \"{status}\", \"last_updated\": \"2025\"}}"
            ),
        };
        text.push_str(&object);
        text += if at + 1 < tasks.len() { ",\n" } else { "\n" };
    }
    text + "  ],\n  \"artifacts\": []\n}"
}

fn request(tasks: usize) -> impl Strategy<Value = Request> {
    let to = (0..ALL.len()).prop_map(|at| ALL[at]);
    let artifact = prop::sample::select(vec![
        "research:specs/1_a/reports/r-003.md",
        "research:specs/1_a/reports/r-009.md",
        "plan:specs/1_a/plans/p-001.md",
        "plan:specs/1_a/plans/p-009.md",
        "summary:specs/1_a/summaries/s.md",
        "implementation:src/a b.rs",
        "lean_module:A.lean",
    ]);
    let artifacts = prop::collection::btree_set(artifact, 0..3);
    (1..=tasks, to, artifacts, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(task, to, artifacts, dates, keep_plans, summary)| Request {
            task: task as u64,
            to: Some(to),
            artifacts: artifacts.into_iter().map(ToOwned::to_owned).collect(),
            summary: summary.then(|| "what \"it\" says".to_owned()),
            reason: to.reason().map(|_| "something is in the way".to_owned()),
            subtasks: if to == Status::Expanded { vec![7, 8] } else { Vec::new() },
            date: "2026-01-31".to_owned(),
            staged: "2026-01-31T10:00:00Z".to_owned(),
            now: "2026-01-31T10:00:01Z".to_owned(),
            dates,
            force: true,
            strict: false,
            keep_plans,
            dir: "specs".to_owned(),
        },
    )
}

/// Returns true if a change may touch or make a line of the entry.
fn is_named(line: &str, request: &Request) -> bool {
    let name = line.trim_start().trim_start_matches("- ").trim_start_matches('*');
    let mut names = vec!["Status", "Research", "Plan", "Summary", "Implementation", "Lean Module"];
    let to = request.to.unwrap();
    names.extend(to.stage().filter(|_| request.dates).map(|(name, _)| name));
    names.extend(to.reason().map(|(name, _)| name));
    names.push("Subtasks");
    names.iter().any(|known| name.starts_with(known))
        || line.starts_with("  - [")
        || line.starts_with("  - Plan v")
}

fn lines<'a>(todo: &Todo<'a>, task: u64) -> (Vec<&'a str>, usize, usize) {
    let entry = todo.find(task).unwrap();
    let (from, to) = (todo.lines[entry.heading].start, todo.lines[entry.end - 1].next);
    ((entry.heading..entry.end).map(|at| todo.line(at)).collect(), from, to)
}

/// The members by which two objects differ.
fn differing(old: &Map<String, Value>, new: &Map<String, Value>) -> Vec<String> {
    old.keys().chain(new.keys()).filter(|key| old.get(*key) != new.get(*key)).cloned().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// TS-16, TS-17, TS-19, TS-23, TS-26, TS-27: outside the entry and the object no byte changes, inside
    /// them only the lines and members that the change is about; and a second time nothing changes at all.
    #[test]
    fn only_what_is_named_changes(
        tasks in prop::collection::vec(task(), 1..4),
        crlf in any::<bool>(),
        seed in request(3),
    ) {
        let ending = if crlf { "\r\n" } else { "\n" };
        let (todo, state) = (todo(&tasks, ending), state(&tasks));
        let request = Request { task: (seed.task - 1) % tasks.len() as u64 + 1, ..seed };
        let texts = Texts { todo: &todo, state: &state, plan: None };
        let made = match change(texts, &request) {
            Ok(made) => made,
            // Two plans at once, of which only one may stay.
            Err(problems) => {
                prop_assert!(problems.iter().all(|problem| problem.message.contains("plans were given")), "{problems:?}");
                return Ok(());
            }
        };
        let (old, new) = (Todo::scan(&todo), Todo::scan(&made.todo));
        let (old_lines, from, to) = lines(&old, request.task);
        let (new_lines, new_from, new_to) = lines(&new, request.task);
        prop_assert_eq!(&todo[..from], &made.todo[..new_from]);
        prop_assert_eq!(&todo[to..], &made.todo[new_to..]);
        let kept = |lines: &[&str]| -> Vec<String> {
            lines.iter().filter(|line| !is_named(line, &request)).map(|line| (*line).to_owned()).collect()
        };
        prop_assert_eq!(kept(&old_lines), kept(&new_lines));
        prop_assert_eq!(made.todo.matches("\r\n").count() == made.todo.matches('\n').count(), crlf || !made.todo.contains('\n'));

        let (before, after): (Value, Value) = (serde_json::from_str(&state).unwrap(), serde_json::from_str(&made.state).unwrap());
        prop_assert_eq!(differing(before.as_object().unwrap(), after.as_object().unwrap()).iter().all(|key| key == "active_projects"), true);
        let mut allowed = vec!["status", "last_updated", "artifacts", "plan_path", "subtasks"];
        allowed.extend(made.to.stage().map(|(_, key)| key));
        allowed.extend(made.to.reason().map(|(_, key)| key));
        for (at, (before, after)) in before["active_projects"].as_array().unwrap().iter().zip(after["active_projects"].as_array().unwrap()).enumerate() {
            let keys = differing(before.as_object().unwrap(), after.as_object().unwrap());
            prop_assert!(at as u64 + 1 == request.task || keys.is_empty());
            prop_assert!(keys.iter().all(|key| allowed.contains(&key.as_str())), "{keys:?}");
        }
        let scanned = super::state::State::scan(&state).unwrap();
        let span = scanned.find(request.task).unwrap().span.clone();
        prop_assert!(made.state.starts_with(&state[..span.start]));
        prop_assert!(made.state.ends_with(&state[span.end..]));

        let again = change(Texts { todo: &made.todo, state: &made.state, plan: None }, &request).unwrap();
        prop_assert_eq!(again.todo, made.todo);
        prop_assert_eq!(again.state, made.state);
        prop_assert_eq!(again.links, Vec::<String>::new());
    }

    /// TS-05, TS-06: no text makes it fail otherwise than by saying so.
    #[test]
    fn any_text_is_answered(todo in "(### [0-9]{1,2}\\. a|- \\*\\*Status\\*\\*: \\[PLANNED\\]|---|```|\n|[a-z*: ]{0,5}){0,20}", state in "[\\[\\]{}\",:a-z0-9\\\\ ]{0,40}") {
        let request = sample(1, Status::Planning);
        let _ = change(Texts { todo: &todo, state: &state, plan: Some(&todo) }, &request);
    }
}
