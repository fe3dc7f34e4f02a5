//! Backups, putting them back, and the deep check (K-18): over sound databases in use, and over damaged ones.

use std::fs::{self, File, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rand::RngExt;
use rusqlite::Connection;
use serde_json::Value;

use crate::support::{Sandbox, render, run};

/// A project with some history, checkpointed so that all of it is in the one file.
fn with_history() -> Sandbox {
    let sandbox = Sandbox::new();
    for _ in 0..40 {
        let id = sandbox.new_run();
        sandbox.ok(["config", "set", &format!("test.{id}"), "7"]);
    }
    settle(&sandbox);
    sandbox
}

fn settle(sandbox: &Sandbox) {
    sandbox.open().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
}

/// Makes a backup; answers where it is, outside the database's directory.
fn backup(sandbox: &Sandbox, name: &str) -> PathBuf {
    let path = sandbox.dir().join(name);
    sandbox.ok(["backup", name]);
    path
}

fn restore(sandbox: &Sandbox, from: &Path) -> Value {
    sandbox.json(["restore", from.to_str().unwrap()])
}

/// Fails with this code; answers stderr.
fn refused(sandbox: &Sandbox, args: &[&str], code: &str) -> String {
    let mut args = args.to_vec();
    args.push("--json");
    let (stdout, stderr) = sandbox.fails(&args, 2);
    assert_eq!(stdout, "");
    let error: Value = serde_json::from_str(stderr.lines().last().unwrap()).unwrap();
    assert_eq!(error["error"]["code"], code, "{args:?}: {stderr}");
    stderr
}

fn goals(sandbox: &Sandbox) -> Vec<String> {
    let mut goals: Vec<_> = sandbox.ok(["run", "list"]).lines().map(ToOwned::to_owned).collect();
    goals.sort();
    goals
}

fn kept(done: &Value) -> PathBuf {
    PathBuf::from(done["kept"].as_str().unwrap())
}

/// Under a limit on the size of files, in blocks of 512 bytes: a full disk.
fn with_limit(sandbox: &Sandbox, blocks: u64, args: &[&str]) -> Output {
    let mut command = std::process::Command::new("sh");
    sandbox.seal(&mut command);
    let script = "trap '' XFSZ; ulimit -f \"$1\"; shift; exec \"$@\"";
    command
        .args(["-c", script, "sh", &blocks.to_string()])
        .arg(assert_cmd::cargo::cargo_bin!("ic"))
        .args(args);
    run(command)
}

#[test]
fn a_backup_is_restored_into_an_empty_project() {
    let sandbox = with_history();
    let file = backup(&sandbox, "copy.db");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let bytes = fs::read(&file).unwrap();
    let other = Sandbox::bare();
    let done = restore(&other, &file);
    assert_eq!(done["kept"], Value::Null);
    assert_eq!(goals(&other), goals(&sandbox));
    assert_eq!(other.count("SELECT count(*) FROM state"), 40);
    other.check_integrity();
    assert_eq!(other.ok(["health", "--deep"]), "ok");
    assert_eq!(fs::read(&file).unwrap(), bytes, "the backup stays as it is");
    let around = fs::read_dir(sandbox.dir()).unwrap().count();
    assert_eq!(around, 2, "and so does its directory: the backup and .clavain");
    // The log goes on where the backup ended, with an event that says so.
    let last = other.events().pop().unwrap();
    assert_eq!((&last["source"], &last["type"]), (&"log".into(), &"restore".into()));
    assert_eq!(last["id"], sandbox.events().len() + 1);
    assert_eq!(last["data"]["replaced_head"], Value::Null);
    other.ok(["run", "create", "--goal=goes on"]);
}

#[test]
fn a_backup_overwrites_nothing() {
    let sandbox = with_history();
    fs::write(sandbox.dir().join("there"), "precious").unwrap();
    refused(&sandbox, &["backup", "there"], "file_exists");
    assert_eq!(fs::read_to_string(sandbox.dir().join("there")).unwrap(), "precious");
    refused(&sandbox, &["backup", "no/such/dir/file.db"], "io_error");
    refused(&sandbox, &["backup", ".clavain/intercore.db"], "file_exists");
    if !rustix::process::geteuid().is_root() {
        // What is said is of the directory, not of the database.
        fs::create_dir(sandbox.dir().join("closed")).unwrap();
        fs::set_permissions(sandbox.dir().join("closed"), Permissions::from_mode(0o500)).unwrap();
        let stderr = refused(&sandbox, &["backup", "closed/copy.db"], "db_read_only");
        assert!(stderr.contains("closed: Permission denied"), "{stderr}");
    }
    let (_, stderr) = sandbox.fails(["restore", ".clavain/intercore.db"], 3);
    assert!(stderr.contains("the database itself"), "{stderr}");
}

/// Writers go on while the backup is made, and it is one moment of the log.
#[test]
fn a_backup_under_load_is_one_snapshot() {
    let sandbox = with_history();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut written = 0;
                    while !stop.load(Ordering::Relaxed) {
                        sandbox.new_run();
                        written += 1;
                    }
                    written
                })
            })
            .collect();
        for nth in 0..5 {
            let file = backup(&sandbox, &format!("copy-{nth}.db"));
            let other = Sandbox::bare();
            restore(&other, &file);
            let events = other.events().len() - 1;
            assert_eq!(other.count("SELECT count(*) FROM runs"), i64::try_from(events).unwrap());
            other.check_integrity();
        }
        stop.store(true, Ordering::Relaxed);
        assert!(writers.into_iter().map(|writer| writer.join().unwrap()).sum::<i32>() > 0);
    });
}

