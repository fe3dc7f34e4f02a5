//! System calls that fail, by `strace`, and limits: what the call says is true, and what is acknowledged
//! later stays.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rusqlite::Connection;
use serde_json::Value;

use crate::support::{Sandbox, render, run};

/// The unit in which the kernel writes, and drops what it failed to write.
const KERNEL_PAGE: usize = 4096;
const TRACED: &str = "fdatasync,fsync,pwrite64,ftruncate";
const FILES: [&str; 2] = ["intercore.db", "intercore.db-wal"];

/// Whether faults can be injected here. Says so where they cannot.
fn can_inject() -> bool {
    let can = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .output()
        .is_ok_and(|done| done.status.success());
    if !can {
        println!("skipped: strace is not installed, or may not trace");
    }
    can
}

/// Runs `ic` under strace, with a fault if there is one (`fdatasync:error=EIO:when=2`). Returns its output
/// and the trace.
fn traced(sandbox: &Sandbox, fault: Option<&str>, args: &[&str]) -> (Output, String) {
    let trace = sandbox.dir().join("trace");
    let mut command = Command::new("strace");
    sandbox.seal(&mut command);
    command.arg("-y").args(["-s", "0", "-o"]).arg(&trace).arg(format!("--trace={TRACED}"));
    if let Some(fault) = fault {
        command.arg(format!("--inject={fault}"));
    }
    command.arg(assert_cmd::cargo::cargo_bin!("ic")).args(args);
    let output = run(command);
    (output, fs::read_to_string(trace).unwrap())
}

/// The content of the database's files.
type Content = BTreeMap<String, Vec<u8>>;

fn content(sandbox: &Sandbox) -> Content {
    let read = |name: &str| {
        let bytes = fs::read(sandbox.db_path().with_file_name(name)).unwrap_or_default();
        (name.to_owned(), bytes)
    };
    FILES.iter().map(|name| read(name)).collect()
}

fn put(dir: &Path, content: &Content) {
    let _ = fs::remove_dir_all(dir);
    fs::create_dir_all(dir).unwrap();
    for (name, bytes) in content {
        fs::write(dir.join(name), bytes).unwrap();
    }
}

/// What the disk holds after a power loss that follows the traced calls: pages whose last write was not
/// followed by a sync that succeeded are as they were, or zero where the file was shorter. A sync that fails
/// drops what it should have written: no later sync brings it to the disk, only a later write does.
fn after_power_loss(before: &Content, now: &Content, traces: &[&str]) -> Content {
    let mut unsynced: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    let mut lost: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for line in traces.iter().flat_map(|trace| trace.lines()) {
        let Some(name) = FILES.into_iter().find(|name| line.contains(&format!("/{name}>"))) else { continue };
        let (waiting, lost) = (unsynced.entry(name).or_default(), lost.entry(name).or_default());
        let result = line.rsplit_once("= ").unwrap().1;
        if line.starts_with("pwrite64") {
            let Ok(written) = result.trim().parse::<usize>() else { continue };
            let arguments = line.rsplit_once(')').unwrap().0;
            let at: usize = arguments.rsplit_once(", ").unwrap().1.parse().unwrap();
            for page in at / KERNEL_PAGE..=(at + written - 1) / KERNEL_PAGE {
                waiting.insert(page);
                lost.remove(&page);
            }
        } else if line.starts_with("fdatasync") || line.starts_with("fsync") {
            let dropped = std::mem::take(waiting);
            if !result.starts_with('0') {
                lost.extend(dropped);
            }
        }
    }
    let mut disk = now.clone();
    for (name, bytes) in &mut disk {
        let gone = [unsynced.get(name.as_str()), lost.get(name.as_str())].into_iter().flatten().flatten();
        for page in gone {
            for at in page * KERNEL_PAGE..bytes.len().min((page + 1) * KERNEL_PAGE) {
                bytes[at] = before[name].get(at).copied().unwrap_or(0);
            }
        }
    }
    disk
}

