//! What the schema itself refuses, which indexes the hot queries use, and what a shipped version looks like.

use std::path::Path;

use intercore::MIGRATIONS;
use rusqlite::Connection;

use crate::support::Sandbox;

/// K-03: the log can only grow, whoever tries.
#[test]
fn the_event_log_refuses_everything_but_the_next_event() {
    let sandbox = Sandbox::new();
    sandbox.new_run();
    sandbox.new_run();
    let conn = sandbox.open();
    let columns =
        "at_ms, origin, run_id, source, type, subject, from_state, to_state, reason, data, envelope, hash";
    let copy = |id: &str| format!("({columns}, id) SELECT {columns}, {id} FROM events WHERE id = 1");
    for (sql, expected) in [
        ("UPDATE events SET reason = 'x' WHERE id = 1".to_owned(), "append-only"),
        ("DELETE FROM events WHERE id = 2".to_owned(), "append-only"),
        (format!("INSERT OR REPLACE INTO events {}", copy("2")), "numbered without gaps"),
        (format!("REPLACE INTO events {}", copy("1")), "numbered without gaps"),
        (format!("INSERT INTO events {}", copy("4")), "numbered without gaps"),
        (format!("INSERT INTO events {}", copy("NULL")), "numbered without gaps"),
        (format!("INSERT OR IGNORE INTO events {}", copy("1")), "numbered without gaps"),
        ("UPDATE OR REPLACE events SET id = 2 WHERE id = 1".to_owned(), "append-only"),
    ] {
        let err = conn.execute(&sql, []).unwrap_err().to_string();
        assert!(err.contains(expected), "{sql}: {err}");
    }
    assert_eq!(sandbox.count("SELECT count(*) FROM events"), 2);
    sandbox.check_integrity();
}

/// K-17: the first altered, removed or inserted row is named, and a head kept elsewhere catches what the chain cannot.
#[test]
fn tampering_with_the_log_is_found() {
    type Tamper = (&'static str, i64, &'static str);
    const TAMPERS: [Tamper; 6] = [
        ("UPDATE events SET reason = 'nicer' WHERE id = 3", 3, "altered"),
        ("UPDATE events SET reason = '' WHERE id = 2 AND reason IS NULL", 2, "altered"),
        ("UPDATE events SET at_ms = at_ms + 1 WHERE id = 4", 4, "altered"),
        ("DELETE FROM events WHERE id = 2", 2, "removed"),
        ("DELETE FROM events WHERE id = 1", 1, "removed"),
        ("UPDATE events SET data = x'ff' || data WHERE id = 3", 3, "unreadable"),
    ];
    for (sql, id, problem) in TAMPERS {
        let sandbox = Sandbox::new();
        let run = sandbox.short_run();
        for _ in 0..3 {
            sandbox.ok(["agent", "add", &run]);
        }
        sandbox.ok(["events", "verify"]);
        let conn = sandbox.open();
        conn.execute_batch("DROP TRIGGER events_no_update; DROP TRIGGER events_no_delete;").unwrap();
        assert_eq!(conn.execute(sql, []).unwrap(), 1, "{sql}");
        let (stdout, stderr) = sandbox.fails(["events", "verify", "--json"], 2);
        assert_eq!(stdout, "", "{sql}");
        let failure: serde_json::Value = serde_json::from_str(&stderr).unwrap();
        assert_eq!(failure["error"]["code"], "event_chain_broken", "{sql}");
        let message = format!("the event log does not verify: event {id}: {problem}");
        assert_eq!(failure["error"]["message"], message.as_str(), "{sql}");
    }
}

