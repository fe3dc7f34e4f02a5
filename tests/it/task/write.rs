//! Files that change together or not at all, and what is left of it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Specs, await_file, types};
use crate::support::{render, run};

/// Three files, and a change of all three.
fn three() -> (Specs, &'static str) {
    let specs = Specs::new(2);
    specs.file("specs/1_a/p.md", "# Plan\n- **Status**: [NOT STARTED]\n");
    (specs, "preflight 1 --to=planning --plan=specs/1_a/p.md")
}

fn contents(specs: &Specs) -> [String; 3] {
    ["state.json", "TODO.md", "1_a/p.md"].map(|name| fs::read_to_string(specs.dir.join(name)).unwrap())
}

/// TS-28, TS-31, TS-32, TS-33, TS-48, TS-60: whichever step fails, all files are as they were, and after two pauses the call
/// goes through; or, if it fails a third time, says what to do. Nothing is left beside the files. While it pauses, others are not
/// kept waiting.
#[test]
fn a_write_that_fails_is_tried_again() {
    let cases = ["temp:1,2", "temp:2,4", "temp:3,6", "rename:1,2", "rename:2,4", "rename:3,6"];
    thread::scope(|scope| {
        for fail in cases {
            scope.spawn(move || {
                let (specs, line) = three();
                let begun = Instant::now();
                let child = specs.start(&format!("{line} --json"), &[("IC_TEST_TASK_FAIL", fail)]);
                thread::sleep(Duration::from_secs(1));
                // In the first pause: nothing has changed, and another task's change goes through at once.
                let other = Instant::now();
                assert_eq!(specs.status(1).1, "not_started", "{fail}");
                specs.ok("preflight 2 --to=researching");
                assert!(other.elapsed() < Duration::from_millis(1500), "{fail}: {:?}", other.elapsed());
                let output = child.wait_with_output().unwrap();
                let took = begun.elapsed();
                assert!(output.status.success(), "{fail}: {}", render(&output));
                assert!(took >= Duration::from_secs(6) && took < Duration::from_secs(9), "{fail}: {took:?}");
                let result: Value = serde_json::from_slice(&output.stdout).unwrap();
                assert_eq!(result["attempts"], 3);
                let [state, todo, plan] = contents(&specs);
                assert!(
                    state.contains("planning") && todo.contains("[PLANNING]") && plan.contains("[PLANNING]")
                );
                assert!(state.contains("researching") && todo.contains("[RESEARCHING]"));
                assert_eq!(specs.names(), ["1_a", "1_a/p.md", "TODO.md", "state.json"], "{fail}");
            });
        }
        for fail in ["temp:1,2,3", "rename:2,4,6", "rename:3,6,9"] {
            scope.spawn(move || {
                let (specs, line) = three();
                let (before, begun) = (contents(&specs), Instant::now());
                let (code, result) = specs.result_with(line, &[("IC_TEST_TASK_FAIL", fail)]);
                let took = begun.elapsed();
                assert_eq!((code, types(&result)), (2, vec!["status_sync_failed"]), "{fail}");
                assert!(took >= Duration::from_secs(6) && took < Duration::from_secs(9), "{fail}: {took:?}");
                assert!(result["errors"][0]["recommendation"].as_str().unwrap().contains("git checkout"));
                assert_eq!(contents(&specs), before, "{fail}");
                assert_eq!(specs.names(), ["1_a", "1_a/p.md", "TODO.md", "state.json"], "{fail}");
                assert_eq!(specs.sandbox.count("SELECT count(*) FROM intents"), 0);
                assert_eq!(specs.sandbox.count("SELECT count(*) FROM events WHERE type = 'status'"), 0);
                specs.ok(line);
            });
        }
    });
}

/// TS-28, TS-30: even where the first file cannot be put back, all of them end alike: by the next attempt, or by the next call.
#[test]
fn what_cannot_be_put_back_is_completed() {
    let (specs, line) = three();
    let (code, result) = specs.result_with(line, &[("IC_TEST_TASK_FAIL", "rename:2;restore:1")]);
    assert_eq!((code, types(&result), &result["from"]), (0, vec!["status_mismatch"], &"not_started".into()));
    let done = |specs: &Specs| {
        let [state, todo, plan] = contents(specs);
        assert!(state.contains("planning") && todo.contains("[PLANNING]") && plan.contains("[PLANNING]"));
        assert_eq!(specs.names().len(), 4);
        let events = specs.sandbox.events();
        let moved: Vec<_> =
            events.iter().filter(|event| event["type"] == "status" && event["subject"] == "1").collect();
        assert_eq!((moved.len(), &moved[0]["from_state"]), (1, &"not_started".into()));
    };
    done(&specs);
    let (specs, line) = three();
    let (code, result) = specs.result_with(line, &[("IC_TEST_TASK_FAIL", "rename:2,3,4;restore:1")]);
    assert_eq!((code, types(&result)), (2, vec!["status_sync_failed"]));
    assert!(
        result["errors"][0]["message"].as_str().unwrap().contains("the next call completes it"),
        "{result}"
    );
    let (code, result) = specs.result("preflight 2 --to=researching");
    assert_eq!((code, types(&result)), (0, vec!["interrupted_change_settled"]));
    done(&specs);
}