/// The number of events and the log's head in these files.
fn head(scratch: &Path, content: &Content) -> (i64, String) {
    put(scratch, content);
    let conn = Connection::open(scratch.join(FILES[0])).unwrap();
    let sound: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
    let sql = "SELECT count(*), coalesce((SELECT hash FROM events ORDER BY id DESC LIMIT 1), '') FROM events";
    conn.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
}

/// How many of each traced call there are.
fn counts(trace: &str, call: &str) -> usize {
    trace.lines().filter(|line| line.starts_with(&format!("{call}("))).count()
}

/// A place where the same call can be made again and again from the same state.
struct Bench {
    sandbox: Sandbox,
    start: Content,
    scratch: PathBuf,
}

impl Bench {
    fn new(sandbox: Sandbox) -> Self {
        let (start, scratch) = (content(&sandbox), sandbox.dir().join("scratch"));
        Self { sandbox, start, scratch }
    }

    fn reset(&self) {
        put(&self.sandbox.dir().join(".clavain"), &self.start);
    }

    /// Fails each of the call's traced system calls in turn; with `held`, while another process has the files
    /// open.
    fn fail_each(&self, args: &[&str], held: bool) {
        self.reset();
        let before = head(&self.scratch, &self.start);
        let (output, trace) = traced(&self.sandbox, None, args);
        assert!(output.status.success(), "{}", render(&output));
        let mut failed = 0;
        for (call, errors) in [
            ("fdatasync", &["EIO", "ENOSPC", "EINTR"][..]),
            ("fsync", &["EIO", "ENOSPC"]),
            ("pwrite64", &["EIO", "ENOSPC"]),
        ] {
            let count = counts(&trace, call);
            // All of them, or a few of the thousands of a large transaction.
            let (step, errors) = if count > 200 { (count / 6, &errors[..1]) } else { (1, errors) };
            for nth in (1..=count).step_by(step) {
                for error in errors {
                    let fault = format!("{call}:error={error}:when={nth}");
                    failed += usize::from(self.fail(args, held, &fault, &before));
                }
            }
        }
        assert!(failed > 3, "{args:?}: only {failed} calls failed");
    }

    /// Whether the call failed under this fault. What follows it must be as durable as ever.
    fn fail(&self, args: &[&str], held: bool, fault: &str, before: &(i64, String)) -> bool {
        self.reset();
        let holder = held.then(|| self.sandbox.open());
        if let Some(holder) = &holder {
            holder.query_row("SELECT count(*) FROM runs", [], |row| row.get::<_, i64>(0)).unwrap();
        }
        let (output, first) = traced(&self.sandbox, Some(fault), args);
        let case = format!("{args:?} {fault} held={held}: {}\n{first}", render(&output));
        let exit = output.status.code();
        let after = head(&self.scratch, &content(&self.sandbox));
        match exit {
            Some(0) => assert_ne!(&after, before, "{case}"),
            Some(2) => {
                let stderr = String::from_utf8_lossy(&output.stderr);
                assert!(!stderr.contains("not known"), "{case}");
                assert!(stderr.contains("hint: ") || stderr.starts_with("ic: syncing "), "{case}");
                assert_eq!(&after, before, "{case}");
            }
            _ => panic!("{case}"),
        }
        let (next, second) =
            traced(&self.sandbox, None, &["events", "record", "--source=ci", "--type=later"]);
        assert!(next.status.success(), "{case}: {}", render(&next));
        let now = content(&self.sandbox);
        let acknowledged = head(&self.scratch, &now);
        assert_eq!(acknowledged.0, after.0 + 1, "{case}");
        let left = head(&self.scratch, &after_power_loss(&self.start, &now, &[&first, &second]));
        assert_eq!(left, acknowledged, "{case}{second}");
        exit == Some(2)
    }
}