/// A sound database is replaced under its users: no call of theirs fails, and what was replaced is kept.
#[test]
fn a_sound_database_is_replaced_while_it_is_used() {
    let sandbox = with_history();
    let file = backup(&sandbox, "copy.db");
    let later = sandbox.ok(["run", "create", "--goal=after the backup"]);
    let before = sandbox.events().len();
    let stop = AtomicBool::new(false);
    let done = thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    sandbox.new_run();
                    sandbox.ok(["events", "verify"]);
                }
            });
        }
        let done: Vec<_> = (0..5).map(|_| restore(&sandbox, &file)).collect();
        stop.store(true, Ordering::Relaxed);
        done
    });
    sandbox.check_integrity();
    sandbox.fails(["run", "status", &later], 1);
    let old = Connection::open(kept(&done[0])).unwrap();
    let found = |sql: &str| old.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(found(&format!("SELECT count(*) FROM runs WHERE id = '{later}'")), 1);
    assert!(found("SELECT count(*) FROM events") >= i64::try_from(before).unwrap());
    let event = sandbox.events().into_iter().find(|event| event["type"] == "restore").unwrap();
    assert!(event["data"]["kept"].as_str().unwrap().contains(".backup-"), "{event}");
}

/// K-10: what a restore says it kept is there, however many there are in one second, and after the clock was set back.
#[test]
fn the_backup_that_was_just_made_is_kept() {
    let sandbox = with_history();
    let file = backup(&sandbox, "copy.db");
    let mut made = Vec::new();
    for nth in 0..9 {
        let mut command = sandbox.command(["restore", file.to_str().unwrap(), "--json"]);
        if nth == 8 {
            command.env("IC_TEST_NOW", "1600000000");
        }
        let done: Value = serde_json::from_slice(&run(command).stdout).unwrap();
        made.push(kept(&done));
        assert!(made.last().unwrap().exists(), "{made:?}");
    }
    let left: Vec<_> = made.iter().filter(|path| path.exists()).collect();
    assert_eq!(left, made[4..].iter().collect::<Vec<_>>());
}

/// Whoever had read further than the backup goes is not forgotten.
#[test]
fn cursors_of_the_replaced_database_are_carried_over() {
    let sandbox = with_history();
    let insert = |consumer: &str, position: i64| {
        let row = "INSERT OR REPLACE INTO event_cursors VALUES (?1, '', ?2, '', 1, NULL, 5)";
        sandbox.open().execute(row, (consumer, position)).unwrap();
    };
    insert("one", 3);
    let file = backup(&sandbox, "copy.db");
    sandbox.new_run();
    insert("one", 41);
    insert("two", 7);
    restore(&sandbox, &file);
    assert_eq!(sandbox.count("SELECT position FROM event_cursors WHERE consumer = 'one'"), 41);
    assert_eq!(sandbox.count("SELECT position FROM event_cursors WHERE consumer = 'two'"), 7);
}

