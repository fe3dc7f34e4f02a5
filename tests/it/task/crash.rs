//! Kills at every point of a change, and what the next call makes of what is left (TS-30).

use std::fs;

use serde_json::Value;

use super::{Specs, types};
use crate::support::run;

const LINE: &str = "preflight 1 --to=planning --plan=specs/1_a/p.md";

fn three() -> Specs {
    let specs = Specs::new(3);
    specs.file("specs/1_a/p.md", "# Plan\n- **Status**: [NOT STARTED]\n");
    specs
}

/// Which of the three files have the new status.
fn changed(specs: &Specs) -> [bool; 3] {
    ["state.json", "TODO.md", "1_a/p.md"]
        .map(|name| fs::read_to_string(specs.dir.join(name)).unwrap().to_lowercase().contains("planning"))
}

fn killed(specs: &Specs, point: &str) {
    let mut command = specs.sandbox.command(super::words(LINE));
    command.env("IC_TEST_CRASH", point);
    assert_eq!(run(command).status.code(), None, "{point}");
}

/// TS-28, TS-30, TS-32: killed at each point, each file is whole; a set that is split is completed by the next call for any
/// task, which says so; one that was not begun is forgotten. Nothing is left beside the files, and the log tells of what is
/// there.
#[test]
fn the_next_call_settles_what_a_kill_left() {
    let points = [
        ("artifacts", 0),
        ("validated", 0),
        ("before_commit:1", 0),
        ("after_commit:1", 0),
        ("intent", 0),
        ("temp:1", 0),
        ("temp:3", 0),
        ("prepared", 0),
        ("locked", 0),
        ("rename:1", 0),
        ("renamed:1", 1),
        ("rename:2", 1),
        ("renamed:2", 2),
        ("rename:3", 2),
        ("renamed:3", 3),
        ("written", 3),
        ("verified", 3),
        ("before_commit:2", 3),
        ("after_commit:2", 3),
    ];
    for (point, expected) in points {
        let specs = three();
        killed(&specs, point);
        let left = changed(&specs);
        assert_eq!(left.iter().filter(|changed| **changed).count(), expected, "{point}");
        let (code, result) = specs.result("preflight 2 --to=researching");
        assert_eq!(code, 0, "{point}: {result}");
        let begun = expected > 0;
        assert_eq!(changed(&specs), [begun; 3], "{point}");
        // After the last commit everything is done already.
        let told = begun && point != "after_commit:2";
        assert_eq!(types(&result).contains(&"interrupted_change_settled"), told, "{point}: {result}");
        assert_eq!(specs.names(), ["1_a", "1_a/p.md", "TODO.md", "state.json"], "{point}");
        assert_eq!(specs.sandbox.count("SELECT count(*) FROM intents"), 0, "{point}");
        let events = specs.sandbox.events();
        let of_one =
            events.iter().filter(|event| event["subject"] == "1" && event["type"] == "status").count();
        assert_eq!(of_one, usize::from(begun), "{point}");
        specs.sandbox.check_integrity();
    }
}

/// TS-30: a call that is refused settles what is left all the same.
#[test]
fn a_refused_call_settles_too() {
    let specs = three();
    killed(&specs, "renamed:1");
    let (code, result) = specs.result("preflight 99 --to=researching");
    assert_eq!(code, 1);
    assert!(types(&result).contains(&"interrupted_change_settled"), "{result}");
    assert_eq!(changed(&specs), [true; 3]);
}

/// TS-30: between the kill and the next call somebody edited the files by hand: their edit stays, and the change is made
/// again on it.
#[test]
fn a_split_set_that_was_edited_since_is_completed() {
    let specs = three();
    killed(&specs, "renamed:1");
    let todo = specs.todo().replace("Task number 3", "Task number 3, by hand");
    fs::write(specs.dir.join("TODO.md"), todo).unwrap();
    let (code, result) = specs.result("preflight 2 --to=researching");
    assert_eq!((code, types(&result)), (0, vec!["interrupted_change_settled"]));
    assert_eq!(changed(&specs), [true; 3]);
    assert!(specs.todo().contains("by hand"));
    // Both were edited.
    let specs = three();
    killed(&specs, "renamed:1");
    fs::write(specs.dir.join("TODO.md"), specs.todo() + "\n## By hand\n").unwrap();
    fs::write(specs.dir.join("state.json"), specs.state() + "\n").unwrap();
    specs.ok("preflight 2 --to=researching");
    assert_eq!(specs.status(1), ("PLANNING".to_owned(), "planning".to_owned()));
    assert!(specs.todo().contains("By hand"));
    // Nothing had been begun: the hand's edit is all there is.
    let specs = three();
    killed(&specs, "rename:1");
    fs::write(specs.dir.join("TODO.md"), specs.todo() + "\n## By hand\n").unwrap();
    let (code, result) = specs.result("preflight 2 --to=researching");
    assert_eq!((code, types(&result).len()), (0, 0), "{result}");
    assert_eq!(specs.status(1), ("NOT STARTED".to_owned(), "not_started".to_owned()));
    assert_eq!(specs.names().len(), 4);
}

/// TS-30: what a process has under way that lives is left to it.
#[test]
fn work_of_a_live_process_is_left_alone() {
    let specs = three();
    let go = specs.sandbox.dir().join("go");
    let child = specs.start(LINE, &[("IC_TEST_TASK_PAUSE", &format!("intent:{}", go.display()))]);
    super::await_file(&specs.sandbox.dir().join("go.at"));
    // It came first, but is not waited for as long as it likes.
    let (code, result) = specs.result("preflight 2 --to=researching");
    assert_eq!((code, types(&result).len()), (0, 0), "{result}");
    assert_eq!(specs.sandbox.count("SELECT count(*) FROM intents"), 1);
    assert_eq!(changed(&specs), [false; 3]);
    fs::write(&go, "").unwrap();
    assert!(child.wait_with_output().unwrap().status.success());
    assert_eq!(changed(&specs), [true; 3]);
    assert_eq!(specs.status(2).1, "researching");
    let told: Vec<Value> = specs.sandbox.events();
    assert_eq!(told.iter().filter(|event| event["type"] == "status").count(), 2);
}
