//! `ic events …` and `ic interspect …`: the log as callers see it.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{Sandbox, render};

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn record(sandbox: &Sandbox, source: &str, payload: &str) -> String {
    sandbox.ok(["events", "record", "--source", source, "--type=built", "--payload", payload])
}

fn ids(events: &[Value]) -> Vec<i64> {
    events.iter().map(|event| event["id"].as_i64().unwrap()).collect()
}

/// Fails with this code and exit code 1.
fn negative(sandbox: &Sandbox, args: &[&str], code: &str) {
    let mut args = args.to_vec();
    args.push("--json");
    let (_, stderr) = sandbox.fails(&args, 1);
    let error: Value = serde_json::from_str(stderr.lines().last().unwrap()).unwrap();
    assert_eq!(error["error"]["code"], code, "{args:?}: {stderr}");
}

/// EV-01: the limit is one over all sources, and that more follow is said.
#[test]
fn a_tail_fills_its_limit_and_says_that_more_follow() {
    let sandbox = Sandbox::new();
    let run = sandbox.new_run();
    for n in 0..30 {
        record(&sandbox, "my-ci", &json!({ "n": n }).to_string());
    }
    let output = sandbox.ic(["events", "tail", "--all", "--limit=25"]);
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(ids(&lines(&stdout)), (1..=25).collect::<Vec<_>>());
    assert!(String::from_utf8(output.stderr).unwrap().contains("--since=25"));
    let output = sandbox.ic(["events", "tail", "--all", "--limit=31"]);
    assert!(output.stderr.is_empty(), "{}", render(&output));
    assert_eq!(ids(&lines(&sandbox.ok(["events", "tail", &run]))), [1]);
    // Pages.
    let page = sandbox.json(["events", "tail", "--all", "--page", "--limit=20"]);
    assert_eq!(
        (page["events"].as_array().unwrap().len(), &page["more"], &page["next"]),
        (20, &json!(true), &json!(20))
    );
    let page = sandbox.json(["events", "tail", "--all", "--page", "--since=20"]);
    assert_eq!(
        (page["events"].as_array().unwrap().len(), &page["more"], &page["next"]),
        (11, &json!(false), &json!(31))
    );
    let page = sandbox.json(["events", "tail", "--all", "--page", "--since=31"]);
    assert_eq!(page, json!({ "events": [], "more": false, "next": 31 }));
    // More than is read at once.
    let big = "x".repeat(50_000);
    for _ in 0..8 {
        record(&sandbox, "my-ci", &json!({ "big": big }).to_string());
    }
    assert_eq!(sandbox.events().len(), 39);
}

/// EV-01: filters by type, source and, as older callers have it, by a number of each source.
#[test]
fn filters_hold_together() {
    let sandbox = Sandbox::new();
    let run = sandbox.short_run();
    sandbox.ok(["run", "advance", &run, "--priority=4"]);
    sandbox.ok(["agent", "add", &run]);
    sandbox.ok(["run", "advance", &run, "--priority=4"]);
    let of = |args: &[&str]| {
        let args = [&["events", "tail"][..], args].concat();
        ids(&lines(&sandbox.ok(args)))
    };
    let advances = of(&["--all", "--type=advance", "--source=phase"]);
    assert_eq!(advances.len(), 2);
    assert_eq!(of(&["--all", "--type=advance", "--since", &advances[0].to_string()]), advances[1..]);
    let all = of(&["--all"]);
    // A caller that keeps numbers of sources gets nothing twice, also of sources that it does not know.
    let head = all.len().to_string();
    assert_eq!(
        of(&["--all", &format!("--since-phase={head}"), &format!("--since-dispatch={head}")]),
        Vec::<i64>::new()
    );
    let first = advances[0].to_string();
    let left = of(&["--all", &format!("--since-phase={first}")]);
    assert!(left.iter().all(|id| *id > advances[0]) && left.contains(&advances[1]), "{left:?}");
    for bad in
        [&["--since=x"][..], &["--since=-1"], &["--limit=x"], &["--since-phase=x"], &["--since-interspect=x"]]
    {
        let args = [&["events", "tail", "--all"], bad].concat();
        sandbox.fails(args, 3);
    }
    sandbox.fails(["events", "tail"], 3);
}