/// K-11: killed at any moment, a restore has happened or has not.
#[test]
fn a_killed_restore_is_all_or_nothing() {
    let sandbox = with_history();
    let file = backup(&sandbox, "copy.db");
    sandbox.new_run();
    for (point, happened) in [("before_restore", false), ("after_restore", true)] {
        let mut command = sandbox.command(["restore", file.to_str().unwrap()]);
        command.env("IC_TEST_CRASH", point);
        assert_eq!(run(command).status.code(), None, "killed by a signal");
        sandbox.check_integrity();
        assert_eq!(sandbox.count("SELECT count(*) FROM runs"), if happened { 40 } else { 41 }, "{point}");
    }
    let mut command = sandbox.command(["backup", "another.db"]);
    command.env("IC_TEST_CRASH", "before_publish");
    assert_eq!(run(command).status.code(), None, "killed by a signal");
    assert!(!sandbox.dir().join("another.db").exists(), "half a backup has no name");
}

fn bytes(sandbox: &Sandbox) -> Vec<u8> {
    fs::read(sandbox.db_path()).unwrap()
}

/// Sound pages with a damaged schema in them: found by the deep check, kept, and no hindrance.
#[test]
fn a_damaged_schema_does_not_keep_a_backup_out() {
    let sandbox = with_history();
    let file = backup(&sandbox, "copy.db");
    sandbox
        .open()
        .execute_batch(
            "PRAGMA writable_schema = ON; \
             UPDATE sqlite_schema SET sql = replace(sql, 'durable', 'durablf') WHERE name = 'event_cursors'",
        )
        .unwrap();
    refused(&sandbox, &["health", "--deep"], "db_schema");
    let done = restore(&sandbox, &file);
    assert!(kept(&done).exists());
    assert_eq!(sandbox.ok(["health", "--deep"]), "ok");
    assert_eq!(sandbox.count("SELECT count(*) FROM runs"), 40);
}

/// Flipped bits: each is found by the deep check or does no harm, and a restore brings everything back.
#[test]
fn flipped_bits_are_found_and_restored_from() {
    let sandbox = with_history();
    let file = backup(&sandbox, "copy.db");
    let sound = bytes(&sandbox);
    let mut rng = crate::support::rng();
    let mut found = 0;
    for _ in 0..25 {
        let mut damaged = sound.clone();
        for _ in 0..8 {
            let at = rng.random_range(0..damaged.len());
            damaged[at] ^= 1 << rng.random_range(0..8);
        }
        for (name, _) in sandbox.files() {
            fs::remove_file(sandbox.dir().join(".clavain").join(name)).unwrap();
        }
        fs::write(sandbox.db_path(), &damaged).unwrap();
        fs::set_permissions(sandbox.db_path(), Permissions::from_mode(0o600)).unwrap();
        let health = sandbox.ic(["health", "--deep"]);
        assert!([Some(0), Some(2)].contains(&health.status.code()), "{}", render(&health));
        found += usize::from(health.status.code() == Some(2));
        let restored = sandbox.ic(["restore", file.to_str().unwrap(), "--json"]);
        if restored.status.code() != Some(0) {
            // A header that names another program or a newer schema is not for us to overwrite.
            let stderr = String::from_utf8_lossy(&restored.stderr);
            let foreign = ["db_foreign", "schema_too_new"].iter().any(|code| stderr.contains(code));
            assert!(foreign, "{}", render(&restored));
            continue;
        }
        let done: Value = serde_json::from_slice(&restored.stdout).unwrap();
        if kept(&done).to_str().unwrap().contains(".damaged-") {
            assert_eq!(fs::read(kept(&done)).unwrap(), damaged, "the evidence is as it was");
        }
        assert_eq!(sandbox.count("SELECT count(*) FROM runs"), 40);
        sandbox.check_integrity();
    }
    assert!(found > 10, "only {found} of 25 damaged files were found out");
}

