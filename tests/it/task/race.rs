//! Many agents at once.

use std::process::{Child, Output, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use rand::RngExt;
use rand::seq::IndexedRandom;
use serde_json::Value;

use super::{Specs, await_file, types};
use crate::support::{render, worker_rng};

fn ends(children: Vec<Child>) -> Vec<Output> {
    children.into_iter().map(|child| child.wait_with_output().unwrap()).collect()
}

/// TS-49
#[test]
fn fifty_tasks_at_once_all_succeed() {
    let specs = Specs::new(50);
    let children =
        (1..=50).map(|task| specs.start(&format!("preflight {task} --to=researching"), &[])).collect();
    for output in ends(children) {
        assert!(output.status.success(), "{}", render(&output));
    }
    let (todo, state) = specs.pair();
    let state: Value = serde_json::from_str(&state).unwrap();
    assert_eq!(todo.matches("- **Status**: [RESEARCHING]\n").count(), 50);
    assert!(state["active_projects"].as_array().unwrap().iter().all(|task| task["status"] == "researching"));
    assert_eq!(specs.names(), ["TODO.md", "state.json"]);
    assert_eq!(specs.sandbox.count("SELECT count(*) FROM intents"), 0);
    assert_eq!(specs.sandbox.count("SELECT count(*) FROM events WHERE source = 'task'"), 50);
    specs.sandbox.check_integrity();
}

/// TS-50
#[test]
fn twenty_links_to_one_task_are_all_there_once() {
    let specs = Specs::new(2);
    specs.ok("set 1 --to=researched --force");
    let path = |n: u32| format!("specs/1_a/reports/research-{n:03}.md");
    let children = (1..=20)
        .map(|n| {
            specs.file(&path(n), "report");
            specs.start(&format!("set 1 --artifact=research:{}", path(n)), &[])
        })
        .collect();
    for output in ends(children) {
        assert!(output.status.success(), "{}", render(&output));
    }
    let (todo, object) = (specs.todo(), specs.object(1));
    for n in 1..=20 {
        assert_eq!(todo.matches(&format!("({})", path(n))).count(), 1, "{n}");
        let artifacts = object["artifacts"].as_array().unwrap();
        assert_eq!(artifacts.iter().filter(|artifact| artifact["path"] == *path(n)).count(), 1, "{n}");
    }
    assert_eq!(todo.matches("**Research**:").count(), 1);
}

/// TS-51: of two changes of one task that exclude each other one is made; the other is told what the task is now.
#[test]
fn one_of_two_changes_wins() {
    for _ in 0..10 {
        let specs = Specs::new(1);
        // Neither may follow the other, however far apart the two come.
        let ways = ["researching", "planning"];
        let children = ways.map(|to| specs.start(&format!("preflight 1 --to={to} --json"), &[])).into();
        let outputs = ends(children);
        let winner = outputs.iter().position(|output| output.status.success()).unwrap();
        let loser = &outputs[1 - winner];
        assert_eq!(loser.status.code(), Some(1), "{}", render(loser));
        let result: Value = serde_json::from_slice(&loser.stdout).unwrap();
        assert_eq!(types(&result), ["invalid_transition"]);
        assert!(
            result["errors"][0]["message"].as_str().unwrap().contains(&format!("is {}", ways[winner])),
            "{result}"
        );
        assert_eq!(specs.status(1), (ways[winner].to_uppercase(), ways[winner].to_owned()));
    }
}

/// TS-51: also where the loser's status could follow the winner's: it was decided on what is not so any more.
#[test]
fn a_change_decided_on_an_older_status_is_refused() {
    let specs = Specs::new(1);
    let go = specs.sandbox.dir().join("go");
    let pause = format!("prepared:{}", go.display());
    let child = specs.start("preflight 1 --to=researching --json", &[("IC_TEST_TASK_PAUSE", &pause)]);
    await_file(&specs.sandbox.dir().join("go.at"));
    specs.ok("preflight 1 --to=implementing");
    std::fs::write(&go, "").unwrap();
    let output = child.wait_with_output().unwrap();
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), types(&result)), (Some(1), vec!["invalid_transition"]));
    assert!(
        result["errors"][0]["message"].as_str().unwrap().contains("implementing by now (it was not_started)"),
        "{result}"
    );
    assert_eq!(specs.status(1).1, "implementing");
    assert_eq!(specs.names(), ["TODO.md", "state.json"]);
    assert_eq!(specs.sandbox.count("SELECT count(*) FROM intents"), 0);
}

