//! `ic coordination …`: reservations, named locks, tokens.

use std::fs;
use std::thread;

use serde_json::{Value, json};

use crate::support::{Sandbox, render};

fn reserve<'a>(owner: &'a str, pattern: &'a str, flags: &[&'a str]) -> Vec<String> {
    let mut args: Vec<String> = ["coordination", "reserve", "--scope=r"].map(ToOwned::to_owned).to_vec();
    args.extend([format!("--owner={owner}"), format!("--pattern={pattern}")]);
    args.extend(flags.iter().map(|flag| (*flag).to_owned()));
    args
}

fn granted(sandbox: &Sandbox, owner: &str, pattern: &str, flags: &[&str]) -> Value {
    sandbox.json(reserve(owner, pattern, flags))["lock"].clone()
}

/// Refused; answers the lock that is in the way.
fn refused(sandbox: &Sandbox, owner: &str, pattern: &str, flags: &[&str]) -> Value {
    let mut args = reserve(owner, pattern, flags);
    args.push("--json".to_owned());
    let (stdout, _) = sandbox.fails(&args, 1);
    serde_json::from_str::<Value>(&stdout).unwrap()["conflict"].clone()
}

fn negative(sandbox: &Sandbox, args: &[&str], code: &str) {
    let (_, stderr) = sandbox.fails([args, &["--json"]].concat(), 1);
    let error: Value = serde_json::from_str(stderr.lines().last().unwrap()).unwrap();
    assert_eq!(error["error"]["code"], code, "{args:?}: {stderr}");
}

fn later(sandbox: &Sandbox, seconds: i64, args: &[&str]) -> std::process::Output {
    let mut command = sandbox.command(args);
    command.env("IC_TEST_NOW", (1_700_000_000 + seconds).to_string());
    crate::support::run(command)
}

fn kinds(sandbox: &Sandbox) -> Vec<String> {
    let events = sandbox.events();
    events
        .iter()
        .map(|e| e["type"].as_str().unwrap().trim_start_matches("coordination.").to_owned())
        .collect()
}

/// CO-05, CO-06, CO-14: what overlaps is refused with the lock that is in the way; each step is one event of its lock.
#[test]
fn what_overlaps_is_refused() {
    let sandbox = Sandbox::new();
    let lock = granted(&sandbox, "ann", "src/**/*.rs", &["--reason=parser", "--ttl=900"]);
    assert_eq!(
        (&lock["type"], &lock["exclusive"], &lock["ttl_seconds"], &lock["expires_at"]),
        (&json!("file_reservation"), &json!(true), &json!(900), &json!(1_700_000_900))
    );
    let blocker = refused(&sandbox, "bob", "src", &[]);
    assert_eq!(
        blocker,
        json!({ "blocker_id": lock["id"], "blocker_owner": "ann", "blocker_pattern": "src/**/*.rs",
            "blocker_reason": "parser", "blocker_expires_at": 1_700_000_900 })
    );
    granted(&sandbox, "bob", "docs/", &[]);
    granted(&sandbox, "bob", "lib/a.go", &[]);
    refused(&sandbox, "bob", "./src//sub/x.rs", &[]);
    let (stdout, stderr) = sandbox.fails(reserve("bob", "src/x.rs", &[]), 1);
    assert!(stdout.is_empty() && stderr.contains("held by ann (parser)"), "{stderr}");
    assert_eq!(kinds(&sandbox), ["acquired", "conflict", "acquired", "acquired", "conflict", "conflict"]);
    let conflict = &sandbox.events()[1];
    assert_eq!(
        (&conflict["from_state"], &conflict["to_state"], &conflict["reason"], &conflict["subject"]),
        (&json!("bob"), &json!("src"), &json!("ann"), &lock["id"])
    );
    sandbox.check_integrity();
}

