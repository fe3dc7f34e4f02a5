//! Crashes: before, during and after a commit, and failures in the middle of one.

use std::process::Stdio;
use std::thread;
use std::time::Duration;

use rand::RngExt;
use rusqlite::Connection;

use crate::support::{Sandbox, run};

/// A run in phase c with something for a rollback to do in every table; answers its id.
fn busy_run(sandbox: &Sandbox) -> String {
    let run = sandbox.ok(["run", "create", "--goal=busy", r#"--phases=["a","b","c","d","e"]"#]);
    sandbox.ok(["run", "skip", &run, "b", "--reason=short cut"]);
    sandbox.ok(["run", "advance", &run, "--priority=4"]);
    let dispatch = sandbox.ok(["dispatch", "record", &format!("--scope-id={run}")]);
    sandbox.ok(["agent", "add", &run, "--name=one"]);
    sandbox.ok(["agent", "add", &run, "--name=two", &format!("--dispatch-id={dispatch}")]);
    sandbox.ok(["artifact", "add", &run, "--phase=c", "--path=x"]);
    sandbox.ok(["run", "phase", &run]);
    run
}

/// Everything that a rollback touches, as text.
fn state(conn: &Connection) -> Vec<String> {
    ["runs", "phase_skips", "run_agents", "run_artifacts", "dispatches", "events"]
        .iter()
        .flat_map(|table| {
            let mut statement = conn.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2")).unwrap();
            let columns = statement.column_count();
            let rows = statement.query_map([], |row| {
                (0..columns).map(|at| Ok(format!("{:?}", row.get_ref(at)?))).collect::<Result<Vec<_>, _>>()
            });
            rows.unwrap().map(|row| format!("{table}: {}", row.unwrap().join("|"))).collect::<Vec<_>>()
        })
        .collect()
}

fn rollback(id: &str) -> [&str; 5] {
    ["run", "rollback", id, "--to-phase=a", "--reason=again"]
}

/// RB-04, RB-05, K-11: a process that dies just before the commit has done nothing, one that dies just after it has done
/// everything; the next command works either way.
#[test]
fn a_crash_around_a_commit_is_all_or_nothing() {
    let sandbox = Sandbox::new();
    let id = busy_run(&sandbox);
    let before = state(&sandbox.open());
    for (point, happened) in [("before_commit", false), ("after_commit", true)] {
        let mut command = sandbox.command(rollback(&id));
        command.env("IC_TEST_CRASH", point);
        assert_eq!(run(command).status.code(), None, "killed by a signal");
        assert_eq!(state(&sandbox.open()) != before, happened, "{point}");
        sandbox.check_integrity();
    }
    assert_eq!(sandbox.ok(["run", "phase", &id]), "a");
    let events = sandbox.events();
    let cause = events.iter().find(|e| e["type"] == "rollback").unwrap()["id"].clone();
    let consequences = events.iter().filter(|e| e["data"]["cause"] == cause).count();
    assert_eq!(consequences, 5, "an artifact, a dispatch, two agents, a skip");
}

/// K-11: the same for the other commands that write.
#[test]
fn every_write_survives_a_crash_around_its_commit() {
    let sandbox = Sandbox::new();
    for point in ["before_commit", "after_commit"] {
        let (id, other) = (busy_run(&sandbox), busy_run(&sandbox));
        let calls: [&[&str]; 7] = [
            &["run", "create", "--goal=x", "--idempotency-key=k"],
            &["agent", "add", &id],
            &["artifact", "add", &id, "--phase=c", "--path=y"],
            &["run", "advance", &id, "--priority=4"],
            &["run", "set", &id, "--complexity=5"],
            &["gate", "override", &id, "--reason=x", "--justified"],
            &["run", "cancel", &other],
        ];
        for call in calls {
            let before = state(&sandbox.open());
            let mut command = sandbox.command(call);
            command.env("IC_TEST_CRASH", point);
            assert_eq!(run(command).status.code(), None, "{call:?}");
            assert_eq!(state(&sandbox.open()) != before, point == "after_commit", "{call:?} {point}");
        }
        sandbox.check_integrity();
    }
}

/// RB-04: a failure injected into any table that a rollback touches leaves all of them as they were, and the same command
/// then succeeds.
#[test]
fn a_failure_inside_a_rollback_undoes_all_of_it() {
    let injections = [
        ("runs", "UPDATE"),
        ("run_artifacts", "UPDATE"),
        ("dispatches", "UPDATE"),
        ("run_agents", "UPDATE"),
        ("phase_skips", "DELETE"),
        ("events", "INSERT"),
    ];
    for (table, operation) in injections {
        let sandbox = Sandbox::new();
        let id = busy_run(&sandbox);
        let conn = sandbox.open();
        conn.execute_batch(&format!(
            "CREATE TRIGGER injected BEFORE {operation} ON {table} BEGIN SELECT RAISE(ABORT, 'injected'); END"
        ))
        .unwrap();
        let before = state(&conn);
        let (stdout, stderr) = sandbox.fails(rollback(&id), 2);
        assert!(stdout.is_empty() && stderr.contains("injected"), "{table}: {stdout}{stderr}");
        assert_eq!(state(&conn), before, "{table}");
        conn.execute_batch("DROP TRIGGER injected").unwrap();
        sandbox.ok(rollback(&id));
        assert_eq!(sandbox.ok(["run", "phase", &id]), "a", "{table}");
        sandbox.check_integrity();
    }
}

/// RB-04: the last of a rollback's events failing undoes the first of its changes.
#[test]
fn a_failure_at_the_last_event_undoes_the_first_change() {
    let sandbox = Sandbox::new();
    let id = busy_run(&sandbox);
    let conn = sandbox.open();
    conn.execute_batch(
        "CREATE TRIGGER injected BEFORE INSERT ON events WHEN NEW.type = 'unskip' \
         BEGIN SELECT RAISE(ABORT, 'injected'); END",
    )
    .unwrap();
    let before = state(&conn);
    sandbox.fails(rollback(&id), 2);
    assert_eq!(state(&conn), before);
}

/// K-11, RB-05: killed at a random moment, a rollback has happened with all of its events or not at all.
#[test]
fn a_killed_rollback_is_never_between() {
    let sandbox = Sandbox::new();
    let mut rng = crate::support::rng();
    let mut happened = 0;
    for _ in 0..40 {
        let id = busy_run(&sandbox);
        let mut child =
            sandbox.command(rollback(&id)).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        thread::sleep(Duration::from_micros(rng.random_range(0..12_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        let phase = sandbox.ok(["run", "phase", &id]);
        let events = sandbox.ok(["events", "tail", &id, "--limit=1000"]);
        let told = events.lines().filter(|line| line.contains("\"cause\":")).count();
        let moved = events.lines().any(|line| line.contains("\"type\":\"rollback\""));
        match phase.as_str() {
            "a" => assert!(moved && told == 5, "{events}"),
            "c" => assert!(!moved && told == 0, "{events}"),
            other => panic!("the run is in {other}"),
        }
        happened += usize::from(moved);
    }
    println!("{happened} of 40 rollbacks had committed when they were killed");
    sandbox.check_integrity();
}

/// K-11: a full disk (here a limit on the size of files) fails the call, loses nothing, and is over when there is space.
#[test]
fn a_full_disk_loses_nothing() {
    let sandbox = Sandbox::new();
    let id = busy_run(&sandbox);
    // Kept open, so that the log stays where it is.
    let conn = sandbox.open();
    sandbox.ok(["agent", "add", &id]);
    let before = state(&conn);
    let wal = std::fs::metadata(sandbox.db_path().with_extension("db-wal")).unwrap().len();
    assert!(wal > 0);
    // In blocks of 512 bytes: less than the log would need.
    let blocks = (wal / 512 + 2).to_string();
    let mut command = std::process::Command::new("sh");
    sandbox.seal(&mut command);
    let script = "trap '' XFSZ; ulimit -f \"$1\"; shift; exec \"$@\"";
    command.args(["-c", script, "sh", &blocks]).arg(assert_cmd::cargo::cargo_bin!("ic")).args(rollback(&id));
    let output = run(command);
    assert_eq!(output.status.code(), Some(2), "{}", crate::support::render(&output));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("disk") || stderr.contains("full"), "{stderr}");
    assert_eq!(state(&conn), before);
    sandbox.ok(rollback(&id));
    sandbox.check_integrity();
}
