//! What is refused before anything is written.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Specs;

/// TS-01, TS-02: what may not follow is refused with what may; the table is the one that the program prints.
#[test]
fn only_what_the_table_has_may_follow() {
    let specs = Specs::new(1);
    let (todo, state) = specs.pair();
    let table: Value = serde_json::from_str(&specs.ok("transitions --json")).unwrap();
    let statuses: Vec<&str> =
        table.as_array().unwrap().iter().map(|row| row["status"].as_str().unwrap()).collect();
    assert_eq!(statuses.len(), 15);
    for row in table.as_array().unwrap() {
        let (from, marker) = (row["status"].as_str().unwrap(), row["marker"].as_str().unwrap());
        let next: Vec<&str> =
            row["next"].as_array().unwrap().iter().map(|next| next.as_str().unwrap()).collect();
        fs::write(specs.dir.join("TODO.md"), todo.replace("NOT STARTED", marker)).unwrap();
        fs::write(specs.dir.join("state.json"), state.replace("not_started", from)).unwrap();
        for to in statuses.iter().filter(|to| !next.contains(to) && **to != from) {
            let (code, types, messages) =
                specs.refused(&format!("set 1 --to={to} --reason=r --subtasks=2 --dry-run"));
            assert_eq!(
                (code, types.contains(&"invalid_transition".to_owned())),
                (1, true),
                "{from} → {to}: {messages}"
            );
            let allowed = if next.is_empty() { "nothing".to_owned() } else { next.join(", ") };
            assert!(
                messages.contains(&format!("task 1 is {from}: {to} does not follow (allowed: {allowed})")),
                "{messages}"
            );
        }
    }
    for (from, to) in [
        ("completed", "planning"),
        ("expanded", "planning"),
        ("not_started", "completed"),
        ("not_started", "abandoned"),
        ("abandoned", "completed"),
    ] {
        let row = table.as_array().unwrap().iter().find(|row| row["status"] == from).unwrap();
        assert!(!row["next"].as_array().unwrap().contains(&to.into()), "{from} → {to}");
        fs::write(specs.dir.join("TODO.md"), todo.replace("NOT STARTED", row["marker"].as_str().unwrap()))
            .unwrap();
        fs::write(specs.dir.join("state.json"), state.replace("not_started", from)).unwrap();
        let (code, types, _) = specs.refused(&format!("set 1 --to={to} --reason=r"));
        assert_eq!(
            (code, types.first().map(String::as_str)),
            (1, Some("invalid_transition")),
            "{from} → {to}"
        );
    }
    // With --force it goes on, and says so.
    let (code, result) = specs.result("set 1 --to=planning --force");
    assert_eq!((code, super::types(&result)), (0, vec!["transition_forced"]));
}

/// TS-03: a word that is no status is refused; so are those that are read and never written.
#[test]
fn unknown_words_are_no_status() {
    let specs = Specs::new(1);
    let before = specs.pair();
    for word in ["done", "implemented", "superseded", "active", "[PLANNED]", "", "planned "] {
        let (stdout, stderr) = specs.sandbox.fails(["task", "set", "1", &format!("--to={word}")], 3);
        assert!(stdout.is_empty() && stderr.contains("--to"), "{word}: {stderr}");
    }
    assert_eq!(specs.pair(), before);
    specs.ok("set 1 --to=RESEARCHING");
    assert_eq!(specs.status(1).1, "researching");
}

/// TS-04: what has to be said, and was not, is named.
#[test]
fn a_reason_has_to_be_given() {
    let specs = Specs::new(2);
    specs.ok("preflight 2 --to=researching");
    for (task, to, field) in
        [(1, "blocked", "--reason"), (2, "abandoned", "--reason"), (1, "expanded", "--subtasks")]
    {
        let (code, types, messages) = specs.refused(&format!("set {task} --to={to}"));
        assert_eq!((code, &types[..]), (1, &["validation_failed".to_owned()][..]));
        assert!(messages.contains(to) && messages.contains(field), "{messages}");
    }
    specs.ok("set 1 --to=blocked '--reason=waits for 2'");
    assert!(specs.todo().contains(
        "- **Status**: [BLOCKED]\n- **Blocked**: 2023-11-14\n- **Blocking Reason**: waits for 2\n"
    ));
    assert_eq!(specs.object(1)["blocked_reason"], "waits for 2");
    specs.ok("set 1 --to=expanded --subtasks=3,4");
    assert_eq!(specs.object(1)["subtasks"], serde_json::json!([3, 4]));
    assert!(specs.todo().contains("- **Subtasks**: 3, 4\n"));
}