/// A project with something in its log.
fn with_log() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.ok(["events", "record", "--source=ci", "--type=before"]);
    sandbox
}

const RECORD: [&str; 4] = ["events", "record", "--source=ci", "--type=a"];

/// K-27: an event whose sync or write failed is not there, and what is acknowledged after it survives a power
/// loss.
#[test]
fn a_failed_record_leaves_nothing_to_build_on() {
    if !can_inject() {
        return;
    }
    let bench = Bench::new(with_log());
    bench.fail_each(&RECORD, false);
    bench.fail_each(&RECORD, true);
    // A log that was just begun.
    Bench::new(Sandbox::new()).fail_each(&RECORD, false);
}

/// K-27: the same where the call moves a long log into the database, too.
#[test]
fn a_failed_checkpoint_loses_nothing() {
    if !can_inject() {
        return;
    }
    let sandbox = with_log();
    let checkpoints =
        |trace: &str| trace.lines().any(|line| line.contains("ftruncate") && line.contains("-wal"));
    for _ in 0..200 {
        let start = content(&sandbox);
        let (_, trace) = traced(&sandbox, None, &RECORD);
        if checkpoints(&trace) {
            let scratch = sandbox.dir().join("scratch");
            Bench { sandbox, start, scratch }.fail_each(&RECORD, false);
            return;
        }
    }
    panic!("the log is never moved into the database");
}

/// K-27: the same for runs.
#[test]
fn a_failed_run_leaves_nothing_to_build_on() {
    if !can_inject() {
        return;
    }
    let sandbox = with_log();
    let id = sandbox.short_run();
    let bench = Bench::new(sandbox);
    bench.fail_each(&["run", "create", "--goal=x"], false);
    bench.fail_each(&["run", "advance", &id, "--priority=4"], false);
}

/// K-27: the same for an import, also of a log that is larger than the engine's cache, which writes before it
/// commits.
#[test]
fn a_failed_import_of_a_log_leaves_nothing_to_build_on() {
    if !can_inject() {
        return;
    }
    let source = Sandbox::new();
    let import = ["events", "import", "log.jsonl"];
    for (events, bytes) in [(3, 1), (80, 30_000)] {
        let payload = format!("--payload={{\"text\":\"{}\"}}", "x".repeat(bytes));
        for _ in 0..events {
            source.ok(["events", "record", "--source=ci", "--type=t", &payload]);
        }
        let sandbox = Sandbox::new();
        let log = sandbox.dir().join("log.jsonl");
        fs::write(log, source.ok(["events", "export", "-"]) + "\n").unwrap();
        Bench::new(sandbox).fail_each(&import, false);
    }
}

/// K-27: the same for a restore, which replaces everything in one transaction, also while the database is in
/// use.
#[test]
fn a_failed_restore_leaves_nothing_to_build_on() {
    if !can_inject() {
        return;
    }
    let sandbox = with_log();
    sandbox.ok(["backup", "good.db"]);
    sandbox.new_run();
    let bench = Bench::new(sandbox);
    bench.fail_each(&["restore", "good.db"], false);
    bench.fail_each(&["restore", "good.db"], true);
}

