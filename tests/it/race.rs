//! Races between real processes.

use std::ffi::OsStr;
use std::process::{Child, Output, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::Value;

use crate::support::{Sandbox, worker_rng};

const WORKERS: usize = 32;
const CALLS: usize = 50;

/// How a call of the big mix ended.
struct Ended {
    words: Vec<String>,
    output: Output,
}

fn start(sandbox: &Sandbox, words: &[String]) -> Child {
    sandbox.command(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// One call of the mix; `name` finds it again.
fn any_words(run: &str, name: &str, rng: &mut StdRng) -> Vec<String> {
    let named = |flag: &str| format!("{flag}={name}");
    let (fixed, last): (&[&str], String) = match rng.random_range(0..8) {
        0 => (&["run", "create"], named("--goal")),
        1 => (&["agent", "add", run], named("--name")),
        2 => (&["artifact", "add", run, "--phase=a"], named("--path")),
        3 => (&["run", "advance", run], "--priority=4".to_owned()),
        4 => (&["run", "rollback", run, "--to-phase=a"], named("--reason")),
        5 => (&["run", "set", run], format!("--metadata-merge={{\"{name}\":1}}")),
        6 => (&["dispatch", "record"], format!("--name={name} of {run}")),
        _ => (&["run", "action", "add", run, "--phase=b"], named("--command")),
    };
    fixed.iter().map(ToString::to_string).chain([last]).collect()
}

/// Holds that an acknowledged call is in the rows and in the log.
fn is_kept(sandbox: &Sandbox, events: &[Value], call: &Ended) -> bool {
    let last = call.words.last().unwrap();
    let value = last.split_once('=').unwrap().1;
    let id = String::from_utf8(call.output.stdout.clone()).unwrap().trim().to_owned();
    let row = |table: &str| {
        let rows = sandbox.count(&format!("SELECT count(*) FROM {table} WHERE id = '{id}'"));
        rows == 1
            && events.iter().any(|e| e["subject"] == id.as_str() && e["data"]["new"]["id"] == id.as_str())
    };
    let told = |text: &str| events.iter().any(|event| event["data"].to_string().contains(text));
    match (call.words[0].as_str(), call.words[1].as_str()) {
        ("run", "create") => row("runs"),
        ("agent", _) => row("run_agents"),
        ("artifact", _) => row("run_artifacts"),
        ("dispatch", _) => row("dispatches"),
        ("run", "rollback") => events.iter().any(|e| e["type"] == "rollback" && e["reason"] == value),
        ("run", "set") => told(&value.replace('"', "\\\"").replace(['{', '}'], "").replace(":1", "")),
        ("run", "action") => {
            let rows =
                sandbox.count(&format!("SELECT count(*) FROM phase_actions WHERE command = '{value}'"));
            rows == 1 && told(value)
        }
        _ => true,
    }
}

/// K-01, K-02, K-04: of any mix of commands from 32 processes, one in ten killed at a random moment, everything that
/// exited 0 is in the rows and in the log.
#[test]
fn nothing_acknowledged_is_lost() {
    let sandbox = Sandbox::new();
    let runs: Vec<String> = (0..4).map(|_| sandbox.short_run()).collect();
    let done = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (sandbox, runs, done) = (&sandbox, &runs, &done);
            scope.spawn(move || {
                let mut rng = worker_rng(worker);
                for call in 0..CALLS {
                    let run = &runs[rng.random_range(0..runs.len())];
                    let words = any_words(run, &format!("w{worker}c{call}"), &mut rng);
                    let mut child = start(sandbox, &words);
                    if rng.random_range(0..10) == 0 {
                        thread::sleep(Duration::from_micros(rng.random_range(0..8_000)));
                        child.kill().unwrap();
                    }
                    let output = child.wait_with_output().unwrap();
                    done.lock().unwrap().push(Ended { words, output });
                }
            });
        }
    });
    sandbox.check_integrity();
    let done = done.into_inner().unwrap();
    assert_eq!(done.len(), WORKERS * CALLS);
    let events = sandbox.events();
    for (at, event) in events.iter().enumerate() {
        assert_eq!(event["id"], at + 1, "gapless, in order");
    }
    let mut acknowledged = 0;
    for call in &done {
        let stderr = String::from_utf8_lossy(&call.output.stderr);
        assert!(!stderr.contains("locked") && !stderr.contains("busy"), "{:?}: {stderr}", call.words);
        assert!(matches!(call.output.status.code(), None | Some(0 | 1)), "{:?}: {stderr}", call.words);
        if call.output.status.code() == Some(0) {
            acknowledged += 1;
            assert!(is_kept(&sandbox, &events, call), "{:?} was acknowledged and is lost", call.words);
        }
    }
    assert!(acknowledged > WORKERS * CALLS / 2, "only {acknowledged} calls were acknowledged");
    let advances =
        done.iter().filter(|d| d.words[1] == "advance" && d.output.status.code() == Some(0)).count();
    let moved = events.iter().filter(|e| e["type"] == "advance").count();
    assert!(moved >= advances, "{advances} advances acknowledged, {moved} in the log");
}

