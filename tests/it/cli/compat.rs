//! What older hooks left, and what the database has of it.

use crate::support::Sandbox;

const KEYS: [&str; 8] = [
    "dispatch",
    "stop",
    "compound_throttle",
    "drift_throttle",
    "handoff",
    "autopub",
    "catalog_remind",
    "discovery_brief",
];

/// Without the column of files: they lie in `/tmp`, which is not the sandbox's.
fn database_column(sandbox: &Sandbox) -> Vec<String> {
    let text = sandbox.ok(["compat", "status"]);
    let (head, rows) = text.split_once('\n').unwrap();
    assert_eq!(head, "KEY\t\t\tLEGACY\tDB");
    let rows: Vec<Vec<&str>> = rows.lines().map(|row| row.split('\t').collect()).collect();
    assert!(rows.iter().all(|row| row.len() == 3 && row[0].len() == 20), "{text}");
    assert_eq!(rows.iter().map(|row| row[0].trim_end()).collect::<Vec<_>>(), KEYS, "in a fixed order");
    rows.iter().map(|row| row[2].to_owned()).collect()
}

/// K-06, K-09: `status` always answers, `check` says what is wrong, and neither makes a database.
#[test]
fn without_a_database_nothing_is_known() {
    let sandbox = Sandbox::bare();
    assert_eq!(database_column(&sandbox), ["n/a"; 8]);
    let rows = sandbox.json(["compat", "status"]);
    assert_eq!((&rows[0]["key"], &rows[0]["db"]), (&"dispatch".into(), &serde_json::Value::Null));
    assert!(rows.as_array().unwrap().iter().all(|row| row["legacy"].is_boolean()));
    sandbox.fails(["compat", "check", "dispatch"], 2);
    assert!(sandbox.files().is_empty());
}

#[test]
fn values_that_are_kept_count() {
    let sandbox = Sandbox::new();
    assert_eq!(database_column(&sandbox), ["no"; 8]);
    assert_eq!(sandbox.fails(["compat", "check", "handoff"], 1).0, "handoff: not in DB\n");
    std::fs::write(sandbox.dir().join("f.json"), "1").unwrap();
    sandbox.ok(["state", "set", "handoff", "s1", "@f.json"]);
    sandbox.ok(["state", "set", "handoff", "s2", "@f.json", "--ttl=1m"]);
    sandbox.ok(["state", "set", "other", "s", "@f.json"]);
    assert_eq!(database_column(&sandbox), ["no", "no", "no", "no", "yes", "no", "no", "no"]);
    assert_eq!(sandbox.ok(["compat", "check", "handoff"]), "handoff: 2 scope(s) in DB");
    assert_eq!(sandbox.json(["compat", "check", "handoff"])["scopes"], 2);
    // Any text may be asked for; none of it breaks the line (K-08).
    assert_eq!(sandbox.fails(["compat", "check", "A\tB\n"], 1).0, "A B : not in DB\n");
    sandbox.fails(["compat", "check"], 3);
    sandbox.fails(["compat", "check", "a", "b"], 3);
}
