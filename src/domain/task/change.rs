//! One change of one task, computed from one reading of its files: the new texts, or everything that is wrong
//! with it.

use super::edit::Edits;
use super::entry::Editor as Entry;
use super::link::{Artifact, Kind as Type};
use super::plan;
use super::problem::{Kind, Problem};
use super::request::Request;
use super::state::{self, State};
use super::status::Status;
use super::todo::{self, Todo};
use super::verify::{Wanted, verify};

/// The texts of the files.
#[derive(Clone, Copy, Debug)]
pub struct Texts<'a> {
    pub todo: &'a str,
    pub state: &'a str,
    /// The plan, if its status follows.
    pub plan: Option<&'a str>,
}

/// A change and the new texts of the files.
#[derive(Clone, Debug)]
pub struct Change {
    /// The status before, as `state.json` had it.
    pub from: String,
    pub to: Status,
    pub todo: String,
    pub state: String,
    pub plan: Option<String>,
    /// The artifacts to which the entry had no link before.
    pub links: Vec<String>,
    /// Problems that are not critical.
    pub notes: Vec<Problem>,
    /// The numbers of bytes of `TODO.md` and of `state.json` that were removed or replaced.
    removed: (usize, usize),
}

/// Computes a change.
///
/// # Errors
/// Every problem of the change, at least one of them critical.
pub fn change(texts: Texts<'_>, request: &Request) -> Result<Change, Vec<Problem>> {
    let mut problems = Vec::new();
    let todo = Todo::scan(texts.todo);
    let entry = entry(&todo, request.task).map_err(|problem| problems.push(problem)).ok();
    let editor = entry.and_then(|entry| {
        let editor = Entry::new(&todo, entry, &request.dir);
        if editor.is_none() {
            let message =
                format!("TODO.md: the status of task {} is no status that can be changed", request.task);
            problems.push(Problem::new(Kind::ValidationFailed, message));
        }
        editor
    });
    let state = State::scan(texts.state)
        .map_err(|err| problems.push(Problem::new(Kind::ParseError, format!("state.json: {err}"))))
        .ok();
    let task = state.as_ref().and_then(|state| {
        state.find(request.task).map_err(|err| problems.push(not_in_state(&err, request.task))).ok()
    });
    if texts.plan.is_some_and(|plan| plan::overall(plan).is_none()) {
        let message = "the plan has no overall status line above its phases";
        problems.push(Problem::new(Kind::ValidationFailed, message));
    }
    let (Some(editor), Some(state), Some(task)) = (editor, &state, task) else {
        problems.extend(missing(request, None));
        return Err(problems);
    };
    let word = state.text_of(task, "status").unwrap_or_default();
    let from = Status::read(&word);
    let mut notes = Vec::new();
    let judged = judge(request, from, &word, &editor);
    problems.extend(judged.iter().filter(|problem| problem.kind.is_critical()).cloned());
    notes.extend(judged.into_iter().filter(|problem| !problem.kind.is_critical()));
    problems.extend(missing(request, Some((state, task))));
    if editor.status() != from {
        let kind = if request.strict { Kind::MismatchRefused } else { Kind::StatusMismatch };
        let message =
            format!("task {}: TODO.md said [{}], state.json said {word}", request.task, editor.shown());
        if request.strict { &mut problems } else { &mut notes }.push(Problem::new(kind, message));
    }
    let Some(to) = request.to.or(from) else { return Err(problems) };
    if !problems.is_empty() {
        return Err(problems);
    }
    let made = edit(texts, request, editor, state, task, &word, to, notes)?;
    check(texts, request, &made)?;
    Ok(made)
}

/// Returns the one entry of a task.
fn entry<'a>(todo: &'a Todo<'_>, task: u64) -> Result<&'a todo::Entry, Problem> {
    todo.find(task).map_err(|missing| match missing {
        todo::Missing::Heading => {
            Problem::new(Kind::TaskNotFound, format!("TODO.md has no entry for task {task}"))
        }
        todo::Missing::Status => Problem::new(
            Kind::TaskNotFound,
            format!("TODO.md has a heading for task {task}, but no status line below it"),
        ),
        todo::Missing::Ambiguous(count) => {
            Problem::new(Kind::TaskAmbiguous, format!("TODO.md has {count} entries for task {task}"))
        }
    })
}

fn not_in_state(err: &state::Missing, task: u64) -> Problem {
    match err {
        state::Missing::Absent(None) => {
            Problem::new(Kind::TaskNotFound, format!("state.json has no active task {task}"))
        }
        state::Missing::Absent(Some(list)) => Problem::new(
            Kind::TaskNotFound,
            format!("state.json has no active task {task}, but one in {list}"),
        ),
        state::Missing::Ambiguous(count) => {
            Problem::new(Kind::TaskAmbiguous, format!("state.json has {count} active tasks {task}"))
        }
    }
}