/// K-17: a cut tail verifies by itself; only a head kept elsewhere tells.
#[test]
fn a_cut_tail_is_found_by_a_kept_head() {
    let sandbox = Sandbox::new();
    let run = sandbox.short_run();
    sandbox.ok(["agent", "add", &run]);
    let head = sandbox.json(["events", "verify"])["head"].as_str().unwrap().to_owned();
    sandbox.ok(["events", "verify", &format!("--head={head}")]);
    sandbox.ok(["agent", "add", &run]);
    sandbox.ok(["events", "verify", &format!("--head={head}")]);
    let conn = sandbox.open();
    conn.execute_batch("DROP TRIGGER events_no_delete; DELETE FROM events WHERE id >= 2").unwrap();
    sandbox.ok(["events", "verify"]);
    let (_, stderr) = sandbox.fails(["events", "verify", &format!("--head={head}")], 2);
    assert!(stderr.contains("cut"), "{stderr}");
    let wrong = format!("--head=1:{}", "0".repeat(64));
    sandbox.fails(["events", "verify", &wrong], 2);
    sandbox.fails(["events", "verify", "--head=nonsense"], 3);
}

/// RT-01
#[test]
fn foreign_keys_are_enforced() {
    let sandbox = Sandbox::new();
    sandbox.fails(["agent", "add", "nosuchrn"], 1);
    sandbox.fails(["artifact", "add", "nosuchrn", "--phase=a", "--path=x"], 1);
    let orphans = sandbox.open().prepare("PRAGMA foreign_key_check").unwrap().exists([]).unwrap();
    assert!(!orphans);
    // Not by the commands' own look alone: the schema has the keys.
    let tables = ["phase_skips", "run_agents", "run_artifacts", "phase_actions"];
    for table in tables {
        let keys = sandbox.count(&format!("SELECT count(*) FROM pragma_foreign_key_list('{table}')"));
        assert_eq!(keys, 1, "{table}");
    }
}

/// RT-09, EV-07: what is asked often is answered through an index, and no read of the log goes through all of it for a few
/// events.
#[test]
fn hot_queries_use_an_index() {
    let sandbox = Sandbox::new();
    let conn = sandbox.open();
    let plan = |sql: &str| {
        let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let lines = statement.query_map([], |row| row.get::<_, String>(3)).unwrap();
        lines.map(Result::unwrap).collect::<Vec<_>>().join("; ")
    };
    for (sql, index) in [
        ("SELECT phase FROM runs WHERE id = 'x'", "sqlite_autoindex_runs_1"),
        ("SELECT * FROM runs WHERE project_key = 'x' AND status = 'active'", "runs_project"),
        ("SELECT * FROM run_agents WHERE run_id = 'x' ORDER BY seq", "run_agents_run"),
        ("SELECT count(*) FROM run_agents WHERE run_id = 'x' AND status = 'active'", "run_agents_run"),
        ("SELECT * FROM run_artifacts WHERE run_id = 'x' ORDER BY seq", "run_artifacts_run"),
        ("SELECT * FROM run_artifacts WHERE run_id = 'x' AND phase = 'y' ORDER BY seq", "run_artifacts_run"),
        (
            "SELECT count(*) FROM run_artifacts WHERE run_id = 'x' AND phase = 'y' AND status = 'active'",
            "run_artifacts_run",
        ),
        (
            "SELECT * FROM dispatches WHERE scope_id = 'x' AND status IN ('spawned', 'running')",
            "dispatches_scope",
        ),
        ("SELECT * FROM dispatches WHERE stop_requested_at IS NOT NULL", "dispatches_stop"),
        (
            "SELECT * FROM events WHERE id > 5 AND run_id = 'x' AND source || '' = 'phase' ORDER BY id",
            "events_run",
        ),
        ("SELECT * FROM events WHERE id > 5 AND source = 'phase' ORDER BY id", "events_source"),
        (
            "SELECT * FROM events WHERE id > 5 AND source = 'ci' AND id <= 9 ORDER BY id LIMIT 3",
            "events_source",
        ),
        ("SELECT * FROM events WHERE id > 5 AND id <= 9 ORDER BY id LIMIT 100", "INTEGER PRIMARY KEY"),
        ("SELECT * FROM events WHERE id > 5 AND run_id = 'x' AND id <= 9 ORDER BY id", "events_run"),
        (
            "SELECT hash FROM events WHERE source = 'log' AND type = 'restore' ORDER BY id DESC LIMIT 1",
            "events_source",
        ),
    ] {
        let plan = plan(sql);
        assert!(plan.contains(index) && !plan.contains("SCAN"), "{sql}: {plan}");
        // A page of a long log must not be sorted first.
        assert!(!sql.contains("events") || !plan.contains("TEMP B-TREE"), "{sql}: {plan}");
    }
}