/// CO-07, CO-21: the same owner renews in place, upgrades if nobody shares, and keeps what is exclusive.
#[test]
fn an_owner_meets_its_own_locks_in_place() {
    let sandbox = Sandbox::new();
    let first = granted(&sandbox, "ann", "a", &["--ttl=60", "--exclusive=false"]);
    let again = granted(&sandbox, "ann", "a/", &["--ttl=1h", "--exclusive=false"]);
    assert_eq!((&again["id"], &again["expires_at"]), (&first["id"], &json!(1_700_003_600)));
    granted(&sandbox, "bob", "a/x", &["--exclusive=0"]);
    assert_eq!(refused(&sandbox, "ann", "a", &[])["blocker_owner"], "bob");
    sandbox.ok(["coordination", "release", "--owner=bob", "--scope=r"]);
    let upgraded = granted(&sandbox, "ann", "a", &["--ttl=60"]);
    assert_eq!((&upgraded["id"], &upgraded["exclusive"]), (&first["id"], &json!(true)));
    assert!(upgraded["fence"].as_i64() > first["fence"].as_i64());
    let kept = granted(&sandbox, "ann", "a", &["--ttl=60", "--exclusive=false"]);
    assert_eq!((&kept["exclusive"], &kept["fence"]), (&json!(true), &upgraded["fence"]));
    // Another pattern is another lock, also if it overlaps.
    assert_ne!(granted(&sandbox, "ann", "a/b", &[])["id"], first["id"]);
}

/// CO-15: names meet only names, and exactly; CO-03: each has an end.
#[test]
fn named_locks_are_names() {
    let sandbox = Sandbox::new();
    let lock = granted(&sandbox, "ann", "deploy", &["--type=named_lock"]);
    assert_eq!(lock["ttl_seconds"], 300);
    assert_eq!(granted(&sandbox, "bob", "deploy", &[])["ttl_seconds"], 3600);
    assert_eq!(granted(&sandbox, "bob", "for/ever", &["--ttl=0"])["expires_at"], Value::Null);
    assert_eq!(granted(&sandbox, "bob", "a/task", &["--type=write_set"])["expires_at"], Value::Null);
    granted(&sandbox, "bob", "deploy/**", &["--type=named_lock"]);
    sandbox.fails(reserve("bob", "x", &["--type=named_lock", "--ttl=0"]), 3);
    let (_, stderr) = sandbox.fails(reserve("cid", "deploy", &[]), 1);
    assert!(!stderr.contains("--ttl"), "said of what was granted: {stderr}");
    granted(&sandbox, "bob", "*", &["--type=named_lock"]);
    assert_eq!(refused(&sandbox, "bob", "deploy", &["--type=named_lock"])["blocker_id"], lock["id"]);
    assert_eq!(refused(&sandbox, "cid", "deploy/x", &["--type=write_set"])["blocker_owner"], "bob");
    let endless = "SELECT count(*) FROM coordination_locks WHERE type = 'named_lock' AND expires_at IS NULL";
    assert_eq!(sandbox.count(endless), 0);
}

/// CO-13: one directory has one scope, whatever it is called; a pattern stays below it.
#[test]
fn a_scope_has_one_name() {
    let sandbox = Sandbox::new();
    let dir = sandbox.dir();
    fs::create_dir_all(dir.join("sub")).unwrap();
    std::os::unix::fs::symlink(dir, dir.join("link")).unwrap();
    let path = dir.to_str().unwrap();
    let of = |scope: &str, owner: &str, pattern: &str| {
        sandbox.ic([
            "coordination",
            "reserve",
            &format!("--scope={scope}"),
            &format!("--owner={owner}"),
            &format!("--pattern={pattern}"),
        ])
    };
    assert!(of(path, "ann", "sub/f").status.success());
    for scope in [".", &format!("{path}/"), "link", &format!("{path}/sub/..")] {
        assert_eq!(of(scope, "bob", "sub/*").status.code(), Some(1), "{scope}");
    }
    let absolute = format!("{path}/sub/f");
    assert_eq!(of(path, "bob", &absolute).status.code(), Some(1), "an absolute pattern in the scope");
    for bad in ["../x", "/etc/passwd", "a/../../x", "[", "a[b-", &"x".repeat(4097), &"*/".repeat(11)] {
        let output = of(path, "bob", bad);
        assert_eq!(output.status.code(), Some(2), "{bad}: {}", render(&output));
        assert!(String::from_utf8_lossy(&output.stderr).contains("invalid pattern"), "{}", render(&output));
    }
    assert!(of(path, "bob", &"segment/".repeat(300)).status.success(), "CO-04: literal text does not count");
}

