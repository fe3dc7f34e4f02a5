//! Moving in from the Go program (K-21).

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::fold::{fold, stored};
use crate::support::{Sandbox, render, run};

const V39: &str = include_str!("../fixtures/go-v39.sql");
const V8: &str = include_str!("../fixtures/go-v8.sql");

/// A database of the Go program at `path`, its connection still open.
fn go_db(path: &Path, sql: &str) -> Connection {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let conn = Connection::open(path).unwrap();
    conn.pragma_update(None, "foreign_keys", false).unwrap();
    conn.execute_batch(sql).unwrap();
    conn
}

/// A project without a database, and a database of the Go program elsewhere.
fn apart(sql: &str) -> (Sandbox, PathBuf) {
    let sandbox = Sandbox::bare();
    let file = sandbox.dir().join("old/go.db");
    go_db(&file, sql).close().unwrap();
    (sandbox, file)
}

/// A project with a database of the Go program in the usual place.
fn in_place(sql: &str) -> Sandbox {
    let sandbox = Sandbox::bare();
    go_db(&sandbox.db_path(), sql).close().unwrap();
    sandbox
}

fn import(sandbox: &Sandbox, file: &Path) -> Value {
    sandbox.json(["import", "--from", file.to_str().unwrap()])
}

/// Every file of a directory with its content and when it was changed.
fn snapshot(dir: &Path) -> BTreeMap<PathBuf, (Vec<u8>, i64, i64)> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let look = |path: PathBuf| {
        let found = path.metadata().unwrap();
        (path.clone(), (fs::read(path).unwrap(), found.mtime(), found.mtime_nsec()))
    };
    entries.map(look).collect()
}

/// The imported database is sound, its log verifies, and the fold of its events is what the tables hold.
fn assert_whole(sandbox: &Sandbox) {
    sandbox.check_integrity();
    assert_eq!(fold(&sandbox.events()), stored(sandbox));
}

fn remarks(report: &Value) -> Vec<String> {
    let text = |remark: &Value, key: &str| remark[key].as_str().unwrap().to_owned();
    report["remarks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| {
            format!("{} {} {}: {}", text(r, "table"), text(r, "row"), text(r, "column"), text(r, "said"))
        })
        .collect()
}

fn count(report: &Value, table: &str) -> (i64, i64, i64) {
    let found = report["tables"].as_array().unwrap().iter().find(|count| count["table"] == table);
    let number = |key: &str| found.map_or(0, |count| count[key].as_i64().unwrap());
    (number("read"), number("written"), number("only_in_log"))
}