/// A form for people: aligned, one line each, in colour on a terminal only.
#[test]
fn a_tail_for_people_is_a_table() {
    let sandbox = Sandbox::new();
    let run = sandbox.short_run();
    sandbox.ok(["run", "advance", &run, "--priority=4"]);
    record(&sandbox, "my-ci", r#"{"text":"two\nlines"}"#);
    sandbox.ok(["events", "add", &run, "--type=note", "--detail=two\nlines\u{1b}[31m"]);
    let text = sandbox.ok(["events", "tail", "--all", "--format=text"]);
    assert_eq!(text.lines().count(), sandbox.events().len(), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
    let column = |needle: &str| {
        let line = text.lines().find(|line| line.contains(needle)).unwrap();
        line[..line.find(needle).unwrap()].chars().count()
    };
    assert_eq!(column("phase advance"), column("external note"));
    assert!(text.contains("a → b"), "{text}");
}

/// EV-02: a consumer goes on where it stopped; nothing rewinds by itself.
#[test]
fn a_consumer_goes_on_where_it_stopped() {
    let sandbox = Sandbox::new();
    let tail = |limit: &str| lines(&sandbox.ok(["events", "tail", "--consumer=c.1", "--limit", limit]));
    for n in 0..5 {
        record(&sandbox, "my-ci", &json!({ "n": n }).to_string());
    }
    assert_eq!(ids(&tail("2")), [1, 2]);
    assert_eq!(sandbox.ok(["events", "cursor", "get", "c.1"]), "2");
    assert_eq!(ids(&tail("10")), [3, 4, 5]);
    assert_eq!(tail("10"), Vec::<Value>::new());
    // Registering it again changes nothing but how long it is kept.
    assert_eq!(sandbox.ok(["events", "cursor", "register", "c.1"]), "registered c.1 (ttl: 24h)");
    assert_eq!(sandbox.ok(["events", "cursor", "register", "c.1", "--durable"]), "registered c.1 (durable)");
    assert_eq!(sandbox.ok(["events", "cursor", "register", "c.1"]), "registered c.1 (durable)");
    assert_eq!(sandbox.ok(["events", "cursor", "get", "c.1"]), "5");
    // Only on request does it go back.
    negative(&sandbox, &["events", "cursor", "set", "c.1", "3"], "cursor_rewind");
    negative(&sandbox, &["events", "cursor", "set", "c.1", "6"], "cursor_ahead");
    sandbox.ok(["events", "cursor", "set", "c.1", "3", "--force"]);
    assert_eq!(ids(&tail("10")), [4, 5]);
    // An earlier number given by hand is shown, and the cursor stays.
    let again = sandbox.ok(["events", "tail", "--consumer=c.1", "--since=1", "--limit=1"]);
    assert_eq!(ids(&lines(&again)), [2]);
    assert_eq!(sandbox.ok(["events", "cursor", "get", "c.1"]), "5");
    let scope = sandbox.ok(["events", "cursor", "list"]);
    let (name, payload) = scope.split_once('\t').unwrap();
    let payload: Value = serde_json::from_str(payload).unwrap();
    assert_eq!(
        (name, &payload["position"], &payload["phase"], &payload["dispatch"]),
        ("c.1", &json!(5), &json!(5), &json!(5))
    );
    negative(&sandbox, &["events", "tail", "--all", "--since=9"], "cursor_ahead");
    assert_eq!(sandbox.ok(["events", "cursor", "reset", "c.1"]), "reset");
    assert_eq!(sandbox.ok(["events", "cursor", "reset", "c.1"]), "not found");
    negative(&sandbox, &["events", "cursor", "get", "c.1"], "cursor_not_found");
    assert_eq!(ids(&tail("10")), [1, 2, 3, 4, 5]);
    sandbox.fails(["events", "cursor", "get", ""], 3);
    sandbox.fails(["events", "cursor", "set", "c", "-1"], 3);
}

/// EV-02: a cursor of one run's events is its own, and as durable as its consumer.
#[test]
fn a_run_s_cursor_inherits_durability() {
    let sandbox = Sandbox::new();
    let run = sandbox.new_run();
    sandbox.new_run();
    sandbox.ok(["events", "cursor", "register", "c", "--durable"]);
    assert_eq!(ids(&lines(&sandbox.ok(["events", "tail", &run, "--consumer=c"]))), [1]);
    let cursors = sandbox.json(["events", "cursor", "list"]);
    assert_eq!(cursors[1]["scope"], format!("c:{run}"));
    assert_eq!((&cursors[1]["position"], &cursors[1]["durable"]), (&json!(1), &json!(true)));
    assert_eq!(cursors[0]["position"], 0);
    assert_eq!(sandbox.ok(["events", "cursor", "get", "c", "--run", &run]), "1");
    assert_eq!(sandbox.ok(["events", "cursor", "reset", &format!("c:{run}")]), "reset");
    assert_eq!(sandbox.json(["events", "cursor", "list"]).as_array().unwrap().len(), 1);
    // Also one that is older than the registration: it does not expire.
    sandbox.ok(["events", "tail", &run, "--consumer=later"]);
    sandbox.ok(["events", "cursor", "register", "later", "--durable"]);
    let mut after_days = sandbox.command(["events", "tail", &run, "--consumer=later"]);
    after_days.env("IC_TEST_NOW", "1700900000");
    let output = crate::support::run(after_days);
    assert_eq!(output.status.code(), Some(0), "{}", render(&output));
    assert_eq!(sandbox.json(["events", "cursor", "get", "later", "--run", &run])["durable"], true);
}

/// EV-02: who was away for too long is told so; registering goes on where it stopped.
#[test]
fn an_expired_cursor_is_an_error_and_not_a_replay() {
    let sandbox = Sandbox::new();
    record(&sandbox, "my-ci", "{}");
    sandbox.ok(["events", "tail", "--consumer=c"]);
    record(&sandbox, "my-ci", "{}");
    let later = |args: &[&str]| {
        let mut command = sandbox.command(args);
        command.env("IC_TEST_NOW", (1_700_000_000 + 24 * 3600).to_string());
        crate::support::run(command)
    };
    let output = later(&["events", "tail", "--consumer=c", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{}", render(&output));
    assert!(output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("cursor_expired"), "{}", render(&output));
    assert!(later(&["events", "cursor", "register", "c"]).status.success());
    let output = later(&["events", "tail", "--consumer=c"]);
    assert_eq!(ids(&lines(std::str::from_utf8(&output.stdout).unwrap())), [2]);
}

/// K-18: after a restore, who had read further than the backup goes is told so instead of skipping what comes.
#[test]
fn a_restored_log_does_not_skip_for_its_consumers() {
    let sandbox = Sandbox::new();
    for _ in 0..3 {
        record(&sandbox, "my-ci", "{}");
    }
    sandbox.ok(["events", "tail", "--consumer=behind"]);
    sandbox.ok(["backup", "copy.db"]);
    record(&sandbox, "my-ci", "{}");
    record(&sandbox, "my-ci", "{}");
    sandbox.ok(["events", "tail", "--consumer=ahead"]);
    sandbox.ok(["restore", "copy.db"]);
    // Up to number 3 both logs are the same; number 4 is another event now.
    assert_eq!(ids(&lines(&sandbox.ok(["events", "tail", "--consumer=behind"]))), [4]);
    for _ in 0..5 {
        record(&sandbox, "my-ci", "{}");
    }
    negative(&sandbox, &["events", "tail", "--consumer=ahead"], "cursor_ahead");
    negative(&sandbox, &["events", "cursor", "get", "ahead"], "cursor_ahead");
    sandbox.ok(["events", "cursor", "set", "ahead", "3", "--force"]);
    assert_eq!(ids(&lines(&sandbox.ok(["events", "tail", "--consumer=ahead"]))), [4, 5, 6, 7, 8, 9]);
    // A second restore, over a cursor that knows the first.
    sandbox.ok(["restore", "copy.db"]);
    negative(&sandbox, &["events", "tail", "--consumer=ahead"], "cursor_ahead");
    sandbox.ok(["events", "cursor", "set", "ahead", "3", "--force"]);
    assert_eq!(ids(&lines(&sandbox.ok(["events", "tail", "--consumer=ahead"]))), [4]);
}

/// EV-05: the forms of the contract, their answers, and what their events look like.
#[test]
fn recorded_events_have_the_shapes_that_callers_know() {
    let sandbox = Sandbox::new();
    let run = sandbox.new_run();
    let of =
        |args: &[&str]| sandbox.ok([&["events", "record", "--run", &run, "--session=s1"], args].concat());
    let review = r#"{"finding_id":"f1","resolution":"fixed","chosen_severity":"P1","impact":"high","agents":{"a":"P1","b":"P3"}}"#;
    assert_eq!(of(&["--source=review", "--type=execution_defect", "--payload", review]), "2");
    let interspect = r#"{"agent_name":"a","override_reason":"r","context":{"trace_id":"EVIL"}}"#;
    assert_eq!(of(&["--source=interspect", "--type=override", "--payload", interspect]), "3");
    let coordination = r#"{"lock_id":"l1","owner":"me","pattern":"src/**","scope":"/p","reason":"why"}"#;
    assert_eq!(of(&["--source=coordination", "--type=acquired", "--payload", coordination]), "ok");
    let intent =
        r#"{"intent_type":"claim","bead_id":"b-1","idempotency_key":"k","success":false,"error_detail":"e"}"#;
    assert_eq!(of(&["--source=intent", "--type=claim", "--payload", intent]), "ok");
    let agency = r#"{"agency_name":"research","cycle_id":"c1","stage":"plan","context":{"n":1}}"#;
    assert_eq!(of(&["--source=agency", "--type=stage", "--payload", agency, "--idempotency-key=k"]), "6");
    let events = sandbox.events();
    let shown: Vec<_> = events[1..]
        .iter()
        .map(|e| {
            json!([
                e["source"],
                e["type"],
                e["subject"],
                e["from_state"],
                e["to_state"],
                e["reason"],
                e["origin"]
            ])
        })
        .collect();
    assert_eq!(
        shown,
        [
            json!(["review", "execution_defect", "f1", "f1", "fixed", r#"{"a":"P1","b":"P3"}"#, "external"]),
            json!(["interspect", "override", "a", "a", "", "r", "external"]),
            json!(["coordination", "acquired", "l1", "me", "src/**", "why", "external"]),
            json!(["intent", "claim", "b-1", "", "", "e", "external"]),
            json!(["agency", "stage", "research", "", "plan", null, "external"]),
        ]
    );
    assert_eq!(events[2]["envelope"], Value::Null, "what a caller says is no envelope");
    let lists = |args: &[&str]| lines(&sandbox.ok(args));
    assert_eq!(
        lists(&["events", "list-review"]),
        [
            json!({ "id": 2, "run_id": run, "finding_id": "f1", "agents_json": r#"{"a":"P1","b":"P3"}"#, "resolution": "fixed",
            "chosen_severity": "P1", "impact": "high", "event_type": "execution_defect", "session_id": "s1",
            "project_dir": sandbox.dir(), "timestamp": "2023-11-14T22:13:20.000Z" })
        ]
    );
    let agencies = lists(&["events", "list-agency", "--agency=research", "--run", &run]);
    let told = ["stage", "context_json", "idempotency_key"].map(|member| &agencies[0][member]);
    assert_eq!(told, ["plan", r#"{"n":1}"#, "k"]);
    assert_eq!(lists(&["events", "list-agency", "--agency=other"]), Vec::<Value>::new());
    assert_eq!(lists(&["events", "list-review", "--since=2"]), Vec::<Value>::new());
    let id = sandbox.ok(["interspect", "record", "--agent=b", "--type=seen", "--context=any text"]);
    assert_eq!(id, "7");
    let noticed = lists(&["interspect", "query"]);
    assert_eq!(
        (&noticed[0]["context_json"], &noticed[1]["context_json"]),
        (&json!(r#"{"trace_id":"EVIL"}"#), &json!("any text"))
    );
    assert_eq!(ids(&lists(&["interspect", "query", "--agent=b"])), [7]);
    assert_eq!(ids(&lists(&["interspect", "query", "--limit=1"])), [3]);
    sandbox.check_integrity();
}

/// EV-05: every malformed payload is exit code 3 with the member's name, and nothing is recorded.
#[test]
fn a_malformed_payload_is_refused_with_its_member_s_name() {
    let sandbox = Sandbox::new();
    let faults = [
        ("review", "execution_defect", "{}", "finding_id"),
        ("review", "execution_defect", r#"{"finding_id":"f"}"#, "resolution"),
        ("review", "execution_defect", r#"{"finding_id":"f","resolution":"r"}"#, "chosen_severity"),
        (
            "review",
            "execution_defect",
            r#"{"finding_id":"f","resolution":"r","chosen_severity":"P1"}"#,
            "impact",
        ),
        (
            "review",
            "execution_defect",
            r#"{"finding_id":"f","resolution":"r","chosen_severity":"P1","impact":"i","agents":[]}"#,
            "agents",
        ),
        (
            "review",
            "execution_defect",
            r#"{"finding_id":"f","resolution":"r","chosen_severity":"P1","impact":"i","agents":{"a":1}}"#,
            "agents",
        ),
        ("review", "anything", "{}", "--type"),
        ("interspect", "x", r#"{"agent_name":7}"#, "agent_name"),
        ("interspect", "x", r#"{"agent_name":"a","context":7}"#, "context"),
        ("coordination", "x", r#"{"lock_id":"l","owner":"o"}"#, "pattern"),
        ("intent", "x", r#"{"intent_type":"t","bead_id":"b"}"#, "idempotency_key"),
        (
            "intent",
            "x",
            r#"{"intent_type":"t","bead_id":"b","idempotency_key":"k","success":"yes"}"#,
            "success",
        ),
        ("agency", "x", r#"{"agency_name":"a","cycle_id":"c"}"#, "stage"),
        ("agency", "x", r#"{"agency_name":"a","cycle_id":"c","stage":"s","context":"text"}"#, "context"),
        ("agency", "x", r#"{"agency_name":"a","cycle_id":"c","stage":"s"}"#, "--idempotency-key"),
        ("mine", "x", "{", "--payload must be valid JSON"),
        ("mine", "", "{}", "--type"),
        ("phase", "x", "{}", "unsupported source"),
        ("dispatch", "x", "{}", "unsupported source"),
        ("discovery", "x", "{}", "unsupported source"),
        ("import", "x", "{}", "unsupported source"),
        ("No Source", "x", "{}", "source"),
    ];
    for (source, kind, payload, named) in faults {
        let args = ["events", "record", "--source", source, "--type", kind, "--payload", payload];
        let (stdout, stderr) = sandbox.fails(args, 3);
        assert!(
            stdout.is_empty() && stderr.replace("--payload: ", "--payload ").contains(named),
            "{args:?}: {stderr}"
        );
    }
    let (_, stderr) = sandbox.fails(["events", "record", "--type=x"], 3);
    assert!(stderr.contains("--source"), "{stderr}");
    let (_, stderr) = sandbox.fails(["events", "record", "--source=mine"], 3);
    assert!(stderr.contains("--type"), "{stderr}");
    for args in [
        &["interspect", "record", "--type=x"][..],
        &["interspect", "record", "--agent=x"],
        &["events", "emit", "--source=review"],
    ] {
        sandbox.fails(args, 3);
    }
    negative(&sandbox, &["events", "record", "--source=mine", "--type=x", "--run=nobody00"], "run_not_found");
    // K-16
    let secret = r#"{"token":"sk-a1B2c3D4e5F6g7H8i9J0k1L2"}"#;
    let (_, stderr) =
        sandbox.fails(["events", "record", "--source=mine", "--type=x", "--payload", secret], 3);
    assert!(stderr.contains("secret") && !stderr.contains("sk-"), "{stderr}");
    let detail = "--detail=sk-a1B2c3D4e5F6g7H8i9J0k1L2";
    sandbox.new_run();
    sandbox.fails(["events", "add", "--type=x", detail], 3);
    assert_eq!(sandbox.events().len(), 1);
}

/// EV-05: a repeated key answers the first number; for other words under the same key there is a conflict, but for the
/// sources whose first report stands.
#[test]
fn a_key_records_once() {
    let sandbox = Sandbox::new();
    let of = |source: &str, kind: &str, payload: &str| {
        let args = [
            "events",
            "record",
            "--source",
            source,
            "--type",
            kind,
            "--payload",
            payload,
            "--idempotency-key=k",
        ];
        sandbox.ic(args)
    };
    let id = |output: std::process::Output| {
        assert!(output.status.success(), "{}", render(&output));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(id(of("mine", "x", "{\"a\":1}")), "1");
    assert_eq!(id(of("mine", "x", "{\"a\":1}")), "1");
    assert_eq!(of("mine", "x", "{\"a\":2}").status.code(), Some(1));
    assert_eq!(id(of("other", "x", "{\"a\":2}")), "2");
    let agency =
        |stage: &str, name: &str| json!({ "agency_name": name, "cycle_id": "c", "stage": stage }).to_string();
    assert_eq!(id(of("agency", "x", &agency("one", "a"))), "3");
    assert_eq!(id(of("agency", "x", &agency("two", "a"))), "3");
    assert_eq!(id(of("agency", "x", &agency("one", "b"))), "4");
    let seen =
        |agent: &str, reason: &str| json!({ "agent_name": agent, "override_reason": reason }).to_string();
    assert_eq!(id(of("interspect", "x", &seen("a", "r"))), "5");
    assert_eq!(id(of("interspect", "x", &seen("a", "s"))), "5");
    assert_eq!(id(of("interspect", "y", &seen("a", "s"))), "6");
    let intent = json!({ "intent_type": "t", "bead_id": "b", "idempotency_key": "own" }).to_string();
    for _ in 0..2 {
        let args = ["events", "record", "--source=intent", "--type=x", "--payload", &intent];
        assert_eq!(sandbox.ok(args), "ok");
    }
    assert_eq!(sandbox.events().len(), 7);
}

/// CL-09: the short forms, and a consumer without a run reads everything.
#[test]
fn short_forms_record_on_the_run() {
    let sandbox = Sandbox::new();
    let run = sandbox.new_run();
    assert_eq!(sandbox.ok(["events", "emit", &run, "built", "--payload={\"ok\":true}"]), "2");
    assert_eq!(sandbox.ok(["events", "add", "--type=note", "--detail=waiting"]), "3");
    assert_eq!(sandbox.ok(["events", "add", &run, "--type=note"]), "4");
    let review =
        r#"{"finding_id":"f","resolution":"r","chosen_severity":"P1","impact":"i","agents":{"a":"P1"}}"#;
    let args =
        ["events", "emit", "--source=review", "--type=execution_defect", "--context", review, "--run", &run];
    assert_eq!(sandbox.ok(args), "5");
    assert_eq!(record(&sandbox, "my_tool-2", "[1,2]"), "6");
    std::fs::write(sandbox.dir().join("p.json"), "{\"from\":\"file\"}").unwrap();
    assert_eq!(record(&sandbox, "mine", "@p.json"), "7");
    let events = lines(&sandbox.ok(["events", "tail", "--consumer=c"]));
    assert_eq!(ids(&events), [1, 2, 3, 4, 5, 6, 7]);
    let told: Vec<_> = events[1..]
        .iter()
        .map(|e| json!([e["run_id"] == run, e["source"], e["type"], e["reason"]]))
        .collect();
    assert_eq!(told[0], json!([true, "external", "built", null]));
    assert_eq!(told[1], json!([true, "external", "note", "waiting"]));
    assert_eq!(events[1]["data"]["ok"], true);
    assert_eq!(events[5]["data"]["payload"], json!([1, 2]));
    assert_eq!(events[6]["data"]["from"], "file");
    sandbox.fails(["events", "emit", &run], 3);
    sandbox.fails(["events", "emit", &run, "x", "--run=other000"], 3);
}

/// EV-06: `CloudEvents` 1.0, by the rules of the specification's JSON schema and its rules for attribute names and text.
#[test]
fn cloud_events_are_valid() {
    let sandbox = Sandbox::new();
    let run = sandbox.short_run();
    sandbox.ok(["run", "advance", &run, "--priority=4"]);
    let hostile =
        r#"{"finding_id":"f\n1","resolution":"r","chosen_severity":"P1","impact":"i","agents":{"a":"P1"}}"#;
    sandbox.ok(["events", "record", "--source=review", "--type=execution_defect", "--payload", hostile]);
    record(&sandbox, "mine", "{}");
    let events = lines(&sandbox.ok(["events", "tail", "--all", "--format=cloudevents"]));
    assert_eq!(events.len(), 4);
    for event in &events {
        for (name, value) in event.as_object().unwrap() {
            let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
            assert!(plain && (1..=20).contains(&name.len()), "{name}");
            if name == "data" {
                continue;
            }
            let text = value.as_str().unwrap_or_else(|| panic!("{name} is no text"));
            assert!(!text.is_empty() && !text.chars().any(char::is_control), "{name}: {text:?}");
        }
        for required in ["id", "source", "specversion", "type"] {
            assert!(event[required].is_string(), "{required}");
        }
        assert_eq!(
            (&event["specversion"], &event["datacontenttype"]),
            (&json!("1.0"), &json!("application/json"))
        );
        let source = event["source"].as_str().unwrap();
        assert!(
            source.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-_.~".contains(&b)),
            "a URI reference: {source}"
        );
        let time: jiff::Timestamp = event["time"].as_str().unwrap().parse().unwrap();
        assert_eq!(time.as_second(), 1_700_000_000);
    }
    assert_eq!(events[1]["type"], "intercore.phase.advance");
    assert_eq!(events[1]["runid"], run);
    assert_eq!(events[1]["data"]["from_state"], "a");
    assert_eq!(events[3]["data"]["data"]["project_dir"], json!(sandbox.dir()));
}

/// K-17: a part of the log, and a verdict for programs.
#[test]
fn a_range_is_verified_by_itself() {
    let sandbox = Sandbox::new();
    for _ in 0..20 {
        record(&sandbox, "mine", "{}");
    }
    let sound = sandbox.json(["events", "verify", "--from=5", "--to=9"]);
    assert_eq!((&sound["ok"], &sound["events"]), (&json!(true), &json!(5)));
    assert!(sound["head"].as_str().unwrap().starts_with("9:"));
    for bad in [&["--from=0"][..], &["--from=9", "--to=5"], &["--from=21"], &["--to=21"]] {
        sandbox.fails([&["events", "verify"], bad].concat(), 3);
    }
    // A head kept elsewhere is one of the log, not of the part.
    let head = sandbox.json(["events", "verify"])["head"].as_str().unwrap().to_owned();
    sandbox.ok(["events", "verify", "--to=9", &format!("--head={head}")]);
    let beyond = head.replace("20:", "21:");
    let (_, stderr) = sandbox.fails(["events", "verify", "--to=9", &format!("--head={beyond}")], 2);
    assert!(stderr.contains("the log ends at 20"), "{stderr}");
    let conn = sandbox.open();
    conn.execute_batch("DROP TRIGGER events_no_update; UPDATE events SET subject = 'forged' WHERE id = 7")
        .unwrap();
    sandbox.ok(["events", "verify", "--from=8"]);
    sandbox.ok(["events", "verify", "--to=6"]);
    let (stdout, stderr) = sandbox.fails(["events", "verify", "--from=3", "--to=12", "--json"], 2);
    assert_eq!(stdout, "", "a failure has no answer");
    let broken: Value = serde_json::from_str(&stderr).unwrap();
    assert_eq!(broken["error"]["code"], "event_chain_broken");
    assert_eq!(broken["error"]["message"], "the event log does not verify: event 7: altered");
}

/// The log leaves and arrives byte for byte, or not at all.
#[test]
fn an_export_is_imported_with_its_chain() {
    let sandbox = Sandbox::new();
    let run = sandbox.new_run();
    record(&sandbox, "mine", "{\"n\": 1.50, \"text\":\"ü\\u0000\"}");
    sandbox.ok(["events", "add", &run, "--type=note", "--detail=two\nlines"]);
    let head = sandbox.json(["events", "verify"])["head"].clone();
    assert_eq!(sandbox.json(["events", "export", "log.jsonl"])["head"], head);
    let (_, stderr) = sandbox.fails(["events", "export", "log.jsonl", "--json"], 2);
    assert!(stderr.contains("file_exists"), "{stderr}");
    let text = std::fs::read_to_string(sandbox.dir().join("log.jsonl")).unwrap();
    assert_eq!(sandbox.ok(["events", "export", "-"]), text.trim_end());

    let other = Sandbox::new();
    std::fs::write(other.dir().join("log.jsonl"), &text).unwrap();
    let done = other.json(["events", "import", "log.jsonl"]);
    assert_eq!((&done["events"], &done["new"], &done["head"]), (&json!(3), &json!(3), &head));
    assert_eq!(other.events(), sandbox.events());
    other.check_integrity();
    // Again, and further.
    assert_eq!(other.json(["events", "import", "log.jsonl"])["new"], 0);
    record(&sandbox, "mine", "{}");
    let longer = sandbox.ok(["events", "export", "-"]);
    std::fs::write(other.dir().join("longer.jsonl"), longer).unwrap();
    assert_eq!(other.json(["events", "import", "longer.jsonl"])["new"], 1);
    // A log of its own is not mixed with another one's.
    record(&other, "mine", "{\"own\":true}");
    record(&sandbox, "mine", "{}");
    std::fs::write(other.dir().join("third.jsonl"), sandbox.ok(["events", "export", "-"])).unwrap();
    negative(&other, &["events", "import", "third.jsonl"], "log_diverged");
    negative(&other, &["events", "import", "log.jsonl"], "log_diverged");

    let lines: Vec<&str> = text.lines().collect();
    let fresh = Sandbox::new();
    let forged = [
        lines[..lines.len() - 1].join("\n"),
        [lines[0], lines[1], lines[3]].join("\n"),
        [lines[0], lines[2], lines[1], lines[3]].join("\n"),
        text.replace("two\\nlines", "one line"),
        text.replace("\"external\"", "\"kernel\""),
        text.replace("ic-events/1", "ic-events/2"),
        lines[1..].join("\n"),
        text.replace("\"hash\":\"", "\"hash\":\"0"),
        format!("{text}{{"),
        String::new(),
    ];
    for (nth, forged) in forged.iter().enumerate() {
        std::fs::write(fresh.dir().join("bad.jsonl"), forged).unwrap();
        let (stdout, stderr) = fresh.fails(["events", "import", "bad.jsonl"], 2);
        assert!(stdout.is_empty() && !stderr.is_empty(), "{nth}: {stderr}");
        assert_eq!(fresh.count("SELECT count(*) FROM events"), 0, "{nth}: {stderr}");
    }
    // A log that does not verify is not given away.
    sandbox
        .open()
        .execute_batch("DROP TRIGGER events_no_update; UPDATE events SET reason = 'x' WHERE id = 2")
        .unwrap();
    sandbox.fails(["events", "export", "bad.jsonl"], 2);
    assert!(!sandbox.dir().join("bad.jsonl").exists());
}

/// K-04: an import that waits for what it reads holds nobody up.
#[test]
fn a_slow_import_keeps_nobody_waiting() {
    let sandbox = Sandbox::new();
    record(&sandbox, "mine", "{}");
    let text = sandbox.ok(["events", "export", "-"]);
    let (begin, rest) = text.split_at(text.len() - 20);
    let mut child = sandbox
        .command(["events", "import", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(begin.as_bytes()).unwrap();
    for _ in 0..40 {
        sandbox.ok(["config", "set", "test.key", "7", "--timeout=0"]);
    }
    stdin.write_all(rest.as_bytes()).unwrap();
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn stats_count_everything() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.json(["events", "stats"])["events"], 0);
    let run = sandbox.short_run();
    sandbox.ok(["run", "advance", &run, "--priority=4"]);
    record(&sandbox, "mine", "{}");
    record(&sandbox, "mine", "{}");
    let stats = sandbox.json(["events", "stats"]);
    assert_eq!((&stats["events"], &stats["first"]), (&json!(4), &json!("2023-11-14T22:13:20.000Z")));
    assert!(stats["bytes"].as_u64().unwrap() > 4096);
    let counts: i64 =
        stats["kinds"].as_array().unwrap().iter().map(|kind| kind["count"].as_i64().unwrap()).sum();
    assert_eq!(counts, 4);
    assert_eq!(
        stats["kinds"][0],
        json!({ "source": "mine", "type": "built", "origin": "external", "count": 2 })
    );
    let text = sandbox.ok(["events", "stats"]);
    assert!(text.contains("2\tmine\tbuilt\texternal"), "{text}");
}
