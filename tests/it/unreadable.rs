//! Locks that another program has written and that cannot be understood (CO-25).

use std::process::Output;

use serde_json::Value;

use crate::mirror::{Store, project};
use crate::support::{Sandbox, render, run};

/// Inserts a row as another program does; the values are SQL.
fn insert(sandbox: &Sandbox, id: &str, kind: &str, owner: &str, scope: &str, pattern: &str) {
    let conn = sandbox.open();
    conn.execute_batch("PRAGMA ignore_check_constraints = 1").unwrap();
    let sql = format!(
        "INSERT INTO coordination_locks (id, type, owner, scope, pattern, exclusive, reason, ttl_seconds, created_at, \
         expires_at) VALUES ({id}, {kind}, {owner}, {scope}, {pattern}, 1, 'theirs', 3600, 1700000000, 1700003600)"
    );
    conn.execute_batch(&sql).unwrap();
}

fn call(sandbox: &Sandbox, line: &str, pattern: &str) -> Output {
    let words = line.split(' ').map(ToOwned::to_owned).chain([format!("--pattern={pattern}")]);
    sandbox.ic(["coordination".to_owned()].into_iter().chain(words))
}

/// Whether a reservation is granted; a check has to agree.
fn grants(sandbox: &Sandbox, scope: &str, kind: &str, pattern: &str) -> bool {
    let check = call(sandbox, &format!("check --scope={scope} --type={kind}"), pattern);
    let reserve = call(sandbox, &format!("reserve --scope={scope} --owner=me --type={kind}"), pattern);
    assert!(matches!(reserve.status.code(), Some(0 | 1)), "{}", render(&reserve));
    assert_eq!(check.status.code(), reserve.status.code(), "{}", render(&check));
    if reserve.status.success() {
        sandbox.ok(["coordination", "release", "--owner=me", &format!("--scope={scope}")]);
    }
    reserve.status.success()
}

const FILES: &str = "file_reservation";
const NAMES: &str = "named_lock";
const ODD: &str = "CAST(x'ff' AS TEXT)";

