//! Advancing, gates, skips, overrides.

use serde_json::{Value, json};

use crate::support::Sandbox;

fn history(sandbox: &Sandbox, run: &str) -> Vec<Value> {
    sandbox.json(["phase", "history", run]).as_array().unwrap().clone()
}

/// CL-02, PH-07: an answer is on stdout also when the exit code is 1; what was refused is recorded.
#[test]
fn a_blocked_advance_says_why_and_is_recorded() {
    let sandbox = Sandbox::new();
    let run = sandbox.new_run();
    let (stdout, stderr) = sandbox.fails(["run", "advance", &run], 1);
    assert_eq!(stdout, "brainstorm (blocked: block)\n");
    assert!(stderr.contains("no artifacts found"), "{stderr}");
    let (stdout, _) = sandbox.fails(["run", "advance", &run, "--json"], 1);
    let shown: Value = serde_json::from_str(&stdout).unwrap();
    let evidence: Value = serde_json::from_str(shown["reason"].as_str().unwrap()).unwrap();
    assert_eq!(
        evidence,
        json!({"conditions": [{"check": "artifact_exists", "phase": "brainstorm", "result": "fail", "count": 0,
            "detail": "no artifacts found for phase \"brainstorm\""}]})
    );
    assert_eq!(
        (&shown["advanced"], &shown["event_type"], &shown["to_phase"]),
        (&json!(false), &json!("block"), &json!("brainstorm-reviewed"))
    );
    let told = history(&sandbox, &run);
    assert_eq!(told.len(), 2);
    assert_eq!((&told[0]["gate_result"], &told[0]["gate_tier"]), (&json!("fail"), &json!("hard")));
    assert_eq!(told[0]["envelope"]["policy_version"], "phase-machine/v1");
    assert_eq!(sandbox.ok(["run", "phase", &run]), "brainstorm");
}

/// PH-07: a run that does not advance by itself pauses, unless somebody says why it moves.
#[test]
fn a_paused_run_moves_with_a_reason() {
    let sandbox = Sandbox::new();
    let run = sandbox.short_run();
    sandbox.ok(["run", "set", &run, "--auto-advance=false"]);
    assert_eq!(sandbox.fails(["run", "advance", &run], 1).0, "a (blocked: pause)\n");
    sandbox.ok(["run", "advance", &run, "--skip-reason=I said so"]);
    let told = history(&sandbox, &run);
    assert_eq!(
        (&told[1]["event_type"], &told[1]["reason"]),
        (&json!("pause"), &json!("auto_advance disabled"))
    );
    assert_eq!((&told[2]["event_type"], &told[2]["reason"]), (&json!("advance"), &json!("I said so")));
}

