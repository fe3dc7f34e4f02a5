//! Standing in line for a lock (CO-16): real processes that wait, die, come back, or would wait for each other.

use std::process::{Child, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{Sandbox, render};

fn words(owner: &str, pattern: &str, flags: &[&str]) -> Vec<String> {
    let fixed = ["coordination", "reserve", "--scope=r", "--json"].map(ToOwned::to_owned);
    let mut words = fixed.to_vec();
    words.extend([format!("--owner={owner}"), format!("--pattern={pattern}")]);
    words.extend(flags.iter().map(|flag| (*flag).to_owned()));
    words
}

/// A reservation by the real clock.
fn reserve(sandbox: &Sandbox, owner: &str, pattern: &str, flags: &[&str]) -> Output {
    let mut command = sandbox.command(words(owner, pattern, flags));
    command.env_remove("IC_TEST_NOW");
    crate::support::run(command)
}

fn answer(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|err| panic!("{err}: {}", render(output)))
}

fn granted(sandbox: &Sandbox, owner: &str, pattern: &str, flags: &[&str]) -> Value {
    let output = reserve(sandbox, owner, pattern, flags);
    assert_eq!(output.status.code(), Some(0), "{}", render(&output));
    answer(&output)["lock"].clone()
}

fn refused(sandbox: &Sandbox, owner: &str, pattern: &str, flags: &[&str]) -> Value {
    let output = reserve(sandbox, owner, pattern, flags);
    assert_eq!(output.status.code(), Some(1), "{}", render(&output));
    answer(&output)["conflict"].clone()
}

fn release(sandbox: &Sandbox, owner: &str) {
    assert_ne!(sandbox.ok(["coordination", "release", "--scope=r", "--owner", owner]), "0 released");
}

/// One who waits in the background; this returns when it has its place.
fn waiting(sandbox: &Sandbox, owner: &str, pattern: &str, flags: &[&str]) -> Child {
    let places = || sandbox.count("SELECT count(*) FROM lock_waiters WHERE left_at IS NULL");
    let before = places();
    let mut command = sandbox.command(words(owner, pattern, &[&["--wait=60s"], flags].concat()));
    command.env_remove("IC_TEST_NOW").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let since = Instant::now();
    while places() == before {
        assert!(since.elapsed() < Duration::from_secs(20), "{owner} does not stand in line");
        thread::sleep(Duration::from_millis(2));
    }
    child
}

fn end(child: Child) -> (Option<i32>, Value) {
    let output = child.wait_with_output().unwrap();
    (output.status.code(), answer(&output))
}

fn owner_of(child: Child) -> String {
    let (code, answer) = end(child);
    assert_eq!(code, Some(0), "{answer}");
    answer["lock"]["owner"].as_str().unwrap().to_owned()
}

/// CO-16: sixteen who wait are served in the order in which they came, also where a later one could go first.
#[test]
fn first_come_first_served() {
    let sandbox = Sandbox::new();
    granted(&sandbox, "holder", "src/**", &["--ttl=600"]);
    let names: Vec<String> = (0..16).map(|n| format!("w{n:02}")).collect();
    let children: Vec<Child> =
        names.iter().map(|name| waiting(&sandbox, name, "src/*.rs", &["--ttl=600"])).collect();
    release(&sandbox, "holder");
    for (name, child) in names.iter().zip(children) {
        assert_eq!(&owner_of(child), name);
        // Whoever comes now, and does not wait, comes behind those who do.
        if name != "w15" {
            let blocker = refused(&sandbox, "late", "src/a.rs", &[]);
            assert_eq!(blocker["blocker_owner"], name.as_str());
        }
        release(&sandbox, name);
    }
    let granted: Vec<Value> =
        sandbox.events().into_iter().filter(|e| e["type"] == "coordination.acquired").collect();
    let order: Vec<&str> =
        granted.iter().skip(1).map(|event| event["from_state"].as_str().unwrap()).collect();
    assert_eq!(order, names);
    assert_eq!(sandbox.count("SELECT count(*) FROM lock_waiters"), 0);
}

