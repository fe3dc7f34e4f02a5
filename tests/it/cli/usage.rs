//! Wrong command lines, hostile text, help (K-05 to K-08).

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use serde_json::{Value, json};

use crate::support::{Sandbox, render};

/// K-05, K-07: exit 3, the flag named, nothing touched.
#[test]
fn wrong_command_lines_are_told_and_touch_nothing() {
    let sandbox = Sandbox::bare();
    for (line, expected) in [
        (&["run"][..], "missing subcommand"),
        (&["run", "creat"], "create"),
        (&["runn"], "run"),
        (&["run", "create", "--gaol=g"], "--goal"),
        (&["run", "create", "--goal=g", "surplus"], "surplus"),
        (&["run", "create", "--goal"], "--goal"),
        (&["run", "create", "--goal="], "must not be empty"),
        (&["run", "create", "--goal=g", "--complexity=9"], "1..=5"),
        (&["run", "advance"], "<ID>"),
        (&["run", "advance", "x", "--priority=high"], "high"),
        (&["run", "advance", "x", "--disable-gates=maybe"], "want true, 1, false or 0"),
        (&["run", "list", "--active=2"], "want true"),
        (&["run", "phase", "x", "--scope=s"], "cannot be used with"),
        (&["events", "tail"], "provide <run_id> or --all"),
        (&["events", "tail", "--all", "--limit=ten"], "ten"),
        (&["events", "tail", "--all", "--source=UP"], "UP"),
        (&["dispatch", "record", "--pid=1"], "1"),
        (&["dispatch", "record", "--status=odd"], "odd"),
        (&["--timeout=soon", "run", "list"], "soon"),
        (&["--timeout=-1s", "run", "list"], "-1s"),
        (&["help", "nothing"], "nothing"),
    ] {
        let (stdout, stderr) = sandbox.fails(line, 3);
        assert!(
            stdout.is_empty() && stderr.starts_with("ic: ") && stderr.contains(expected),
            "{line:?}: {stderr}"
        );
        // --json anywhere: one object, also for an error of the line itself.
        let (stdout, stderr) = sandbox.fails([&["--json"], line].concat(), 3);
        let error: Value = serde_json::from_str(&stderr).unwrap();
        assert_eq!((stdout.as_str(), &error["error"]["code"]), ("", &json!("usage")), "{line:?}");
        assert!(error["error"]["message"].is_string() && error["error"]["causes"].is_array());
    }
    assert_eq!(std::fs::read_dir(sandbox.dir()).unwrap().count(), 0);
    let bad = OsString::from_vec(b"--goal=\xff".to_vec());
    let output = sandbox.ic([OsString::from("run"), "create".into(), bad]);
    assert_eq!(output.status.code(), Some(3), "{}", render(&output));
}

/// K-07: flags in every spelling and order.
#[test]
fn flags_are_taken_in_every_spelling_and_order() {
    let sandbox = Sandbox::new();
    let run = sandbox.ok([
        "run",
        "create",
        "--complexity",
        "2",
        "--goal",
        "g",
        "--complexity=4",
        "--budget-enforce=1",
    ]);
    let shown: Value =
        serde_json::from_str(&sandbox.ok(["--json", "run", "--verbose", "status", &run])).unwrap();
    assert_eq!((&shown["complexity"], &shown["budget_enforce"]), (&json!(4), &json!(true)));
    assert_eq!(sandbox.ok(["run", "phase", "--", &run]), "brainstorm");
    sandbox.ok(["run", "skip", "--reason=r", &run, "--actor", "a", "planned"]);
    sandbox.ok(["run", "advance", "--priority", "-1", "--disable-gates=true", &run]);
    sandbox.fails(["run", "advance", "--disable-gates=false", &run], 1);
    assert_eq!(sandbox.ok(["run", "list", "--timeout", "0"]).lines().count(), 1);
}