/// TS-28, TS-48: a disk that is full, here a limit on the size of files, changes nothing.
#[test]
fn a_full_disk_changes_nothing() {
    let specs = Specs::new(2000);
    let before = specs.pair();
    // In blocks of 512 bytes: enough for the database's log, too little for the list.
    let blocks = (before.0.len() / 512).to_string();
    let mut command = Command::new("sh");
    specs.sandbox.seal(&mut command);
    let script = "trap '' XFSZ; ulimit -f \"$1\"; shift; exec \"$@\"";
    command.args(["-c", script, "sh", &blocks]).arg(assert_cmd::cargo::cargo_bin!("ic"));
    command.args(["task", "preflight", "1", "--to=planning", "--json"]);
    let output = run(command);
    assert_eq!(output.status.code(), Some(2), "{}", render(&output));
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(types(&result), ["status_sync_failed"]);
    assert_eq!(specs.pair(), before);
    assert_eq!(specs.names(), ["TODO.md", "state.json"]);
    specs.ok("preflight 1 --to=planning");
}

/// TS-28: a directory that may not be written. Root may, so it is asked to write where nobody can.
#[test]
fn a_directory_that_cannot_be_written_changes_nothing() {
    let specs = Specs::new(1);
    let before = specs.pair();
    let lock = |mode| fs::set_permissions(&specs.dir, fs::Permissions::from_mode(mode)).unwrap();
    lock(0o555);
    let by_mode = fs::write(specs.dir.join("probe"), "").is_err();
    let _ = fs::remove_file(specs.dir.join("probe"));
    let immutable = !by_mode
        && Command::new("chattr").arg("+i").arg(&specs.dir).status().is_ok_and(|status| status.success());
    if !by_mode && !immutable {
        lock(0o755);
        println!("skipped: permissions do not bind here, and there is no chattr");
        return;
    }
    let (code, result) = specs.result("preflight 1 --to=planning");
    if immutable {
        Command::new("chattr").arg("-i").arg(&specs.dir).status().unwrap();
    }
    lock(0o755);
    assert_eq!((code, types(&result)), (2, vec!["status_sync_failed"]));
    assert_eq!((specs.pair(), specs.names()), (before, vec!["TODO.md".to_owned(), "state.json".to_owned()]));
    specs.ok("preflight 1 --to=planning");
}

/// TS-28: a database that cannot take the event keeps the files from changing.
#[test]
fn without_its_event_no_change_stands() {
    let specs = Specs::new(1);
    let before = specs.pair();
    let conn = specs.sandbox.open();
    conn.execute_batch(
        "CREATE TRIGGER injected BEFORE INSERT ON events WHEN NEW.type = 'status' BEGIN SELECT RAISE(ABORT, 'injected'); END",
    )
    .unwrap();
    let (stdout, stderr) = specs.sandbox.fails(["task", "preflight", "1", "--to=planning"], 2);
    assert!(stdout.is_empty() && stderr.contains("injected"), "{stderr}");
    assert_eq!((specs.pair(), specs.names().len()), (before, 2));
    assert_eq!(specs.sandbox.count("SELECT count(*) FROM intents"), 0);
    conn.execute_batch("DROP TRIGGER injected").unwrap();
    // Also where it fails when the files are changed already: they are put back.
    fs::write(specs.dir.join("TODO.md"), specs.todo().replace("[NOT STARTED]", "[NOT STARTED] yet")).unwrap();
    let before = specs.pair();
    conn.execute_batch(
        "CREATE TRIGGER injected BEFORE INSERT ON events WHEN NEW.type = 'error' BEGIN SELECT RAISE(ABORT, 'injected'); END",
    )
    .unwrap();
    specs.sandbox.fails(["task", "preflight", "1", "--to=planning"], 2);
    assert_eq!((specs.pair(), specs.names().len()), (before, 2));
    assert_eq!(specs.sandbox.count("SELECT count(*) FROM intents"), 0);
    conn.execute_batch("DROP TRIGGER injected").unwrap();
    specs.ok("preflight 1 --to=planning");
}

/// TS-29: who reads all the while never sees a file that is cut off or empty.
#[test]
fn readers_see_whole_files() {
    let specs = Specs::new(40);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut reads = 0_u32;
            while !stop.load(Ordering::Relaxed) {
                let (todo, state) = specs.pair();
                assert!(todo.ends_with("---\n\n") && todo.matches("\n### ").count() == 40);
                let state: Value = serde_json::from_str(&state).unwrap();
                assert_eq!(state["active_projects"].as_array().unwrap().len(), 40);
                reads += 1;
            }
            reads
        });
        for task in 1..=15 {
            specs.ok(&format!("preflight {task} --to=planning"));
        }
        stop.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap() > 15);
    });
}

