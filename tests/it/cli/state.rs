//! State and sentinels.

use std::io::Write;
use std::process::{Output, Stdio};
use std::thread;

use crate::support::{NOW, Sandbox, render, run};

/// A call with something on stdin.
fn with_stdin(sandbox: &Sandbox, args: &[&str], stdin: &[u8]) -> Output {
    let mut command = sandbox.command(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A refused command line is not read to its end.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    child.wait_with_output().unwrap()
}

fn set(sandbox: &Sandbox, args: &[&str], stdin: &str) {
    let output = with_stdin(sandbox, &[&["state", "set"], args].concat(), stdin.as_bytes());
    assert_eq!(output.status.code(), Some(0), "{}", render(&output));
    assert!(output.stdout.is_empty());
}

fn later(sandbox: &Sandbox, seconds: i64, args: &[&str]) -> Output {
    let mut command = sandbox.command(args);
    command.env("IC_TEST_NOW", (NOW.parse::<i64>().unwrap() + seconds).to_string());
    run(command)
}

/// CL-07: text that is no JSON is kept byte for byte, also from a file and without a scope; JSON is kept as JSON. Only where
/// JSON alone is wanted is text refused.
#[test]
fn text_comes_back_as_it_was() {
    let sandbox = Sandbox::new();
    for text in
        ["plain words", "  indented\n\tand more  ", "{broken", "a\n\n", " \u{e9} \\ \" ' \r\n", "12 34"]
    {
        let shown = if text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") };
        std::fs::write(sandbox.dir().join("f"), text).unwrap();
        set(&sandbox, &["k"], text);
        set(&sandbox, &["raw", "s", "--raw"], text);
        sandbox.ok(["state", "set", "file", "@f"]);
        for place in [&["k"][..], &["k", "global"], &["raw", "s"], &["file"], &["file", "global"]] {
            let output = sandbox.ic([&["state", "get"], place].concat());
            assert_eq!(String::from_utf8(output.stdout).unwrap(), shown, "{place:?}");
            assert_eq!(sandbox.json([&["state", "get"], place].concat()), text);
        }
        let strict = with_stdin(&sandbox, &["state", "set", "strict", "--strict-json"], text.as_bytes());
        assert_eq!(strict.status.code(), Some(2), "{}", render(&strict));
    }
    set(&sandbox, &["strict", "--strict-json"], " [1] \n");
    assert_eq!(sandbox.ok(["state", "get", "strict"]), "[1]");
    sandbox.fails(["state", "set", "k", "--raw", "--strict-json"], 3);
}

/// CL-07, K-02, K-06: JSON by default, any text with --raw, the scope `global` without one, and no events. JSON is
/// printed as it was stored, and a value that is missing is one document with its code.
#[test]
fn values_are_kept_by_key_and_scope() {
    let sandbox = Sandbox::new();
    set(&sandbox, &["a.b", "s1"], " {\"x\": 1.50, \"x\": 2} \n");
    set(&sandbox, &["a.b", "s0"], "[1]");
    set(&sandbox, &["a.b"], "null");
    set(&sandbox, &["note", "--raw"], "any {text\nof two lines");
    assert_eq!(sandbox.ok(["state", "get", "a.b", "s1"]), "{\"x\": 1.50, \"x\": 2}");
    assert_eq!(sandbox.ok(["state", "get", "a.b", "s1", "--json"]), "{\"x\": 1.50, \"x\": 2}");
    assert_eq!(sandbox.ok(["state", "get", "a.b", "--json"]), "null");
    assert_eq!(sandbox.ok(["state", "get", "note"]), "any {text\nof two lines");
    assert_eq!(sandbox.ok(["state", "get", "note", "--json"]), "\"any {text\\nof two lines\"");
    assert_eq!(sandbox.ok(["state", "list", "a.b"]), "global\ns0\ns1");
    assert_eq!(sandbox.fails(["state", "get", "a.b", "s2"], 1), (String::new(), String::new()));
    let missing = ("{\"code\":\"state_not_found\"}\n".to_owned(), String::new());
    assert_eq!(sandbox.fails(["state", "get", "a.b", "s2", "--json"], 1), missing);
    assert_eq!(sandbox.ok(["state", "delete", "a.b", "s1"]), "deleted");
    assert_eq!(sandbox.ok(["state", "delete", "a.b", "s1"]), "not found");
    assert_eq!(sandbox.events().len(), 0);
    sandbox.check_integrity();
}

#[test]
fn a_key_is_forgotten_in_every_scope_at_once() {
    let sandbox = Sandbox::new();
    // Also where a list shows the scope as something else.
    for place in [&["k", "a"][..], &["k", "b\u{202e}c"], &["k"], &["k.x", "a"]] {
        set(&sandbox, place, "1");
    }
    assert_eq!(sandbox.ok(["state", "delete", "k", "--all"]), "deleted\ndeleted\ndeleted");
    assert_eq!(sandbox.ok(["state", "delete", "k", "--all"]), "");
    assert_eq!(sandbox.json(["state", "delete", "k.x", "--all"])["deleted"], 1);
    sandbox.fails(["state", "delete", "k", "a", "--all"], 3);
}

/// K-08: with a third word the second is a scope, also one that looks like a file.
#[test]
fn a_scope_may_look_like_a_file() {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.dir().join("f"), "2").unwrap();
    set(&sandbox, &["k", "@f", "-"], "1");
    assert_eq!(sandbox.ok(["state", "list", "k"]), "@f");
    assert_eq!(sandbox.ok(["state", "get", "k", "@f"]), "1");
}