/// K-06: every command has help with an example, and asking for it is no error.
#[test]
fn every_command_has_help_with_an_example() {
    let sandbox = Sandbox::bare();
    for command in intercore::cli::listing() {
        let words: Vec<_> = command.split(' ').skip(1).collect();
        let help = sandbox.ok([&words[..], &["--help"]].concat());
        assert!(help.contains("Usage: ic ") && help.contains("Example"), "{command}: {help}");
        assert_eq!(
            sandbox.ok([&["help"], &words[..]].concat()).lines().next(),
            help.lines().next(),
            "{command}"
        );
    }
    for line in [&[][..], &["--help"], &["-h"], &["help"], &["run", "--help"], &["run", "agent", "-h"]] {
        let help = sandbox.ok(line);
        assert!(help.contains("Commands:"), "{line:?}: {help}");
        assert!(!help.contains("hook-watch"), "hidden commands stay hidden");
    }
    let errors = sandbox.ok(["help", "errors"]);
    for code in intercore::cli::Code::ALL.iter().map(|code| code.as_str()) {
        assert!(errors.contains(code));
    }
    assert!(sandbox.ok(["help", "exit-codes"]).contains("expected negative"));
    assert!(sandbox.ok(["help", "environment"]).contains("INTERCORE_DB"));
    assert_eq!(std::fs::read_dir(sandbox.dir()).unwrap().count(), 0);
}

const NASTY: [&str; 12] = [
    "plain",
    "it's \"quoted\"",
    "$(touch x) `touch x`",
    "'; touch x; '",
    "line\nbreak\r\nagain",
    "tab\there",
    "\u{1b}[31mred\u{1b}[0m",
    "\u{202e}right to left\u{200f}",
    "{\"json\":[1]} </script> &amp;",
    "ünï → 🦀 \u{2028}",
    "%s %n \\x00 \\",
    "  spaces around  ",
];

/// K-08: hostile text is stored to the letter, never breaks a line, never runs.
#[test]
fn hostile_text_is_stored_to_the_letter_and_breaks_nothing() {
    let sandbox = Sandbox::new();
    let long = "x".repeat(100_000);
    for text in NASTY.iter().copied().chain([long.as_str()]) {
        let run = sandbox.ok(["run", "create", "--goal", text, "--scope-id", text, "--goal-id", text]);
        let shown = sandbox.json(["run", "status", &run]);
        for key in ["goal", "scope_id", "goal_id"] {
            assert_eq!(shown[key], text, "{key}");
        }
        let agent = sandbox.ok(["agent", "add", &run, "--type", text, "--name", text]);
        let artifact =
            sandbox.ok(["artifact", "add", &run, "--phase=planned", "--path", text, "--type", text]);
        let dispatch = sandbox.ok([
            "dispatch",
            "record",
            &format!("--scope-id={run}"),
            "--name",
            text,
            "--model",
            text,
            "--summary",
            text,
        ]);
        sandbox.ok([
            "run",
            "action",
            "add",
            &run,
            "--phase=planned",
            "--command",
            text,
            "--args",
            &json!([text]).to_string(),
        ]);
        sandbox.ok(["run", "skip", &run, "planned", "--reason", text, "--actor", text]);
        sandbox.ok(["gate", "override", &run, "--reason", text, "--justified"]);
        sandbox.ok(["run", "rollback", &run, "--to-phase=brainstorm", "--reason", text]);
        assert_eq!(sandbox.json(["agent", "list", &run])[0]["name"], text);
        assert_eq!(sandbox.json(["artifact", "list", &run])[0]["path"], text);
        assert_eq!(sandbox.json(["dispatch", "status", &dispatch])["name"], text);
        assert_eq!(sandbox.json(["run", "action", "list", &run])[0]["args"], json!([text]));
        let history = sandbox.json(["run", "events", &run]);
        assert_eq!(history[0]["reason"], format!("actor={text}: {text}"));
        for (call, id) in [
            (&["run", "list", "--active"][..], &run),
            (&["agent", "list", &run], &agent),
            (&["artifact", "list", &run], &artifact),
            (&["dispatch", "list", "--scope", &run], &dispatch),
        ] {
            let lines = sandbox.ok(call);
            assert_eq!(lines.lines().filter(|line| line.starts_with(id.as_str())).count(), 1, "{call:?}");
            assert_eq!(
                lines.lines().count(),
                if call[0] == "run" { sandbox.json(call).as_array().unwrap().len() } else { 1 }
            );
            assert!(!lines.contains('\u{1b}') && !lines.contains('\u{202e}'), "{call:?}");
        }
        for event in sandbox.ok(["events", "tail", &run]).lines() {
            serde_json::from_str::<Value>(event).unwrap();
        }
        assert_eq!(sandbox.ok(["run", "events", &run]).lines().count(), 3);
        let (_, stderr) = sandbox.fails(["run", "phase", "--", text], 1);
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(!stderr.contains('\u{1b}'));
    }
    assert!(!sandbox.dir().join("x").exists(), "something was run");
    sandbox.check_integrity();
}