/// TS-32, TS-33: two agents at the same moment have temporary files of their own, in the directory of the target; afterwards
/// there are none, nor any backup.
#[test]
fn temporary_files_are_one_s_own() {
    let specs = Specs::new(2);
    let pause = |name: &str| format!("prepared:{}", specs.sandbox.dir().join(name).display());
    let first = specs.start("preflight 1 --to=planning", &[("IC_TEST_TASK_PAUSE", &pause("one"))]);
    await_file(&specs.sandbox.dir().join("one.at"));
    let second = specs.start("preflight 2 --to=planning", &[("IC_TEST_TASK_PAUSE", &pause("two"))]);
    await_file(&specs.sandbox.dir().join("two.at"));
    let temps = || specs.names().into_iter().filter(|name| name.ends_with(".ic-tmp")).collect::<Vec<_>>();
    assert_eq!(temps().len(), 4);
    let marks: std::collections::BTreeSet<_> =
        temps().iter().map(|name| name.split('.').nth(3).unwrap().to_owned()).collect();
    assert_eq!(marks.len(), 2, "{:?}", temps());
    for name in ["two", "one"] {
        fs::write(specs.sandbox.dir().join(name), "").unwrap();
    }
    for child in [first, second] {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", render(&output));
    }
    assert_eq!(specs.names(), ["TODO.md", "state.json"]);
}

/// TS-34: nothing is locked, and nobody's lock is in the way.
#[test]
fn no_lock_is_taken_on_the_files() {
    let specs = Specs::new(1);
    let held = fs::File::open(specs.dir.join("TODO.md")).unwrap();
    held.try_lock().unwrap();
    let pause = format!("written:{}", specs.sandbox.dir().join("go").display());
    let child = specs.start("preflight 1 --to=planning", &[("IC_TEST_TASK_PAUSE", &pause)]);
    await_file(&specs.sandbox.dir().join("go.at"));
    // In the middle of the change: no file of a lock, and the new files can be locked by anybody.
    for name in ["TODO.md", "state.json"] {
        fs::OpenOptions::new().write(true).open(specs.dir.join(name)).unwrap().try_lock().unwrap();
        let inode = format!(":{} ", fs::metadata(specs.dir.join(name)).unwrap().ino());
        let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
        let own = format!(" {} ", child.id());
        assert!(!locks.lines().any(|lock| lock.contains(&inode) && lock.contains(&own)), "{locks}");
    }
    assert_eq!(specs.names(), ["TODO.md", "state.json"]);
    fs::write(specs.sandbox.dir().join("go"), "").unwrap();
    assert!(child.wait_with_output().unwrap().status.success());
    drop(held);
}

/// TS-35: permissions stay, and a symlink stays one.
#[test]
fn modes_and_symlinks_stay() {
    let (specs, line) = three();
    let real = specs.sandbox.dir().join("elsewhere");
    fs::create_dir(&real).unwrap();
    fs::rename(specs.dir.join("TODO.md"), real.join("LIST.md")).unwrap();
    symlink("../elsewhere/LIST.md", specs.dir.join("TODO.md")).unwrap();
    for (path, mode) in [
        (real.join("LIST.md"), 0o640),
        (specs.dir.join("state.json"), 0o664),
        (specs.dir.join("1_a/p.md"), 0o400),
    ] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    specs.ok(line);
    let mode = |path: std::path::PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (mode(real.join("LIST.md")), mode(specs.dir.join("state.json")), mode(specs.dir.join("1_a/p.md"))),
        (0o640, 0o664, 0o400)
    );
    assert_eq!(fs::read_link(specs.dir.join("TODO.md")).unwrap().to_str().unwrap(), "../elsewhere/LIST.md");
    assert!(fs::read_to_string(real.join("LIST.md")).unwrap().contains("[PLANNING]"));
    assert_eq!(fs::read_dir(&real).unwrap().count(), 1);
}

/// TS-53: the order is always the same.
#[test]
fn the_order_is_fixed() {
    let (specs, _) = three();
    specs.file("specs/1_a/r.md", "x");
    let log = specs.sandbox.dir().join("order");
    let mut command = Command::new("git");
    specs.sandbox.seal(&mut command);
    assert!(
        run({
            command.args(["init", "--quiet"]);
            command
        })
        .status
        .success()
    );
    let line = "postflight 1 --to=planned --force --plan=specs/1_a/p.md --artifact=plan:specs/1_a/p.md";
    specs.result_with(line, &[("IC_TEST_TASK_LOG", log.to_str().unwrap())]);
    let places = fs::read_to_string(log).unwrap();
    let places: Vec<_> = places.lines().collect();
    let one = [
        "artifacts",
        "validated",
        "intent",
        "temp",
        "temp",
        "temp",
        "prepared",
        "locked",
        "rename",
        "renamed",
        "rename",
        "renamed",
        "rename",
        "renamed",
        "written",
        "verified",
        "git",
    ];
    assert_eq!(places, one);
}

/// TS-66: files on another machine are a warning, and only that.
#[test]
fn a_network_file_system_is_warned_of() {
    let specs = Specs::new(1);
    let (code, result) = specs.result_with("preflight 1 --to=planning", &[("IC_TEST_NETWORK_FS", "1")]);
    assert_eq!((code, types(&result)), (0, vec!["network_file_system"]));
    assert_eq!(result["errors"][0]["severity"], "NON-CRITICAL");
}