/// CO-08, CO-01: a check sees what a reservation would meet, in the same mode, and changes nothing.
#[test]
fn a_check_sees_what_a_reservation_would_meet() {
    let sandbox = Sandbox::new();
    let check = |pattern: &str, flags: &[&str]| {
        let pattern = format!("--pattern={pattern}");
        let output =
            sandbox.ic([&["coordination", "check", "--scope=r", &pattern, "--json"], flags].concat());
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(i32::from(found != json!([]))), "{}", render(&output));
        found.as_array().unwrap().len()
    };
    granted(&sandbox, "ann", "a/*", &["--exclusive=false"]);
    granted(&sandbox, "bob", "b", &[]);
    assert_eq!((check("a/x", &[]), check("a/x", &["--shared"])), (1, 0));
    assert_eq!(
        (check("b/x", &[]), check("b/x", &["--shared"]), check("b/x", &["--exclude-owner=bob"])),
        (1, 1, 0)
    );
    assert_eq!(check("c", &[]), 0);
    let (stdout, _) = sandbox.fails(["coordination", "check", "--scope=r", "--pattern=b"], 1);
    assert_eq!(stdout, "bob\tb\t\n");
    assert_eq!(sandbox.events().len(), 2);
}

/// CO-06, CO-09: what is over is ended once, by whoever meets it first.
#[test]
fn a_lock_expires_once() {
    let sandbox = Sandbox::new();
    granted(&sandbox, "ann", "in/the/way", &["--ttl=10"]);
    granted(&sandbox, "ann", "elsewhere", &["--ttl=10"]);
    let output =
        later(&sandbox, 10, &["coordination", "reserve", "--scope=r", "--owner=bob", "--pattern=in"]);
    assert!(output.status.success(), "{}", render(&output));
    assert_eq!(kinds(&sandbox)[2..], ["expired", "expired", "acquired"]);
    for n in 0..100 {
        granted(&sandbox, "cid", &format!("f{n}"), &["--ttl=10"]);
    }
    let sweep = |seconds, flags: &[&str]| {
        let output = later(&sandbox, seconds, &[&["coordination", "sweep", "--json"], flags].concat());
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["expired"].as_i64().unwrap()
    };
    assert_eq!(sweep(11, &["--older-than=1h"]), 0, "--older-than is honoured");
    assert_eq!(sweep(11, &["--dry-run"]), 100);
    let swept: i64 = thread::scope(|scope| {
        let sweeps: Vec<_> = (0..4).map(|_| scope.spawn(|| sweep(11, &[]))).collect();
        sweeps.into_iter().map(|sweep| sweep.join().unwrap()).sum()
    });
    assert_eq!(swept, 100);
    let ended = "SELECT count(*) FROM events WHERE type = 'coordination.expired'";
    assert_eq!(sandbox.count(ended), 102);
}

/// CO-03: a lock may live with a process, told by its start time; all others live by their time alone.
#[test]
fn a_lock_of_a_dead_process_is_swept() {
    let sandbox = Sandbox::new();
    let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
    granted(&sandbox, "ann", "a", &[&format!("--owner-pid={}", child.id())]);
    granted(&sandbox, "bob", "b", &[]);
    assert_eq!(sandbox.ok(["coordination", "sweep"]), "0 expired, 0 total");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(sandbox.ok(["coordination", "sweep"]), "0 expired, 1 total");
    let states = sandbox.ok(["coordination", "list"]);
    assert!(states.contains("\ta\treleased\t") && states.contains("\tb\tactive\t"), "{states}");
}

/// DI-08: a rollback releases what was held for the dispatches that it cancels, and nothing else.
#[test]
fn a_rollback_releases_what_its_dispatches_held() {
    let sandbox = Sandbox::new();
    let run = sandbox.short_run();
    let (scope, of_run) = (format!("--scope-id={run}"), format!("--run={run}"));
    let before = sandbox.ok(["dispatch", "record", "--name=early", &scope]);
    sandbox.ok(["run", "advance", &run, "--priority=4"]);
    let later = sandbox.ok(["dispatch", "record", "--name=late", &scope]);
    for (pattern, dispatch) in [("a", before.as_str()), ("b", later.as_str()), ("c", "")] {
        granted(&sandbox, "ann", pattern, &[&of_run, &format!("--dispatch={dispatch}")]);
    }
    let target = ["run", "rollback", &run, "--to-phase=a", "--reason=again"];
    let planned = sandbox.json([&target[..], &["--dry-run"]].concat());
    let done = sandbox.json(target);
    assert_eq!(planned["released_locks"], done["released_locks"]);
    assert_eq!(done["released_locks"].as_array().unwrap().len(), 1, "{done}");
    let left = sandbox.json(["coordination", "list", "--active"]);
    let patterns: Vec<_> = left.as_array().unwrap().iter().map(|lock| &lock["pattern"]).collect();
    assert_eq!(patterns.len(), 2);
    assert!(!patterns.contains(&&json!("b")), "{left}");
    let told = sandbox.events().into_iter().find(|e| e["type"] == "coordination.released").unwrap();
    assert_eq!((&told["to_state"], &told["reason"]), (&json!("b"), &json!("rollback: again")));
}