/// TS-52: what somebody who knows nothing of us writes between our reading and our writing stays.
#[test]
fn an_edit_by_hand_in_between_stays() {
    let specs = Specs::new(2);
    let go = specs.sandbox.dir().join("go");
    let pause = format!("prepared:{}", go.display());
    let child = specs.start("preflight 1 --to=planning --json", &[("IC_TEST_TASK_PAUSE", &pause)]);
    await_file(&specs.sandbox.dir().join("go.at"));
    for name in ["TODO.md", "state.json"] {
        let path = specs.dir.join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        let at = text.rfind("NOT STARTED").or(text.rfind("not_started")).unwrap();
        let (word, with) = if name == "TODO.md" { (11, "BLOCKED") } else { (11, "blocked") };
        std::fs::write(&path, format!("{}{with}{}", &text[..at], &text[at + word..])).unwrap();
    }
    std::fs::write(&go, "").unwrap();
    let output = child.wait_with_output().unwrap();
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &result["attempts"]), (Some(0), &2.into()));
    assert_eq!(specs.status(1), ("PLANNING".to_owned(), "planning".to_owned()));
    assert_eq!(specs.status(2), ("BLOCKED".to_owned(), "blocked".to_owned()));
}

/// What one agent's call came to.
enum End {
    Done,
    Refused,
    Killed,
}

/// Where a call may be killed: before, between and behind the renames, and around the commit.
const POINTS: [&str; 6] = ["prepared", "rename:1", "renamed:1", "renamed:2", "verified", "after_commit:2"];

/// A call that may be killed, at a random moment or at a point where it hurts.
fn perhaps_killed(specs: &Specs, line: &str, rng: &mut impl rand::Rng) -> End {
    let mut command = specs.sandbox.command(super::words(line));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let way = rng.random_range(0..6);
    if way == 0 {
        command.env("IC_TEST_CRASH", POINTS.choose(rng).unwrap());
    }
    let mut child = command.spawn().unwrap();
    if way == 1 {
        thread::sleep(Duration::from_micros(rng.random_range(0..500_000)));
        let _ = child.kill();
    }
    let output = child.wait_with_output().unwrap();
    match output.status.code() {
        None => End::Killed,
        Some(0) => End::Done,
        Some(1) => End::Refused,
        Some(_) => panic!("{line}: {}", render(&output)),
    }
}

/// TS-28, TS-30, TS-49: twelve agents work on twelve tasks each, on one pair of files, and a third of their calls is killed. In
/// the end the files agree and hold everything that a call was acknowledged for.
#[test]
fn twelve_agents_killed_at_random_lose_nothing() {
    const AGENTS: u64 = 12;
    const TASKS: u64 = 12;
    let specs = Specs::new(AGENTS * TASKS);
    let acknowledged = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for agent in 0..AGENTS {
            let (specs, acknowledged) = (&specs, &acknowledged);
            scope.spawn(move || {
                let mut rng = worker_rng(usize::try_from(agent).unwrap());
                for task in agent * TASKS + 1..=(agent + 1) * TASKS {
                    let report = format!("specs/{task}_x/reports/r.md");
                    specs.file(&report, "report");
                    let lines = [
                        (format!("preflight {task} --to=researching"), "researching"),
                        (
                            format!(
                                "postflight {task} --to=researched --no-commit --artifact=research:{report}"
                            ),
                            "researched",
                        ),
                    ];
                    for (line, status) in lines {
                        let mut tries = 0;
                        loop {
                            match perhaps_killed(specs, &line, &mut rng) {
                                End::Done => break acknowledged.lock().unwrap().push((task, status)),
                                // Its killed predecessor had gone through, or was completed by somebody.
                                End::Refused => break,
                                End::Killed => tries += 1,
                            }
                            assert!(tries < 50, "{line}");
                        }
                    }
                }
            });
        }
    });
    // What the last one left, the next one settles.
    let _ = specs.result("preflight 1 --to=researched");
    let (todo, state) = specs.pair();
    let state: Value = serde_json::from_str(&state).unwrap();
    assert_eq!(state["active_projects"].as_array().unwrap().len(), 144);
    assert_eq!(todo.matches("\n### ").count(), 144);
    for task in 1..=AGENTS * TASKS {
        let (marker, status) = specs.status(task);
        assert_eq!(marker.to_lowercase(), status, "the files disagree on task {task}");
    }
    let acknowledged = acknowledged.into_inner().unwrap();
    for (task, status) in &acknowledged {
        let now = specs.status(*task).1;
        assert!(
            now == *status || (*status == "researching" && now == "researched"),
            "{task}: {status}, now {now}"
        );
        if *status == "researched" {
            let path = format!("specs/{task}_x/reports/r.md");
            assert_eq!(todo.matches(&format!("({path})")).count(), 1, "{path}");
            assert_eq!(specs.object(*task)["artifacts"][0]["path"], *path);
        }
    }
    let settled =
        specs.sandbox.count("SELECT count(*) FROM events WHERE data LIKE '%INTERRUPTED_CHANGE_SETTLED%'");
    println!("{} of 288 changes were acknowledged, {settled} completed by others", acknowledged.len());
    assert!(settled > 0);
    assert!(acknowledged.len() > 144);
    let stray: Vec<_> = specs.names().into_iter().filter(|name| name.ends_with(".ic-tmp")).collect();
    assert_eq!(stray, Vec::<String>::new());
    assert_eq!(specs.sandbox.count("SELECT count(*) FROM intents"), 0);
    specs.sandbox.check_integrity();
}
