//! Folding the kernel's events gives the tables (K-02).

use std::collections::BTreeMap;

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rusqlite::types::ValueRef;
use serde_json::{Map, Value, json};

use crate::race::assert_unbroken;
use crate::support::{Sandbox, run as run_command};

pub type Tables = BTreeMap<(&'static str, String), Map<String, Value>>;

/// What no event tells, by design: row numbers and telemetry.
const QUIET: [&str; 12] = [
    "supervisor_pid",
    "supervisor_start",
    "heartbeat_at",
    "seq",
    "turns",
    "commands",
    "messages",
    "input_tokens",
    "output_tokens",
    "cache_hits",
    "stop_requested_at",
    "stop_signalled_at",
];

/// The row of `fold` and of `stored`: a column that is NULL is as good as one that nobody mentioned, because a later
/// migration may have added it.
fn without_nulls(mut row: Map<String, Value>) -> Map<String, Value> {
    row.retain(|_, value| !value.is_null());
    row
}

/// The tables as the kernel's events tell them.
pub fn fold(events: &[Value]) -> Tables {
    let mut tables = Tables::new();
    for event in events {
        if event["origin"] != "kernel" {
            continue;
        }
        let text = |key: &str| event[key].as_str().unwrap().to_owned();
        let key = match (event["source"].as_str().unwrap(), event["type"].as_str().unwrap()) {
            ("phase", "skip" | "unskip") => {
                ("phase_skips", format!("{}/{}", text("run_id"), text("to_state")))
            }
            ("phase" | "run", _) => ("runs", text("subject")),
            ("agent", _) => ("run_agents", text("subject")),
            ("artifact", _) => ("run_artifacts", text("subject")),
            ("action", _) => ("phase_actions", text("subject")),
            ("dispatch", _) => ("dispatches", text("subject")),
            ("coordination", _) => ("coordination_locks", text("subject")),
            ("interspect", kind) if kind.starts_with("blacklist.") => ("blacklist", text("subject")),
            ("interspect", _) => ("modifications", text("subject")),
            ("import", _) if event["data"].get("new").is_none() => continue,
            ("log" | "task", _) => continue,
            other => panic!("unknown source {other:?}"),
        };
        let data = &event["data"];
        match data.get("new") {
            None => {}
            Some(Value::Null) => {
                let gone = tables.remove(&key).expect("removed what was there");
                for (column, old) in data["old"].as_object().unwrap() {
                    assert_eq!(&gone[column], old, "{event}");
                }
            }
            Some(new) => {
                let row = tables.entry(key).or_default();
                for (column, old) in data["old"].as_object().into_iter().flatten() {
                    assert_eq!(row.get(column).unwrap_or(&Value::Null), old, "the old {column} of {event}");
                }
                row.extend(new.as_object().unwrap().clone());
            }
        }
    }
    tables.into_iter().map(|(key, row)| (key, without_nulls(row))).collect()
}

/// The tables as they are.
pub fn stored(sandbox: &Sandbox) -> Tables {
    let conn = sandbox.open();
    let mut tables = Tables::new();
    let tables_told = [
        "runs",
        "phase_skips",
        "run_agents",
        "run_artifacts",
        "phase_actions",
        "dispatches",
        "coordination_locks",
        "modifications",
        "blacklist",
    ];
    for table in tables_told {
        let mut statement = conn.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns: Vec<String> = statement.column_names().map(ToOwned::to_owned).collect();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let cells = columns.iter().enumerate().filter(|(_, name)| !QUIET.contains(&name.as_str()));
            let cells: Map<String, Value> = cells
                .map(|(at, name)| {
                    let value = match row.get_ref(at).unwrap() {
                        ValueRef::Null => Value::Null,
                        ValueRef::Integer(number) => json!(number),
                        other => json!(other.as_str().unwrap()),
                    };
                    (name.clone(), value)
                })
                .collect();
            let key = match table {
                "phase_skips" => {
                    format!("{}/{}", cells["run_id"].as_str().unwrap(), cells["phase"].as_str().unwrap())
                }
                "phase_actions" => cells["id"].to_string(),
                "blacklist" => cells["pattern_key"].as_str().unwrap().to_owned(),
                _ => cells["id"].as_str().unwrap().to_owned(),
            };
            tables.insert((table, key), without_nulls(cells));
        }
    }
    tables
}