/// CO-03, CO-10: a lock lives with the process of its owner, not of the one before; a process that is not there is said.
#[test]
fn a_lock_lives_with_its_own_process() {
    let sandbox = Sandbox::new();
    let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
    let pid = format!("--owner-pid={}", child.id());
    granted(&sandbox, "ann", "moved", &[&pid]);
    granted(&sandbox, "ann", "kept", &[&pid]);
    granted(&sandbox, "ann", "kept", &[&format!("--owner-pid={}", std::process::id())]);
    sandbox.ok(["coordination", "transfer", "--from=ann", "--to=bob", "--scope=r"]);
    granted(&sandbox, "cat", "left", &[&pid]);
    child.kill().unwrap();
    child.wait().unwrap();
    negative(
        &sandbox,
        &["coordination", "reserve", "--owner=x", "--scope=r", "--pattern=y", &pid],
        "process_not_found",
    );
    sandbox.ok(["coordination", "check", "--scope=r", "--pattern=left"]);
    assert_eq!(granted(&sandbox, "dan", "left", &[])["owner"], "dan", "nobody waits for the dead");
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    granted(&sandbox, &format!("{}:{host}", child.id()), "dead", &["--type=write_set"]);
    assert_eq!(sandbox.ok(["coordination", "sweep"]), "0 expired, 1 total");
    refused(&sandbox, "x", "moved", &[]);
    refused(&sandbox, "x", "kept", &[]);
}

/// CL-10, CO-08, CO-13: rows from outside are released, listed, renewed and handed over like ours, names too.
#[test]
fn rows_from_outside_are_met_by_every_command() {
    let sandbox = Sandbox::new();
    let path = sandbox.dir().to_str().unwrap().to_owned();
    fs::create_dir(sandbox.dir().join(".git")).unwrap();
    let insert = |id: &str, kind: &str, pattern: &str, end: &str| {
        let row = format!(
            "INSERT INTO coordination_locks (id, type, owner, scope, pattern, created_at, expires_at) VALUES \
             ('{id}', '{kind}', 'them', '{path}/', '{pattern}', 1700000000, {end})"
        );
        sandbox.open().execute_batch(&row).unwrap();
    };
    let end = "1700000600";
    insert("o1", "file_reservation", "a", end);
    assert_eq!(sandbox.json(["coordination", "list", "--scope=."]).as_array().unwrap().len(), 1);
    assert_eq!(sandbox.ok(["coordination", "release", "--owner=them", "--scope=."]), "1 released");
    insert("o2", "named_lock", "deploy", end);
    let named = ["--scope=.", "--type=named_lock", "--pattern=deploy"];
    sandbox.fails([&["coordination", "check"][..], &named].concat(), 1);
    sandbox.fails([&["coordination", "reserve", "--owner=me"][..], &named].concat(), 1);
    insert("o3", "file_reservation", "b", end);
    let renewed = sandbox.json(["coordination", "renew", "o3"]);
    assert_eq!(
        (&renewed["lock"]["ttl_seconds"], &renewed["lock"]["expires_at"]),
        (&json!(600), &json!(1_700_000_600))
    );
    assert!(renewed["lock"]["fence"].as_i64().unwrap() > 0);
    insert("o4", "file_reservation", "c", "NULL");
    assert_eq!(
        sandbox.ok(["coordination", "transfer", "--from=them", "--to=us", "--scope=."]),
        "3 transferred"
    );
    sandbox.fails(["coordination", "renew", "o3", "--ttl=0"], 3);
}

