//! Files that are not what they should be, and places that cannot be written. Each ends with exit code 2 and a sentence
//! that says what to do, and nothing is lost.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::Stdio;

use rusqlite::Connection;

use crate::support::{Sandbox, render, run};

/// Every read and write on the file fails with this code and leaves the directory as it was.
fn refused(sandbox: &Sandbox, code: &str) {
    let before = sandbox.files();
    for call in [&["run", "list"][..], &["health"], &["run", "create", "--goal=x"], &["events", "verify"]] {
        let (stdout, stderr) = sandbox.fails(call, 2);
        assert!(stdout.is_empty(), "{stdout}");
        assert!(stderr.starts_with("ic: ") && stderr.contains("hint: "), "{call:?}: {stderr}");
        let mut as_json = call.to_vec();
        as_json.push("--json");
        let (_, stderr) = sandbox.fails(as_json, 2);
        let error: serde_json::Value = serde_json::from_str(&stderr).unwrap();
        assert_eq!(error["error"]["code"], code, "{call:?}: {stderr}");
        assert_eq!(sandbox.files(), before, "{call:?} left something behind");
    }
}

fn with_file(content: &[u8]) -> Sandbox {
    let sandbox = Sandbox::bare();
    fs::create_dir(sandbox.dir().join(".clavain")).unwrap();
    fs::write(sandbox.db_path(), content).unwrap();
    sandbox
}

/// K-09: no database and no place for one: nothing is created.
#[test]
fn without_a_project_nothing_is_created() {
    let sandbox = Sandbox::bare();
    refused(&sandbox, "db_not_initialised");
    assert!(!sandbox.dir().join(".clavain").exists());
}

/// K-09: a read never creates; the first write in a project does.
#[test]
fn the_first_write_creates_the_database_and_a_read_does_not() {
    let sandbox = Sandbox::bare();
    fs::create_dir(sandbox.dir().join(".clavain")).unwrap();
    for read in
        [&["run", "list"][..], &["health"], &["run", "current"], &["events", "verify"], &["dispatch", "list"]]
    {
        sandbox.fails(read, 2);
        assert_eq!(sandbox.files(), []);
    }
    sandbox.ok(["version"]);
    assert_eq!(sandbox.files(), []);
    sandbox.ok(["run", "create", "--goal=first"]);
    assert!(sandbox.files().iter().all(|(_, mode)| *mode == 0o600));
}

#[test]
fn a_directory_is_not_a_database() {
    let sandbox = Sandbox::bare();
    fs::create_dir_all(sandbox.db_path()).unwrap();
    refused(&sandbox, "db_foreign");
    sandbox.fails(["init"], 2);
}

#[test]
fn a_text_file_is_not_a_database() {
    let sandbox =
        with_file(b"This is a list of things to do, and it is long enough to look like a header.\n");
    refused(&sandbox, "db_foreign");
    sandbox.fails(["init"], 2);
    assert!(fs::read(sandbox.db_path()).unwrap().starts_with(b"This is a list"));
}

/// K-09: an empty file holds nothing to lose: `init` makes a database of it.
#[test]
fn an_empty_file_becomes_a_database_by_init_alone() {
    let sandbox = with_file(b"");
    refused(&sandbox, "db_not_initialised");
    sandbox.ok(["init"]);
    sandbox.ok(["run", "create", "--goal=x"]);
    assert!(sandbox.files().iter().all(|(_, mode)| *mode == 0o600), "{:?}", sandbox.files());
}

#[test]
fn a_newer_schema_is_left_alone() {
    let sandbox = Sandbox::new();
    sandbox.open().pragma_update(None, "user_version", 1999).unwrap();
    refused(&sandbox, "schema_too_new");
    sandbox.fails(["init"], 2);
    assert!(sandbox.ok(["version"]).contains("schema: unknown"));
}

#[test]
fn another_program_s_database_is_left_alone() {
    let sandbox = Sandbox::new();
    sandbox.open().pragma_update(None, "application_id", 77).unwrap();
    refused(&sandbox, "db_foreign");
    sandbox.fails(["init"], 2);
}