/// CO-16: those who do not meet do not wait for each other, and sharers go together.
#[test]
fn only_what_overlaps_is_waited_for() {
    let sandbox = Sandbox::new();
    granted(&sandbox, "holder", "src/**", &[]);
    let writer = waiting(&sandbox, "writer", "src/a", &[]);
    granted(&sandbox, "other", "docs/**", &["--wait=10s"]);
    let one = waiting(&sandbox, "one", "src/b", &["--exclusive=false"]);
    let two = waiting(&sandbox, "two", "src/*", &["--exclusive=false"]);
    let blocked = sandbox.fails(["coordination", "check", "--scope=r", "--pattern=src/a"], 1).0;
    assert!(blocked.contains("holder\tsrc/**") && blocked.contains("writer\tsrc/a"), "{blocked}");
    release(&sandbox, "holder");
    assert_eq!([owner_of(writer), owner_of(one)], ["writer", "one"]);
    release(&sandbox, "writer");
    assert_eq!(owner_of(two), "two");
}

/// CO-16: the end of a lock's time wakes a waiter as its release does.
#[test]
fn a_lock_that_expires_lets_the_next_one_in() {
    let sandbox = Sandbox::new();
    granted(&sandbox, "holder", "a", &["--ttl=1"]);
    assert_eq!(granted(&sandbox, "next", "a", &["--wait=30s"])["owner"], "next");
    let kinds: Vec<_> = sandbox.events().iter().map(|e| e["type"].as_str().unwrap().to_owned()).collect();
    let wanted = ["coordination.acquired", "coordination.expired", "coordination.acquired"];
    assert_eq!(kinds, wanted);
}

/// CO-16, CO-22: a dead waiter keeps no lock from others; its place is kept for its grace, and a sweep removes it.
#[test]
fn a_dead_waiter_is_not_waited_for() {
    let sandbox = Sandbox::new();
    granted(&sandbox, "holder", "a", &[]);
    let mut dead = waiting(&sandbox, "dead", "a", &["--grace=1"]);
    let next = waiting(&sandbox, "next", "a", &[]);
    dead.kill().unwrap();
    dead.wait().unwrap();
    release(&sandbox, "holder");
    assert_eq!(owner_of(next), "next");
    let mut sweep = sandbox.command(["coordination", "sweep"]);
    sweep.env_remove("IC_TEST_NOW");
    assert!(crate::support::run(sweep).status.success());
    assert_eq!(sandbox.count("SELECT count(*) FROM lock_waiters"), 0);
}

/// CO-16, CO-22: a caller with little time comes back to its place, with its ticket or without; one that comes too late, or
/// shows another's ticket, does not.
#[test]
fn a_ticket_keeps_the_place() {
    let sandbox = Sandbox::new();
    granted(&sandbox, "holder", "a", &[]);
    let first = refused(&sandbox, "first", "a", &["--wait=50ms", "--grace=60"]);
    assert_eq!(first["blocker_owner"], "holder");
    let ticket = format!("--ticket={}", first["ticket"]);
    let second = waiting(&sandbox, "second", "a", &[]);
    // Another owner's place is not had for its number.
    let thief = refused(&sandbox, "thief", "a", &["--wait=50ms", "--grace=0", &ticket]);
    assert!(thief["ticket"].as_i64() > first["ticket"].as_i64(), "{thief}");
    // Coming back, in vain once more, is not a new place.
    assert_eq!(refused(&sandbox, "first", "a", &["--wait=50ms", "--grace=60"])["ticket"], first["ticket"]);
    assert_eq!(refused(&sandbox, "first", "a", &["--grace=60"])["ticket"], first["ticket"]);
    let first = waiting(&sandbox, "first", "a", &[&ticket]);
    release(&sandbox, "holder");
    assert_eq!(owner_of(first), "first");
    release(&sandbox, "first");
    assert_eq!(owner_of(second), "second");
    // The grace is over at once: the place is lost, and the ticket with it.
    let lost = refused(&sandbox, "third", "a", &["--wait=20ms", "--grace=0"]);
    let fourth = waiting(&sandbox, "fourth", "a", &[]);
    let ticket = format!("--ticket={}", lost["ticket"]);
    let third = waiting(&sandbox, "third", "a", &[&ticket]);
    release(&sandbox, "second");
    assert_eq!(owner_of(fourth), "fourth");
    release(&sandbox, "fourth");
    assert_eq!(owner_of(third), "third");
}

