//! What surrounds a call and is not as it should be: directories that are gone, and names that are no files.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Sandbox, render, run};

/// K-30, K-06: a directory for temporary files that is gone or cannot be used is named, as an error of the file system, also
/// under `RUST_BACKTRACE`.
#[test]
fn a_demo_without_a_temporary_directory_says_so() {
    let sandbox = Sandbox::bare();
    let file = sandbox.dir().join("file");
    fs::write(&file, "").unwrap();
    for dir in ["/no-such-dir", "/proc", file.to_str().unwrap()] {
        for json in [false, true] {
            let mut command = sandbox.command(["demo"]);
            command.args(json.then_some("--json")).env("TMPDIR", dir).env("RUST_BACKTRACE", "1");
            let output = run(command);
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{}", render(&output));
            assert!(output.stdout.is_empty() && stderr.contains(dir), "{}", render(&output));
            assert!(!json || stderr.contains(r#""code":"io_error""#), "{stderr}");
        }
    }
}

/// K-30: the release binary has no tables to walk its stack by, and would end with SIGABRT where an error records a
/// backtrace.
#[test]
fn errors_record_no_backtrace() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let manifest = fs::read_to_string(manifest).unwrap();
    let line = manifest.lines().find(|line| line.starts_with("anyhow")).unwrap();
    assert!(line.contains("default-features = false") && !line.contains("std"), "{line}");
}

/// K-30: commands that need room for temporary files find it without `TMPDIR`, and do their work.
#[test]
fn a_missing_temporary_directory_changes_no_answer() {
    let sandbox = Sandbox::new();
    let id = sandbox.short_run();
    let git = |args: &[&str]| {
        let mut command = Command::new("git");
        sandbox.seal(&mut command);
        assert!(
            run({
                command.args(args);
                command
            })
            .status
            .success()
        );
    };
    git(&["init", "-q"]);
    let hooks = sandbox.dir().join(".clavain/hooks");
    fs::create_dir(&hooks).unwrap();
    fs::write(hooks.join("on-phase-advance"), "#!/bin/sh\ncat >called.tmp\nmv called.tmp called\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(hooks.join("on-phase-advance"), mode).unwrap();
    let gone = |args: &[&str]| {
        let mut command = sandbox.command(args);
        command.env("TMPDIR", "/no-such-dir");
        let output = run(command);
        assert!(output.status.success(), "{args:?}: {}", render(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    gone(&["run", "advance", &id, "--priority=4"]);
    let called = sandbox.dir().join("called");
    let since = std::time::Instant::now();
    while !called.exists() {
        assert!(since.elapsed().as_secs() < 20, "the hook was not called");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    gone(&["interspect", "status"]);
    let child = gone(&["dispatch", "spawn", "--", "sh", "-c", "echo pass >\"$IC_DISPATCH_OUTPUT\""]);
    gone(&["dispatch", "wait", child.trim()]);
    let done = sandbox.json(["dispatch", "status", child.trim()]);
    assert_eq!(done["status"], "completed", "{done}");
    fs::remove_file(done["output_file"].as_str().unwrap()).unwrap();
}

/// K-30: with a database that is named in full, a working directory that is gone is in nobody's way who does not need it.
#[test]
fn a_working_directory_that_is_gone_is_needed_by_few() {
    let sandbox = Sandbox::new();
    let id = sandbox.short_run();
    let gone = sandbox.dir().join("gone");
    for (args, code) in [
        ("health", 0),
        ("init", 0),
        ("run list", 0),
        ("run status ID", 0),
        ("agent add ID", 0),
        ("events tail --all", 0),
        ("run create --goal=x", 2),
    ] {
        fs::create_dir(&gone).unwrap();
        let mut shell = Command::new("sh");
        sandbox.seal(&mut shell);
        let script = "cd gone && rmdir ../gone && exec \"$IC\" $1";
        shell.args(["-c", script, "sh", &args.replace("ID", &id)]);
        shell.env("IC", assert_cmd::cargo::cargo_bin!("ic")).env("INTERCORE_DB", sandbox.db_path());
        let output = run(shell);
        assert_eq!(output.status.code(), Some(code), "{args}: {}", render(&output));
    }
}

/// K-13, PG-03: a server's URL is no file's name. It is refused by its scheme, and no more of it is shown.
#[test]
fn a_url_is_no_database_file() {
    let sandbox = Sandbox::bare();
    fs::create_dir(sandbox.dir().join(".clavain")).unwrap();
    for url in ["postgres://u:secret@host/.clavain/x.db", "postgresql://secret/x.db", "file:///tmp/secret.db"]
    {
        for call in [&["init"][..], &["run", "create", "--goal=x"], &["run", "list"], &["health"]] {
            let mut by_environment = sandbox.command(call);
            by_environment.env("INTERCORE_DB", url);
            let by_flag = sandbox.command([&format!("--db={url}")[..]].iter().chain(call));
            for (name, command) in [("INTERCORE_DB", by_environment), ("--db", by_flag)] {
                let output = run(command);
                let stderr = String::from_utf8_lossy(&output.stderr);
                assert_eq!(output.status.code(), Some(2), "{}", render(&output));
                let (scheme, _) = url.split_once("//").unwrap();
                assert!(stderr.contains(&format!("{name} names a {scheme}//")), "{stderr}");
                assert!(!stderr.contains("secret"), "{stderr}");
            }
        }
    }
    assert!(sandbox.files().is_empty());
    assert_eq!(fs::read_dir(sandbox.dir()).unwrap().count(), 1);
}
