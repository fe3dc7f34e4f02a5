//! Locks made of directories.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::thread;

use crate::support::{NOW, Sandbox, render, run};

fn now() -> i64 {
    NOW.parse().unwrap()
}

fn later(sandbox: &Sandbox, seconds: i64, args: &[&str]) -> Output {
    let mut command = sandbox.command(args);
    command.env("IC_TEST_NOW", (now() + seconds).to_string());
    run(command)
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// Where the sandbox's locks are (K-19).
fn place(sandbox: &Sandbox, name: &str, scope: &str) -> PathBuf {
    sandbox.dir().parent().unwrap().join("locks").join(name).join(scope)
}

/// Writes a lock as another program would.
fn written(sandbox: &Sandbox, pid: u32, host: &str, owner: &str, created: i64) {
    let dir = place(sandbox, "n", "s");
    fs::create_dir_all(&dir).unwrap();
    let text = format!(r#"{{"pid":{pid},"host":"{host}","owner":"{owner}","created":{created}}}"#);
    fs::write(dir.join("owner.json"), text).unwrap();
}

fn host() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_owned()
}

fn ended() -> u32 {
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    child.id()
}

/// CL-03, CL-05, K-06: works without a database, and another process of the same parent releases what the first one took.
#[test]
fn a_lock_belongs_to_the_caller() {
    let sandbox = Sandbox::bare();
    assert_eq!(sandbox.ok(["lock", "acquire", "n", "s"]), "");
    let (stdout, stderr) = sandbox.fails(["lock", "acquire", "n", "s", "--timeout=0"], 1);
    assert_eq!((stdout.as_str(), stderr.as_str()), ("", ""));
    // It outlives the process that took it: the owner is this test.
    assert_eq!(code(&later(&sandbox, 1000, &["lock", "acquire", "n", "s", "--timeout=0"])), 1);
    let owner = format!("{}:{}", std::process::id(), host());
    assert_eq!(sandbox.ok(["lock", "list"]), format!("n\ts\t{owner}\t0s"));
    assert_eq!(
        later(&sandbox, 3661, &["lock", "list"]).stdout,
        format!("n\ts\t{owner}\t1h1m1s\n").as_bytes()
    );
    assert_eq!(sandbox.ok(["lock", "release", "n", "s"]), "");
    assert_eq!(sandbox.fails(["lock", "release", "n", "s"], 1), (String::new(), String::new()));
    assert_eq!(sandbox.ok(["lock", "list"]), "");
    assert!(sandbox.files().is_empty(), "no database was made");
}

#[test]
fn owners_have_names() {
    let sandbox = Sandbox::bare();
    assert_eq!(sandbox.ok(["lock", "acquire", "n", "s", "--owner=me", "--verbose"]), "acquired n/s");
    let (_, stderr) = sandbox.fails(["lock", "acquire", "n", "s", "--timeout=50ms", "--verbose"], 1);
    assert!(stderr.contains("lock acquire: timed out; held by me"), "{stderr}");
    let (_, stderr) = sandbox.fails(["lock", "release", "n", "s", "--owner", "you", "--verbose"], 1);
    assert!(stderr.contains("lock release: not owner"), "{stderr}");
    sandbox.fails(["lock", "release", "n", "s"], 1);
    assert_eq!(sandbox.ok(["lock", "release", "n", "s", "--owner=me", "--verbose"]), "released n/s");
    let (_, stderr) = sandbox.fails(["lock", "release", "n", "s", "--owner=me", "--verbose"], 1);
    assert!(stderr.contains("lock release: not found"), "{stderr}");
}

/// K-06: one document, also for the expected negative.
#[test]
fn every_answer_has_a_document() {
    let sandbox = Sandbox::bare();
    assert_eq!(sandbox.json(["lock", "list"]).to_string(), "[]");
    let taken = sandbox.json(["lock", "acquire", "n", "s", "--owner=7:far", "--ttl=10s"]);
    assert_eq!(taken["status"], "acquired");
    assert_eq!((&taken["owner"], &taken["pid"], &taken["host"]), (&"7:far".into(), &7.into(), &"far".into()));
    assert_eq!(taken["expires_at"], now() + 10);
    let (stdout, _) = sandbox.fails(["lock", "acquire", "n", "s", "--timeout=0", "--json"], 1);
    let refused: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&refused["status"], &refused["owner"]), (&"timed_out".into(), &"7:far".into()));
    assert_eq!(refused["code"], "lock_held");
    let (stdout, _) = sandbox.fails(["lock", "release", "n", "s", "--json"], 1);
    assert!(stdout.contains("\"not_owner\"") && stdout.contains("\"lock_owner\""), "{stdout}");
    let listed = sandbox.json(["lock", "list"]);
    assert_eq!((&listed[0]["age_seconds"], &listed[0]["stale"]), (&0.into(), &false.into()));
    assert_eq!(sandbox.json(["lock", "stale"]).to_string(), "[]");
    assert_eq!(sandbox.json(["lock", "clean"])["cleaned"], 0);
    // Its time is over, although nobody knows of its process.
    assert_eq!(later(&sandbox, 10, &["lock", "clean"]).stdout, b"1 cleaned\n");
}