/// K-21: every table goes over with its counts; what has no place of its own is in the event; nothing of the file changes.
#[test]
fn everything_goes_over_and_the_source_stays_as_it_was() {
    let (sandbox, file) = apart(V39);
    let before = snapshot(file.parent().unwrap());
    let report = import(&sandbox, &file);
    assert_eq!(snapshot(file.parent().unwrap()), before);
    let files = [".gitignore", "intercore.db"].map(|name| (name.to_owned(), 0o600));
    assert_eq!(sandbox.files(), files);
    let go = Connection::open(&file).unwrap();
    let tables = [
        "runs",
        "run_agents",
        "run_artifacts",
        "phase_actions",
        "dispatches",
        "coordination_locks",
        "sentinels",
    ];
    for table in tables {
        let sql = format!("SELECT count(*) FROM {table}");
        let old: i64 = go.query_row(&sql, [], |row| row.get(0)).unwrap();
        assert_eq!(count(&report, table), (old, old, 0), "{table}");
        assert_eq!(sandbox.count(&sql), old, "{table}");
    }
    assert_eq!((count(&report, "state"), count(&report, "event_cursors")), ((3, 3, 0), (3, 3, 0)));
    assert_eq!(report["left_behind"], json!([{"table": "project_deps", "rows": 1}]));
    assert_eq!((&report["history"], &report["row_events"]), (&json!(14), &json!(14)));
    assert_whole(&sandbox);

    let run = sandbox.json(["run", "status", "build001"]);
    assert_eq!((&run["phase"], &run["token_budget"]), (&json!("b"), &json!(9000)));
    assert_eq!(sandbox.json(["run", "status", "child001"])["parent_run_id"], "parent01");
    let skips = "SELECT count(*) FROM phase_skips WHERE run_id = 'build001' AND phase = 'c' AND actor = 'bob' \
                 AND reason = 'still: too small'";
    assert_eq!(sandbox.count(skips), 1, "one skip, as last asked for");
    let dispatch = sandbox.json(["dispatch", "status", "disp0001"]);
    assert_eq!((&dispatch["in_tokens"], &dispatch["status"]), (&json!(70), &json!("running")));
    assert_eq!(sandbox.ok(["state", "get", "checkpoint", "work-7"]), "[1,2]");
    assert!(sandbox.ok(["config", "get", "global_max_dispatches"]).contains('3'));
    sandbox.fails(["sentinel", "check", "stop", "s1", "--interval=0"], 1);

    let events = sandbox.events();
    let told = |source: &str, subject: &str| {
        let found = |e: &&Value| e["source"] == source && e["subject"] == subject && e["type"] == "import";
        events.iter().find(found).unwrap()["data"]["imported"]["columns"].clone()
    };
    assert_eq!(told("dispatch", "disp0002"), json!({"pid": 4243, "quarantine_reason": "odd patch"}));
    assert_eq!(told("coordination", "lock0002"), json!({"expires_at": null}));
    let ends = sandbox.count("SELECT expires_at FROM coordination_locks WHERE id = 'lock0002'");
    assert_eq!(ends, 1_700_000_300, "a named lock without an end is held for 300 seconds more");
    assert_eq!(
        sandbox.count("SELECT expires_at FROM coordination_locks WHERE id = 'lock0003'"),
        1_600_000_078
    );
    assert_eq!(remarks(&report).len(), 3, "{:?}", remarks(&report));
}

/// K-21: the history is one log in order of time, within a second table by table, with sources, times and the rest.
#[test]
fn the_history_is_merged_by_time() {
    let (sandbox, file) = apart(V39);
    import(&sandbox, &file);
    let events = sandbox.events();
    let history = &events[..14];
    let seen: Vec<_> = history
        .iter()
        .map(|e| {
            let at = e["timestamp"].as_str().unwrap();
            format!(
                "{} {} {}",
                &at[14..19],
                e["source"].as_str().unwrap(),
                e["data"]["imported"]["columns"]["id"]
            )
        })
        .collect();
    let expected = [
        "26:39 lane 1",
        "26:49 phase 5",
        "26:54 dispatch 1",
        "26:57 coordination 1",
        "27:00 phase 1",
        "27:01 intent 1",
        "27:02 phase 2",
        "27:02 dispatch 2",
        "27:02 review 1",
        "27:02 interspect 1",
        "27:03 phase 3",
        "27:10 phase 4",
        "27:20 discovery 1",
        "27:21 agency 1",
    ];
    assert_eq!(seen, expected);
    assert_eq!(
        events[14]["timestamp"], "2023-11-14T22:13:20.000Z",
        "rows are told of at the time of the import"
    );
    assert_eq!(history[4]["envelope"]["trace_id"], "t-1");
    assert_eq!(history[9]["origin"], "external");
    assert_eq!(history[9]["data"]["imported"]["columns"]["context_json"], "{\"x\":1}");
    assert_eq!(history[8]["type"], "execution_defect");
    let shown = sandbox.json(["run", "events", "build001"]);
    assert_eq!((&shown[0]["gate_result"], &shown[0]["gate_tier"]), (&json!("pass"), &json!("hard")));
    let signals: Value = serde_json::from_str(&sandbox.ok(["gate", "signals"])).unwrap();
    assert_eq!(signals["signals"][0]["check_type"], "artifact_exists");
    assert_eq!(signals["signals"][1]["category"], "justified");

    // All up to the first event that the consumer has not read; everything counts as read when there is none.
    let position = |consumer: &str, run: &str| {
        let of = format!("consumer = '{consumer}' AND run_id = '{run}'");
        sandbox.count(&format!("SELECT position FROM event_cursors WHERE {of}"))
    };
    assert_eq!(position("reader", ""), 1, "the last event of run done0001 is among the unread ones");
    assert_eq!(position("reader", "build001"), 28);
    assert_eq!(position("nobody", ""), 1);
    let durable =
        "SELECT group_concat(durable, '') FROM (SELECT durable FROM event_cursors ORDER BY consumer, run_id)";
    let durable: String = sandbox.open().query_row(durable, [], |row| row.get(0)).unwrap();
    assert_eq!(durable, "110");
}