/// TS-05: a file that is missing, unreadable or empty is named.
#[test]
fn files_that_cannot_be_used_are_named() {
    for (name, content, kind) in [
        ("TODO.md", None, "file_not_found"),
        ("state.json", None, "file_not_found"),
        ("TODO.md", Some(&b""[..]), "parse_error"),
        ("TODO.md", Some(b"  \n"), "parse_error"),
        ("state.json", Some(b""), "parse_error"),
        ("TODO.md", Some(b"### 1. \xff\xfe\n"), "parse_error"),
    ] {
        let specs = Specs::new(1);
        match content {
            None => fs::remove_file(specs.dir.join(name)).unwrap(),
            Some(content) => fs::write(specs.dir.join(name), content).unwrap(),
        }
        let (code, types, messages) = specs.refused("preflight 1 --to=planning");
        assert_eq!((code, types.contains(&kind.to_owned())), (2, true), "{name} {content:?}: {types:?}");
        assert!(messages.contains(name), "{messages}");
    }
    let specs = Specs::new(1);
    let (code, types, messages) = specs.refused("preflight 1 --to=planning --plan=specs/1_a/plans/no.md");
    assert_eq!((code, &*types[0], messages.contains("1_a/plans/no.md")), (2, "file_not_found", true));
    // What is no file is not read, and not waited for.
    fs::remove_file(specs.dir.join("TODO.md")).unwrap();
    fs::create_dir(specs.dir.join("TODO.md")).unwrap();
    assert_eq!(specs.refused("preflight 1 --to=planning").1, ["file_unreadable"]);
}

/// TS-06: no JSON is refused with its place, and not repaired. The shapes are those of real accidents: a comma before a
/// bracket, a document cut off, task objects one after another.
#[test]
fn broken_json_is_refused_with_its_place() {
    for (name, place) in
        [("comma", "line 6 column 3"), ("cut", "line 4 column"), ("selected", "line 5 column 1")]
    {
        let specs = Specs::fixture(name);
        let (code, types, messages) = specs.refused("preflight 1 --to=planning");
        assert_eq!((code, &types[..]), (2, &["parse_error".to_owned()][..]), "{name}");
        assert!(messages.contains("state.json") && messages.contains(place), "{name}: {messages}");
    }
}

/// TS-57: one bare task object is valid JSON, and no state of a project.
#[test]
fn a_bare_task_object_is_refused() {
    let specs = Specs::fixture("bare");
    let (code, types, messages) = specs.refused("preflight 1 --to=planning");
    assert_eq!((code, &types[..]), (2, &["parse_error".to_owned()][..]));
    assert!(messages.contains("active_projects"), "{messages}");
}

/// TS-07
#[test]
fn a_plan_without_an_overall_status_is_refused() {
    let specs = Specs::new(1);
    specs.file(
        "specs/1_a/plans/p.md",
        "# Plan\n\n### Phase 1: all of it [NOT STARTED]\n- **Status**: [NOT STARTED]\n",
    );
    let (code, types, messages) = specs.refused("preflight 1 --to=planning --plan=specs/1_a/plans/p.md");
    assert_eq!((code, &types[..]), (1, &["validation_failed".to_owned()][..]));
    assert!(messages.contains("no overall status"), "{messages}");
}

/// TS-08: which file does not know the task; and a heading whose fields were carried off is said apart.
#[test]
fn a_task_that_one_file_does_not_know() {
    let specs = Specs::fixture("pasted");
    for (task, said) in [
        (1, "TODO.md has a heading for task 1, but no status line"),
        (3, "TODO.md has no entry for task 3"),
        (4, "state.json has no active task 4, but one in completed_projects"),
        (5, "state.json has no active task 5"),
    ] {
        let (code, types, messages) = specs.refused(&format!("preflight {task} --to=planning"));
        assert_eq!((code, &types[..]), (1, &["task_not_found".to_owned()][..]), "{task}: {messages}");
        assert!(messages.contains(said), "{task}: {messages}");
    }
    specs.ok("preflight 2 --to=planning");
}

/// TS-09: two agents took the same number.
#[test]
fn a_number_that_is_taken_twice_is_ambiguous() {
    let specs = Specs::fixture("twice");
    for (task, file) in [(1, "TODO.md has 2 entries"), (2, "state.json has 2 active tasks")] {
        let (code, types, messages) = specs.refused(&format!("preflight {task} --to=planning"));
        assert_eq!((code, &types[..]), (1, &["task_ambiguous".to_owned()][..]), "{messages}");
        assert!(messages.contains(file), "{messages}");
    }
}