/// The statements of a schema, one per line of white space.
fn dump(conn: &Connection) -> String {
    let mut statement =
        conn.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name").unwrap();
    let lines = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let fold = |sql: String| sql.split_whitespace().collect::<Vec<_>>().join(" ");
    lines.map(|sql| fold(sql.unwrap()) + ";\n").collect()
}

/// K-10: what was shipped stays as it was shipped: each version's schema equals the one recorded for it.
#[test]
fn shipped_migrations_are_never_edited() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let conn = Connection::open_in_memory().unwrap();
    for migration in MIGRATIONS {
        conn.execute_batch(migration.sql).unwrap();
        let recorded = fixtures.join(format!("schema-{}.sql", migration.version));
        if std::env::var_os("RECORD").is_some() && !recorded.exists() {
            std::fs::write(&recorded, dump(&conn)).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&recorded).unwrap(), dump(&conn), "{}", recorded.display());
    }
    let sandbox = Sandbox::new();
    assert_eq!(dump(&sandbox.open()), dump(&conn), "a fresh database has the newest schema");
}

/// The schema is parsed at every call: it has to stay small.
#[test]
fn the_schema_is_lean() {
    let sandbox = Sandbox::new();
    assert!(sandbox.count("SELECT count(*) FROM sqlite_schema WHERE type = 'table'") <= 30);
    assert!(
        sandbox.count("SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL") <= 35
    );
    let commented = "SELECT count(*) FROM sqlite_schema WHERE sql LIKE '%--%' OR sql LIKE '%/*%'";
    assert_eq!(sandbox.count(commented), 0, "comments inside statements are parsed at every call");
}

/// K-10, K-20, K-35: a database of the first version is migrated by `init`, and keeps every row.
#[test]
fn an_older_database_is_migrated_by_init() {
    let sandbox = Sandbox::bare();
    std::fs::create_dir(sandbox.dir().join(".clavain")).unwrap();
    let conn = Connection::open(sandbox.db_path()).unwrap();
    conn.execute_batch(MIGRATIONS[0].sql).unwrap();
    conn.pragma_update(None, "application_id", 0x6963_6462).unwrap();
    conn.pragma_update(None, "user_version", 1001).unwrap();
    conn.query_row("PRAGMA journal_mode = wal", [], |_| Ok(())).unwrap();
    conn.execute_batch(
        "INSERT INTO runs VALUES (1, 'oldrun00', '/p', '/p', 'kept', 'active', 'planned', 3, 0, 1, 5, 5, NULL, NULL, NULL, \
         NULL, NULL, 80, NULL, NULL, 0, 0, 0, NULL)",
    )
    .unwrap();
    drop(conn);
    assert_eq!(sandbox.ok(["run", "list"]), "oldrun00\tactive\tplanned\tkept");
    let done = sandbox.json(["init"]);
    assert_eq!(done["status"], "migrated");
    let backup = Path::new(done["backup"].as_str().unwrap());
    let kept: String =
        Connection::open(backup).unwrap().query_row("SELECT goal FROM runs", [], |r| r.get(0)).unwrap();
    assert_eq!(kept, "kept");
    assert_eq!(sandbox.ok(["run", "list"]), "oldrun00\tactive\tplanned\tkept");
    let fresh = Sandbox::new();
    assert_eq!(dump(&sandbox.open()), dump(&fresh.open()));
}