/// A database of the Go program is recognised by its tables and version.
#[test]
fn a_database_of_the_go_program_is_recognised() {
    let sandbox = with_file(b"");
    let conn = Connection::open(sandbox.db_path()).unwrap();
    conn.execute_batch("CREATE TABLE state (key); CREATE TABLE sentinels (name); PRAGMA user_version = 39")
        .unwrap();
    conn.close().unwrap();
    refused(&sandbox, "db_foreign");
    let (_, stderr) = sandbox.fails(["init"], 2);
    assert!(stderr.contains("Go program"), "{stderr}");
    let real = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/testdata/go-db/intercore-v39.db");
    if real.exists() {
        fs::copy(real, sandbox.db_path()).unwrap();
        fs::set_permissions(sandbox.db_path(), Permissions::from_mode(0o600)).unwrap();
        let (_, stderr) = sandbox.fails(["run", "list"], 2);
        assert!(stderr.contains("Go program"), "{stderr}");
        assert_eq!(sandbox.files().len(), 1, "{:?}", sandbox.files());
    } else {
        println!("skipped: no real database of the Go program at hand");
    }
}

#[test]
fn a_truncated_file_is_damaged_and_left_as_it_is() {
    let sandbox = Sandbox::new();
    for _ in 0..20 {
        sandbox.new_run();
    }
    sandbox.open().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let file = File::options().write(true).open(sandbox.db_path()).unwrap();
    file.set_len(3 * 4096).unwrap();
    drop(file);
    let (_, stderr) = sandbox.fails(["run", "list", "--json"], 2);
    assert!(stderr.contains("db_corrupt"), "{stderr}");
    sandbox.fails(["run", "create", "--goal=x"], 2);
    assert_eq!(fs::metadata(sandbox.db_path()).unwrap().len(), 3 * 4096);
}

/// K-09: symlinks are not followed, whichever of the files it is.
#[test]
fn symlinks_are_refused() {
    let elsewhere = Sandbox::new();
    let sandbox = Sandbox::bare();
    fs::create_dir(sandbox.dir().join(".clavain")).unwrap();
    symlink(elsewhere.db_path(), sandbox.db_path()).unwrap();
    refused(&sandbox, "db_symlink");
    sandbox.fails(["init"], 2);

    let sandbox = Sandbox::bare();
    symlink(elsewhere.dir().join(".clavain"), sandbox.dir().join(".clavain")).unwrap();
    refused(&sandbox, "db_symlink");
    sandbox.fails(["init"], 2);

    for suffix in ["-wal", "-shm"] {
        let sandbox = Sandbox::new();
        for (name, _) in sandbox.files() {
            if name != "intercore.db" {
                fs::remove_file(sandbox.dir().join(".clavain").join(name)).unwrap();
            }
        }
        symlink("/dev/null", sandbox.dir().join(format!(".clavain/intercore.db{suffix}"))).unwrap();
        refused(&sandbox, "db_symlink");
    }
    assert_eq!(elsewhere.count("SELECT count(*) FROM runs"), 0);
}

/// A log that lost its database would be played into a new one.
#[test]
fn a_log_without_its_database_is_not_played_into_a_new_one() {
    let sandbox = Sandbox::new();
    sandbox.new_run();
    assert!(sandbox.files().iter().any(|(name, _)| name.ends_with("-wal")));
    fs::remove_file(sandbox.db_path()).unwrap();
    let (_, stderr) = sandbox.fails(["init", "--json"], 2);
    assert!(stderr.contains("without its database"), "{stderr}");
    sandbox.fails(["run", "create", "--goal=x"], 2);
}

/// K-11: where nothing can be written, calls say so; when it can be again, they work.
#[test]
fn a_read_only_directory_is_told_and_nothing_is_lost() {
    let sandbox = Sandbox::new();
    let id = sandbox.new_run();
    let clavain = sandbox.dir().join(".clavain");
    // As another user, because permissions do not hold root back; with a copy of the program that everybody may run.
    let ic = sandbox.dir().join("ic");
    // By another process: a file that this one has open for writing could leak into a child of another test, and could not
    // be run while it is there.
    let mut copy = std::process::Command::new("cp");
    copy.arg(assert_cmd::cargo::cargo_bin!("ic")).arg(&ic);
    assert!(run(copy).status.success());
    fs::set_permissions(&ic, Permissions::from_mode(0o755)).unwrap();
    for dir in [sandbox.dir().parent().unwrap(), sandbox.dir(), &clavain] {
        fs::set_permissions(dir, Permissions::from_mode(0o555)).unwrap();
    }
    for (name, _) in sandbox.files() {
        fs::set_permissions(clavain.join(name), Permissions::from_mode(0o444)).unwrap();
    }
    for call in [&["run", "create", "--goal=x", "--json"][..], &["agent", "add", &id, "--json"]] {
        let mut command = std::process::Command::new(&ic);
        sandbox.seal(&mut command);
        command.args(call);
        if rustix::process::geteuid().is_root() {
            command.uid(65534).gid(65534);
        }
        let output = run(command);
        assert_eq!(output.status.code(), Some(2), "{}", render(&output));
        assert!(String::from_utf8_lossy(&output.stderr).contains("db_read_only"), "{}", render(&output));
    }
    for dir in [sandbox.dir().parent().unwrap(), sandbox.dir(), &clavain] {
        fs::set_permissions(dir, Permissions::from_mode(0o755)).unwrap();
    }
    for (name, _) in sandbox.files() {
        fs::set_permissions(clavain.join(name), Permissions::from_mode(0o600)).unwrap();
    }
    sandbox.ok(["agent", "add", &id]);
    sandbox.check_integrity();
}