/// K-06: an error is one sentence and, where it helps, a hint; with --json one object.
#[test]
fn errors_look_the_same_everywhere() {
    let sandbox = Sandbox::new();
    let run = sandbox.short_run();
    let output = sandbox.ic(["run", "advance", &run, "--expect-phase=b"]);
    insta::assert_snapshot!(render(&output).replace(&run, "RUNID"), @r"
    exit: 1
    --- stdout
    --- stderr
    ic: phase changed since read (optimistic concurrency conflict): run `RUNID` is at `a`, not `b`
    hint: re-read the run and decide again
    ");
    let output = sandbox.ic(["run", "creat", "--json"]);
    insta::assert_snapshot!(render(&output), @r#"
    exit: 3
    --- stdout
    --- stderr
    {"error":{"causes":[],"code":"usage","hint":"some similar subcommands exist: 'current', 'create'; Usage: ic run [COMMAND]","message":"unrecognized subcommand 'creat'"}}
    "#);
}

/// K-16: words that hold a secret are refused without showing it, or kept without it where they have to be kept.
#[test]
fn secrets_in_words_are_neither_kept_nor_shown() {
    let sandbox = Sandbox::new();
    let run = sandbox.short_run();
    let secret = "ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6";
    let text = format!("use {secret} here");
    for call in [
        &["run", "create", "--goal", &text][..],
        &["run", "skip", &run, "b", "--reason", &text],
        &["run", "unskip", &run, "b", "--reason", &text],
        &["run", "advance", &run, "--skip-reason", &text],
        &["dispatch", "record", "--summary", &text],
    ] {
        let (_, stderr) = sandbox.fails(call, 3);
        let flag = call.iter().find(|word| word.starts_with("--")).unwrap();
        assert!(stderr.contains(flag) && !stderr.contains("ghp_"), "{stderr}");
    }
    let over = sandbox.ic(["gate", "override", &run, "--justified", "--reason", &text]);
    let back = sandbox.ic(["run", "rollback", &run, "--to-phase=a", "--reason", &text]);
    for output in [over, back] {
        let shown = render(&output);
        assert_eq!(output.status.code(), Some(0), "{shown}");
        assert!(
            shown.contains("use [redacted] here") && shown.contains("warning") && !shown.contains("ghp_"),
            "{shown}"
        );
    }
    // Nor by way of the environment.
    let other = sandbox.short_run();
    let mut traced = sandbox.command(["run", "advance", &other]);
    traced.env("IC_TRACE_ID", secret).env("IC_SPAN_ID", "span-1");
    assert!(crate::support::run(traced).status.success());
    let events = sandbox.ok(["events", "tail", "--all"]);
    assert!(!events.contains("ghp_") && events.contains("span-1"), "{events}");
}