/// K-27: a migration whose sync failed has not happened, also while another process has the file open.
#[test]
fn a_failed_migration_has_not_happened() {
    if !can_inject() {
        return;
    }
    let sandbox = Sandbox::bare();
    fs::create_dir(sandbox.dir().join(".clavain")).unwrap();
    let conn = Connection::open(sandbox.db_path()).unwrap();
    let (last, older) = intercore::MIGRATIONS.split_last().unwrap();
    for migration in older {
        conn.execute_batch(migration.sql).unwrap();
    }
    let version = last.version - 1;
    let pragmas = format!("PRAGMA application_id = 0x69636462; PRAGMA user_version = {version}");
    conn.execute_batch(&format!("{pragmas}; PRAGMA journal_mode = WAL")).unwrap();
    drop(conn);
    let bench = Bench::new(sandbox);
    let found = || {
        put(&bench.scratch, &content(&bench.sandbox));
        let conn = Connection::open(bench.scratch.join(FILES[0])).unwrap();
        conn.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let mut failed = 0;
    for nth in 1..=6 {
        bench.reset();
        let holder = bench.sandbox.open();
        holder.query_row("SELECT count(*) FROM runs", [], |row| row.get::<_, i64>(0)).unwrap();
        let (output, trace) =
            traced(&bench.sandbox, Some(&format!("fdatasync:error=EIO:when={nth}")), &["init"]);
        let done = output.status.success();
        assert!(done || output.status.code() == Some(2), "{}", render(&output));
        assert_eq!(found(), if done { last.version } else { version }, "{}{trace}", render(&output));
        failed += usize::from(!done);
    }
    assert!(failed > 1);
}

/// K-27: where every sync fails it is not known what the disk holds, and the call says so. Even then nothing
/// can be built on what it wrote.
#[test]
fn a_disk_that_takes_nothing_is_told() {
    if !can_inject() {
        return;
    }
    let bench = Bench::new(with_log());
    for error in ["EIO", "ENOSPC", "EINTR"] {
        bench.reset();
        let before = head(&bench.scratch, &bench.start);
        let fault = format!("fdatasync:error={error}:when=1+");
        let (output, first) = traced(&bench.sandbox, Some(&fault), &[&RECORD[..], &["--json"]].concat());
        assert_eq!(output.status.code(), Some(2), "{}", render(&output));
        let error: Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!(error["error"]["code"], "db_in_doubt", "{error}");
        assert!(error["error"]["message"].as_str().unwrap().contains("not known"), "{error}");
        assert!(error["error"]["hint"].is_string(), "{error}");
        assert_eq!(head(&bench.scratch, &content(&bench.sandbox)), before);
        let (next, second) = traced(&bench.sandbox, None, &RECORD);
        assert!(next.status.success(), "{}", render(&next));
        let now = content(&bench.sandbox);
        let left = head(&bench.scratch, &after_power_loss(&bench.start, &now, &[&first, &second]));
        assert_eq!(left, head(&bench.scratch, &now));
    }
}

/// K-27, K-29: the error of a failed sync says what became of the change and what to do.
#[test]
fn a_failed_sync_says_what_to_do() {
    if !can_inject() {
        return;
    }
    let sandbox = with_log();
    let (output, _) = traced(&sandbox, Some("fdatasync:error=EIO:when=1"), &RECORD);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("nothing was changed") && stderr.contains("check the disk"), "{stderr}");
}

/// K-29: beyond a limit on the size of files each call ends with exit code 2 and a sentence, and leaves no
/// file behind.
#[test]
fn a_file_size_limit_is_told() {
    let sandbox = with_log();
    for _ in 0..30 {
        sandbox.new_run();
    }
    let id = sandbox.new_run();
    let good = sandbox.dir().join("good.db");
    sandbox.ok(["backup", "good.db"]);
    let start = content(&sandbox);
    let names = || {
        let dirs = [sandbox.dir().to_owned(), sandbox.dir().join(".clavain")];
        let entries = dirs.iter().flat_map(|dir| fs::read_dir(dir).unwrap());
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        // Git is told to ignore a database before there is one.
        let stays = |name: &String| ["-shm", "-wal", ".gitignore"].iter().all(|end| !name.ends_with(end));
        names.filter(stays).collect::<BTreeSet<_>>()
    };
    for args in [
        &["run", "list"][..],
        &["run", "create", "--goal=x"],
        &["run", "advance", &id],
        &["events", "record", "--source=ci", "--type=a"],
        &["events", "verify"],
        &["health", "--deep"],
        &["backup", "copy.db"],
        &["restore", good.to_str().unwrap()],
        &["--db=.clavain/other.db", "init"],
    ] {
        for blocks in ["0", "8", "100"] {
            put(&sandbox.dir().join(".clavain"), &start);
            let before = names();
            let mut command = Command::new("sh");
            sandbox.seal(&mut command);
            command.args(["-c", "ulimit -f \"$1\"; shift; exec \"$@\"", "sh", blocks]);
            command.arg(assert_cmd::cargo::cargo_bin!("ic")).args(args);
            let output = run(command);
            let case = format!("{args:?} {blocks}: {}", render(&output));
            match output.status.code() {
                Some(0) => {}
                Some(2) => {
                    let stderr = String::from_utf8_lossy(&output.stderr);
                    assert!(stderr.starts_with("ic: ") && stderr.contains("hint: "), "{case}");
                    assert!(stderr.contains("file size limit") || stderr.contains("disk"), "{case}");
                    assert_eq!(names(), before, "{case}");
                }
                _ => panic!("{case}"),
            }
        }
    }
    put(&sandbox.dir().join(".clavain"), &start);
    sandbox.check_integrity();
}