/// Checks that the status may follow, and that the work has an artifact.
fn judge(request: &Request, from: Option<Status>, word: &str, entry: &Entry<'_>) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut refuse = |kind: Kind, message: String| {
        if request.force {
            found.push(Problem::new(Kind::TransitionForced, message));
        } else {
            found.push(Problem::new(kind, message));
        }
    };
    let task = request.task;
    let Some(from) = from else {
        let wanted = request.to.map_or("a link", Status::as_str);
        refuse(
            Kind::InvalidTransition,
            format!("task {task} is \"{word}\", which is no known status: {wanted} does not follow"),
        );
        return found;
    };
    let to = request.to.unwrap_or(from);
    let links = !request.artifacts.is_empty();
    if from != to && !from.next().contains(&to) {
        let allowed: Vec<_> = from.next().iter().map(|status| status.as_str()).collect();
        let allowed = if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") };
        refuse(
            Kind::InvalidTransition,
            format!("task {task} is {from}: {to} does not follow (allowed: {allowed})"),
        );
    }
    // Repeating a status is allowed where the files disagree: it repairs them.
    if from == to && entry.status() == Some(from) {
        if links && !to.takes_links() {
            refuse(Kind::InvalidTransition, format!("task {task} is {from}, which takes no artifacts"));
        } else if !links && to.is_in_progress() {
            refuse(
                Kind::InvalidTransition,
                format!("task {task} is {from}: already being worked on (allowed: {})", words(from)),
            );
        } else if !links && !to.is_done_step() {
            refuse(
                Kind::InvalidTransition,
                format!("task {task} is {from} already (allowed: {})", words(from)),
            );
        }
    }
    let shown: &[Type] = match to {
        Status::Researched => &[Type::Research],
        Status::Planned | Status::Revised => &[Type::Plan],
        _ => &[Type::Summary, Type::Implementation],
    };
    if to.is_done_step() && !links && !shown.iter().any(|kind| entry.has_links(kind)) {
        let wanted = shown[0].word();
        refuse(
            Kind::ValidationFailed,
            format!("{to} needs an artifact: none was given, and TODO.md links no {wanted}"),
        );
    }
    found
}

fn words(from: Status) -> String {
    from.next().iter().map(|status| status.as_str()).collect::<Vec<_>>().join(", ")
}