#[test]
fn an_advance_to_the_last_phase_completes_the_run() {
    let sandbox = Sandbox::new();
    let run = sandbox.ok(["run", "create", "--goal=g", r#"--phases=["a","b"]"#]);
    let done = sandbox.json(["run", "advance", &run]);
    assert_eq!(
        (&done["advanced"], &done["gate_result"], &done["gate_tier"]),
        (&json!(true), &json!("pass"), &json!("hard"))
    );
    let shown = sandbox.json(["run", "status", &run]);
    assert_eq!(shown["status"], "completed");
    assert!(shown["completed_at"].is_i64());
    assert_eq!(sandbox.fails(["run", "current"], 1).0, "");
}

/// PH-06: tiers by priority, by rule, and none at all.
#[test]
fn priorities_and_tiers_decide_what_blocks() {
    let sandbox = Sandbox::new();
    let chain = r#"--phases=["a","b","c"]"#;
    let with = |rules: &str| {
        sandbox.ok(["run", "create", "--goal=g", chain, &format!("--gates={{\"a→b\":[{rules}],\"b→c\":[]}}")])
    };
    for (rules, priority, exit, result, tier) in [
        (r#"{"check":"artifact_exists"}"#, "1", 1, "fail", "hard"),
        (r#"{"check":"artifact_exists"}"#, "2", 0, "fail", "soft"),
        (r#"{"check":"artifact_exists"}"#, "4", 0, "none", "none"),
        (r#"{"check":"artifact_exists","tier":"soft"}"#, "0", 0, "fail", "soft"),
        (r#"{"check":"artifact_exists","tier":"hard"}"#, "3", 1, "fail", "hard"),
        (
            r#"{"check":"artifact_exists","tier":"soft"},{"check":"agents_complete","tier":"hard"}"#,
            "3",
            0,
            "fail",
            "soft",
        ),
    ] {
        let run = with(rules);
        let output = sandbox.ic(["run", "advance", &run, "--priority", priority, "--json"]);
        let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(exit), "{rules} {priority}: {shown}");
        assert_eq!(
            (&shown["gate_result"], &shown["gate_tier"]),
            (&json!(result), &json!(tier)),
            "{rules} {priority}"
        );
    }
    let run = with(r#"{"check":"artifact_exists"}"#);
    let output = sandbox.ic(["run", "advance", &run, "--disable-gates"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("gate bypass"));
    assert_eq!(history(&sandbox, &run)[0]["reason"], "gates disabled: --disable-gates");
}

/// PH-04: a skip waives the skipped phase's rules, never those of the phase that is left; check, advance and override
/// agree on where they lead.
#[test]
fn a_skip_never_opens_the_gate_of_the_phase_that_is_left() {
    let sandbox = Sandbox::new();
    let run = sandbox.new_run();
    assert_eq!(
        sandbox.ok(["phase", "skip", &run, "brainstorm-reviewed", "--reason=r"]),
        "skipped: brainstorm-reviewed"
    );
    let check = sandbox.fails(["gate", "check", &run, "--json"], 1).0;
    let check: Value = serde_json::from_str(&check).unwrap();
    assert_eq!((&check["to_phase"], &check["source"]), (&json!("strategized"), &json!("default")));
    let advance = sandbox.fails(["run", "advance", &run, "--json"], 1).0;
    let advance: Value = serde_json::from_str(&advance).unwrap();
    assert_eq!(advance["to_phase"], "strategized");
    let over = sandbox.json(["gate", "override", &run, "--reason=r", "--justified"]);
    assert_eq!(over["to_phase"], "strategized");
    assert_eq!(sandbox.ok(["run", "phase", &run]), "strategized");
    // The skipped phase's own exit rule (its artifact) was waived on the way.
    let other = sandbox.new_run();
    sandbox.ok(["run", "skip", &other, "brainstorm-reviewed", "--reason=r"]);
    sandbox.ok(["artifact", "add", &other, "--phase=brainstorm", "--path=p"]);
    sandbox.ok(["run", "advance", &other]);
    assert_eq!(sandbox.ok(["run", "phase", &other]), "strategized");
}

/// PH-05: looking changes nothing.
#[test]
fn a_gate_check_gives_the_same_answer_twice_and_writes_nothing() {
    let sandbox = Sandbox::new();
    let run = sandbox.ok(["run", "create", "--goal=g", "--token-budget=1", "--budget-enforce"]);
    let before = std::fs::read(sandbox.db_path()).unwrap();
    let events = sandbox.events().len();
    let first = sandbox.fails(["gate", "check", &run, "--json"], 1);
    for _ in 0..3 {
        assert_eq!(sandbox.fails(["gate", "check", &run, "--json"], 1), first);
    }
    assert_eq!(sandbox.events().len(), events);
    assert_eq!(std::fs::read(sandbox.db_path()).unwrap(), before);
}

/// PH-08: the reason of an override is JSON whatever is in it, and the gate's true verdict is beside it.
#[test]
fn an_override_records_the_truth() {
    let sandbox = Sandbox::new();
    let run = sandbox.new_run();
    let reason = "a \"quoted\" \u{1} line\nbreak → ü";
    sandbox.ok(["gate", "override", &run, &format!("--reason={reason}"), "--expedient"]);
    sandbox.ok(["artifact", "add", &run, "--phase=brainstorm-reviewed", "--path=p"]);
    let output = sandbox.ic(["gate", "override", &run, "--reason=needless"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("DEPRECATION"));
    let told = history(&sandbox, &run);
    let first: Value = serde_json::from_str(told[0]["reason"].as_str().unwrap()).unwrap();
    assert_eq!((&first["reason"], &first["override_category"]), (&json!(reason), &json!("expedient")));
    assert_eq!(first["conditions"][0]["result"], "fail");
    assert_eq!((&told[0]["gate_result"], &told[0]["gate_tier"]), (&json!("fail"), &json!("hard")));
    assert_eq!(told[1]["gate_result"], "pass", "the gate would have let it through");
    sandbox.fails(["gate", "override", &run, "--reason=r", "--justified", "--expedient"], 3);
    sandbox.fails(["gate", "override", &run], 3);
}

/// PH-11: what a run that is over refuses, for every status and command.
#[test]
fn a_terminal_run_refuses_what_it_should() {
    let sandbox = Sandbox::new();
    for status in ["active", "completed", "cancelled", "failed"] {
        let commands: [(&[&str], [i32; 4]); 10] = [
            (&["run", "advance", "ID", "--priority=4"], [0, 1, 1, 1]),
            (&["gate", "override", "ID", "--reason=r", "--justified"], [0, 1, 1, 1]),
            (&["gate", "check", "ID"], [0, 1, 1, 1]),
            (&["run", "skip", "ID", "c", "--reason=r"], [0, 1, 1, 1]),
            (&["run", "unskip", "ID", "c", "--reason=r"], [1, 1, 1, 1]),
            (&["run", "cancel", "ID"], [0, 1, 1, 1]),
            (&["agent", "add", "ID"], [0, 1, 1, 1]),
            (&["run", "set", "ID", "--complexity=2"], [0, 1, 1, 1]),
            (&["run", "set", "ID", "--metadata-merge={\"a\":1}"], [0, 0, 0, 0]),
            (&["run", "rollback", "ID", "--to-phase=a"], [0, 0, 1, 1]),
        ];
        for (command, exits) in commands {
            let id = sandbox.short_run();
            sandbox.ok(["run", "advance", &id, "--priority=4"]);
            let at =
                ["active", "completed", "cancelled", "failed"].iter().position(|s| *s == status).unwrap();
            let ended = if status == "active" { "NULL" } else { "1600000000" };
            let sql =
                format!("UPDATE runs SET status = '{status}', completed_at = {ended} WHERE id = '{id}'");
            sandbox.open().execute(&sql, []).unwrap();
            let words: Vec<_> = command.iter().map(|word| word.replace("ID", &id)).collect();
            let output = sandbox.ic(&words);
            assert_eq!(
                output.status.code(),
                Some(exits[at]),
                "{status} {command:?}: {}",
                crate::support::render(&output)
            );
            let kept = sandbox.json(["run", "status", &id]);
            let rolled_back = command[1] == "rollback" && exits[at] == 0;
            if status != "active" && !rolled_back {
                assert_eq!(kept["completed_at"], 1_600_000_000, "{status} {command:?}: never overwritten");
            }
            if rolled_back {
                assert_eq!((kept.get("completed_at"), &kept["status"]), (None, &json!("active")), "{status}");
            }
        }
    }
    let help = sandbox.ok(["run", "rollback", "--help"]).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        help.contains("A completed run becomes active again") && help.contains("completion time"),
        "{help}"
    );
}

#[test]
fn skips_are_checked() {
    let sandbox = Sandbox::new();
    let run = sandbox.short_run();
    sandbox.ok(["run", "advance", &run, "--priority=4"]);
    for (phase, expected) in [
        ("x", "skip: phase \"x\" not in chain"),
        ("a", "skip: phase \"a\" is not ahead of current phase \"b\""),
        ("b", "skip: phase \"b\" is not ahead of current phase \"b\""),
        ("d", "skip: cannot skip terminal phase \"d\""),
    ] {
        let (_, stderr) = sandbox.fails(["run", "skip", &run, phase, "--reason=r"], 1);
        assert!(stderr.contains(expected), "{stderr}");
    }
    for bad in
        [&["run", "skip", &run][..], &["run", "skip", &run, "c"], &["run", "skip", &run, "c", "--reason="]]
    {
        sandbox.fails(bad, 3);
    }
    sandbox.fails(["run", "skip", &run, "c", "--reason=r", "--expect-phase=a"], 1);
    let events = sandbox.events().len();
    assert_eq!(
        sandbox.json(["run", "skip", &run, "c", "--reason=r", "--actor=me"]),
        json!({"phase": "c", "status": "skipped"})
    );
    sandbox.ok(["run", "skip", &run, "c", "--reason=again"]);
    assert_eq!(sandbox.events().len(), events + 1, "skipped once, recorded once");
    sandbox.ok(["run", "unskip", &run, "c", "--reason=needed"]);
    sandbox.fails(["run", "unskip", &run, "c", "--reason=needed"], 1);
    let told = history(&sandbox, &run);
    assert_eq!(told[1]["reason"], "actor=me: r");
    assert_eq!(
        (&told[2]["event_type"], &told[2]["from_phase"], &told[2]["to_phase"]),
        (&json!("unskip"), &json!("b"), &json!("c"))
    );
    sandbox.ok(["run", "advance", &run, "--priority=4"]);
    assert_eq!(sandbox.ok(["run", "phase", &run]), "c");
}

#[test]
fn review_gates_look_at_verdicts_of_the_run_and_of_its_scope() {
    let sandbox = Sandbox::new();
    let rules = r#"--gates={"a→b":[{"check":"verdict_exists"},{"check":"verdict_clean"}],"b→c":[]}"#;
    let chain = r#"--phases=["a","b","c"]"#;
    for (verdicts, exists, clean) in [
        (&[][..], "fail", "fail"),
        (&["fail"], "fail", "fail"),
        (&["reject"], "fail", "fail"),
        (&["unclear"], "fail", "fail"),
        (&["pass"], "pass", "pass"),
        (&["warn"], "pass", "pass"),
        (&[" pass "], "pass", "pass"),
        (&["pass", "error"], "pass", "fail"),
    ] {
        for own_scope in [false, true] {
            let run = sandbox.ok(["run", "create", "--goal=g", chain, rules, "--scope-id=team"]);
            let scope = if own_scope { run.clone() } else { "team".to_owned() };
            for verdict in verdicts {
                let verdict = format!("--verdict={verdict}");
                sandbox.ok([
                    "dispatch",
                    "record",
                    &format!("--scope-id={scope}"),
                    "--status=completed",
                    &verdict,
                ]);
            }
            let output = sandbox.ic(["gate", "check", &run, "--json"]);
            let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
            let found = &shown["evidence"]["conditions"];
            assert_eq!(
                (&found[0]["result"], &found[1]["result"]),
                (&json!(exists), &json!(clean)),
                "{verdicts:?}: {shown}"
            );
            sandbox.open().execute("UPDATE dispatches SET scope_id = 'gone'", []).unwrap();
        }
    }
}

/// The callers of `gate rules` know a run's own rules by the source `run`, those of `gate check` by `per-run`.
#[test]
fn the_rules_of_a_run_are_shown_in_the_order_of_its_chain() {
    let sandbox = Sandbox::new();
    let table = sandbox.json(["gate", "rules"]);
    assert_eq!(table.as_array().unwrap().len(), 7);
    assert_eq!(table[0]["from"], "brainstorm");
    let rules = r#"--gates={"b→c":[],"a→b":[{"check":"agents_complete","tier":"soft"}]}"#;
    let run = sandbox.ok(["run", "create", "--goal=g", r#"--phases=["a","b","c"]"#, rules]);
    let own = sandbox.json(["gate", "rules", &format!("--run={run}")]);
    assert_eq!((&own[0]["from"], &own[1]["from"]), (&json!("a"), &json!("b")));
    assert_eq!(own[0]["checks"], json!([{"check": "agents_complete", "tier": "soft"}]));
    assert_eq!((&own[0]["source"], &own[1]["source"]), (&json!("run"), &json!("run")));
    assert_eq!(table[0]["source"], "default");
    assert_eq!(sandbox.json(["gate", "check", &run])["source"], "per-run");
    assert_eq!(sandbox.json(["gate", "rules", "--phase=nowhere"]), json!([]));
}

#[test]
fn a_calibration_file_raises_default_gates_only() {
    let sandbox = Sandbox::new();
    let run = sandbox.new_run();
    let file = sandbox.dir().join("c.json");
    let key = "artifact_exists:brainstorm→brainstorm-reviewed";
    let now: i64 = crate::support::NOW.parse().unwrap();
    let write = |created: i64, tier: &str, locked: bool| {
        let body = json!({"created_at": created, "tiers": {key: {"tier": tier, "locked": locked, "fpr": 0.1, "weighted_n": 12}}});
        std::fs::write(&file, body.to_string()).unwrap();
    };
    let check = || {
        let output = sandbox.ic(["gate", "check", &run, "--calibration-file=c.json", "--json"]);
        let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
        (shown["tier"].as_str().unwrap().to_owned(), shown["source"].as_str().unwrap().to_owned())
    };
    write(now, "hard", false);
    assert_eq!(check(), ("hard".into(), "calibrated".into()));
    write(now, "hard", true);
    assert_eq!(check(), ("soft".into(), "default".into()));
    write(now, "soft", false);
    assert_eq!(check(), ("soft".into(), "default".into()));
    write(now - 90_000, "hard", false);
    assert_eq!(check(), ("soft".into(), "default".into()));
    std::fs::write(&file, "nonsense").unwrap();
    sandbox.fails(["gate", "check", &run, "--calibration-file=c.json"], 2);
    sandbox.fails(["gate", "check", &run, "--calibration-file=missing.json"], 1);
}

#[test]
fn signals_tell_how_decisions_turned_out() {
    let sandbox = Sandbox::new();
    let signals = || {
        let all = sandbox.json(["gate", "signals"]);
        let text = |s: &Value| {
            format!("{} {}", s["signal_type"].as_str().unwrap(), s["from_phase"].as_str().unwrap())
        };
        all["signals"].as_array().unwrap().iter().map(text).collect::<Vec<_>>()
    };
    let run = sandbox.new_run();
    sandbox.fails(["run", "advance", &run], 1);
    assert_eq!(signals(), ["tp brainstorm"]);
    sandbox.ok(["gate", "override", &run, "--reason=r", "--justified"]);
    assert_eq!(signals(), ["fp brainstorm"], "an override takes the block back");
    sandbox.ok(["artifact", "add", &run, "--phase=brainstorm-reviewed", "--path=p"]);
    sandbox.ok(["run", "advance", &run]);
    assert_eq!(signals(), ["fp brainstorm", "tn brainstorm-reviewed"]);
    sandbox.ok(["run", "rollback", &run, "--to-phase=brainstorm-reviewed"]);
    assert_eq!(signals(), ["fp brainstorm", "fn brainstorm-reviewed"]);
    // Whoever asks for the later ones is told the same of them.
    let all = sandbox.json(["gate", "signals"]);
    let last = all["cursor"].as_i64().unwrap();
    for since in -1..=last + 1 {
        let found = sandbox.json(["gate", "signals", &format!("--since-id={since}")]);
        let mut later = all["signals"].as_array().unwrap().clone();
        later.retain(|signal| signal["event_id"].as_i64().unwrap() > since);
        assert_eq!(found, json!({ "cursor": last, "signals": later }), "{since}");
    }
    sandbox.fails(["gate", "signals", "--since-id=x"], 3);
}

/// CL-03: exit 1 is the expected negative and nothing else; what is wrong with the database is exit 2.
#[test]
fn a_negative_is_never_mistaken_for_an_error() {
    let sandbox = Sandbox::new();
    let rules = r#"--gates={"a→b":[{"check":"budget_not_exceeded"}]}"#;
    let run = sandbox.ok(["run", "create", "--goal=g", r#"--phases=["a","b"]"#, rules, "--token-budget=1"]);
    let dispatch = sandbox.ok(["dispatch", "record", &format!("--scope-id={run}")]);
    sandbox.ok(["dispatch", "tokens", &dispatch, "--in=1"]);
    sandbox.ok(["run", "action", "add", &run, "--phase=b", "--command=c"]);
    let calls: [&[&str]; 4] = [
        &["gate", "check", &run, "--priority=1"],
        &["run", "advance", &run],
        &["run", "budget", &run],
        &["run", "action", "add", &run, "--phase=b", "--command=c"],
    ];
    for call in calls {
        sandbox.fails(call, 1);
    }
    let conn = sandbox.open();
    conn.execute_batch("BEGIN IMMEDIATE").unwrap();
    for call in [calls[1], calls[3]] {
        let (_, stderr) = sandbox.fails([call, &["--timeout=0"]].concat(), 2);
        assert!(stderr.contains("busy timeout"), "{stderr}");
    }
    conn.execute_batch("ROLLBACK").unwrap();
    conn.pragma_update(None, "user_version", 1999).unwrap();
    for call in calls {
        sandbox.fails(call, 2);
    }
}