#[test]
fn a_value_comes_from_a_file_below_the_working_directory() {
    let sandbox = Sandbox::new();
    let outside = Sandbox::bare();
    std::fs::write(outside.dir().join("f.json"), "1").unwrap();
    std::fs::write(sandbox.dir().join("f.json"), "{\"f\":1}").unwrap();
    std::os::unix::fs::symlink(outside.dir().join("f.json"), sandbox.dir().join("link.json")).unwrap();
    sandbox.ok(["state", "set", "k", "s", "@f.json"]);
    assert_eq!(sandbox.ok(["state", "get", "k", "s"]), "{\"f\":1}");
    sandbox.ok(["state", "set", "k", "@f.json"]);
    assert_eq!(sandbox.ok(["state", "list", "k"]), "global\ns");
    let far = format!("@{}", outside.dir().join("f.json").display());
    for bad in ["@link.json", "@missing.json", &far] {
        sandbox.fails(["state", "set", "k", "s", bad], 2);
    }
    sandbox.fails(["state", "set", "k", "s", "f.json"], 3);
}

/// K-31
#[test]
fn values_expire() {
    let sandbox = Sandbox::new();
    set(&sandbox, &["k", "short", "--ttl=1.9s"], "1");
    set(&sandbox, &["k", "long", "--ttl", "1h30m"], "1");
    set(&sandbox, &["k", "ever", "--ttl=0"], "1");
    assert_eq!(sandbox.ok(["state", "get", "k", "short"]), "1");
    assert_eq!(later(&sandbox, 1, &["state", "get", "k", "short"]).status.code(), Some(0));
    assert_eq!(later(&sandbox, 2, &["state", "get", "k", "short"]).status.code(), Some(1));
    assert_eq!(later(&sandbox, 5399, &["state", "get", "k", "long"]).status.code(), Some(0));
    let listed = later(&sandbox, 5400, &["state", "list", "k"]);
    assert_eq!(String::from_utf8(listed.stdout).unwrap(), "ever\n");
    // Setting it again without a limit makes it permanent.
    set(&sandbox, &["k", "long"], "2");
    let pruned = later(&sandbox, 10_000, &["state", "prune"]);
    assert_eq!(String::from_utf8(pruned.stdout).unwrap(), "1 pruned\n");
    assert_eq!(sandbox.ok(["state", "list", "k"]), "ever\nlong");
}

#[test]
fn bad_values_are_refused_and_nothing_is_stored() {
    let sandbox = Sandbox::new();
    for (args, stdin, exit) in [
        (&["K", "s"][..], "1", 3),
        (&["k", ""], "1", 3),
        (&["k", "a\tb"], "1", 3),
        (&["k", "s", "--ttl=500ms"], "1", 3),
        (&["k", "s", "--ttl=-5s"], "1", 3),
        (&["k", "s", "--ttl=5"], "1", 3),
        (&["k", "s", "--ttl"], "1", 3),
        (&["k", "s"], "", 2),
        (&["k", "s"], " \n", 2),
        (&["k", "s", "--strict-json"], "{", 2),
        (&["k", "s", "--strict-json"], "1 2", 2),
        (&["k", "s"], "[1,{\"password\":\"hunter2hunter2\"}", 2),
        (&["k", "s"], "my sk-a1B2c3D4e5F6g7H8i9J0k1L2", 2),
        (&["k", "s"], "{\"password\":\"hunter2hunter2\"}", 2),
        (&["k", "s", "--raw"], "sk-a1B2c3D4e5F6g7H8i9J0k1L2", 2),
    ] {
        let output = with_stdin(&sandbox, &[&["state", "set"], args].concat(), stdin.as_bytes());
        assert_eq!(output.status.code(), Some(exit), "{args:?} {stdin}: {}", render(&output));
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!stderr.contains("hunter2") && !stderr.contains("sk-a1"), "K-16: never echoed: {stderr}");
    }
    let huge = vec![b' '; 3 << 20];
    assert_eq!(with_stdin(&sandbox, &["state", "set", "k", "s"], &huge).status.code(), Some(2));
    assert_eq!(with_stdin(&sandbox, &["state", "set", "k", "s"], b"\"\xff\"").status.code(), Some(2));
    assert_eq!(sandbox.count("SELECT count(*) FROM state"), 0);
}