#[test]
fn a_truncated_database_is_restored() {
    let sandbox = with_history();
    let file = backup(&sandbox, "copy.db");
    for length in [0, 50, 100, 4095, 4096, 5000, 3 * 4096] {
        settle(&sandbox);
        File::options().write(true).open(sandbox.db_path()).unwrap().set_len(length).unwrap();
        let damaged = bytes(&sandbox);
        let done = restore(&sandbox, &file);
        assert!(kept(&done).to_str().unwrap().contains(".damaged-"), "{done}");
        assert_eq!(fs::read(kept(&done)).unwrap(), damaged);
        assert_eq!(sandbox.count("SELECT count(*) FROM runs"), 40);
        sandbox.check_integrity();
    }
    assert!(sandbox.files().iter().all(|(_, mode)| *mode == 0o600), "{:?}", sandbox.files());
}

/// What was only in the log is gone with it: the head kept elsewhere tells, and so does a restore.
#[test]
fn a_lost_log_shows_against_a_head_kept_elsewhere() {
    let sandbox = with_history();
    let file = backup(&sandbox, "copy.db");
    sandbox.new_run();
    let head = sandbox.json(["events", "verify"])["head"].as_str().unwrap().to_owned();
    for (name, _) in sandbox.files() {
        if name != "intercore.db" {
            fs::remove_file(sandbox.dir().join(".clavain").join(name)).unwrap();
        }
    }
    assert_eq!(sandbox.ok(["health", "--deep"]), "ok");
    sandbox.fails(["events", "verify", "--head", &head], 2);
    restore(&sandbox, &file);
    sandbox.check_integrity();
    // The other way round: a log that lost its database is moved aside, and not played into the restored one.
    sandbox.new_run();
    fs::remove_file(sandbox.db_path()).unwrap();
    restore(&sandbox, &file);
    assert!(sandbox.files().iter().any(|(name, _)| name.contains(".damaged-") && name.ends_with("-wal")));
    assert_eq!(sandbox.count("SELECT count(*) FROM runs"), 40);
    sandbox.check_integrity();
}

/// Nobody's open file is changed under them by hand.
#[test]
fn a_damaged_database_that_is_held_is_left_alone() {
    let sandbox = with_history();
    let file = backup(&sandbox, "copy.db");
    let conn = sandbox.open();
    conn.execute_batch("BEGIN; SELECT count(*) FROM runs").unwrap();
    let middle = fs::metadata(sandbox.db_path()).unwrap().len() / 2 / 4096 * 4096;
    let raw = fs::OpenOptions::new().write(true).open(sandbox.db_path()).unwrap();
    raw.write_all_at(&[0xff; 4096], middle).unwrap();
    // Never closed before the end: that would take the locks of this process away.
    let damaged = bytes_without_closing(&sandbox);
    refused(&sandbox, &["restore", file.to_str().unwrap()], "db_in_use");
    drop(conn);
    drop(raw);
    assert_eq!(bytes(&sandbox), damaged);
    restore(&sandbox, &file);
    sandbox.check_integrity();
}

/// By another process: reading the file in this one and closing it would drop the locks that this process has.
fn bytes_without_closing(sandbox: &Sandbox) -> Vec<u8> {
    std::process::Command::new("cat").arg(sandbox.db_path()).output().unwrap().stdout
}

/// Killed while it overwrites a damaged file, a restore leaves something that nobody takes for a database.
#[test]
fn a_restore_killed_half_way_over_a_damaged_file_can_be_repeated() {
    let sandbox = with_history();
    let file = backup(&sandbox, "copy.db");
    let raw = File::options().write(true).open(sandbox.db_path()).unwrap();
    raw.write_all_at(&[0xff; 4096], 4096 * 3).unwrap();
    drop(raw);
    let mut command = sandbox.command(["restore", file.to_str().unwrap()]);
    command.env("IC_TEST_CRASH", "while_restoring");
    assert_eq!(run(command).status.code(), None, "killed by a signal");
    refused(&sandbox, &["run", "list"], "db_foreign");
    refused(&sandbox, &["run", "create", "--goal=x"], "db_foreign");
    restore(&sandbox, &file);
    assert_eq!(sandbox.count("SELECT count(*) FROM runs"), 40);
    sandbox.check_integrity();
}