/// A reader whose output nobody wants dies quietly; a change that was made stands and is no failure.
#[test]
fn a_closed_stdout_is_not_an_error() {
    let sandbox = Sandbox::new();
    let id = sandbox.new_run();
    let closed = |args: &[&str]| {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = sandbox.command(args);
        command.stdout(Stdio::from(writer)).stderr(Stdio::piped());
        command.spawn().unwrap().wait_with_output().unwrap()
    };
    let read = closed(&["run", "list"]);
    assert_eq!(read.status.signal(), Some(rustix::process::Signal::PIPE.as_raw()), "{}", render(&read));
    assert!(read.stderr.is_empty());
    let write = closed(&["agent", "add", &id, "--name=kept"]);
    assert_eq!(write.status.code(), Some(0), "{}", render(&write));
    assert_eq!(sandbox.count("SELECT count(*) FROM run_agents WHERE name = 'kept'"), 1);
}

/// Any other failure to write the answer is exit code 2, and the change stands.
#[test]
fn a_full_stdout_is_told_and_the_change_stands() {
    let sandbox = Sandbox::new();
    let id = sandbox.new_run();
    let mut command = sandbox.command(["agent", "add", &id, "--name=kept", "--json"]);
    command.stdout(File::options().write(true).open("/dev/full").unwrap()).stderr(Stdio::piped());
    let output = command.spawn().unwrap().wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", render(&output));
    assert!(String::from_utf8_lossy(&output.stderr).contains("output_failed"));
    assert_eq!(sandbox.count("SELECT count(*) FROM run_agents WHERE name = 'kept'"), 1);
}

/// One damaged row hides no other.
#[test]
fn one_damaged_run_does_not_hide_the_others() {
    let sandbox = Sandbox::new();
    let (bad, good) = (sandbox.new_run(), sandbox.new_run());
    for damage in ["phases = '[1'", "gate_rules = '{'", "status = 'odd'", "goal = x'ff'"] {
        let conn = sandbox.open();
        // STRICT keeps blobs out of text columns, so the damage of the last kind is text that is no UTF-8.
        let damage = damage.replace("x'ff'", "CAST(x'ff' AS TEXT)");
        conn.execute(&format!("UPDATE runs SET {damage} WHERE id = '{bad}'"), []).unwrap();
        let output = sandbox.ic(["run", "list"]);
        assert_eq!(output.status.code(), Some(0), "{}", render(&output));
        let (stdout, stderr) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(stdout.contains(&good) && !stdout.contains(&bad), "{stdout}");
        assert!(stderr.contains(&bad), "{stderr}");
        sandbox.fails(["run", "status", &bad], 2);
    }
}

/// A project whose file ends in a long value, with a good backup of it. Its log is not empty, and its files
/// are returned.
fn with_a_long_value() -> (Sandbox, Vec<(String, Vec<u8>)>) {
    let sandbox = Sandbox::new();
    for _ in 0..5 {
        sandbox.new_run();
    }
    let mut command = sandbox.command(["state", "set", "k", "s", "--raw"]);
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), "x".repeat(60_000).as_bytes()).unwrap();
    assert!(child.wait_with_output().unwrap().status.success());
    sandbox.ok(["backup", "good.db"]);
    sandbox.open().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    sandbox.ok(["events", "record", "--source=ci", "--type=t"]);
    let files = ["intercore.db", "intercore.db-wal"];
    let read = |name: &str| (name.to_owned(), fs::read(sandbox.db_path().with_file_name(name)).unwrap());
    let files = files.map(read).into();
    (sandbox, files)
}