/// K-29: what is started by `ic` does not inherit that the signal is caught.
#[test]
fn a_child_has_the_signal_of_a_file_size_limit_as_it_was() {
    if !Path::new("/proc/self/status").exists() {
        println!("skipped: there is no /proc");
        return;
    }
    let sandbox = Sandbox::new();
    let id = sandbox.ok(["dispatch", "spawn", "--", "sh", "-c", "grep -E '^Sig(Ign|Cgt)' /proc/self/status"]);
    sandbox.ok(["dispatch", "wait", &id]);
    let status = sandbox.ok(["dispatch", "logs", &id]);
    let sets: Vec<_> = status.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(sets.len(), 2, "{status}");
    for set in sets {
        assert_eq!(u64::from_str_radix(set, 16).unwrap() >> 24 & 1, 0, "{status}");
    }
}

/// K-29: too many open files are that, and no question of permissions.
#[test]
fn too_many_open_files_are_told() {
    let sandbox = with_log();
    let mut told = 0;
    for limit in 3..12 {
        let mut command = Command::new("sh");
        sandbox.seal(&mut command);
        command.args(["-c", "ulimit -n \"$1\"; shift; exec \"$@\"", "sh", &limit.to_string()]);
        command.arg(assert_cmd::cargo::cargo_bin!("ic")).args(["run", "create", "--goal=x"]);
        let output = run(command);
        let stderr = String::from_utf8_lossy(&output.stderr);
        match output.status.code() {
            Some(0) => {}
            Some(2) => {
                assert!(stderr.to_lowercase().contains("too many"), "{limit}: {stderr}");
                told += 1;
            }
            _ => panic!("{limit}: {}", render(&output)),
        }
    }
    assert!(told > 0);
}

/// K-29: a file system without room for another file is full, whatever space it has.
#[test]
fn a_file_system_without_inodes_is_full() {
    let sandbox = with_log();
    // In a namespace of its own: a file system that has room for the database and for nothing beside it.
    let script = "mkdir small && mount -t tmpfs -o nr_inodes=2 none small || exit 77; \
                  cp \"$2\" small/t.db; exec \"$1\" --db=small/t.db run list";
    let mut command = Command::new("unshare");
    sandbox.seal(&mut command);
    command
        .args(["-rm", "sh", "-c", script, "sh"])
        .arg(assert_cmd::cargo::cargo_bin!("ic"))
        .arg(sandbox.db_path());
    let Ok(output) = command.output() else {
        println!("skipped: unshare is not installed");
        return;
    };
    let stderr = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(77) || stderr.starts_with("unshare:") {
        println!("skipped: no file system may be mounted here: {stderr}");
        return;
    }
    assert_eq!(output.status.code(), Some(2), "{}", render(&output));
    assert!(stderr.contains("the disk is full"), "{stderr}");
}