/// K-11: on a full disk the deep check says so, or does its work where others have made the room that it needs.
#[test]
fn a_full_disk_does_no_harm_to_a_deep_check() {
    let sandbox = with_history();
    let before = bytes(&sandbox);
    let check = || with_limit(&sandbox, 0, &["health", "--deep", "--json"]);
    let output = check();
    assert_eq!(output.status.code(), Some(2), "{}", render(&output));
    assert!(String::from_utf8_lossy(&output.stderr).contains("is the disk full"), "{}", render(&output));
    let user = sandbox.open();
    user.query_row("SELECT count(*) FROM runs", [], |_| Ok(())).unwrap();
    let output = check();
    assert_eq!(output.status.code(), Some(0), "{}", render(&output));
    assert_eq!(bytes_without_closing(&sandbox), before);
    drop(user);
    sandbox.check_integrity();
}

/// K-11: on a full disk nothing is begun that cannot be finished.
#[test]
fn a_full_disk_stops_backup_and_restore_before_they_change_anything() {
    let sandbox = with_history();
    let file = backup(&sandbox, "copy.db");
    let file = file.to_str().unwrap();
    sandbox.new_run();
    settle(&sandbox);
    let size = fs::metadata(sandbox.db_path()).unwrap().len();
    for share in [1, 3, 9, 10] {
        let blocks = size * share / 10 / 512;
        let before = (bytes(&sandbox), sandbox.count("SELECT count(*) FROM runs"));
        for args in [&["backup", "small.db", "--json"][..], &["restore", file, "--json"]] {
            let output = with_limit(&sandbox, blocks, args);
            let stderr = String::from_utf8_lossy(&output.stderr);
            if output.status.code() == Some(0) {
                assert_eq!(share, 10, "{}", render(&output));
            } else {
                assert_eq!(output.status.code(), Some(2), "{}", render(&output));
                assert!(stderr.contains("db_full") || stderr.contains("disk full"), "{stderr}");
                assert_eq!((bytes(&sandbox), sandbox.count("SELECT count(*) FROM runs")), before);
            }
            sandbox.check_integrity();
        }
    }
    // A backup that was begun and not finished must not count as one of those that are kept.
    for name in sandbox.files().into_iter().map(|(name, _)| name).filter(|name| name.contains(".backup-")) {
        let kept = Connection::open(sandbox.dir().join(".clavain").join(&name)).unwrap();
        let runs = kept.query_row("SELECT count(*) FROM runs", [], |row| row.get::<_, i64>(0));
        assert!(runs.is_ok_and(|runs| runs >= 40), "{name}");
    }
    // Over a damaged file, shorter than what is to come.
    settle(&sandbox);
    File::options().write(true).open(sandbox.db_path()).unwrap().set_len(2 * 4096).unwrap();
    let damaged = bytes(&sandbox);
    for share in [1, 5, 9] {
        let output = with_limit(&sandbox, size * share / 10 / 512, &["restore", file, "--json"]);
        assert_eq!(output.status.code(), Some(2), "{}", render(&output));
        assert_eq!(bytes(&sandbox), damaged);
    }
    assert!(
        !sandbox.files().iter().any(|(name, _)| name.starts_with(".intercore-")),
        "{:?}",
        sandbox.files()
    );
    restore(&sandbox, Path::new(file));
    sandbox.check_integrity();
}