/// CO-16: a wait that would close a circle is refused, and the circle is shown; the others go on waiting and get what they
/// wait for.
#[test]
fn a_circle_of_waiters_is_refused() {
    let sandbox = Sandbox::new();
    for (owner, pattern) in [("ann", "a"), ("bob", "b"), ("cat", "c")] {
        granted(&sandbox, owner, pattern, &[]);
    }
    let ann = waiting(&sandbox, "ann", "b", &[]);
    let bob = waiting(&sandbox, "bob", "c", &[]);
    let output = reserve(&sandbox, "cat", "a", &["--wait=60s"]);
    assert_eq!(output.status.code(), Some(1), "{}", render(&output));
    let conflict = answer(&output)["conflict"].clone();
    let circle: Vec<String> = conflict["deadlock"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| format!("{}-{}-{}", step["owner"], step["pattern"], step["holder"]).replace('"', ""))
        .collect();
    assert_eq!(circle, ["cat-a-ann", "ann-b-bob", "bob-c-cat"]);
    assert_eq!((&answer(&output)["code"], output.stderr.as_slice()), (&"deadlock".into(), &b""[..]));
    let line = ["coordination", "reserve", "--owner=cat", "--scope=r", "--pattern=a", "--wait=60s"];
    let mut text = sandbox.command(line);
    text.env_remove("IC_TEST_NOW");
    let stderr = String::from_utf8(crate::support::run(text).stderr).unwrap();
    let message = "ic: a deadlock: cat waits for ann (a), ann waits for bob (b), bob waits for cat (c)";
    assert!(stderr.contains(message), "{stderr}");
    let told = sandbox.events().into_iter().rfind(|e| e["type"] == "coordination.conflict").unwrap();
    assert_eq!(told["data"]["deadlock"].as_array().unwrap().len(), 3);
    release(&sandbox, "cat");
    assert_eq!(owner_of(bob), "bob");
    release(&sandbox, "bob");
    assert_eq!(owner_of(ann), "ann");
}

/// CO-16, CO-07: two sharers who both want to be alone would wait for each other.
#[test]
fn two_upgrades_are_a_circle() {
    let sandbox = Sandbox::new();
    granted(&sandbox, "ann", "a", &["--exclusive=false"]);
    granted(&sandbox, "bob", "a", &["--exclusive=false"]);
    let ann = waiting(&sandbox, "ann", "a", &[]);
    let refused = refused(&sandbox, "bob", "a", &["--wait=60s"]);
    assert_eq!(refused["deadlock"].as_array().unwrap().len(), 2);
    release(&sandbox, "bob");
    assert_eq!(owner_of(ann), "ann");
}

/// CO-16, CO-06: a wait in vain ends with one conflict on record, and no place is left once its grace is over.
#[test]
fn a_wait_in_vain_is_one_conflict() {
    let sandbox = Sandbox::new();
    granted(&sandbox, "holder", "a", &[]);
    let since = Instant::now();
    refused(&sandbox, "late", "a", &["--wait=300ms", "--grace=0"]);
    assert!(since.elapsed() >= Duration::from_millis(300));
    let conflicts = sandbox.events().iter().filter(|e| e["type"] == "coordination.conflict").count();
    assert_eq!(conflicts, 1);
    release(&sandbox, "holder");
    granted(&sandbox, "next", "a", &[]);
    assert_eq!(sandbox.count("SELECT count(*) FROM lock_waiters"), 0);
}