/// CO-25: such a row holds what it may mean and no more, whichever cell it is; it is named, and released by its identifier.
#[test]
fn one_row_does_not_turn_coordination_off() {
    // Each with what is held and what is not: scope, type, pattern.
    type Asked = (&'static str, &'static str, &'static str);
    // The column, the row, what it holds, what is free.
    type Case = (&'static str, &'static [&'static str; 4], &'static [Asked], &'static [Asked]);
    let everything: &[Asked] = &[("r", FILES, "a/b"), ("other", FILES, "x"), ("r", "write_set", "**")];
    let cases: [Case; 7] = [
        (
            "pattern",
            &["'file_reservation'", "'them'", "'r'", ODD],
            &[("r", FILES, "a/b")],
            &[("other", FILES, "a/b"), ("r", NAMES, "a")],
        ),
        (
            "pattern",
            &["'file_reservation'", "'them'", "'r'", "CAST(x'7372632f636166e92e7273' AS TEXT)"],
            &[("r", FILES, "src/*.rs"), ("r", FILES, "src")],
            &[("r", FILES, "docs/x")],
        ),
        ("owner", &["'file_reservation'", ODD, "'r'", "'a'"], &[("r", FILES, "a/b")], &[("r", FILES, "b")]),
        ("scope", &["'file_reservation'", "'them'", ODD, "'**'"], everything, &[("r", NAMES, "a")]),
        (
            "type",
            &["'directory'", "'them'", "'r'", "'a'"],
            &[("r", FILES, "a/b"), ("r", NAMES, "a")],
            &[("r", FILES, "b"), ("r", NAMES, "b"), ("other", FILES, "a")],
        ),
        (
            "type",
            &[ODD, "'them'", "'r'", "'a'"],
            &[("r", FILES, "a"), ("r", NAMES, "a")],
            &[("r", FILES, "b")],
        ),
        ("pattern", &["'named_lock'", "'them'", "'r'", ODD], &[], &[("r", NAMES, "a"), ("r", FILES, "a")]),
    ];
    for (column, [kind, owner, scope, pattern], held, free) in cases {
        let sandbox = Sandbox::new();
        insert(&sandbox, "'odd1'", kind, owner, scope, pattern);
        let what = format!("{column} of {kind}, {owner}, {scope}, {pattern}");
        for _ in 0..2 {
            for (scope, kind, pattern) in held {
                assert!(!grants(&sandbox, scope, kind, pattern), "{what}: {scope} {kind} {pattern}");
            }
            for (scope, kind, pattern) in free {
                assert!(grants(&sandbox, scope, kind, pattern), "{what}: {scope} {kind} {pattern}");
            }
            sandbox.ok(["coordination", "sweep"]);
        }
        let list = sandbox.json(["coordination", "list", "--active"]);
        let list = list.as_array().unwrap();
        assert_eq!(
            (list.len(), &list[0]["id"], &list[0]["unreadable"][0]),
            (1, &"odd1".into(), &column.into())
        );
        let line = sandbox.ok(["coordination", "list", "--active"]);
        assert!(line.ends_with(&format!("unreadable: {column}")), "{line}");
        let health = sandbox.ic(["health", "--deep", "--json"]);
        assert!(health.status.success(), "{}", render(&health));
        assert!(String::from_utf8_lossy(&health.stderr).contains("lock odd1 cannot be understood"));
        let shown: Value = serde_json::from_slice(&health.stdout).unwrap();
        assert_eq!(shown["unreadable_locks"][0], "odd1");
        assert_eq!(sandbox.ok(["coordination", "release", "odd1"]), "1 released");
        for (scope, kind, pattern) in held {
            assert!(grants(&sandbox, scope, kind, pattern), "{what}: {scope} {kind} {pattern}");
        }
        assert_eq!(sandbox.json(["health", "--deep"]).get("unreadable_locks"), None);
        sandbox.ok(["backup", "copy.db"]);
        sandbox.ok(["events", "verify"]);
    }
}

/// CO-25: identifiers may be anything.
#[test]
fn odd_identifiers_can_be_released() {
    let sandbox = Sandbox::new();
    let ids =
        [ODD, "CAST(x'61fe62' AS TEXT)", "''", "'a b'", "'two' || char(10) || 'lines'", "'-x'", "'a\\xff'"];
    for (n, id) in ids.iter().enumerate() {
        insert(&sandbox, id, "'file_reservation'", "'them'", "'r'", &format!("'f{n}'"));
    }
    for n in 0..ids.len() {
        assert!(!grants(&sandbox, "r", FILES, &format!("f{n}")), "f{n}");
    }
    assert_eq!(sandbox.ok(["coordination", "list"]).lines().count(), ids.len());
    let list = sandbox.json(["coordination", "list", "--active"]);
    for lock in list.as_array().unwrap() {
        let id = lock["id"].as_str().unwrap();
        assert_eq!(sandbox.ok(["coordination", "release", "--", id]), "1 released", "{id}");
        assert!(grants(&sandbox, "r", FILES, lock["pattern"].as_str().unwrap()), "{id}");
    }
    sandbox.ok(["events", "verify"]);
}

/// CO-25: its time ends such a lock; an owner renews it, hands it over and gives it back; locks that were ours become unreadable
/// too; hooks go on.
#[test]
fn such_locks_are_locks() {
    let sandbox = project();
    insert(&sandbox, "'odd1'", "'file_reservation'", "'them'", "'r'", ODD);
    assert!(!grants(&sandbox, "r", FILES, "a"));
    let renewed = sandbox.json(["coordination", "renew", "odd1", "--owner=them", "--ttl=60"]);
    assert_eq!(renewed["lock"]["expires_at"], 1_700_000_060);
    assert_eq!(
        sandbox.ok(["coordination", "transfer", "--from=them", "--to=you", "--scope=r"]),
        "1 transferred"
    );
    assert!(!grants(&sandbox, "r", FILES, "a"));
    let mut later = sandbox.command(["coordination", "reserve", "--scope=r", "--owner=me", "--pattern=a"]);
    later.env("IC_TEST_NOW", "1700000060");
    assert!(run(later).status.success());
    let ends = "SELECT count(*) FROM events WHERE type = 'coordination.expired' AND subject = 'odd1'";
    assert_eq!(sandbox.count(ends), 1);
    // Ours, changed by another program.
    sandbox.ok(["coordination", "reserve", "--scope=s", "--owner=ann", "--pattern=a"]);
    let change = format!(
        "UPDATE coordination_locks SET owner = {ODD}, reason = {ODD}, run_id = {ODD} WHERE scope = 's'"
    );
    sandbox.open().execute_batch(&change).unwrap();
    assert!(!grants(&sandbox, "s", FILES, "a"));
    assert_eq!(sandbox.ok(["coordination", "release", "--owner=\\xff", "--scope=s"]), "0 released");
    let list = sandbox.json(["coordination", "list", "--scope=s", "--active"]);
    assert_eq!(sandbox.ok(["coordination", "release", list[0]["id"].as_str().unwrap()]), "1 released");
    // A hook is denied what may be held, and allowed all else.
    let scope = format!("'{}'", sandbox.dir().display());
    insert(&sandbox, "'odd2'", "'file_reservation'", "'them'", &scope, "CAST(x'7372632fff' AS TEXT)");
    let edit = |path: &str| {
        let call = format!(
            r#"{{"session_id":"s1","cwd":"{0}","tool_input":{{"file_path":"{0}/{path}"}}}}"#,
            sandbox.dir().display()
        );
        let mut hook = assert_cmd::Command::from_std(sandbox.command(["hook", "pre-edit"]));
        String::from_utf8(hook.write_stdin(call).output().unwrap().stdout).unwrap()
    };
    assert!(edit("src/a.rs").contains("reserved by them"), "{}", edit("src/a.rs"));
    assert_eq!(edit("docs/a.md"), "");
    assert_eq!(sandbox.count("SELECT count(*) FROM coordination_locks WHERE owner = 's1'"), 1);
}

/// CO-25: the same for what another program holds in a file of its own.
#[test]
fn a_row_of_another_store_does_not_turn_coordination_off() {
    let sandbox = project();
    let store = Store::new(&sandbox);
    let through = |words: &[&str]| {
        let mut command = sandbox.command(words);
        command.env("INTERMUTE_DB", &store.path);
        run(command)
    };
    let reserve = |scope: &str, pattern: &str| {
        let (scope, pattern) = (format!("--scope={scope}"), format!("--pattern={pattern}"));
        let output = through(&["coordination", "reserve", "--owner=me", &scope, &pattern]);
        assert!(matches!(output.status.code(), Some(0 | 1)), "{}", render(&output));
        let check = through(&["coordination", "check", "--exclude-owner=me", &scope, &pattern]);
        assert_eq!(check.status.code(), output.status.code(), "{}", render(&check));
        if output.status.success() {
            sandbox.ok(["coordination", "release", "--owner=me", &scope]);
        }
        output.status.success()
    };
    let cases = [
        ("path_pattern", "CAST(x'7372632fff' AS TEXT)", "src/x", Some("docs/x")),
        ("path_pattern", "x'ff'", "src/x", None),
        ("agent_id", ODD, "src/a.rs", Some("docs/x")),
        ("project", ODD, "src/a.rs", None),
        ("expires_at", "'soon'", "src/a.rs", Some("docs/x")),
        ("expires_at", "1700000400", "src/a.rs", Some("docs/x")),
        ("expires_at", ODD, "src/a.rs", Some("docs/x")),
        ("created_at", ODD, "src/a.rs", Some("docs/x")),
        ("exclusive", "'yes'", "src/a.rs", Some("docs/x")),
        ("reason", "x'ff'", "src/a.rs", Some("docs/x")),
        ("id", ODD, "src/a.rs", Some("docs/x")),
    ];
    for (n, (column, value, held, free)) in cases.into_iter().enumerate() {
        let what = format!("{column} = {value}");
        store.hold(&format!("u{n}"), "agent", "project", "src/a.rs");
        store.conn.execute_batch(&format!("UPDATE file_reservations SET {column} = {value}")).unwrap();
        let health = through(&["health", "--deep"]);
        assert!(health.status.success(), "{what}: {}", render(&health));
        let named = String::from_utf8_lossy(&health.stderr).contains("cannot be understood");
        assert_eq!(named, column != "created_at", "{what}: {}", render(&health));
        for _ in 0..2 {
            assert!(!reserve(".", held), "{what}");
            assert!(free.is_none_or(|free| reserve(".", free)), "{what}");
            assert_eq!(reserve("elsewhere", "src/a.rs"), column != "project", "{what}");
        }
        let list = sandbox.json(["coordination", "list", "--active"]);
        assert_eq!(list.as_array().unwrap().len(), 1, "{what}: {list}");
        // What is exclusive as far as it is known is kept as exclusive.
        let shown = list[0]["unreadable"].is_array();
        assert_eq!(shown, !matches!(column, "created_at" | "exclusive"), "{what}: {list}");
        let id = list[0]["id"].as_str().unwrap();
        assert_eq!(sandbox.ok(["coordination", "release", id]), "1 released", "{what}");
        assert!(reserve(".", held), "{what}: released here, it stays released");
        store.conn.execute_batch("DELETE FROM file_reservations").unwrap();
    }
    sandbox.ok(["events", "verify"]);
}