/// What is no sound backup is refused, and the database stays.
#[test]
fn a_bad_backup_is_refused() {
    let sandbox = with_history();
    let good = backup(&sandbox, "copy.db");
    let bad = sandbox.dir().join("bad.db");
    let before = bytes(&sandbox);
    let check = |why: &str| {
        let stderr = refused(&sandbox, &["restore", "bad.db"], "backup_unusable");
        assert_eq!(bytes(&sandbox), before, "{why}");
        assert!(stderr.contains("bad.db") && stderr.contains("nothing was changed"), "{why}: {stderr}");
    };
    check("missing");
    // Nothing is made for a database that does not come.
    let empty = Sandbox::bare();
    refused(&empty, &["restore", "none.db"], "backup_unusable");
    assert_eq!(fs::read_dir(empty.dir()).unwrap().count(), 0);
    fs::write(&bad, "").unwrap();
    check("empty");
    fs::write(&bad, "some text that is long enough to be taken for the header of a database file, or not")
        .unwrap();
    check("text");
    fs::remove_file(&bad).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&bad).status().unwrap().success());
    check("a pipe, which is not waited for");
    fs::remove_file(&bad).unwrap();
    fs::create_dir(&bad).unwrap();
    check("a directory");
    fs::remove_dir(&bad).unwrap();
    let mut cut = fs::read(&good).unwrap();
    cut.truncate(5 * 4096);
    fs::write(&bad, cut).unwrap();
    check("cut");
    for damage in [
        "PRAGMA user_version = 1999",
        "PRAGMA application_id = 7",
        "DROP TRIGGER events_no_update; UPDATE events SET reason = 'forged' WHERE id = 9",
        "DROP INDEX events_run",
        "CREATE TABLE extra (a)",
        "PRAGMA foreign_keys = OFF; UPDATE runs SET parent_run_id = 'nobody' WHERE seq = 1",
    ] {
        fs::copy(&good, &bad).unwrap();
        let conn = Connection::open(&bad).unwrap();
        conn.execute_batch(damage).unwrap_or_else(|err| panic!("{damage}: {err}"));
        conn.close().unwrap();
        check(damage);
    }
    assert!(
        !sandbox.files().iter().any(|(name, _)| name.starts_with(".intercore-")),
        "{:?}",
        sandbox.files()
    );
}

/// K-08: a path need not be text.
#[test]
fn a_backup_of_any_name_is_restored() {
    let sandbox = with_history();
    let name = std::ffi::OsStr::from_bytes(b"c\xffo py?#%25.db");
    sandbox.ok(["backup".as_ref(), name]);
    sandbox.new_run();
    sandbox.ok(["restore".as_ref(), name]);
    assert_eq!(sandbox.count("SELECT count(*) FROM runs"), 40);
}

/// K-16: the log tells where it was restored from, but for what looks like a secret.
#[test]
fn a_secret_in_the_name_of_a_backup_is_not_kept() {
    let sandbox = with_history();
    let file = backup(&sandbox, "sk-a1B2c3D4e5F6g7H8i9J0k1L2.db");
    restore(&sandbox, &file);
    let event = sandbox.events().pop().unwrap();
    let told = event["data"]["backup"].as_str().unwrap();
    assert!(told.ends_with("[redacted]") && !event.to_string().contains("a1B2c3"), "{event}");
}

/// A database of another project is a backup too: what is in its log alone comes along, and nothing is left beside it.
#[test]
fn a_backup_with_a_log_is_read_and_left_as_it_is() {
    let sandbox = with_history();
    let dir = sandbox.dir().join("other");
    fs::create_dir(&dir).unwrap();
    sandbox.new_run();
    for suffix in ["", "-wal"] {
        let name = format!("intercore.db{suffix}");
        fs::copy(sandbox.db_path().with_file_name(&name), dir.join(&name)).unwrap();
    }
    let other = Sandbox::bare();
    restore(&other, &dir.join("intercore.db"));
    assert_eq!(other.count("SELECT count(*) FROM runs"), 41);
    let mut left: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["intercore.db", "intercore.db-wal"]);
}

/// K-10: a backup of an older version is brought up to date on its way.
#[test]
fn an_older_backup_is_migrated() {
    let sandbox = Sandbox::new();
    let old = sandbox.dir().join("old.db");
    let conn = Connection::open(&old).unwrap();
    conn.execute_batch(intercore::MIGRATIONS[0].sql).unwrap();
    conn.execute_batch("PRAGMA application_id = 0x69636462; PRAGMA user_version = 1001").unwrap();
    conn.close().unwrap();
    let before = fs::read(&old).unwrap();
    restore(&sandbox, &old);
    assert_eq!(fs::read(&old).unwrap(), before);
    assert_eq!(sandbox.ok(["health", "--deep"]), "ok");
}