/// K-21, K-02: work goes on where it was.
#[test]
fn an_imported_run_goes_on() {
    let (sandbox, file) = apart(V39);
    import(&sandbox, &file);
    sandbox.fails(["run", "rollback", "--undo=5"], 1);
    sandbox.ok(["run", "unskip", "build001", "c", "--reason=needed"]);
    sandbox.ok(["run", "advance", "build001", "--priority=4"]);
    assert_eq!(sandbox.ok(["run", "phase", "build001"]), "c");
    sandbox.ok(["run", "rollback", "build001", "--to-phase=a", "--no-signal"]);
    assert!(sandbox.ok(["agent", "list", "build001"]).contains("agent001\tclaude\tfailed"));
    sandbox.ok(["agent", "add", "child001"]);
    sandbox.ok(["run", "cancel", "parent01"]);
    sandbox.ok(["run", "action", "add", "build001", "--phase=c", "--command=/new"]);
    assert_whole(&sandbox);
}

/// K-21: recorded events keep the shape that their callers know.
#[test]
fn imported_records_are_listed_like_own_ones() {
    let (sandbox, file) = apart(V39);
    import(&sandbox, &file);
    let listed = |args: &[&str]| -> Value { serde_json::from_str(&sandbox.ok(args)).unwrap() };
    let review = listed(&["events", "list-review"]);
    let told =
        ["finding_id", "agents_json", "chosen_severity", "impact", "session_id"].map(|name| &review[name]);
    assert_eq!(told, ["F-1", r#"{"a":"P1"}"#, "P1", "none", "s1"]);
    let noticed = listed(&["interspect", "query"]);
    assert_eq!(
        (&noticed["override_reason"], &noticed["context_json"]),
        (&json!("wrong"), &json!(r#"{"x":1}"#))
    );
    let agency = listed(&["events", "list-agency"]);
    assert_eq!((&agency["cycle_id"], &agency["idempotency_key"]), (&json!("c1"), &json!("k2")));
}

/// K-21: an early database brings what it has.
#[test]
fn an_older_version_brings_what_it_has() {
    let (sandbox, file) = apart(V8);
    let report = import(&sandbox, &file);
    assert_eq!(report["from_schema"], 8);
    for table in ["runs", "run_artifacts", "dispatches", "phase_events", "state"] {
        assert_eq!(count(&report, table), (1, 1, 0), "{table}");
    }
    assert_eq!(report["remarks"], json!([]));
    let run = sandbox.json(["run", "status", "early001"]);
    assert_eq!((&run["phase"], &run["complexity"]), (&json!("planned"), &json!(2)));
    assert!(sandbox.ok(["artifact", "list", "early001"]).contains("x.md"));
    assert_whole(&sandbox);
}

/// K-21: in the usual place the old database makes room, and is kept as it was; a second call changes nothing.
#[test]
fn the_old_database_makes_room() {
    let sandbox = in_place(V39);
    let before = fs::read(sandbox.db_path()).unwrap();
    let (_, stderr) = sandbox.fails(["run", "list"], 2);
    assert!(stderr.contains("ic import"), "{stderr}");
    let text = sandbox.ok(["import"]);
    assert!(text.contains("phase_events                   5         5"), "{text}");
    assert!(text.contains("not imported: project_deps, rows: 1"), "{text}");
    let kept = sandbox.dir().join(".clavain/intercore.db.go-v39-20231114-221320");
    assert!(text.contains(&format!("the old database is kept as {}", kept.display())), "{text}");
    assert_eq!(fs::read(&kept).unwrap(), before);
    assert_whole(&sandbox);
    let after = snapshot(&sandbox.dir().join(".clavain"));
    let (_, stderr) = sandbox.fails(["import", "--json"], 1);
    assert!(stderr.contains("import_occupied"), "{stderr}");
    assert_eq!(snapshot(&sandbox.dir().join(".clavain")), after);
    let (_, stderr) = sandbox.fails(["import", "--from", kept.to_str().unwrap()], 1);
    assert!(stderr.contains("not empty"), "{stderr}");
    assert_eq!(sandbox.count("SELECT count(*) FROM events"), 28);
}

/// K-21, K-01: what only the log holds goes over too, also in place; and no log of the old one is left for the new one.
#[test]
fn what_is_in_the_log_alone_goes_over() {
    let late = "PRAGMA wal_autocheckpoint = 0; INSERT INTO state VALUES ('late', 'x', '1', 1, NULL)";
    let wal = format!("PRAGMA journal_mode = wal; {V39}");
    // Somebody has it open: read by their locks.
    let (sandbox, file) = apart(&wal);
    let conn = Connection::open(&file).unwrap();
    conn.execute_batch(late).unwrap();
    let content =
        |file: &Path| ["", "-wal"].map(|part| fs::read(format!("{}{part}", file.display())).unwrap());
    let before = content(&file);
    assert_eq!(count(&import(&sandbox, &file), "state"), (4, 4, 0));
    assert_eq!(content(&file), before);
    assert_whole(&sandbox);
    // A log that was left behind by a crash: nobody has it open, and reading leaves nothing either.
    let (sandbox, _) = apart(V8);
    let left = sandbox.dir().join("left");
    fs::create_dir(&left).unwrap();
    for part in ["", "-wal"] {
        fs::copy(format!("{}{part}", file.display()), left.join(format!("g?o#.db{part}"))).unwrap();
    }
    let before = snapshot(&left);
    assert_eq!(count(&import(&sandbox, &left.join("g?o#.db")), "state"), (4, 4, 0));
    assert_eq!(snapshot(&left), before);
    assert_whole(&sandbox);
    // In place, with a log and without anybody.
    let sandbox = Sandbox::bare();
    fs::create_dir(sandbox.dir().join(".clavain")).unwrap();
    for part in ["", "-wal"] {
        fs::copy(left.join(format!("g?o#.db{part}")), format!("{}{part}", sandbox.db_path().display()))
            .unwrap();
    }
    let report = sandbox.json(["import"]);
    assert_eq!(count(&report, "state"), (4, 4, 0));
    assert_whole(&sandbox);
    let old = Connection::open(report["renamed_to"].as_str().unwrap()).unwrap();
    let state: i64 = old.query_row("SELECT count(*) FROM state", [], |row| row.get(0)).unwrap();
    assert_eq!(state, 7);
    // A file with the mark of a log, but none: nothing is made beside it.
    drop(conn);
    let (sandbox, _) = apart(V8);
    let before = snapshot(file.parent().unwrap());
    assert_eq!(before.len(), 1);
    assert_eq!(count(&import(&sandbox, &file), "state"), (4, 4, 0));
    assert_eq!(snapshot(file.parent().unwrap()), before);
}

/// K-21: while others have the old database open it is not moved away under them.
#[test]
fn a_database_in_use_is_not_replaced() {
    let sandbox = in_place(&format!("PRAGMA journal_mode = wal; {V39}"));
    let reader = Connection::open(sandbox.db_path()).unwrap();
    let _: i64 = reader.query_row("SELECT count(*) FROM state", [], |row| row.get(0)).unwrap();
    let (_, stderr) = sandbox.fails(["import", "--timeout=200ms"], 2);
    assert!(stderr.contains("busy"), "{stderr}");
    assert_eq!(reader.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0)).unwrap(), 39);
    reader.execute_batch("INSERT INTO state VALUES ('late', 'x', '1', 1, NULL)").unwrap();
    drop(reader);
    assert_eq!(count(&sandbox.json(["import"]), "state"), (4, 4, 0));
    assert_whole(&sandbox);
}

/// K-21, K-01: whoever still writes to the old database meanwhile is imported, or is told that it failed.
#[test]
fn nothing_written_meanwhile_is_lost() {
    for round in 0..6 {
        let sandbox = in_place(&format!("PRAGMA journal_mode = wal; {V39}"));
        let path = sandbox.db_path();
        let mut kept = String::new();
        let acknowledged = std::thread::scope(|scope| {
            let write = |keeps: bool| {
                let path = &path;
                move || {
                    let open = || {
                        let conn = Connection::open(path)?;
                        conn.busy_timeout(std::time::Duration::from_millis(100))?;
                        conn.pragma_update(None, "journal_mode", "wal")?;
                        Ok::<_, rusqlite::Error>(conn)
                    };
                    let insert =
                        "INSERT INTO lane_events (lane_id, event_type, created_at) VALUES ('l', 'e', 1)";
                    let mut acknowledged = 0;
                    for turn in 0..400 {
                        let Ok(conn) = open() else { continue };
                        let writes = if keeps { turn % 3 } else { 1 };
                        acknowledged += (0..writes).filter(|_| conn.execute(insert, []).is_ok()).count();
                    }
                    acknowledged
                }
            };
            let writers = [write(round % 2 == 0), write(false)].map(|write| scope.spawn(write));
            std::thread::sleep(std::time::Duration::from_millis(30));
            kept = sandbox.json(["import", "--timeout=20s"])["renamed_to"].as_str().unwrap().to_owned();
            writers.into_iter().map(|writer| writer.join().unwrap()).sum::<usize>()
        });
        let imported = sandbox.count("SELECT count(*) FROM events WHERE source = 'lane'");
        assert_eq!(imported, i64::try_from(acknowledged).unwrap() + 1);
        let old = Connection::open(kept).unwrap();
        let old: i64 = old.query_row("SELECT count(*) FROM lane_events", [], |row| row.get(0)).unwrap();
        assert_eq!(old, imported);
        println!("{acknowledged} writes before the import got in");
        assert_whole(&sandbox);
    }
}

/// K-21, K-11: killed at any point, an import has done nothing or everything, and the next call finishes.
#[test]
fn a_killed_import_is_all_or_nothing() {
    let points = ["before_commit", "after_commit", "before_publish", "while_publishing", "after_publish"];
    for point in points {
        let sandbox = in_place(V39);
        let before = fs::read(sandbox.db_path()).unwrap();
        let mut command = sandbox.command(["import"]);
        command.env("IC_TEST_CRASH", point);
        assert_eq!(run(command).status.code(), None, "{point}");
        if point == "after_publish" {
            sandbox.fails(["import"], 1);
        } else {
            assert_eq!(fs::read(sandbox.db_path()).unwrap(), before, "{point}");
            sandbox.ok(["import"]);
        }
        let kept: Vec<_> =
            sandbox.files().into_iter().filter(|(name, _)| name.contains(".go-v39-")).collect();
        assert_eq!(kept.len(), 1, "{point}: {kept:?}");
        assert_eq!(fs::read(sandbox.dir().join(".clavain").join(&kept[0].0)).unwrap(), before);
        assert_whole(&sandbox);
        assert_eq!(sandbox.count("SELECT count(*) FROM events"), 28, "{point}");
    }
    for point in ["before_commit", "after_commit", "before_publish", "after_publish"] {
        let (sandbox, file) = apart(V39);
        let call = ["import", "--from", file.to_str().unwrap()];
        let mut command = sandbox.command(call);
        command.env("IC_TEST_CRASH", point);
        assert_eq!(run(command).status.code(), None, "{point}");
        let happened = point == "after_publish";
        assert_eq!(sandbox.db_path().exists(), happened, "{point}");
        assert_eq!(sandbox.ic(call).status.code(), Some(i32::from(happened)), "{point}");
        assert_whole(&sandbox);
    }
}

/// K-21: of any number of imports at once, in place or from a file, one happens.
#[test]
fn of_many_imports_one_happens() {
    let (sandbox, file) = apart(V39);
    let from = format!("--from={}", file.display());
    let placed = in_place(V39);
    for (sandbox, call) in [(&sandbox, vec!["import", from.as_str()]), (&placed, vec!["import"])] {
        let start = |_| {
            let mut command = sandbox.command(&call);
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let children: Vec<_> = (0..12).map(start).collect();
        let outputs: Vec<_> = children.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
        let failed: Vec<_> = outputs.iter().filter(|output| !output.status.success()).collect();
        assert_eq!(failed.len(), 11);
        for output in failed {
            assert!(output.status.code() == Some(1), "{}", render(output));
        }
        assert_eq!(sandbox.count("SELECT count(*) FROM events"), 28);
        assert_whole(sandbox);
    }
}

/// K-21: an empty database of ours may be there already; one with content may not, and neither may anything else.
#[test]
fn the_destination_has_to_be_free() {
    let (sandbox, file) = apart(V39);
    let from = ["import", "--from", file.to_str().unwrap()];
    sandbox.ok(["init"]);
    sandbox.fails(["import"], 1);
    import(&sandbox, &file);
    assert_whole(&sandbox);
    for setup in [
        &["state", "set", "k", "s"][..],
        &["run", "create", "--goal=x"],
        &["sentinel", "check", "a", "b", "--interval=0"],
    ] {
        let (sandbox, _) = apart(V39);
        sandbox.ok(["init"]);
        let mut command = sandbox.command(setup);
        command.stdin(Stdio::from(fs::File::open("/dev/null").unwrap()));
        if setup[0] == "state" {
            fs::write(sandbox.dir().join("v"), "1").unwrap();
            command.arg("@v");
        }
        let output = run(command);
        assert!(output.status.success(), "{}", render(&output));
        let (_, stderr) = sandbox.fails([from[0], from[1], from[2], "--json"], 1);
        assert!(stderr.contains("import_occupied"), "{stderr}");
    }
    let (sandbox, file) = apart(V39);
    fs::create_dir(sandbox.dir().join(".clavain")).unwrap();
    fs::write(sandbox.db_path(), "").unwrap();
    import(&sandbox, &file);
    assert_whole(&sandbox);
    let sandbox = in_place(V39);
    let (_, stderr) = sandbox.fails(["import", "--from", file.to_str().unwrap()], 2);
    assert!(stderr.contains("Go program"), "{stderr}");
    fs::write(sandbox.dir().join(".clavain/intercore.db"), "text that is not a database, and long enough")
        .unwrap();
    sandbox.fails(["import", "--from", file.to_str().unwrap()], 2);
    // A log without its database would be taken for the new one's.
    let (sandbox, file) = apart(V39);
    fs::create_dir(sandbox.dir().join(".clavain")).unwrap();
    fs::write(sandbox.dir().join(".clavain/intercore.db-wal"), "x").unwrap();
    let (_, stderr) = sandbox.fails(["import", "--from", file.to_str().unwrap()], 2);
    assert!(stderr.contains("without its database"), "{stderr}");
}

/// K-21: what is no database of the Go program, or a newer one, is refused by name and nothing is made.
#[test]
fn the_source_has_to_be_a_known_database_of_the_go_program() {
    let (sandbox, file) = apart(V39);
    let refused = |what: &Path, code: &str| {
        let (_, stderr) = sandbox.fails(["import", "--json", "--from", what.to_str().unwrap()], 2);
        assert!(stderr.contains(code), "{}: {stderr}", what.display());
        assert!(!sandbox.dir().join(".clavain").exists());
    };
    Connection::open(&file).unwrap().pragma_update(None, "user_version", 40).unwrap();
    refused(&file, "schema_too_new");
    refused(&sandbox.dir().join("none.db"), "import_source");
    refused(sandbox.dir(), "import_source");
    let text = sandbox.dir().join("text.db");
    for content in
        ["", "short", &"long enough to be read as the header of a file, and no database. ".repeat(9)]
    {
        fs::write(&text, content).unwrap();
        refused(&text, "import_source");
    }
    let other = sandbox.dir().join("other.db");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE t (x); PRAGMA user_version = 3").unwrap();
    refused(&other, "import_source");
    let (_, stderr) = sandbox.fails(["import", "--json"], 2);
    assert!(stderr.contains("import_source"), "{stderr}");
    let newer = in_place(V39);
    Connection::open(newer.db_path()).unwrap().pragma_update(None, "user_version", 40).unwrap();
    let (_, stderr) = newer.fails(["import"], 2);
    assert!(stderr.contains("v40"), "{stderr}");
    assert_eq!(newer.files().len(), 1);
}

/// K-21: values that mean nothing here do not stop an import: each is mapped, kept, and remarked on.
#[test]
fn hostile_values_are_mapped_kept_and_remarked_on() {
    let hostile = "
        UPDATE runs SET status = 'paused', metadata = '{not json', gate_rules = '[]', phases = '[\"a\"]' WHERE id = 'build001';
        UPDATE runs SET parent_run_id = 'nowhere1', created_at = 'yesterday' WHERE id = 'done0001';
        UPDATE runs SET parent_run_id = 'child001' WHERE id = 'parent01';
        INSERT INTO runs (id, project_dir, goal, status, phase, created_at, updated_at, parent_run_id)
          VALUES ('self0001', '/x', 'g', 'active', 'review', 1, 1, 'self0001');
        UPDATE runs SET metadata = '{\"close_gate\":{\"requirements\":[\"runtime-evidence/v1\"]}}' WHERE id = 'child001';
        INSERT INTO runs (id, project_dir, goal, status, phase, created_at, updated_at)
          VALUES ('', '/x', 'no id', 'active', 'a', 1, 1), ('odd id\t!', CAST(x'2fff' AS TEXT), 'g', 'active', '', 1, 1);
        UPDATE run_agents SET status = 'asleep' WHERE id = 'agent001';
        INSERT INTO run_agents VALUES ('orphan01', 'nowhere1', 'claude', NULL, 'active', NULL, 1, 1);
        UPDATE run_artifacts SET status = 'lost', content_hash = x'00ff' WHERE id = 'arti0001';
        UPDATE phase_actions SET mode = 'maybe', action_type = 'dance', priority = 1.5;
        UPDATE dispatches SET status = 'zombie', sandbox_spec = 'not json', turns = 'many' WHERE id = 'disp0001';
        UPDATE coordination_locks SET type = 'spinlock' WHERE id = 'lock0001';
        INSERT INTO coordination_locks (id, type, owner, scope, pattern, created_at)
          VALUES (NULL, 'write_set', 'o', 's', 'p', 1);
        UPDATE phase_events SET envelope_json = '[broken', reason = x'c3' WHERE id = 1;
        UPDATE phase_events SET created_at = 'noon' WHERE id = 4;
        UPDATE state SET payload = 'not json', expires_at = 'never' WHERE key = 'dispatch';
        UPDATE state SET payload = 'torn' WHERE scope_id = 'reader';
        INSERT INTO state VALUES ('Not A Key', 'x' || char(10), '1', 1, NULL), (x'01', 's', '{}', 1, NULL);
        CREATE TABLE my_events (x); INSERT INTO my_events VALUES (1.5), (x'00');
        CREATE TABLE \"bad\"\" name_events\" (x); INSERT INTO \"bad\"\" name_events\" VALUES (1);
        CREATE TABLE audit_log (id INTEGER PRIMARY KEY, event_type TEXT, actor TEXT, target TEXT, created_at INTEGER);
        INSERT INTO audit_log VALUES (3, 'signed', 'ann', 'x', 1600000000);
        CREATE VIEW views_events AS SELECT * FROM runs;";
    let (sandbox, file) = apart(&format!("{V39}{hostile}"));
    let report = import(&sandbox, &file);
    assert_whole(&sandbox);
    assert_eq!(count(&report, "runs"), (7, 6, 1));
    assert_eq!(count(&report, "run_agents"), (3, 2, 1));
    assert_eq!(count(&report, "coordination_locks"), (4, 3, 1));
    assert_eq!(count(&report, "my_events"), (2, 2, 0));
    assert_eq!(count(&report, "audit_log"), (1, 1, 0));
    assert_eq!((count(&report, "state"), count(&report, "event_cursors")), ((5, 5, 0), (3, 3, 0)));
    assert_eq!(report["left_behind"][0]["table"], "bad\" name_events");
    let said = remarks(&report).join("\n");
    for part in [
        "runs build001 status: \"paused\" is not known here: failed taken",
        "runs build001 metadata: left out",
        "runs build001 gate_rules: left out",
        "runs build001 phases: left out",
        "runs build001 phase: \"b\" is not in the chain",
        "runs done0001 parent_run_id: left out: there is no such run",
        "runs done0001 created_at: no time: 0 taken",
        "runs parent01 parent_run_id: left out: it is itself below this run",
        "runs  : kept in the event log alone: it has no id",
        "run_agents agent001 status: \"asleep\"",
        "run_agents orphan01 : kept in the event log alone: FOREIGN KEY",
        "run_artifacts arti0001 content_hash: not text",
        "phase_actions 7 mode: \"maybe\" is not known here: interactive taken",
        "phase_actions 7 priority: not a whole number",
        "dispatches disp0001 status: \"zombie\" is not known here: failed taken",
        "dispatches disp0001 sandbox_spec: left out: not JSON",
        "coordination_locks lock0001 type: ",
        "phase_events 1 envelope_json: not a JSON object",
        "phase_events 4 created_at: no time",
        "state dispatch/s1 payload: kept as it is: not JSON",
        "state cursor/reader payload: not a cursor",
    ] {
        assert!(said.contains(part), "{part} in\n{said}");
    }
    let events = sandbox.events();
    let told = |source: &str, subject: &str| {
        let found = |e: &&Value| {
            e["source"] == source
                && e["subject"] == subject
                && e["type"].as_str().unwrap().ends_with("import")
        };
        events.iter().find(found).unwrap()["data"]["imported"]["columns"].clone()
    };
    assert_eq!(told("run", "build001")["status"], "paused");
    assert_eq!(told("run", "build001")["metadata"], "{not json");
    assert_eq!(told("artifact", "arti0001")["content_hash"]["hex"], "00ff");
    assert_eq!(told("action", "7")["priority"], 1.5);
    assert_eq!(told("import", "dispatch/s1"), json!({"expires_at": "never"}));
    assert_eq!(told("import", "cursor/reader"), json!({"payload": "torn"}));
    let orphan = events.iter().find(|e| e["subject"] == "orphan01").unwrap();
    assert_eq!(
        (&orphan["type"], &orphan["data"]["imported"]["row"]["run_id"]),
        (&json!("not_imported"), &json!("nowhere1"))
    );
    // What was mapped can be read by every command.
    for call in [
        &["run", "list"][..],
        &["run", "status", "build001"],
        &["dispatch", "list"],
        &["run", "events", "build001"],
    ] {
        sandbox.ok(call);
    }
    assert_eq!(
        sandbox.count("SELECT count(*) FROM state WHERE payload = 'not json' AND expires_at IS NULL"),
        1
    );
    // And what the text shows fits on its lines.
    let sandbox = in_place(&format!("{V39}{hostile}"));
    let text = sandbox.ok(["import"]);
    assert!(text.contains("more, see --json") && !text.contains('\t'), "{text}");
}

/// K-21: the same for a database that the Go program itself has made, where there is one.
#[test]
fn a_database_made_by_the_go_program_goes_over() {
    let real = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/testdata/go-db/intercore-v39.db");
    if !real.exists() {
        println!("skipped: no real database of the Go program at hand");
        return;
    }
    let before = fs::read(&real).unwrap();
    let sandbox = Sandbox::bare();
    let report = import(&sandbox, &real);
    assert_eq!(fs::read(&real).unwrap(), before);
    let expected = [
        ("runs", 6),
        ("phase_events", 9),
        ("run_agents", 2),
        ("run_artifacts", 3),
        ("phase_actions", 1),
        ("dispatches", 2),
        ("dispatch_events", 3),
        ("coordination_locks", 3),
        ("coordination_events", 6),
        ("state", 3),
        ("event_cursors", 1),
        ("sentinels", 2),
        ("interspect_events", 1),
        ("review_events", 1),
        ("intent_events", 1),
        ("agency_events", 1),
    ];
    for (table, rows) in expected {
        assert_eq!(count(&report, table), (rows, rows, 0), "{table}");
    }
    assert_whole(&sandbox);
}