/// TS-10: the end of a piece of work has something to show: given now, linked before, or forced.
#[test]
fn a_done_step_needs_an_artifact() {
    let specs = Specs::new(2);
    specs.file("specs/1_a/reports/r.md", "report");
    specs.ok("preflight 1 --to=researching");
    let (code, types, messages) = specs.refused("postflight 1 --to=researched --no-commit");
    assert_eq!((code, &types[..]), (1, &["validation_failed".to_owned()][..]));
    assert!(messages.contains("artifact"), "{messages}");
    specs.ok("postflight 1 --to=researched --no-commit --artifact=research:specs/1_a/reports/r.md");
    specs.ok("preflight 1 --to=researching");
    specs.ok("postflight 1 --to=researched --no-commit");
    specs.ok("preflight 2 --to=researching");
    specs.ok("postflight 2 --to=researched --no-commit --force");
}

/// TS-11, TS-13: who is late, or has not written yet, is waited for.
#[test]
fn an_artifact_may_come_a_little_late() {
    for empty in [false, true] {
        let specs = Specs::new(1);
        if empty {
            specs.file("specs/1_a/reports/r.md", "");
        }
        let line =
            "postflight 1 --to=researched --force --no-commit --artifact=research:specs/1_a/reports/r.md";
        let begun = Instant::now();
        let child = specs.start(line, &[]);
        std::thread::sleep(Duration::from_millis(500));
        specs.file("specs/1_a/reports/r.md", "report");
        let output = child.wait_with_output().unwrap();
        let took = begun.elapsed();
        assert!(output.status.success(), "{}", crate::support::render(&output));
        assert!(took >= Duration::from_secs(1) && took < Duration::from_millis(2500), "{took:?}");
    }
}

/// TS-12, TS-13, TS-14: what does not come, stays empty or is a directory is refused, by its path.
#[test]
fn an_artifact_has_to_be_a_file_with_content() {
    let specs = Specs::new(1);
    specs.file("specs/1_a/empty.md", "");
    for (path, said) in [
        ("specs/1_a/none.md", "is not there"),
        ("specs/1_a/empty.md", "is empty"),
        ("specs/1_a", "is a directory"),
    ] {
        let begun = Instant::now();
        let (code, types, messages) =
            specs.refused(&format!("set 1 --to=researching --artifact=research:{path}"));
        let took = begun.elapsed();
        assert_eq!((code, &*types[0]), (1, "artifact_validation_failed"));
        assert!(messages.contains(&format!("{path} {said}")), "{messages}");
        assert!(took >= Duration::from_secs(1) && took < Duration::from_millis(2500), "{took:?}");
    }
}

/// TS-15: all that is wrong is told at once.
#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let specs = Specs::new(1);
    specs.file("specs/1_a/plans/p.md", "no status\n");
    let (_, types, messages) = specs.refused(
        "set 1 --to=abandoned --plan=specs/1_a/plans/p.md --artifact=research:specs/no.md --artifact=plan:specs/none.md",
    );
    for said in ["no.md", "none.md", "no overall status", "abandoned does not follow", "needs a reason"] {
        assert!(messages.contains(said), "{said}: {messages}");
    }
    assert_eq!(types.len(), 5, "{types:?}");
    let (_, types, _) = specs.refused("set 9 --to=blocked");
    assert_eq!(types, ["task_not_found", "task_not_found", "validation_failed"]);
}

/// TS-02, I-24: said again, a status is what it is: work in progress belongs to another process, a done step is done. A date
/// has to be one of the calendar.
#[test]
fn the_same_status_again() {
    let specs = Specs::new(1);
    specs.ok("preflight 1 --to=researching");
    let (code, _, messages) = specs.refused("preflight 1 --to=researching");
    assert!(code == 1 && messages.contains("already being worked on"), "{messages}");
    specs.ok("preflight 1 --to=researching --force");
    specs.ok("postflight 1 --to=researched --force --no-commit");
    specs.ok("preflight 1 --to=planning");
    let (code, types, _) = specs.refused("preflight 1 --to=not_started");
    assert_eq!((code, &*types[0]), (1, "invalid_transition"));
    let dates = ["2026-13-01", "2026-02-31", "2026-1-31", "20260131", "2026-01-31T10:00:00"];
    let dates = dates.map(|date| format!("set 1 --to=planned --date={date}"));
    let others = ["preflight 1", "set 1", "postflight 1", "set x --to=planned"];
    for bad in dates.iter().map(String::as_str).chain(others) {
        specs.sandbox.fails(super::words(bad), 3);
    }
    for bad in ["set 1 --to=blocked --reason=a\nb", "set 1 --artifact=r.md", "set 1 --to=planned --advance"] {
        specs.sandbox.fails(super::words(bad), 3);
    }
    let (_, stderr) = specs.sandbox.fails(["task", "list", "--dir=nowhere"], 1);
    assert!(stderr.contains("--dir"), "{stderr}");
}
