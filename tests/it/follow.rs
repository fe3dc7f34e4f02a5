//! Consumers that die, and followers under load: real processes, real kills.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rand::RngExt;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::Sandbox;

/// Long enough for any machine.
const PATIENCE: Duration = Duration::from_secs(30);

fn start(sandbox: &Sandbox, args: &[&str]) -> (Child, ChildStdout) {
    let mut command = sandbox.command(args);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stdout = child.stdout.take().unwrap();
    (child, stdout)
}

fn record(sandbox: &Sandbox, length: usize) {
    let payload = format!("--payload=[\"{}\"]", "x".repeat(length));
    sandbox.ok(["events", "record", "--source=mine", "--type=x", &payload]);
}

/// The numbers of the events whose lines are complete.
fn complete(bytes: &[u8]) -> Vec<i64> {
    let end = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    let lines = bytes[..end].split(|b| *b == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice::<Value>(line).unwrap()["id"].as_i64().unwrap()).collect()
}

/// Reads up to `most` bytes, then kills the process.
fn cut_off(sandbox: &Sandbox, args: &[&str], most: usize) -> Vec<u8> {
    let (mut child, stdout) = start(sandbox, args);
    let mut got = Vec::new();
    stdout.take(most as u64).read_to_end(&mut got).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    got
}

/// EV-03: killed at any byte of what it reads, a consumer sees every event at least once, and in order.
#[test]
fn a_killed_consumer_loses_nothing() {
    let sandbox = Sandbox::new();
    let mut rng = crate::support::rng();
    let mut seen = BTreeSet::new();
    let mut repeated = 0;
    let tail = ["events", "tail", "--consumer=c", "--limit=7"];
    for round in 0..200 {
        if round % 2 == 0 {
            (0..3).for_each(|_| record(&sandbox, rng.random_range(0..300)));
        }
        let got = complete(&cut_off(&sandbox, &tail, rng.random_range(0..1500)));
        assert!(got.windows(2).all(|pair| pair[1] == pair[0] + 1), "{got:?}");
        if let Some(first) = got.first() {
            // Nothing was stepped over.
            assert!(
                seen.is_empty() || seen.contains(first) || seen.contains(&(first - 1)),
                "{first}: {seen:?}"
            );
            repeated += usize::from(seen.contains(first));
        }
        seen.extend(got);
    }
    loop {
        let rest = complete(sandbox.ic(tail).stdout.as_slice());
        if rest.is_empty() {
            break;
        }
        seen.extend(rest);
    }
    assert_eq!(seen, (1..=300).collect());
    assert!(repeated > 0, "no kill came between the output and the cursor");
}

/// EV-03: with --ack the caller decides what it has dealt with, and deals with each event exactly once.
#[test]
fn an_acknowledging_consumer_sees_each_event_exactly_once() {
    let sandbox = Sandbox::new();
    let mut rng = crate::support::rng();
    let mut done = Vec::new();
    let tail = ["events", "tail", "--consumer=c", "--ack", "--limit=7"];
    let deal_with = |got: Vec<i64>, done: &mut Vec<i64>| {
        let Some(last) = got.last().copied() else { return false };
        done.extend(got);
        sandbox.ok(["events", "cursor", "set", "c", &last.to_string()]);
        true
    };
    for round in 0..200 {
        if round % 2 == 0 {
            record(&sandbox, rng.random_range(0..300));
        }
        deal_with(complete(&cut_off(&sandbox, &tail, rng.random_range(0..2500))), &mut done);
    }
    while deal_with(complete(&sandbox.ic(tail).stdout), &mut done) {}
    assert_eq!(done, (1..=100).collect::<Vec<_>>());
}