/// CO-13: a file has one name, also where a pattern goes through a symlink.
#[test]
fn a_pattern_goes_through_symlinks() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.dir().join(".git")).unwrap();
    fs::create_dir(sandbox.dir().join("documentation")).unwrap();
    fs::write(sandbox.dir().join("AGENTS.md"), "").unwrap();
    std::os::unix::fs::symlink("documentation", sandbox.dir().join("docs")).unwrap();
    std::os::unix::fs::symlink("AGENTS.md", sandbox.dir().join("CLAUDE.md")).unwrap();
    let reserve = |owner: &str, pattern: &str| {
        let (owner, pattern) = (format!("--owner={owner}"), format!("--pattern={pattern}"));
        sandbox.ic(["coordination", "reserve", "--scope=.", &owner, &pattern]).status.code()
    };
    assert_eq!(reserve("ann", "docs/*.md"), Some(0));
    assert_eq!(reserve("bob", "documentation/x.md"), Some(1));
    assert_eq!(reserve("ann", "CLAUDE.md"), Some(0));
    assert_eq!(reserve("bob", "AGENTS.md"), Some(1));
}

/// CO-12: a lock's identifier is made like every other.
#[test]
fn a_lock_has_an_identifier_like_all_others() {
    let sandbox = Sandbox::new();
    let id = granted(&sandbox, "ann", "a", &[])["id"].as_str().unwrap().to_owned();
    assert_eq!(id.len(), 8);
    assert!(id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()), "{id}");
}

/// CO-14: who edits a file is not in the way of what could only lie below it; who makes a directory of it holds that too.
#[test]
fn a_file_is_held_alone() {
    let sandbox = Sandbox::new();
    let scope = format!("--scope={}", sandbox.dir().display());
    let call = |owner: &str, pattern: &str| {
        let (owner, pattern) = (format!("--owner={owner}"), format!("--pattern={pattern}"));
        sandbox.ic(["coordination", "reserve", &scope, &owner, &pattern]).status.code()
    };
    fs::create_dir(sandbox.dir().join("src")).unwrap();
    fs::write(sandbox.dir().join("src/a.txt"), "").unwrap();
    assert_eq!(call("rust", "**/*.rs"), Some(0));
    assert_eq!(call("text", "src/a.txt"), Some(0), "a file has nothing below");
    assert_eq!(call("new", "src/b.txt"), Some(1), "nobody knows what this will be");
    fs::remove_file(sandbox.dir().join("src/a.txt")).unwrap();
    fs::create_dir(sandbox.dir().join("src/a.txt")).unwrap();
    assert_eq!(call("text", "src/a.txt"), Some(1), "now it would be in the way");
    sandbox.ok(["coordination", "release", &scope, "--owner=rust"]);
    assert_eq!(call("text", "src/a.txt"), Some(0), "wider, in place");
    assert_eq!(call("rust", "**/*.rs"), Some(1));
    assert_eq!(sandbox.count("SELECT count(*) FROM coordination_locks WHERE released_at IS NULL"), 1);
}

/// CO-17: a token only grows, and an old one is refused.
#[test]
fn an_old_token_is_refused() {
    let sandbox = Sandbox::new();
    let first = granted(&sandbox, "ann", "a", &["--ttl=10"]);
    let (id, token) = (first["id"].as_str().unwrap(), first["fence"].to_string());
    assert_eq!(sandbox.ok(["coordination", "verify", id, "--token", &token]), "ok");
    let stale = later(&sandbox, 10, &["coordination", "verify", id, "--token", &token, "--json"]);
    assert_eq!(stale.status.code(), Some(1), "{}", render(&stale));
    sandbox.ok(["coordination", "transfer", "--from=ann", "--to=bob", "--scope=r"]);
    negative(&sandbox, &["coordination", "verify", id, "--token", &token], "lock_gone");
    negative(&sandbox, &["coordination", "verify", "nobody00", "--token=1"], "lock_not_found");
    let moved = sandbox.json(["coordination", "list"])[0]["fence"].as_i64().unwrap();
    assert!(moved > first["fence"].as_i64().unwrap());
}

