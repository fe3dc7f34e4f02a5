//! Databases of every version that was shipped before: read as they are, and migrated by the first command that writes.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use intercore::{MIGRATIONS, newest};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::{Sandbox, render, run};

/// A sandbox with a current database in which something of every kind has happened.
fn filled() -> Sandbox {
    let sandbox = Sandbox::new();
    let id = sandbox.short_run();
    let pid = std::process::id().to_string();
    let scope = format!("--scope={}", sandbox.dir().display());
    for call in [
        &["agent", "add", &id][..],
        &["run", "advance", &id, "--priority=4"],
        &["state", "set", "k", "s"],
        &["sentinel", "check", "n", "s", "--interval=60"],
        &["dispatch", "record", &format!("--pid={pid}"), "--name=d"],
        &["events", "record", "--source=ci", "--type=built", "--payload={}"],
        &["coordination", "reserve", "--owner=a", &scope, "--pattern=src/a.rs"],
        &["events", "cursor", "register", "reader", "--durable"],
    ] {
        let output = fed(&sandbox, call, b"{}");
        assert!(output.status.success(), "{call:?}: {}", render(&output));
    }
    sandbox
}

fn fed(sandbox: &Sandbox, call: &[&str], stdin: &[u8]) -> Output {
    let mut command = sandbox.command(call);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that does not read its input may have ended.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    child.wait_with_output().unwrap()
}

/// Replaces the sandbox's database by one of another version with the same rows, as far as it has a place for them.
fn age(sandbox: &Sandbox, version: i64) {
    let path = sandbox.db_path();
    let full = path.with_file_name("full.db");
    if !full.exists() {
        sandbox.open().execute("VACUUM INTO ?1", [full.to_str().unwrap()]).unwrap();
    }
    for file in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{file}", path.display()));
    }
    build(&path, version);
    let conn = Connection::open(&path).unwrap();
    // Tables are copied in any order.
    conn.pragma_update(None, "foreign_keys", false).unwrap();
    conn.execute("ATTACH ?1 AS full", [full.to_str().unwrap()]).unwrap();
    let list = |sql: &str| {
        let mut statement = conn.prepare(sql).unwrap();
        let names = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        names.map(Result::unwrap).collect::<Vec<_>>()
    };
    for table in list("SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
    {
        let columns = list(&format!("SELECT '\"' || name || '\"' FROM pragma_table_info('{table}', 'main')"))
            .join(", ");
        let copy = format!("INSERT INTO main.{table} ({columns}) SELECT {columns} FROM full.{table}");
        conn.execute(&copy, []).unwrap();
    }
}

/// An empty database of that version. What was shipped is never edited, which another test holds.
fn build(path: &Path, version: i64) {
    let conn = Connection::open(path).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
    for migration in MIGRATIONS.iter().filter(|migration| migration.version <= version) {
        conn.execute_batch(migration.sql).unwrap();
    }
    conn.pragma_update(None, "application_id", 0x6963_6462).unwrap();
    conn.pragma_update(None, "user_version", version).unwrap();
    conn.query_row("PRAGMA journal_mode = wal", [], |_| Ok(())).unwrap();
}

fn older() -> impl Iterator<Item = i64> {
    MIGRATIONS.iter().map(|migration| migration.version).filter(|version| *version < newest())
}

fn version(sandbox: &Sandbox) -> i64 {
    sandbox.count("PRAGMA user_version")
}

fn backups(sandbox: &Sandbox) -> Vec<PathBuf> {
    let files = sandbox.files().into_iter().map(|(name, _)| sandbox.db_path().with_file_name(name));
    files.filter(|path| path.to_string_lossy().contains(".backup-")).collect()
}