/// Reads events until one has this number.
fn read_up_to(lines: &mut impl Iterator<Item = std::io::Result<String>>, last: i64) -> Vec<i64> {
    let mut ids = Vec::new();
    while ids.last() != Some(&last) {
        let line = lines.next().expect("the follower goes on").unwrap();
        ids.push(serde_json::from_str::<Value>(&line).unwrap()["id"].as_i64().unwrap());
    }
    ids
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

fn ends_well(mut child: Child) {
    let since = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            let mut stderr = String::new();
            child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
            assert_eq!((status.code(), stderr.as_str()), (Some(0), ""));
            return;
        }
        if since.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("the follower does not end");
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// EV-04: a follower sees every event of 16 writers, in order, and remembers where it was when it is asked to end.
#[test]
fn a_follower_misses_nothing_under_load() {
    const WRITERS: i64 = 16;
    const EACH: i64 = 15;
    let sandbox = Sandbox::new();
    record(&sandbox, 10);
    let (child, stdout) = start(&sandbox, &["events", "tail", "--consumer=c", "--follow", "--limit=3"]);
    let mut lines = BufReader::new(stdout).lines();
    assert_eq!(read_up_to(&mut lines, 1), [1]);
    let last = 1 + WRITERS * EACH;
    thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| (0..EACH).for_each(|_| record(&sandbox, 500)));
        }
        assert_eq!(read_up_to(&mut lines, last), (2..=last).collect::<Vec<_>>());
    });
    // The cursor follows what was read.
    let since = Instant::now();
    while sandbox.ok(["events", "cursor", "get", "c"]) != last.to_string() {
        assert!(since.elapsed() < PATIENCE);
    }
    signal(&child, Signal::TERM);
    ends_well(child);
    assert!(lines.next().is_none());
    assert_eq!(sandbox.ok(["events", "tail", "--consumer=c"]), "");
}

/// EV-04
#[test]
fn a_follower_ends_when_it_should() {
    let sandbox = Sandbox::new();
    let run = sandbox.new_run();
    let follow = ["events", "tail", &run, "-f"];
    for ending in [Signal::INT, Signal::TERM, Signal::HUP] {
        let (child, stdout) = start(&sandbox, &follow);
        let mut lines = BufReader::new(stdout).lines();
        assert_eq!(read_up_to(&mut lines, 1), [1]);
        signal(&child, ending);
        ends_well(child);
    }
    // Nobody reads any more: it is noticed while there is nothing to write.
    let (child, stdout) = start(&sandbox, &follow);
    let mut lines = BufReader::new(stdout).lines();
    assert_eq!(read_up_to(&mut lines, 1), [1]);
    drop(lines);
    ends_well(child);
}

/// EV-04, EV-03: a reader that stalls holds up neither the end nor other processes, and finds what it has not read again.
#[test]
fn a_stalled_reader_is_left_behind() {
    let sandbox = Sandbox::new();
    for _ in 0..40 {
        record(&sandbox, 5000);
    }
    let (child, stdout) = start(&sandbox, &["events", "tail", "--consumer=c", "-f"]);
    let mut reader = BufReader::new(stdout);
    let mut first = String::new();
    reader.read_line(&mut first).unwrap();
    // The log is emptied behind its back: no transaction is open while it waits for its reader.
    let since = Instant::now();
    let emptied = || {
        let conn = sandbox.open();
        conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0)).unwrap() == 0
    };
    while !emptied() {
        assert!(since.elapsed() < PATIENCE);
    }
    signal(&child, Signal::TERM);
    ends_well(child);
    let again = sandbox.ok(["events", "tail", "--consumer=c", "--limit=1000"]);
    assert_eq!(again.lines().count(), 40);
}

/// Whoever follows a database that is taken away is told so.
#[test]
fn a_follower_does_not_wait_for_a_lost_database() {
    let sandbox = Sandbox::new();
    sandbox.new_run();
    let (mut child, stdout) = start(&sandbox, &["events", "tail", "--all", "-f"]);
    let mut lines = BufReader::new(stdout).lines();
    read_up_to(&mut lines, 1);
    std::fs::remove_dir_all(sandbox.dir().join(".clavain")).unwrap();
    assert!(lines.next().is_none());
    assert_eq!(child.wait().unwrap().code(), Some(2));
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert!(stderr.contains("another file is at"), "{stderr}");
}