fn exits(children: Vec<Child>) -> Vec<i32> {
    let mut codes: Vec<_> =
        children.into_iter().map(|child| child.wait_with_output().unwrap().status.code().unwrap()).collect();
    codes.sort_unstable();
    codes
}

fn words(line: &[&str]) -> Vec<String> {
    line.iter().map(ToString::to_string).collect()
}

/// PH-02: the history of a run is one unbroken walk.
pub fn assert_unbroken(history: &[Value], first: &str) {
    let mut at = first;
    for event in history {
        assert_eq!(event["from_phase"], at, "event {event}");
        if ["advance", "override", "rollback", "undo"].contains(&event["event_type"].as_str().unwrap()) {
            at = event["to_phase"].as_str().unwrap();
        }
    }
}

/// PH-01, PH-02, RB-01, RB-07: in a storm of moves every one starts where the last one ended, and none fails.
#[test]
fn a_storm_of_moves_leaves_an_unbroken_history() {
    let sandbox = Sandbox::new();
    let run = sandbox.short_run();
    let won = Mutex::new(0);
    thread::scope(|scope| {
        for worker in 0..8 {
            let (sandbox, run, won) = (&sandbox, &run, &won);
            scope.spawn(move || {
                let moves: [&[&str]; 4] = [
                    &["run", "advance", run, "--priority=4"],
                    &["run", "rollback", run, "--to-phase=a"],
                    &["gate", "override", run, "--reason=storm", "--expedient"],
                    &["run", "rollback", run, "--to-phase=b"],
                ];
                for turn in 0..25 {
                    let output = sandbox.ic(moves[(worker + turn) % moves.len()]);
                    let code = output.status.code().unwrap();
                    assert!(code <= 1, "{}", crate::support::render(&output));
                    *won.lock().unwrap() += usize::from(code == 0);
                }
            });
        }
    });
    let history = sandbox.json(["run", "events", &run]);
    let history = history.as_array().unwrap();
    assert_unbroken(history, "a");
    assert_eq!(history.len(), *won.lock().unwrap(), "one event for each move that was acknowledged");
    sandbox.check_integrity();
}

/// PH-01: two callers who both mean "leave phase a" give one winner and one event.
#[test]
fn one_of_two_expecting_advances_wins() {
    let sandbox = Sandbox::new();
    for _ in 0..5 {
        let run = sandbox.short_run();
        let advance = words(&["run", "advance", &run, "--priority=4", "--expect-phase=a"]);
        let racers = (0..2).map(|_| start(&sandbox, &advance)).collect();
        assert_eq!(exits(racers), [0, 1]);
        assert_eq!(sandbox.json(["run", "events", &run]).as_array().unwrap().len(), 1);
    }
}

/// RB-17: an advance and a rollback with the same expectation: one moves the run, the other is stale.
#[test]
fn an_advance_and_a_rollback_cannot_both_win() {
    let sandbox = Sandbox::new();
    for _ in 0..5 {
        let run = sandbox.short_run();
        sandbox.ok(["run", "advance", &run, "--priority=4"]);
        let racers = vec![
            start(&sandbox, &words(&["run", "advance", &run, "--priority=4", "--expect-phase=b"])),
            start(&sandbox, &words(&["run", "rollback", &run, "--to-phase=a", "--expect-phase=b"])),
        ];
        assert_eq!(exits(racers), [0, 1]);
        assert_eq!(sandbox.json(["run", "events", &run]).as_array().unwrap().len(), 2);
    }
}