fn put_back(sandbox: &Sandbox, files: &[(String, Vec<u8>)]) {
    for (name, _) in sandbox.files() {
        fs::remove_file(sandbox.db_path().with_file_name(name)).unwrap();
    }
    for (name, bytes) in files {
        fs::write(sandbox.db_path().with_file_name(name), bytes).unwrap();
    }
}

fn error_code(stderr: &str) -> String {
    let error: serde_json::Value = serde_json::from_str(stderr.lines().last().unwrap()).unwrap();
    error["error"]["code"].as_str().unwrap().to_owned()
}

/// K-29: wherever a file ends early, also under a log that the engine reads first: it is damaged, no copy of
/// it is made, and a restore replaces it.
#[test]
fn a_file_that_ends_early_is_damaged() {
    let (sandbox, files) = with_a_long_value();
    let whole = files[0].1.len();
    let steps = (1..whole).step_by(whole / 40);
    // A part of the last page, and of the page before it.
    for missing in [1, 10, 100, 1000, 2047, 2048, 2049, 4096, 6000].into_iter().chain(steps) {
        put_back(&sandbox, &files);
        let left = u64::try_from(whole - missing).unwrap();
        File::options().write(true).open(sandbox.db_path()).unwrap().set_len(left).unwrap();
        for call in [&["health", "--deep", "--json"][..], &["backup", "copy.db", "--json"]] {
            let (_, stderr) = sandbox.fails(call, 2);
            let code = error_code(&stderr);
            // Without a header it is not recognised.
            assert!(
                code == "db_corrupt" || (left < 100 && code == "db_foreign"),
                "{missing} {call:?}: {stderr}"
            );
        }
        assert!(!sandbox.dir().join("copy.db").exists(), "{missing}");
        let done = sandbox.json(["restore", "good.db"]);
        assert!(done["kept"].as_str().unwrap().contains(".damaged-"), "{missing}: {done}");
        assert_eq!(sandbox.ok(["health", "--deep"]), "ok", "{missing}");
        assert_eq!(
            sandbox
                .count("SELECT count(*) FROM state WHERE payload = replace(hex(zeroblob(30000)), '0', 'x')"),
            1
        );
    }
}

/// K-29: a call that meets the end of the file says that it is damaged.
#[test]
fn a_read_beyond_the_end_of_the_file_is_damage() {
    let (sandbox, files) = with_a_long_value();
    let left = u64::try_from(files[0].1.len() - 6000).unwrap();
    File::options().write(true).open(sandbox.db_path()).unwrap().set_len(left).unwrap();
    let (_, stderr) = sandbox.fails(["state", "get", "k", "s", "--json"], 2);
    assert_eq!(error_code(&stderr), "db_corrupt", "{stderr}");
}

/// K-29: pages that are in the log alone are not missing from the file.
#[test]
fn a_file_that_grew_in_its_log_is_sound() {
    let sandbox = Sandbox::new();
    let holder = sandbox.open();
    holder.query_row("SELECT count(*) FROM runs", [], |row| row.get::<_, i64>(0)).unwrap();
    for _ in 0..10 {
        let payload = format!("--payload=\"{}\"", "y".repeat(20_000));
        sandbox.ok(["events", "record", "--source=ci", "--type=t", &payload]);
        assert_eq!(sandbox.ok(["health", "--deep"]), "ok");
    }
    sandbox.ok(["backup", "copy.db"]);
}

/// K-29, K-10: neither a migration nor a restore keeps a damaged backup: the damage is told, and the file
/// stays as it is.
#[test]
fn a_file_that_ends_early_is_not_migrated() {
    let (sandbox, _) = with_a_long_value();
    let conn = sandbox.open();
    conn.execute_batch("PRAGMA user_version = 1009").unwrap();
    drop(conn);
    let whole = fs::metadata(sandbox.db_path()).unwrap().len();
    // Something in the log, and kept open, so that it stays there.
    let conn = sandbox.open();
    conn.execute_batch("UPDATE runs SET goal = 'changed'").unwrap();
    let mut cut = std::process::Command::new("truncate");
    cut.arg("-s").arg((whole - 6000).to_string()).arg(sandbox.db_path());
    assert!(run(cut).status.success());
    let (_, stderr) = sandbox.fails(["init", "--json"], 2);
    assert_eq!(error_code(&stderr), "db_corrupt", "{stderr}");
    assert_eq!(conn.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0)).unwrap(), 1009);
    assert!(!sandbox.files().iter().any(|(name, _)| name.contains(".backup-")), "{:?}", sandbox.files());
}