/// CO-10: all or nothing, live locks only, one event each; to oneself nothing.
#[test]
fn a_transfer_moves_what_holds() {
    let sandbox = Sandbox::new();
    granted(&sandbox, "ann", "a", &[]);
    granted(&sandbox, "ann", "b", &["--ttl=10"]);
    granted(&sandbox, "ann", "c/*", &["--exclusive=false"]);
    granted(&sandbox, "bob", "c/x", &["--exclusive=false"]);
    let transfer = |from: &str, to: &str, flags: &[&str]| {
        let args = [&["coordination", "transfer", "--scope=r"], flags].concat();
        later(&sandbox, 10, &[&args[..], &[&format!("--from={from}"), &format!("--to={to}")]].concat())
    };
    let said = |output: &std::process::Output| String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(said(&transfer("ann", "ann", &[])), "0 transferred\n");
    assert_eq!(said(&transfer("ann", "bob", &[])), "2 transferred\n");
    granted(&sandbox, "cid", "d", &[]);
    sandbox
        .open()
        .execute_batch(
            "INSERT INTO coordination_locks (id, type, owner, scope, pattern, exclusive, created_at) \
         VALUES ('outside0', 'file_reservation', 'dan', 'r', 'd', 1, 5)",
        )
        .unwrap();
    let refused = transfer("cid", "dan", &[]);
    assert_eq!(refused.status.code(), Some(1), "{}", render(&refused));
    assert_eq!(said(&transfer("cid", "dan", &["--force"])), "1 transferred\n");
    assert_eq!(kinds(&sandbox).iter().filter(|kind| *kind == "transferred").count(), 3);
}

/// Releasing: by id, by whom it is, by all of an owner; DI-08: with its run.
#[test]
fn locks_are_given_back() {
    let sandbox = Sandbox::new();
    let run = sandbox.new_run();
    let lock = granted(&sandbox, "ann", "a", &["--run", &run]);
    let id = lock["id"].as_str().unwrap();
    negative(&sandbox, &["coordination", "release", id, "--owner=bob"], "lock_owner");
    assert_eq!(sandbox.ok(["coordination", "release", id, "--owner=ann"]), "1 released");
    assert_eq!(sandbox.ok(["coordination", "release", id]), "0 released");
    negative(&sandbox, &["coordination", "renew", id], "lock_gone");
    negative(&sandbox, &["coordination", "release", "nobody00"], "lock_not_found");
    let next = granted(&sandbox, "ann", "a", &["--run", &run, "--ttl=10"]);
    let renewed = sandbox.json(["coordination", "renew", next["id"].as_str().unwrap(), "--ttl=60"]);
    assert_eq!(renewed["lock"]["expires_at"], 1_700_000_060);
    granted(&sandbox, "ann", "b", &[]);
    let events = sandbox.ok(["events", "tail", &run, "--source=coordination"]);
    assert_eq!(events.lines().count(), 4, "its run's events: {events}");
    sandbox.ok(["run", "cancel", &run]);
    assert_eq!(sandbox.json(["coordination", "list", "--active"]).as_array().unwrap().len(), 1);
    assert_eq!(sandbox.ok(["coordination", "release", "--owner=ann", "--scope=r"]), "1 released");
    assert_eq!(sandbox.json(["coordination", "list", "--active"]), json!([]));
    for args in [
        &["release"][..],
        &["release", "--owner=x"],
        &["reserve", "--owner=x", "--scope=y"],
        &["reserve", "--owner=x", "--scope=y", "--pattern=z", "--type=odd"],
        &["reserve", "--owner=x", "--scope=y", "--pattern=z", "--ttl=-5"],
        &["reserve", "--owner=x", "--scope=y", "--pattern=z", "--exclusive=no"],
        &["check", "--scope=y"],
        &["transfer", "--from=x", "--to=y"],
        &["sweep", "--older-than=x"],
    ] {
        sandbox.fails([&["coordination"], args].concat(), 3);
    }
}