/// Checks that the request has everything that its status needs.
fn missing(request: &Request, task: Option<(&State<'_>, &crate::domain::json::Node)>) -> Vec<Problem> {
    let mut found = Vec::new();
    let kept = |key: &str| {
        task.and_then(|(_, task)| task.get(key))
            .is_some_and(|node| node.elements().is_none_or(|list| !list.is_empty()))
    };
    let same = task.and_then(|(state, task)| state.text_of(task, "status")).as_deref()
        == request.to.map(Status::as_str);
    if let Some((to, (_, key))) = request.to.and_then(|to| Some((to, to.reason()?)))
        && request.reason.is_none()
        && !(same && kept(key))
    {
        found.push(Problem::new(Kind::ValidationFailed, format!("{to} needs a reason (--reason)")));
    }
    if request.to == Some(Status::Expanded) && request.subtasks.is_empty() && !kept("subtasks") {
        let message = "expanded needs the numbers of the subtasks (--subtasks)";
        found.push(Problem::new(Kind::ValidationFailed, message));
    }
    let plans = request.artifacts().iter().filter(|artifact| artifact.kind == Type::Plan).count();
    if plans > 1 && !request.keep_plans {
        let message =
            format!("{plans} plans were given, and only one is linked (--plan-link=append keeps all)");
        found.push(Problem::new(Kind::ValidationFailed, message));
    }
    found
}

#[expect(clippy::too_many_arguments, reason = "all that was found out before, used once")]
fn edit(
    texts: Texts<'_>,
    request: &Request,
    mut entry: Entry<'_>,
    state: &State<'_>,
    task: &crate::domain::json::Node,
    word: &str,
    to: Status,
    mut notes: Vec<Problem>,
) -> Result<Change, Vec<Problem>> {
    let artifacts = request.artifacts();
    let moved = word != to.as_str() || entry.status() != Some(to);
    let mut object = state::Editor::new(state, task, &request.dir);
    let links: Vec<String> =
        artifacts.iter().map(|artifact| artifact.path.clone()).filter(|path| !entry.links(path)).collect();
    let note = entry.set_status(to).map(str::to_owned);
    if let Some(note) = note {
        let message =
            format!("TODO.md: \"{note}\" behind the status of task {} was left as it is", request.task);
        notes.push(Problem::new(Kind::StatusNoteKept, message));
    }
    // The links are computed before the dates are written, and written after them.
    let mut changed = moved | object.add_artifacts(&artifacts, request.summary.as_deref());
    changed |= links_change(&entry, &artifacts, request);
    let subtasks = request.subtasks.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    if changed {
        let mut fields: Vec<(&str, &str)> = Vec::new();
        if let Some((field, key)) = to.stage().filter(|_| request.dates) {
            fields.push((field, &request.date));
            let begun = key == "started" && state.text_of(task, key).is_some_and(|text| !text.is_empty());
            if !begun {
                object.set(key, &request.staged);
            }
        }
        if let (Some((field, key)), Some(reason)) = (to.reason(), request.reason.as_deref()) {
            fields.push((field, reason));
            object.set(key, reason);
        }
        if to == Status::Expanded && !request.subtasks.is_empty() {
            fields.push(("Subtasks", &subtasks));
            object.set_numbers("subtasks", &request.subtasks);
        }
        entry.set_fields(&fields);
        link(&mut entry, &artifacts, request);
        object.set_status(to);
        object.set("last_updated", &request.now);
        let plan = artifacts.iter().rev().find(|artifact| artifact.kind == Type::Plan);
        if let Some(plan) = plan.filter(|_| task.get("plan_path").is_some()) {
            object.set("plan_path", &plan.path);
        }
    }
    if !object.unfit.is_empty() {
        let problem = |why: &String| {
            let message = format!("state.json: task {}: {why}; nothing was changed", request.task);
            Problem::new(Kind::ValidationFailed, message)
        };
        return Err(object.unfit.iter().map(problem).collect());
    }
    let object = if changed { object.finish() } else { Edits::default() };
    Ok(Change {
        from: word.to_owned(),
        to,
        todo: entry.edits.apply(texts.todo),
        state: object.apply(texts.state),
        removed: (entry.edits.removed(), object.removed()),
        plan: texts.plan.and_then(|plan| plan::with_status(plan, to)),
        links,
        notes,
    })
}

fn by_kind(artifacts: &[Artifact]) -> Vec<Vec<&Artifact>> {
    let mut kinds = vec![Type::Research, Type::Plan, Type::Summary, Type::Implementation];
    for artifact in artifacts {
        if !kinds.contains(&artifact.kind) {
            kinds.push(artifact.kind.clone());
        }
    }
    let of = |kind: &Type| artifacts.iter().filter(|artifact| artifact.kind == *kind).collect::<Vec<_>>();
    kinds.iter().map(of).filter(|group| !group.is_empty()).collect()
}

/// Checks whether the links would change, without changing them.
fn links_change(entry: &Entry<'_>, artifacts: &[Artifact], request: &Request) -> bool {
    artifacts.iter().any(|artifact| {
        if artifact.kind == Type::Plan && !request.keep_plans {
            !entry.is_only_link(artifact)
        } else {
            !entry.links(&artifact.path)
        }
    })
}

fn link(entry: &mut Entry<'_>, artifacts: &[Artifact], request: &Request) {
    for group in by_kind(artifacts) {
        match group[..] {
            [plan] if plan.kind == Type::Plan && !request.keep_plans => entry.replace_link(plan),
            _ => entry.append_links(&group),
        }
    }
}

/// Checks the new texts before anything is written: they parse, hold the change, and are not shorter than the
/// edits explain.
fn check(texts: Texts<'_>, request: &Request, made: &Change) -> Result<(), Vec<Problem>> {
    let fail = |message: String| Err(vec![Problem::new(Kind::VerificationFailed, message)]);
    let count = |text: &str| State::scan(text).map(|state| state.tasks().len());
    match (count(texts.state), count(&made.state)) {
        (Ok(before), Ok(after)) if before == after => {}
        (before, after) => {
            return fail(format!("state.json would change from {before:?} to {after:?} tasks"));
        }
    }
    for (name, old, new, removed) in [
        ("TODO.md", texts.todo, &made.todo, made.removed.0),
        ("state.json", texts.state, &made.state, made.removed.1),
    ] {
        if new.len() + removed < old.len() {
            return fail(format!("{name} would shrink from {} to {} bytes", old.len(), new.len()));
        }
    }
    let paths: Vec<String> = request.artifacts().into_iter().map(|artifact| artifact.path).collect();
    let wanted = Wanted { task: request.task, status: made.to, paths: &paths, dir: &request.dir };
    let new = Texts { todo: &made.todo, state: &made.state, plan: made.plan.as_deref() };
    let problems = verify(new, &wanted);
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::task::request::sample as request;

    /// TS-58
    #[test]
    fn a_text_that_lost_something_is_not_written() {
        let todo = "### 1. a\n- **Status**: [NOT STARTED]\n\n**Description**: long\n";
        let state =
            r#"{"active_projects": [{"project_number": 1, "status": "not_started"}, {"project_number": 2}]}"#;
        let (texts, request) = (Texts { todo, state, plan: None }, request(1, Status::Planning));
        let made = change(texts, &request).unwrap();
        check(texts, &request, &made).unwrap();
        let cut = Change { todo: made.todo.replace("**Description**: long", ""), ..made.clone() };
        let lost = Change { state: made.state.replace(r#", {"project_number": 2}"#, ""), ..made.clone() };
        let bare =
            Change { state: r#"{"project_number": 1, "status": "planning"}"#.to_owned(), ..made.clone() };
        for (wrong, why) in [(cut, "shrink"), (lost, "tasks"), (bare, "active_projects")] {
            let problems = check(texts, &request, &wrong).unwrap_err();
            assert!(problems[0].message.contains(why), "{problems:?}");
        }
    }
}