/// The tables of a database, each with its columns.
fn shape(conn: &Connection) -> BTreeSet<(String, String)> {
    let sql =
        "SELECT m.name, p.name FROM sqlite_schema m, pragma_table_info(m.name) p WHERE m.type = 'table'";
    let mut statement = conn.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

fn pre_edit(sandbox: &Sandbox) -> Output {
    let file = sandbox.dir().join("src/new.rs");
    let call = json!({
        "session_id": "s", "cwd": sandbox.dir(), "tool_name": "Edit", "tool_input": {"file_path": file}
    });
    fed(sandbox, &["hook", "pre-edit"], call.to_string().as_bytes())
}

const READS: [&[&str]; 18] = [
    &["run", "list"],
    &["run", "status"],
    &["run", "current"],
    &["run", "phase"],
    &["run", "events"],
    &["run", "tokens"],
    &["run", "agent", "list"],
    &["run", "artifact", "list"],
    &["gate", "check"],
    &["events", "tail", "--all"],
    &["events", "verify"],
    &["events", "stats"],
    &["events", "cursor", "list"],
    &["dispatch", "list"],
    &["coordination", "list"],
    &["coordination", "check", "--owner=b", "--scope=.", "--pattern=src/b.rs"],
    &["state", "get", "k", "s"],
    &["interspect", "query"],
];

/// K-35: what reads an older file answers as it does of a current one, for all that the file has a place for, and leaves
/// it as it is. `health` says that it is older and fine.
#[test]
fn an_older_file_is_read_as_it_is() {
    let sandbox = filled();
    let call = |words: &[&str]| render(&sandbox.ic(words));
    let current: Vec<_> = READS.iter().map(|words| call(words)).collect();
    for old in older() {
        age(&sandbox, old);
        let before = fs::read(sandbox.db_path()).unwrap();
        for (words, current) in READS.iter().zip(&current) {
            let found = call(words);
            let missing = match words[0] {
                "state" => old < 1002,
                "coordination" => old < 1004,
                "events" => words[1] == "stats" || (words[1] == "cursor" && old < 1003),
                _ => false,
            };
            assert!(!found.contains("no such") && !found.contains("exit: 2"), "v{old} {words:?}: {found}");
            assert!(missing || found == *current, "v{old} {words:?}: {found}\ncurrent: {current}");
        }
        let health = sandbox.json(["health"]);
        assert_eq!(health, json!({"status": "ok", "schema": old, "migrates_to": newest()}));
        let text = sandbox.ok(["health", "--deep"]);
        assert!(text.starts_with("ok") && text.contains(&format!("v{old}")), "{text}");
        assert!(sandbox.ok(["version"]).contains(&format!("schema: v{old}")));
        let copy = sandbox.dir().join(format!("copy-{old}.db"));
        sandbox.ok(["backup", copy.to_str().unwrap()]);
        assert_eq!(version(&sandbox), old);
        assert_eq!(fs::read(sandbox.db_path()).unwrap(), before, "v{old}");
        assert!(backups(&sandbox).is_empty());
    }
}

/// K-35, K-10: whichever command writes first migrates, with a backup of what was there, and does its own work.
#[test]
fn the_first_command_that_writes_migrates() {
    let sandbox = filled();
    let fresh = shape(&sandbox.open());
    let scope = format!("--scope={}", sandbox.dir().display());
    let writes: [&dyn Fn() -> Output; 5] = [
        &|| sandbox.ic(["events", "record", "--source=ci", "--type=built", "--payload={}"]),
        &|| sandbox.ic(["coordination", "reserve", "--owner=b", &scope, "--pattern=src/new.rs"]),
        &|| pre_edit(&sandbox),
        &|| fed(&sandbox, &["state", "set", "new", "s"], b"{}"),
        &|| sandbox.ic(["run", "create", "--goal=new"]),
    ];
    for old in older() {
        // Every command on the version before, one of them on each of the others.
        for (nth, write) in writes.iter().enumerate() {
            if old < newest() - 1 && usize::try_from(old).unwrap() % writes.len() != nth {
                continue;
            }
            age(&sandbox, old);
            let events = sandbox.count("SELECT count(*) FROM events");
            let output = write();
            assert!(output.status.success() && !backups(&sandbox).is_empty(), "v{old}: {}", render(&output));
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(stderr.contains(&format!("schema v{old} to v{}", newest())), "{stderr}");
            assert_eq!(version(&sandbox), newest());
            assert_eq!(shape(&sandbox.open()), fresh, "v{old}");
            let backup = backups(&sandbox).remove(0);
            // Opened without a log, which would lie beside it as one more file.
            let kept = Connection::open(format!("file:{}?immutable=1", backup.display())).unwrap();
            let kept_version: i64 = kept.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
            assert_eq!(kept_version, old);
            // Values that scripts keep have no events.
            let more = i64::from(nth != 3);
            assert_eq!(sandbox.count("SELECT count(*) FROM events"), events + more, "v{old}");
            sandbox.check_integrity();
            fs::remove_file(backup).unwrap();
        }
    }
}

/// K-35: of many processes that write to an older file at once, one migrates, and none fails.
#[test]
fn sixteen_writers_migrate_once() {
    let sandbox = filled();
    for old in [1001, newest() - 1] {
        age(&sandbox, old);
        let events = sandbox.count("SELECT count(*) FROM events");
        let call = ["--timeout=30s", "events", "record", "--source=ci", "--type=built", "--payload={}"];
        let start = |_| sandbox.command(call).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let writers: Vec<_> = (0..16).map(start).collect();
        let told = writers.into_iter().map(|writer| {
            let output = writer.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", render(&output));
            !output.stderr.is_empty()
        });
        assert_eq!(told.filter(|told| *told).count(), 1);
        assert_eq!(backups(&sandbox).len(), 1);
        assert_eq!(sandbox.count("SELECT count(*) FROM events"), events + 16);
        sandbox.check_integrity();
        fs::remove_file(backups(&sandbox).remove(0)).unwrap();
    }
}

/// K-35: a migration that is cut off leaves the old file or the new one, and the next command goes on from there.
#[test]
fn a_killed_migration_leaves_a_usable_file() {
    let sandbox = filled();
    let write = ["agent", "add"];
    let id = sandbox.ok(["run", "current"]);
    for (point, committed) in
        [("before_migrating", false), ("before_migrating_commit", false), ("after_migrating_commit", true)]
    {
        age(&sandbox, 1004);
        let events = sandbox.count("SELECT count(*) FROM events");
        let mut command = sandbox.command(write);
        command.arg(&id).env("IC_TEST_CRASH", point);
        assert_eq!(run(command).status.code(), None, "{point}");
        assert_eq!(version(&sandbox), if committed { newest() } else { 1004 }, "{point}");
        assert_eq!(sandbox.ok(["run", "current"]), id);
        sandbox.check_integrity();
        assert_eq!(sandbox.count("SELECT count(*) FROM events"), events);
        sandbox.ok(["agent", "add", &id]);
        assert_eq!(version(&sandbox), newest());
        sandbox.check_integrity();
    }
    for delay in (0..16).step_by(2) {
        age(&sandbox, 1004);
        let mut command = sandbox.command(["agent", "add", &id]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(delay));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!([1004, newest()].contains(&version(&sandbox)));
        sandbox.check_integrity();
        sandbox.ok(["agent", "add", &id]);
    }
}

/// K-35, K-11: without space for the backup nothing is migrated, and the file can be read as before.
#[test]
fn a_migration_that_finds_no_space_changes_nothing() {
    let sandbox = filled();
    let id = sandbox.ok(["run", "current"]);
    age(&sandbox, 1008);
    let mut command = Command::new("sh");
    sandbox.seal(&mut command);
    command.args(["-c", "trap '' XFSZ; ulimit -f 40; exec \"$@\"", "sh"]);
    command.arg(assert_cmd::cargo::cargo_bin!("ic")).args(["agent", "add", &id]);
    let output = run(command);
    assert_eq!(output.status.code(), Some(2), "{}", render(&output));
    assert_eq!((version(&sandbox), backups(&sandbox).len()), (1008, 0));
    assert_eq!(sandbox.ok(["run", "current"]), id);
    sandbox.ok(["agent", "add", &id]);
    assert_eq!(version(&sandbox), newest());
}

/// K-35, K-36: a reader that began before the migration goes on after it, and sees what comes then.
#[test]
fn a_follower_survives_the_migration() {
    let sandbox = filled();
    age(&sandbox, 1001);
    let mut follower = sandbox.command(["events", "tail", "--all", "--follow"]);
    follower.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut follower = follower.spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(follower.stdout.take().unwrap()));
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    let told = sandbox.count("SELECT count(*) FROM events");
    for _ in 0..told {
        next();
    }
    let new = sandbox.ok(["events", "record", "--source=ci", "--type=after", "--payload={}"]);
    assert_eq!(next()["id"].to_string(), new);
    follower.kill().unwrap();
    follower.wait().unwrap();
}

/// K-35: several steps of one process, the first of which only reads, end in a migrated file.
#[test]
fn a_wait_for_a_lock_goes_on_in_a_migrated_file() {
    let sandbox = filled();
    age(&sandbox, 1005);
    let scope = format!("--scope={}", sandbox.dir().display());
    let call = ["coordination", "reserve", "--owner=b", &scope, "--pattern=src/a.rs", "--wait=200ms"];
    let (_, stderr) = sandbox.fails(call, 1);
    assert!(stderr.contains("migrated from schema v1005"), "{stderr}");
    assert_eq!(version(&sandbox), newest());
    sandbox.ok(["coordination", "release", "--owner=a", &scope]);
    sandbox.ok(call);
}