/// K-07, K-08: what is no name of a directory is refused, and nothing is made.
#[test]
fn bad_names_and_durations_are_usage_errors() {
    let sandbox = Sandbox::bare();
    let long = "x".repeat(256);
    for bad in ["", ".", "..", "../../../tmp/x", "a/b", "a\\b", "a..b", "a\tb", "a\nb", &long] {
        for args in [["acquire", bad, "s"], ["acquire", "n", bad], ["release", bad, "s"]] {
            sandbox.fails([&["lock"], &args[..]].concat(), 3);
        }
    }
    for args in [
        &["acquire", "n"][..],
        &["acquire", "n", "s", "x"],
        &["acquire", "n", "s", "--timeout=-1s"],
        &["acquire", "n", "s", "--timeout=x"],
        &["acquire", "n", "s", "--ttl=1"],
        &["acquire", "n", "s", "--ttl=10ms"],
        &["acquire", "n", "s", "--owner="],
        &["acquire", "n", "s", "--owner=a\tb"],
        &["stale", "--older-than=x"],
        &["clean", "--older-than=-5s"],
        &["list", "x"],
    ] {
        sandbox.fails([&["lock"], args].concat(), 3);
    }
    assert!(!place(&sandbox, "", "").exists());
}

#[test]
fn odd_names_do_not_break_the_list() {
    let sandbox = Sandbox::bare();
    for (name, scope) in [("a b", "$(id)"), ("'q'", "\"q\""), (".h", "\u{202e}ü"), ("--", "--x")] {
        sandbox.ok(["lock", "acquire", "--", name, scope]);
    }
    assert_eq!(sandbox.ok(["lock", "list"]).lines().filter(|line| line.split('\t').count() == 4).count(), 4);
    assert_eq!(sandbox.json(["lock", "list"])[3]["name"], "a b");
}

#[test]
fn a_lock_outlives_neither_its_owner_nor_five_seconds() {
    let sandbox = Sandbox::bare();
    // A shell that ends at once.
    let mut shell = Command::new("/bin/sh");
    sandbox.seal(&mut shell);
    shell.args(["-c", "\"$0\" lock acquire n s; true"]).arg(assert_cmd::cargo::cargo_bin!("ic"));
    assert_eq!(code(&run(shell)), 0);
    assert_eq!(code(&later(&sandbox, 4, &["lock", "acquire", "n", "s", "--timeout=0"])), 1);
    assert_eq!(later(&sandbox, 4, &["lock", "clean"]).stdout, b"0 cleaned\n");
    assert_eq!(code(&later(&sandbox, 5, &["lock", "release", "n", "s"])), 1, "another parent");
    assert_eq!(code(&later(&sandbox, 5, &["lock", "acquire", "n", "s", "--timeout=0"])), 0);
    assert_eq!(code(&later(&sandbox, 5, &["lock", "release", "n", "s"])), 0);
}