/// CL-08, K-06: seconds or a duration; a refusal is one document with its code.
#[test]
fn a_sentinel_throttles_for_its_interval() {
    let sandbox = Sandbox::new();
    let check = |at: i64, interval: &str| {
        let output = later(&sandbox, at, &["sentinel", "check", "n", "s", &format!("--interval={interval}")]);
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (allowed, throttled) = ((0, "allowed\n".to_owned()), (1, "throttled\n".to_owned()));
    assert_eq!(check(0, "60"), allowed);
    assert_eq!(check(59, "60s"), throttled);
    assert_eq!(check(60, "60s"), allowed);
    assert_eq!(check(61, "0"), throttled);
    assert_eq!(check(9999, "1m"), allowed);
    assert_eq!(sandbox.ok(["sentinel", "list"]), format!("n\ts\t{}", NOW.parse::<i64>().unwrap() + 9999));
    assert_eq!(sandbox.ok(["sentinel", "reset", "n", "s"]), "reset");
    assert_eq!(sandbox.ok(["sentinel", "reset", "n", "s"]), "reset");
    assert_eq!(check(0, "0"), allowed);
    assert_eq!(check(1, "0"), throttled);
    let refused = sandbox.fails(["sentinel", "check", "n", "s", "--interval=0", "--json"], 1).0;
    assert_eq!(refused, "{\"status\":\"throttled\",\"code\":\"throttled\"}\n");
    sandbox.ok(["sentinel", "check", "n", "t", "--interval=0"]);
    sandbox.ok(["sentinel", "check", "m", "s", "--interval=0"]);
    assert_eq!(sandbox.ok(["sentinel", "reset", "n", "--all"]), "reset");
    assert_eq!(sandbox.ok(["sentinel", "list"]), format!("m\ts\t{NOW}"));
    for bad in [&["n"][..], &["n", "s", "--all"], &["--all"]] {
        sandbox.fails([&["sentinel", "reset"], bad].concat(), 3);
    }
    for bad in [
        &["n", "s"][..],
        &["n", "--interval=1"],
        &["n", "s", "--interval=-1"],
        &["n", "s", "--interval=x"],
        &["a\tb", "s", "--interval=1"],
    ] {
        sandbox.fails([&["sentinel", "check"], bad].concat(), 3);
    }
    assert_eq!(sandbox.events().len(), 0);
}

/// A long interval outlasts the time for which idle sentinels are remembered.
#[test]
fn a_long_interval_is_not_forgotten() {
    let sandbox = Sandbox::new();
    let day = 24 * 3600;
    let month = format!("--interval={}", 30 * day);
    sandbox.ok(["sentinel", "check", "monthly", "s", &month]);
    sandbox.ok(["sentinel", "check", "daily", "s", "--interval=86400"]);
    // Another one fires and cleans up: only the daily one is idle.
    assert_eq!(
        later(&sandbox, 8 * day, &["sentinel", "check", "other", "s", "--interval=1"]).status.code(),
        Some(0)
    );
    for _ in 0..2 {
        assert_eq!(
            later(&sandbox, 8 * day, &["sentinel", "check", "monthly", "s", &month]).status.code(),
            Some(1)
        );
    }
    assert_eq!(sandbox.ok(["sentinel", "list"]).lines().count(), 2);
    assert_eq!(later(&sandbox, 31 * day, &["sentinel", "prune", "--older-than=600h"]).stdout, b"1 pruned\n");
    sandbox.fails(["sentinel", "prune", "--older-than=-1h"], 3);
    sandbox.fails(["sentinel", "prune"], 3);
}

/// CL-03, K-04: of twenty who ask at the same moment, one is allowed and nineteen are throttled.
#[test]
fn of_many_who_ask_at_once_one_is_allowed() {
    let sandbox = Sandbox::new();
    let mut codes: Vec<i32> = thread::scope(|scope| {
        let ask = |_| {
            scope.spawn(|| sandbox.ic(["sentinel", "check", "n", "s", "--interval=0"]).status.code().unwrap())
        };
        let threads: Vec<_> = (0..20).map(ask).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    codes.sort_unstable();
    assert_eq!(codes, [vec![0], vec![1; 19]].concat());
}