/// K-18, EV-02: a follower that had read further than the restored log goes is told so; it does not skip what comes under
/// the numbers that it has seen, and neither does its next call.
#[test]
fn a_follower_does_not_skip_what_a_restored_log_holds() {
    let sandbox = Sandbox::new();
    (0..5).for_each(|_| record(&sandbox, 1));
    sandbox.ok(["backup", "copy.db"]);
    let mut ahead: Vec<_> = [&["--all"][..], &["--consumer=c"]]
        .iter()
        .map(|how| {
            let (child, stdout) = start(&sandbox, &[&["events", "tail", "--follow"], *how].concat());
            (child, BufReader::new(stdout).lines())
        })
        .collect();
    (0..5).for_each(|_| record(&sandbox, 1));
    for (_, lines) in &mut ahead {
        assert_eq!(read_up_to(lines, 10), (1..=10).collect::<Vec<_>>());
    }
    let since = Instant::now();
    while sandbox.ic(["events", "cursor", "get", "c"]).stdout != b"10\n" {
        assert!(since.elapsed() < PATIENCE);
    }
    sandbox.ok(["restore", "copy.db"]);
    (0..6).for_each(|_| record(&sandbox, 1));
    for (mut child, mut lines) in ahead {
        assert!(lines.next().is_none());
        assert_eq!(child.wait().unwrap().code(), Some(1));
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert!(stderr.contains("ahead of the log"), "{stderr}");
    }
    let (_, stderr) = sandbox.fails(["events", "tail", "--consumer=c", "--json"], 1);
    assert!(stderr.contains("cursor_ahead"), "{stderr}");
}

/// K-18: the log is replaced after a consumer's events were written, and before its cursor moves.
#[test]
fn a_cursor_does_not_move_into_a_log_that_it_has_not_read() {
    let sandbox = Sandbox::new();
    (0..3).for_each(|_| record(&sandbox, 1));
    sandbox.ok(["backup", "copy.db"]);
    (0..5).for_each(|_| record(&sandbox, 1));
    let (mut child, stdout) = start(&sandbox, &["events", "tail", "--consumer=c"]);
    let mut lines = BufReader::with_capacity(1, stdout).lines();
    assert_eq!(read_up_to(&mut lines, 1), [1]);
    sandbox.ok(["restore", "copy.db"]);
    (0..9).for_each(|_| record(&sandbox, 1));
    assert_eq!(read_up_to(&mut lines, 8), (2..=8).collect::<Vec<_>>());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let (_, stderr) = sandbox.fails(["events", "tail", "--consumer=c", "--json"], 1);
    assert!(stderr.contains("cursor_ahead"), "{stderr}");
}

/// A page of any size is one document, and its consumer has seen it once all of it was taken.
#[test]
fn a_large_page_is_one_document() {
    let sandbox = Sandbox::new();
    for _ in 0..20 {
        record(&sandbox, 20_000);
    }
    let page = ["events", "tail", "--consumer=c", "--page", "--limit=15"];
    assert!(!cut_off(&sandbox, &page, 250_000).is_empty());
    sandbox.fails(["events", "cursor", "get", "c"], 1);
    let first: Value = serde_json::from_str(&sandbox.ok(page)).unwrap();
    let ids = |page: &Value| -> Vec<i64> {
        page["events"].as_array().unwrap().iter().map(|event| event["id"].as_i64().unwrap()).collect()
    };
    assert_eq!(ids(&first), (1..=15).collect::<Vec<_>>());
    assert_eq!((&first["more"], &first["next"]), (&true.into(), &15.into()));
    let second: Value = serde_json::from_str(&sandbox.ok(page)).unwrap();
    assert_eq!((ids(&second), &second["more"]), ((16..=20).collect(), &false.into()));
    assert_eq!(sandbox.ok(page), r#"{"events":[],"more":false,"next":20}"#);
}

/// K-06: stdout that does not block, because it is shared with somebody who wants it so, gets everything all the same.
#[test]
fn a_stream_that_does_not_block_gets_everything() {
    let sandbox = Sandbox::new();
    for _ in 0..40 {
        record(&sandbox, 5000);
    }
    let (mut reader, writer) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    let mut command = sandbox.command(["events", "tail", "--all"]);
    let mut child = command.stdout(writer).spawn().unwrap();
    drop(command);
    thread::sleep(Duration::from_millis(100));
    let mut got = Vec::new();
    reader.read_to_end(&mut got).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(complete(&got), (1..=40).collect::<Vec<_>>());
}