#[test]
fn locks_of_other_programs_are_understood() {
    let sandbox = Sandbox::bare();
    let acquire = ["lock", "acquire", "n", "s", "--timeout=0"];
    for (pid, host, owner) in [
        (ended(), "remote-host".to_owned(), "x".to_owned()),
        (ended(), host(), "99998:remote-host".to_owned()),
        (std::process::id(), host(), format!("{}:{}", std::process::id(), host())),
    ] {
        written(&sandbox, pid, &host, &owner, now() - 1);
        assert_eq!(code(&later(&sandbox, 0, &acquire)), 1, "{owner} on {host}");
        assert_eq!(sandbox.ok(["lock", "clean", "--older-than=0s"]), "0 cleaned", "{owner} on {host}");
    }
    // A day old and with a dead process, by the host's short name.
    let short = host().split('.').next().unwrap().to_owned();
    written(&sandbox, ended(), &short, &format!("1:{short}"), now() - 86_400);
    assert_eq!(sandbox.ok(["lock", "stale", "--older-than=23h"]).lines().count(), 1);
    assert_eq!(sandbox.ok(["lock", "stale", "--older-than=25h"]), "");
    assert_eq!(sandbox.ok(["lock", "clean"]), "1 cleaned");
    // A pid that somebody else has by now: nothing here runs for thirty years.
    written(&sandbox, std::process::id(), &host(), "x", now() - 1_000_000_000);
    assert_eq!(code(&later(&sandbox, 0, &acquire)), 0);
}

/// A lock's directory without an owner: somebody may be about to write it.
#[test]
fn ghosts_are_cleaned_by_age_only() {
    let sandbox = Sandbox::bare();
    let dir = place(&sandbox, "n", "s");
    fs::create_dir_all(&dir).unwrap();
    assert_eq!(sandbox.ok(["lock", "list"]), "n\ts\t\t".trim());
    sandbox.fails(["lock", "acquire", "n", "s", "--timeout=0"], 1);
    assert_eq!(sandbox.ok(["lock", "clean"]), "0 cleaned");
    fs::File::open(&dir)
        .unwrap()
        .set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_699_999_990))
        .unwrap();
    sandbox.fails(["lock", "acquire", "n", "s", "--timeout=0"], 1);
    assert_eq!(sandbox.ok(["lock", "clean"]), "1 cleaned");
    sandbox.ok(["lock", "acquire", "n", "s"]);
}

/// Runs the same call twenty times at once; answers how many succeeded.
fn at_once(sandbox: &Sandbox, args: &[&str]) -> usize {
    let codes: Vec<i32> = thread::scope(|scope| {
        let threads: Vec<_> = (0..20).map(|_| scope.spawn(|| code(&sandbox.ic(args)))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(codes.iter().all(|code| [0, 1].contains(code)), "{codes:?}");
    codes.iter().filter(|code| **code == 0).count()
}

/// CL-03: of twenty, one; also when all of them find the lock of somebody who is gone, and when all release.
#[test]
fn of_many_at_once_one_gets_it() {
    let sandbox = Sandbox::bare();
    for _ in 0..5 {
        assert_eq!(at_once(&sandbox, &["lock", "acquire", "n", "s", "--timeout=0"]), 1);
        assert_eq!(at_once(&sandbox, &["lock", "release", "n", "s"]), 1);
        written(&sandbox, ended(), &host(), "gone", now() - 10);
        assert_eq!(at_once(&sandbox, &["lock", "acquire", "n", "s", "--timeout=0"]), 1);
        assert_eq!(at_once(&sandbox, &["lock", "release", "n", "s"]), 1);
        written(&sandbox, ended(), &host(), "gone", now() - 10);
        assert_eq!(at_once(&sandbox, &["lock", "clean"]), 20);
    }
    let left = fs::read_dir(place(&sandbox, "n", "s").parent().unwrap()).unwrap().count();
    assert_eq!(left, 0, "nothing is left behind");
}

/// Everybody who waits long enough gets it in turn, and never two at a time.
#[test]
fn a_waiter_gets_it_when_it_is_released() {
    let sandbox = Sandbox::bare();
    let script = "\"$0\" lock acquire n s --timeout=20s || exit 9; \
                  mkdir inside || exit 8; rmdir inside; \"$0\" lock release n s";
    let codes: Vec<Output> = thread::scope(|scope| {
        let go = |_| {
            scope.spawn(|| {
                let mut shell = Command::new("/bin/sh");
                sandbox.seal(&mut shell);
                shell.args(["-c", script]).arg(assert_cmd::cargo::cargo_bin!("ic"));
                run(shell)
            })
        };
        let threads: Vec<_> = (0..12).map(go).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for output in codes {
        assert_eq!(code(&output), 0, "{}", render(&output));
    }
}