/// CO-08, CO-19, CL-10: rows that another program inserts behave like ours, under every name of their scope.
#[test]
fn rows_from_outside_behave_like_ours() {
    let sandbox = Sandbox::new();
    let path = sandbox.dir().to_str().unwrap().to_owned();
    fs::create_dir(sandbox.dir().join(".git")).unwrap();
    for (n, scope) in [path.clone(), format!("{path}/"), "project".to_owned()].iter().enumerate() {
        let row = format!(
            "INSERT INTO coordination_locks (id, type, owner, scope, pattern, exclusive, reason, ttl_seconds, created_at, \
             expires_at) VALUES ('outside{n}', 'file_reservation', 'them', '{scope}', './f{n}', 1, 'r', 60, 5, NULL)"
        );
        sandbox.open().execute_batch(&row).unwrap();
        let pattern = format!("--pattern=f{n}");
        sandbox.fails(["coordination", "check", "--scope=.", &pattern], 1);
        sandbox.fails(["coordination", "reserve", "--owner=me", "--scope=.", &pattern], 1);
        sandbox.ok(["coordination", "reserve", "--owner=them", "--scope=.", &pattern]);
        sandbox.ok(["coordination", "release", &format!("outside{n}")]);
        sandbox.ok(["coordination", "reserve", "--owner=me", "--scope=.", &pattern]);
    }
    assert_eq!(kinds(&sandbox).iter().filter(|kind| *kind == "adopted").count(), 3);
    // CL-10: listed, and over when its time is.
    let row = "INSERT INTO coordination_locks (id, type, owner, scope, pattern, exclusive, reason, ttl_seconds, created_at, \
               expires_at) VALUES ('outside8', 'write_set', 'them', 'r', 'ends', 1, NULL, 5, 5, 1700000005)";
    sandbox.open().execute_batch(row).unwrap();
    assert!(sandbox.ok(["coordination", "list"]).contains("outside8\twrite_set\tthem\tends\tactive\t"));
    refused(&sandbox, "me", "ends", &[]);
    let freed = later(&sandbox, 5, &["coordination", "reserve", "--scope=r", "--owner=me", "--pattern=ends"]);
    assert!(freed.status.success(), "{}", render(&freed));
    // CO-04: one that cannot be read blocks what it may mean, and no more.
    let row = "INSERT INTO coordination_locks (id, type, owner, scope, pattern, exclusive, created_at) \
               VALUES ('outside9', 'file_reservation', 'them', 'r', 'odd/[x', 1, 5)";
    sandbox.open().execute_batch(row).unwrap();
    refused(&sandbox, "me", "odd/a", &[]);
    granted(&sandbox, "me", "even/a", &[]);
    sandbox.check_integrity();
}

/// CO-20
#[test]
fn an_owner_s_locks_are_counted() {
    let sandbox = Sandbox::new();
    let sql = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1000) \
               INSERT INTO coordination_locks (id, type, owner, scope, pattern, exclusive, created_at, prefix_key, suffix_key) \
               SELECT 'many' || n, 'file_reservation', 'ann', 'r', 'f' || n, 1, 5, 'f' || n, '' FROM n";
    sandbox.open().execute_batch(sql).unwrap();
    let args = ["coordination", "reserve", "--owner=ann", "--scope=r", "--pattern=one-more"];
    negative(&sandbox, &args, "lock_limit");
    granted(&sandbox, "ann", "f7", &[]);
    granted(&sandbox, "bob", "one-more", &[]);
}

/// CO-05: a path that both cover, if there is one.
#[test]
fn an_overlap_is_explained() {
    let sandbox = Sandbox::bare();
    let explain = |a: &str, b: &str| sandbox.ic(["coordination", "explain", a, b]);
    let yes = explain("src/**", "**/*.rs");
    assert!(yes.status.success(), "{}", render(&yes));
    let path = String::from_utf8(yes.stdout).unwrap();
    assert!(path.starts_with("overlap: src/") && path.contains(".rs\n"), "{path}");
    assert_eq!(explain("a/*", "b/*").status.code(), Some(1));
    assert_eq!(explain("[", "b").status.code(), Some(2));
}

/// CO-01: of many at once, one gets it; what was granted never overlaps.
#[test]
fn racing_reservations_have_one_winner() {
    let sandbox = Sandbox::new();
    for round in 0..6 {
        let pattern = ["src/**", "src/*.rs", "src/a.rs", "**/a.rs"];
        let codes: Vec<_> = thread::scope(|scope| {
            let calls: Vec<_> = (0..16)
                .map(|n: usize| {
                    let owner = format!("o{n}");
                    let pattern = format!("{round}/{}", pattern[n % 4]);
                    let sandbox = &sandbox;
                    scope.spawn(move || sandbox.ic(reserve(&owner, &pattern, &[])).status.code())
                })
                .collect();
            calls.into_iter().map(|call| call.join().unwrap()).collect()
        });
        assert_eq!(codes.iter().filter(|code| **code == Some(0)).count(), 1, "{codes:?}");
        assert_eq!(codes.iter().filter(|code| **code == Some(1)).count(), 15, "{codes:?}");
    }
    assert_eq!(sandbox.count("SELECT count(*) FROM coordination_locks"), 6);
    sandbox.check_integrity();
}