/// A database that others were told to keep out of is nobody's to overwrite.
#[test]
fn a_database_of_another_program_is_not_replaced() {
    let sandbox = with_history();
    backup(&sandbox, "copy.db");
    sandbox.open().pragma_update(None, "application_id", 77).unwrap();
    refused(&sandbox, &["restore", "copy.db"], "db_foreign");
    sandbox.open().execute_batch("PRAGMA application_id = 0x69636462; PRAGMA user_version = 1999").unwrap();
    refused(&sandbox, &["restore", "copy.db"], "schema_too_new");
}

/// The deep check finds what the cheap one does not look for, and names it.
#[test]
fn a_deep_check_names_what_is_wrong() {
    for (damage, code, named) in [
        ("DROP INDEX events_run", "db_schema", "index events_run is missing"),
        ("ALTER TABLE runs ADD COLUMN extra TEXT", "db_schema", "table runs is different"),
        ("CREATE TABLE mine (a)", "db_schema", "table mine is not part of it"),
        ("DROP TRIGGER events_no_update", "db_schema", "trigger events_no_update"),
        (
            "PRAGMA foreign_keys = OFF; UPDATE runs SET parent_run_id = 'nobody' WHERE seq = 1",
            "db_corrupt",
            "a row of runs refers to a row of runs that is not there",
        ),
    ] {
        let sandbox = Sandbox::new();
        sandbox.new_run();
        sandbox.open().execute_batch(damage).unwrap();
        assert_eq!(sandbox.ok(["health"]), "ok");
        let stderr = refused(&sandbox, &["health", "--deep"], code);
        assert!(stderr.contains(named), "{damage}: {stderr}");
    }
    let sandbox = Sandbox::new();
    sandbox.new_run();
    let conn = sandbox.open();
    let trigger: String = conn
        .query_row("SELECT sql FROM sqlite_schema WHERE name = 'events_no_update'", [], |row| row.get(0))
        .unwrap();
    conn.execute_batch(&format!("DROP TRIGGER events_no_update; UPDATE events SET subject = 'x'; {trigger}"))
        .unwrap();
    refused(&sandbox, &["health", "--deep"], "event_chain_broken");
}

#[test]
fn files_that_others_may_read_are_a_warning() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.json(["health", "--deep"])["status"], "ok");
    fs::set_permissions(sandbox.db_path(), Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(sandbox.dir().join(".clavain"), Permissions::from_mode(0o777)).unwrap();
    let output = sandbox.ic(["health", "--deep"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stdout, b"ok\n");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("intercore.db is open to other users (mode 0644)"), "{stderr}");
    assert!(stderr.contains(".clavain is open to other users (mode 0777)"), "{stderr}");
}

/// K-18: pages of another size, as an older version made them, are no hindrance either way.
#[test]
fn a_backup_with_pages_of_another_size_is_restored() {
    let size = |path: &Path| {
        let conn = Connection::open(path).unwrap();
        conn.query_row("PRAGMA page_size", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let (old, new) = (with_history(), with_history());
    let sql = "PRAGMA journal_mode = DELETE; PRAGMA page_size = 4096; VACUUM; PRAGMA journal_mode = WAL";
    old.open().execute_batch(sql).unwrap();
    assert_eq!((size(&old.db_path()), size(&new.db_path())), (4096, 2048));
    assert_eq!(old.ok(["health", "--deep"]), "ok");
    let (of_old, of_new) = (backup(&old, "old.db"), backup(&new, "new.db"));
    let (goals_of_old, goals_of_new) = (goals(&old), goals(&new));
    for (sandbox, from, expected) in [(&old, &of_new, &goals_of_new), (&new, &of_old, &goals_of_old)] {
        let before = size(&sandbox.db_path());
        let done = restore(sandbox, from);
        assert!(kept(&done).to_str().unwrap().contains(".backup-"), "{done}");
        assert_eq!(&goals(sandbox), expected);
        assert_eq!(size(&sandbox.db_path()), before);
        assert_eq!(sandbox.ok(["health", "--deep"]), "ok");
        sandbox.new_run();
        sandbox.check_integrity();
    }
}
