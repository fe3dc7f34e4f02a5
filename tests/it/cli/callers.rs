//! What scripts in the field rely on (CL).

use std::fs;
use std::time::SystemTime;

use crate::support::{Sandbox, render};

/// Every file of the database's directory with its content and when it was written.
fn files(sandbox: &Sandbox) -> Vec<(String, Vec<u8>, SystemTime)> {
    let dir = sandbox.dir().join(".clavain");
    let named = sandbox.files().into_iter().filter(|(name, _)| !name.ends_with("-shm"));
    let file = |(name, _): (String, u32)| {
        let path = dir.join(&name);
        (name, fs::read(&path).unwrap(), path.metadata().unwrap().modified().unwrap())
    };
    named.map(file).collect()
}

/// CL-01: health and reads are the hot path: they write nothing, and wait for nobody. What they cost is in
/// `benches/counts.sh`.
#[test]
fn health_and_reads_write_nothing_and_wait_for_nobody() {
    let sandbox = Sandbox::new();
    let run = sandbox.new_run();
    sandbox.ok(["sentinel", "check", "n", "s", "--interval=1"]);
    let before = files(&sandbox);
    let writer = sandbox.open();
    writer.execute_batch("BEGIN IMMEDIATE; UPDATE runs SET goal = 'not yet'").unwrap();
    for read in [
        &["health"][..],
        &["version"],
        &["run", "phase", &run],
        &["run", "status", &run],
        &["run", "current"],
        &["run", "list", "--active"],
        &["run", "events", &run],
        &["run", "tokens", &run],
        &["agent", "list", &run],
        &["artifact", "list", &run],
        &["events", "tail", &run],
        &["sentinel", "list"],
        &["config", "list"],
    ] {
        let shown = sandbox.ok([read, &["--timeout=0"]].concat());
        assert!(!shown.contains("not yet"), "{read:?}: {shown}");
    }
    writer.execute_batch("ROLLBACK").unwrap();
    assert_eq!(files(&sandbox), before);
}

/// CL-02: what a caller takes as an id or a phase is all of stdout, whatever else there is to say.
#[test]
fn an_id_or_a_phase_is_all_of_stdout() {
    let sandbox = Sandbox::new();
    let run = sandbox.short_run();
    let is_id =
        |text: &str| text.len() == 8 && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    for call in [
        &["run", "create", "--goal=g"][..],
        &["agent", "add", &run],
        &["run", "artifact", "add", &run, "--phase=nowhere", "--path=p"],
        &["dispatch", "record"],
        &["run", "current"],
    ] {
        for more in [&[][..], &["--verbose"], &["-vv"]] {
            let output = sandbox.ic([call, more].concat());
            let stdout = String::from_utf8(output.stdout.clone()).unwrap();
            let line = stdout.strip_suffix('\n').unwrap_or_default();
            assert!(output.status.success() && is_id(line), "{call:?}: {}", render(&output));
        }
    }
    for call in [["run", "phase"], ["phase", "show"]] {
        let output = sandbox.ic([&call[..], &[&run, "-vv"]].concat());
        assert_eq!(output.stdout, b"a\n", "{call:?}");
    }
}

/// CL-03: 1 is the expected negative, and nothing that is broken is taken for it.
#[test]
fn what_is_broken_is_never_the_expected_negative() {
    let sandbox = Sandbox::new();
    sandbox.ok(["sentinel", "check", "n", "s", "--interval=0"]);
    sandbox.ok(["lock", "acquire", "n", "s", "--owner=other"]);
    let calls: [&[&str]; 4] = [
        &["sentinel", "check", "n", "s", "--interval=0"],
        &["state", "get", "k", "s"],
        &["run", "current"],
        &["lock", "acquire", "n", "s", "--timeout=0"],
    ];
    for call in calls {
        sandbox.fails(call, 1);
    }
    // Locks know no database; theirs is broken if a file is in its place.
    fs::write(sandbox.db_path(), "no database").unwrap();
    let locks = sandbox.dir().parent().unwrap().join("locks");
    fs::remove_dir_all(&locks).unwrap();
    fs::write(&locks, "").unwrap();
    for call in calls {
        let (stdout, stderr) = sandbox.fails(call, 2);
        assert!(stdout.is_empty() && stderr.starts_with("ic: "), "{call:?}: {stderr}");
    }
}

/// CL-11: reads that are started together answer together, also while somebody writes and they are given no time to wait.
#[test]
fn reads_do_not_wait_for_a_writer() {
    let sandbox = Sandbox::new();
    let run = sandbox.new_run();
    let writer = sandbox.open();
    writer.execute_batch("BEGIN IMMEDIATE; UPDATE runs SET updated_at = 1").unwrap();
    let reads: [&[&str]; 5] = [
        &["health"],
        &["run", "phase", &run],
        &["coordination", "check", "--scope=r", "--pattern=p"],
        &["events", "tail", "--all"],
        &["run", "current"],
    ];
    std::thread::scope(|scope| {
        let sandbox = &sandbox;
        let calls = reads.map(|read| scope.spawn(move || sandbox.ok([read, &["--timeout=0"]].concat())));
        for call in calls {
            call.join().unwrap();
        }
    });
    writer.execute_batch("ROLLBACK").unwrap();
}