/// CO-17: a holder that was stopped past its time and goes on finds its token refused, and so is what it writes under it.
#[test]
fn who_slept_past_its_time_writes_nothing() {
    let sandbox = Sandbox::new();
    let run = sandbox.new_run();
    let script = "set -e; lock=$($IC coordination reserve --owner=sleepy --scope=r --pattern=a --ttl=1 --json); \
                  id=$(printf %s \"$lock\" | sed 's/.*\"id\":\"\\([a-z0-9]*\\)\".*/\\1/'); \
                  fence=$(printf %s \"$lock\" | sed 's/.*\"fence\":\\([0-9]*\\).*/\\1/'); \
                  touch held; while [ ! -e go ]; do :; done; \
                  $IC artifact add \"$RUN\" --phase=brainstorm --path=late.md --fence=\"$id:$fence\" --json";
    let mut shell = std::process::Command::new("/bin/sh");
    sandbox.seal(&mut shell);
    shell.env_remove("IC_TEST_NOW").env("IC", assert_cmd::cargo::cargo_bin!("ic")).env("RUN", &run);
    let sleepy = shell.args(["-c", script]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let since = Instant::now();
    while !sandbox.dir().join("held").exists() {
        assert!(since.elapsed() < Duration::from_secs(20));
        thread::sleep(Duration::from_millis(5));
    }
    let pid = Pid::from_child(&sleepy);
    kill_process(pid, Signal::STOP).unwrap();
    let next = granted(&sandbox, "next", "a", &["--wait=30s"]);
    std::fs::write(sandbox.dir().join("go"), "").unwrap();
    kill_process(pid, Signal::CONT).unwrap();
    let output = sleepy.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", render(&output));
    assert!(String::from_utf8_lossy(&output.stderr).contains("lock_gone"), "{}", render(&output));
    assert_eq!(sandbox.count("SELECT count(*) FROM run_artifacts"), 0);
    let fence = format!("--fence={}:{}", next["id"].as_str().unwrap(), next["fence"]);
    let mut late = sandbox.command(["artifact", "add", &run, "--phase=brainstorm", "--path=a.md", &fence]);
    late.env_remove("IC_TEST_NOW");
    assert!(crate::support::run(late).status.success());
    sandbox.fails(["artifact", "add", &run, "--phase=brainstorm", "--path=a.md", "--fence=nonsense"], 3);
}

/// CO-16, CO-21: who holds something goes on with its work below it while others wait for it.
#[test]
fn a_holder_is_not_kept_from_its_own() {
    let sandbox = Sandbox::new();
    granted(&sandbox, "ann", "src/**", &[]);
    let bob = waiting(&sandbox, "bob", "src/**", &[]);
    granted(&sandbox, "ann", "src/a.rs", &[]);
    granted(&sandbox, "ann", "src/b.rs", &["--wait=1s"]);
    sandbox.ok(["coordination", "check", "--scope=r", "--pattern=src/**", "--exclude-owner=ann"]);
    let late = refused(&sandbox, "cat", "src/c.rs", &[]);
    assert_eq!(late["blocker_owner"], "ann");
    release(&sandbox, "ann");
    assert_eq!(owner_of(bob), "bob");
}

/// CO-16: nobody can tell whether a process of another machine still waits, so it does not wait longer than it said.
#[test]
fn a_waiter_of_another_machine_is_not_waited_for() {
    let sandbox = Sandbox::new();
    granted(&sandbox, "holder", "a", &[]);
    let mut far = waiting(&sandbox, "far", "a", &["--wait=1s", "--grace=0"]);
    sandbox.open().execute_batch("UPDATE lock_waiters SET host = 'elsewhere'").unwrap();
    far.kill().unwrap();
    far.wait().unwrap();
    release(&sandbox, "holder");
    assert_eq!(granted(&sandbox, "next", "a", &["--wait=20s"])["owner"], "next");
}

/// CO-16: a dead waiter is in nobody's way at once, also for who only looks; a ticket that is shown again is kept again.
#[test]
fn the_dead_leave_at_once() {
    let sandbox = Sandbox::new();
    granted(&sandbox, "holder", "a", &[]);
    let mut dead = waiting(&sandbox, "dead", "a", &["--grace=600"]);
    dead.kill().unwrap();
    dead.wait().unwrap();
    release(&sandbox, "holder");
    let mut check = sandbox.command(["coordination", "check", "--scope=r", "--pattern=a"]);
    check.env_remove("IC_TEST_NOW");
    assert_eq!(crate::support::run(check).status.code(), Some(0));
    granted(&sandbox, "next", "a", &[]);
    for words in [["--wait=9223372036854775807", "--grace=5"], ["--wait=1s", "--grace=1d"]] {
        assert_eq!(reserve(&sandbox, "x", "a", &words).status.code(), Some(3));
    }
}

/// CO-22: forty owners ask in turn, each for a moment; once the lock is over, the first to ask gets it.
#[test]
fn a_place_that_was_left_keeps_no_free_lock() {
    let sandbox = Sandbox::new();
    granted(&sandbox, "holder", "a", &["--ttl=1"]);
    let free = Instant::now() + Duration::from_secs(1);
    let mut refusals = 0;
    for n in 0..40 {
        let asked = Instant::now();
        let output = reserve(&sandbox, &format!("w{n}"), "a", &["--wait=300ms", "--ttl=3600"]);
        if output.status.success() {
            break;
        }
        assert!(asked < free, "refused though the lock was free: {}", render(&output));
        refusals += 1;
    }
    let early = "SELECT max(expires_at_ms) - 3600000 < min(expires_at_ms) FROM coordination_locks";
    assert_eq!(sandbox.count(early), 0);
    assert!((1..40).contains(&refusals), "{refusals}");
    // Nor from a caller that does not wait.
    let sandbox = Sandbox::new();
    granted(&sandbox, "holder", "a", &[]);
    refused(&sandbox, "gone", "a", &["--wait=50ms", "--grace=600"]);
    release(&sandbox, "holder");
    granted(&sandbox, "late", "a", &[]);
}

/// CO-22: workers that wait for a moment only, again and again, all make progress.
#[test]
fn short_waits_make_progress() {
    let sandbox = Sandbox::new();
    let until = Instant::now() + Duration::from_mins(1);
    let each = thread::scope(|scope| {
        let workers: Vec<_> = (0..8)
            .map(|n| {
                let sandbox = &sandbox;
                scope.spawn(move || {
                    let owner = format!("w{n}");
                    let mut grants = 0;
                    while grants < 3 && Instant::now() < until {
                        let output = reserve(sandbox, &owner, "a", &["--wait=200ms"]);
                        if output.status.success() {
                            thread::sleep(Duration::from_millis(50));
                            release(sandbox, &owner);
                            grants += 1;
                        }
                    }
                    grants
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(each, [3; 8]);
}

/// CO-22: places are listed, and go with their owner's locks or by a sweep; a process that waits goes on waiting.
#[test]
fn places_are_seen_and_removed() {
    let sandbox = Sandbox::new();
    let listed = |flags: &[&str]| -> Vec<(String, String)> {
        let mut list = sandbox.command([&["coordination", "list", "--json"], flags].concat());
        list.env_remove("IC_TEST_NOW");
        let list = answer(&crate::support::run(list));
        let shown = |of: &Value| (of["owner"].as_str().unwrap().into(), of["state"].as_str().unwrap().into());
        list.as_array().unwrap().iter().map(shown).collect()
    };
    let pairs = |each: &[(&str, &str)]| -> Vec<(String, String)> {
        each.iter().map(|(owner, state)| ((*owner).into(), (*state).into())).collect()
    };
    granted(&sandbox, "holder", "a", &["--ttl=600"]);
    refused(&sandbox, "gone", "a", &["--wait=20ms", "--grace=600"]);
    let here = waiting(&sandbox, "here", "a", &[]);
    refused(&sandbox, "left", "a", &["--wait=20ms", "--grace=600"]);
    let all = pairs(&[("holder", "active"), ("gone", "left"), ("here", "waiting"), ("left", "left")]);
    assert_eq!(listed(&[]), all);
    assert_eq!(listed(&["--scope=r", "--owner=here"]), pairs(&[("here", "waiting")]));
    assert_eq!(listed(&["--scope=other"]), pairs(&[]));
    assert_eq!(listed(&["--type=named_lock"]), pairs(&[]));
    assert_eq!(listed(&["--active"]), pairs(&[("holder", "active")]));
    assert_eq!(sandbox.ok(["coordination", "release", "--scope=r", "--owner=gone"]), "0 released");
    assert_eq!(listed(&["--owner=gone"]), pairs(&[]));
    let mut sweep = sandbox.command(["coordination", "sweep"]);
    sweep.env_remove("IC_TEST_NOW");
    assert!(crate::support::run(sweep).status.success());
    assert_eq!(listed(&[]), pairs(&[("holder", "active"), ("here", "waiting")]));
    // A waiter whose place was removed joins the queue again.
    assert_eq!(sandbox.ok(["coordination", "release", "--scope=r", "--owner=here"]), "0 released");
    release(&sandbox, "holder");
    assert_eq!(owner_of(here), "here");
}