/// One random call; most are legal, some are refused, none may fail.
fn any_call(sandbox: &Sandbox, runs: &[String], rng: &mut StdRng) {
    let run = runs.choose(rng).unwrap().as_str();
    let phase = *["a", "b", "c", "d"].choose(rng).unwrap();
    let first = |args: &[&str], rng: &mut StdRng| -> Option<String> {
        let found = sandbox.json(args);
        found.as_array()?.choose(rng).and_then(|item| Some(item["id"].as_str()?.to_owned()))
    };
    let owned: Vec<String> = match rng.random_range(0..22) {
        0..=3 => vec!["run", "advance", run, "--priority=4"].into_iter().map(String::from).collect(),
        4 | 5 => ["run", "rollback", run]
            .map(String::from)
            .into_iter()
            .chain([format!("--to-phase={phase}")])
            .collect(),
        6 => ["run", "skip", run, phase, "--reason=r", "--actor=me"].map(String::from).to_vec(),
        7 => ["run", "unskip", run, phase, "--reason=r"].map(String::from).to_vec(),
        8 => ["gate", "override", run, "--reason=r", "--justified"].map(String::from).to_vec(),
        9 => ["run", "set", run, "--complexity=2", "--metadata-merge={\"k\":[1]}"].map(String::from).to_vec(),
        10 => ["agent", "add", run, "--name=n"].map(String::from).to_vec(),
        11 => match first(&["agent", "list", run], rng) {
            Some(agent) => ["agent", "update", &agent, "--status=completed"].map(String::from).to_vec(),
            None => return,
        },
        12 => ["artifact", "add", run, "--path=p"]
            .map(String::from)
            .into_iter()
            .chain([format!("--phase={phase}")])
            .collect(),
        13 => ["dispatch", "record"]
            .map(String::from)
            .into_iter()
            .chain([format!("--scope-id={run}")])
            .collect(),
        14 => ["run", "action", "add", run, "--command=c"]
            .map(String::from)
            .into_iter()
            .chain([format!("--phase={phase}")])
            .collect(),
        15 => ["run", "action", "delete", run, "--command=c"]
            .map(String::from)
            .into_iter()
            .chain([format!("--phase={phase}")])
            .collect(),
        16 => {
            let last =
                sandbox.events().iter().rev().find(|e| e["type"] == "rollback").map(|e| e["id"].to_string());
            let Some(last) = last else { return };
            ["run", "rollback"].map(String::from).into_iter().chain([format!("--undo={last}")]).collect()
        }
        17 | 18 => {
            let script = *["true", "exit 1", "exec sleep 600"].choose(rng).unwrap();
            ["dispatch", "spawn", "--run", run, "--", "sh", "-c", script].map(String::from).to_vec()
        }
        19 => match first(&["dispatch", "list"], rng) {
            Some(id) => {
                let verb = *["kill", "retry", "retry"].choose(rng).unwrap();
                ["dispatch", verb, &id]
                    .map(String::from)
                    .into_iter()
                    .chain((verb == "retry").then(|| "--now".to_owned()))
                    .collect()
            }
            None => return,
        },
        20 if rng.random_range(0..3) == 0 => {
            let mut later = sandbox.command(["dispatch", "prune", "--older-than=1s"]);
            later.env("IC_TEST_NOW", "1700000002");
            assert!(run_command(later).status.success());
            return;
        }
        _ if rng.random_range(0..6) == 0 => ["run", "cancel", run].map(String::from).to_vec(),
        _ => ["run", "advance", run, "--priority=1"].map(String::from).to_vec(),
    };
    let output = sandbox.ic(&owned);
    assert!(output.status.code().unwrap() <= 1, "{owned:?}: {}", crate::support::render(&output));
}

/// K-02, PH-02, RT-07: after any history the fold of the events is what the tables hold, each event's old values are
/// those that were there, and the phases of every run are one unbroken walk.
#[test]
fn the_fold_of_the_events_is_the_tables() {
    let mut rng = crate::support::rng();
    for _ in 0..4 {
        let sandbox = Sandbox::new();
        let mut runs: Vec<String> = (0..3).map(|_| sandbox.short_run()).collect();
        let portfolio =
            sandbox.json(["run", "create", "--goal=p", "--projects=x,y", r#"--phases=["a","b","c","d"]"#]);
        runs.push(portfolio["id"].as_str().unwrap().to_owned());
        for _ in 0..60 {
            any_call(&sandbox, &runs, &mut rng);
        }
        for live in sandbox.json(["dispatch", "list", "--active"]).as_array().unwrap() {
            sandbox.ok(["dispatch", "kill", live["id"].as_str().unwrap()]);
        }
        assert_eq!(fold(&sandbox.events()), stored(&sandbox));
        for run in &runs {
            assert_unbroken(sandbox.json(["run", "events", run]).as_array().unwrap(), "a");
        }
        sandbox.check_integrity();
    }
}