/// PH-03
#[test]
fn twenty_advances_of_twenty_runs_all_succeed() {
    let sandbox = Sandbox::new();
    let runs: Vec<_> = (0..20).map(|_| sandbox.short_run()).collect();
    let racers =
        runs.iter().map(|run| start(&sandbox, &words(&["run", "advance", run, "--priority=4"]))).collect();
    assert_eq!(exits(racers), vec![0; 20]);
}

/// K-04: sixty-four writers at once, none of them turned away.
#[test]
fn sixty_four_writers_all_succeed() {
    let sandbox = Sandbox::new();
    let racers =
        (0..64).map(|n| start(&sandbox, &words(&["run", "create", &format!("--goal=g{n}")]))).collect();
    assert_eq!(exits(racers), vec![0; 64]);
    assert_eq!(sandbox.count("SELECT count(*) FROM runs"), 64);
    sandbox.check_integrity();
}

/// K-09, K-10: any number of first openers end with one good, private file and nothing beside it.
#[test]
fn eight_first_openers_make_one_database() {
    for first in [vec!["init"], vec!["run", "create", "--goal=first"]] {
        let sandbox = Sandbox::bare();
        std::fs::create_dir(sandbox.dir().join(".clavain")).unwrap();
        let racers = (0..8).map(|_| start(&sandbox, &words(&first))).collect();
        assert_eq!(exits(racers), vec![0; 8]);
        let names = [".gitignore", "intercore.db", "intercore.db-shm", "intercore.db-wal"];
        for (name, mode) in sandbox.files() {
            assert!(names.contains(&name.as_str()), "stray file {name}");
            assert_eq!(mode, 0o600, "{name}");
        }
        sandbox.check_integrity();
        assert_eq!(sandbox.count("SELECT count(*) FROM runs"), if first[0] == "init" { 0 } else { 8 });
    }
}

/// K-12: a repeated call, even at the same moment, answers the same and makes one run.
#[test]
fn one_idempotency_key_makes_one_run() {
    let sandbox = Sandbox::new();
    let create = words(&["run", "create", "--goal=once", "--idempotency-key=k1"]);
    let racers: Vec<Child> = (0..8).map(|_| start(&sandbox, &create)).collect();
    let mut answers: Vec<_> = racers
        .into_iter()
        .map(|child| String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap())
        .collect();
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(sandbox.count("SELECT count(*) FROM runs"), 1);
    let (_, stderr) = sandbox.fails(["run", "create", "--goal=other", "--idempotency-key=k1", "--json"], 1);
    assert!(stderr.contains("idempotency_conflict"), "{stderr}");
}

/// K-01: restores into an empty project race with its first writers. Whatever a writer was told is there after it, or in
/// the backup of what a later restore replaced; nobody's log is taken for one that was left behind.
#[test]
fn restores_into_an_empty_project_lose_no_first_write() {
    let source = Sandbox::new();
    source.new_run();
    source.ok(["backup", "copy.db"]);
    let file = source.dir().join("copy.db");
    for _ in 0..12 {
        let sandbox = Sandbox::bare();
        std::fs::create_dir(sandbox.dir().join(".clavain")).unwrap();
        let written: Vec<String> = thread::scope(|scope| {
            let restores: Vec<_> = (0..3)
                .map(|_| scope.spawn(|| sandbox.ok([OsStr::new("restore"), file.as_os_str()])))
                .collect();
            let writers: Vec<_> = (0..2)
                .map(|_| scope.spawn(|| (0..6).map(|_| sandbox.new_run()).collect::<Vec<_>>()))
                .collect();
            for restore in restores {
                restore.join().unwrap();
            }
            writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
        });
        let names = sandbox.files();
        assert!(!names.iter().any(|(name, _)| name.contains(".damaged-")), "{names:?}");
        let is_database = |name: &str| name == "intercore.db" || name.contains(".backup-");
        let places = names.iter().filter(|(name, _)| is_database(name));
        let databases: Vec<_> = places
            .map(|(name, _)| rusqlite::Connection::open(sandbox.db_path().with_file_name(name)).unwrap())
            .collect();
        for id in written {
            let has = |conn: &rusqlite::Connection| {
                let count = "SELECT count(*) FROM runs WHERE id = ?1";
                conn.query_row(count, [&id], |row| row.get::<_, i64>(0)).unwrap() == 1
            };
            assert!(databases.iter().any(has), "{id} was acknowledged and is nowhere: {names:?}");
        }
        sandbox.check_integrity();
    }
}
