//! A database in a git repository: git does not see it, and leaves it as it is.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::json;

use crate::support::{Sandbox, render, run};

fn git_in(sandbox: &Sandbox, dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new("git");
    sandbox.seal(&mut command);
    let bin = Path::new(assert_cmd::cargo::cargo_bin!("ic")).parent().unwrap();
    command.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display()));
    command.args(["-c", "user.name=Dev", "-c", "user.email=dev@example.org"]).args(args);
    run({
        command.current_dir(dir).env("PWD", dir);
        command
    })
}

/// Runs git, which has to succeed; returns its stdout.
fn git(sandbox: &Sandbox, args: &[&str]) -> String {
    let output = git_in(sandbox, sandbox.dir(), args);
    assert!(output.status.success(), "git {args:?}: {}", render(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// A repository with two commits and a branch, and no database.
fn repository() -> Sandbox {
    let sandbox = Sandbox::bare();
    git(&sandbox, &["init", "-q", "-b", "main"]);
    for content in ["one", "two"] {
        fs::write(sandbox.dir().join("file"), content).unwrap();
        git(&sandbox, &["add", "-A"]);
        git(&sandbox, &["commit", "-q", "-m", content]);
    }
    git(&sandbox, &["branch", "other", "HEAD~1"]);
    sandbox
}

fn status(sandbox: &Sandbox) -> String {
    git(sandbox, &["status", "--porcelain", "--untracked-files=all"])
}

fn lines(sandbox: &Sandbox) -> Vec<String> {
    let text = fs::read_to_string(sandbox.dir().join(".clavain/.gitignore")).unwrap();
    text.lines().map(ToOwned::to_owned).collect()
}

const PATTERNS: [&str; 5] = ["/.gitignore", "/intercore.db*", "/.intercore-*", "/dispatch-logs/", "/keys/"];

/// Everything that may lie beside a database.
fn litter(sandbox: &Sandbox) {
    let dir = sandbox.dir().join(".clavain");
    for directory in ["dispatch-logs", "keys"] {
        fs::create_dir_all(dir.join(directory)).unwrap();
        fs::write(dir.join(directory).join("x"), "x").unwrap();
    }
    for file in [".intercore-abc.tmp", "intercore.db.backup-1-000", "intercore.db.damaged-1"] {
        fs::write(dir.join(file), "x").unwrap();
    }
}

fn hook(sandbox: &Sandbox, verb: &str, file: &str) -> Output {
    let call = json!({
        "session_id": "s", "cwd": sandbox.dir(), "tool_name": "Edit",
        "tool_input": {"file_path": sandbox.dir().join(file)}
    });
    let mut command = sandbox.command(["hook", verb]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(call.to_string().as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// K-23: whichever command creates the database, git does not see it, nor what lies beside it.
#[test]
fn what_creates_a_database_keeps_it_out_of_git() {
    let source = Sandbox::new();
    source.new_run();
    source.ok(["backup", "../copy.db"]);
    let copy = source.dir().with_file_name("copy.db");
    let go = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/go-v39.sql");
    let old = source.dir().with_file_name("go.db");
    rusqlite::Connection::open(&old).unwrap().execute_batch(&fs::read_to_string(go).unwrap()).unwrap();
    for call in [
        vec!["init"],
        vec!["run", "create", "--goal=x"],
        vec!["hook", "pre-edit"],
        vec!["restore", copy.to_str().unwrap()],
        vec!["import", "--from", old.to_str().unwrap()],
        vec!["import"],
    ] {
        let sandbox = repository();
        fs::create_dir(sandbox.dir().join(".clavain")).unwrap();
        if call == ["import"] {
            fs::copy(&old, sandbox.db_path()).unwrap();
        }
        let output = if call[0] == "hook" { hook(&sandbox, "pre-edit", "file") } else { sandbox.ic(&call) };
        assert!(output.status.success(), "{call:?}: {}", render(&output));
        assert!(sandbox.db_path().exists(), "{call:?}");
        litter(&sandbox);
        assert_eq!(status(&sandbox), "", "{call:?}");
        assert!(PATTERNS.iter().all(|pattern| lines(&sandbox).iter().any(|line| line == pattern)));
        // Once is enough.
        let before = lines(&sandbox);
        sandbox.ok(["init"]);
        assert_eq!(lines(&sandbox), before);
    }
}

/// K-23: what agents do with git all day leaves the database as it is, also while it is in use.
#[test]
fn git_leaves_the_database_alone() {
    let sandbox = repository();
    sandbox.ok(["init"]);
    let id = sandbox.new_run();
    let _in_use = sandbox.open();
    for call in [
        &["add", "-A"][..],
        &["commit", "-q", "--allow-empty", "-m", "three"],
        &["clean", "-fdq"],
        &["stash", "-u"],
        &["reset", "-q", "--hard", "HEAD~1"],
        &["checkout", "-q", "other"],
        &["switch", "-q", "main"],
        &["checkout", "-q", "--detach", "HEAD~1"],
        &["switch", "-q", "--force", "other"],
        &["merge", "-q", "main"],
        &["rebase", "-q", "main"],
    ] {
        fs::write(sandbox.dir().join("new"), "new").unwrap();
        git(&sandbox, call);
        fs::remove_file(sandbox.dir().join("new")).ok();
        assert_eq!(git(&sandbox, &["ls-files", ".clavain"]), "", "{call:?}");
        assert_eq!(sandbox.ok(["run", "current"]), id, "{call:?}");
        sandbox.ok(["agent", "add", &id]);
        sandbox.check_integrity();
        git(&sandbox, &["reset", "-q", "--hard"]);
    }
}

/// K-23: a `.gitignore` of the user keeps its lines and gets those that it lacks; one that is tracked stays as it is, and
/// so does one that git does not honour.
#[test]
fn a_gitignore_of_the_user_stays() {
    let sandbox = repository();
    let ignore = sandbox.dir().join(".clavain/.gitignore");
    fs::create_dir(sandbox.dir().join(".clavain")).unwrap();
    fs::write(&ignore, "mine\r\n/keys/\n!kept").unwrap();
    sandbox.ok(["init"]);
    assert_eq!(lines(&sandbox)[..3], ["mine", "/keys/", "!kept"]);
    assert_eq!(lines(&sandbox).iter().filter(|line| *line == "/keys/").count(), 1);
    litter(&sandbox);
    assert_eq!(status(&sandbox), "");

    for link in [false, true] {
        let sandbox = repository();
        let ignore = sandbox.dir().join(".clavain/.gitignore");
        fs::create_dir(sandbox.dir().join(".clavain")).unwrap();
        if link {
            fs::write(sandbox.dir().join("patterns"), "mine\n").unwrap();
            symlink("../patterns", &ignore).unwrap();
        } else {
            fs::write(&ignore, "mine\n").unwrap();
        }
        git(&sandbox, &["add", "-A"]);
        git(&sandbox, &["commit", "-q", "-m", "patterns"]);
        sandbox.ok(["run", "create", "--goal=x"]);
        litter(&sandbox);
        assert_eq!(status(&sandbox), "", "link: {link}");
        assert_eq!(fs::read_to_string(&ignore).unwrap(), "mine\n");
        let exclude = fs::read_to_string(sandbox.dir().join(".git/info/exclude")).unwrap();
        for pattern in &PATTERNS[1..] {
            assert!(exclude.lines().any(|line| line == format!("/.clavain{pattern}")), "{exclude}");
        }
        sandbox.ok(["init"]);
        assert_eq!(fs::read_to_string(sandbox.dir().join(".git/info/exclude")).unwrap(), exclude);
    }
}

/// K-23: subdirectories, linked working trees, submodules, bare repositories and no repository at all.
#[test]
fn every_kind_of_working_tree_will_do() {
    let sandbox = repository();
    git(&sandbox, &["worktree", "add", "-q", "../linked", "other"]);
    let linked = sandbox.dir().with_file_name("linked");
    fs::create_dir_all(linked.join("a [b]/.clavain")).unwrap();
    fs::write(linked.join("a [b]/.clavain/.gitignore"), "mine\n").unwrap();
    assert!(git_in(&sandbox, &linked, &["add", "-A"]).status.success());
    let init = |dir: &Path| {
        let mut command = sandbox.command(["init"]);
        command.current_dir(dir).env("PWD", dir);
        let output = run(command);
        assert!(output.status.success() && output.stderr.is_empty(), "{}", render(&output));
    };
    init(&linked.join("a [b]"));
    assert!(git_in(&sandbox, &linked, &["commit", "-qm", "x"]).status.success());
    let seen = git_in(&sandbox, &linked, &["status", "--porcelain", "--untracked-files=all"]);
    assert_eq!(String::from_utf8_lossy(&seen.stdout), "");
    init(&linked);
    fs::create_dir_all(linked.join("deep/er")).unwrap();
    fs::create_dir(linked.join("deep/er/.clavain")).unwrap();
    init(&linked.join("deep/er"));
    let seen = git_in(&sandbox, &linked, &["status", "--porcelain", "--untracked-files=all"]);
    assert_eq!(String::from_utf8_lossy(&seen.stdout), "");

    for (name, args) in [("bare.git", &["init", "-q", "--bare"][..]), ("plain", &["--version"])] {
        let dir = sandbox.dir().with_file_name(name);
        fs::create_dir(&dir).unwrap();
        assert!(git_in(&sandbox, &dir, args).status.success());
        init(&dir);
        assert!(dir.join(".clavain/.gitignore").exists(), "{name}");
    }
    // A repository that is made later does not see it either.
    let plain = sandbox.dir().with_file_name("plain");
    assert!(git_in(&sandbox, &plain, &["init", "-q"]).status.success());
    let seen = git_in(&sandbox, &plain, &["status", "--porcelain", "--untracked-files=all"]);
    assert_eq!(String::from_utf8_lossy(&seen.stdout), "");
}

/// K-23: a database of another name or in another directory of a repository is kept out of git too.
#[test]
fn a_database_elsewhere_is_kept_out_too() {
    for place in [".clavain/other.db", "data/my [1] base.db", "top.db"] {
        let sandbox = repository();
        let call = |args: &[&str]| {
            let mut command = sandbox.command(args);
            command.env("INTERCORE_DB", sandbox.dir().join(place));
            let output = run(command);
            assert!(output.status.success(), "{place}: {}", render(&output));
            String::from_utf8(output.stderr).unwrap()
        };
        call(&["init"]);
        call(&["run", "create", "--goal=x"]);
        assert_eq!(status(&sandbox), "", "{place}");
        fs::create_dir_all(sandbox.dir().join("data/keys")).unwrap();
        fs::write(sandbox.dir().join("data/keys/mine"), "x").unwrap();
        assert_eq!(status(&sandbox), "?? data/keys/mine\n", "{place}");
        git(&sandbox, &["add", "-f", place]);
        assert!(call(&["health"]).contains("git tracks the database"), "{place}");
    }
}

/// K-23: git not being told is no reason to do without a database.
#[test]
fn a_failure_to_tell_git_is_a_warning() {
    let sandbox = repository();
    fs::create_dir_all(sandbox.dir().join(".clavain/.gitignore")).unwrap();
    fs::remove_dir_all(sandbox.dir().join(".git/info")).unwrap();
    fs::write(sandbox.dir().join(".git/info"), "").unwrap();
    let output = sandbox.ic(["init"]);
    assert!(output.status.success(), "{}", render(&output));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("info/exclude") && stderr.contains(".clavain/intercore.db*"), "{stderr}");
}

/// K-23: a database that git tracks is warned of by `init`, `health` and every hook, with the way out, and no commit takes
/// it in.
#[test]
fn a_tracked_database_is_reported_and_not_committed() {
    let sandbox = repository();
    sandbox.ok(["init"]);
    let id = sandbox.new_run();
    let warns = |output: &Output| {
        assert!(output.status.success() && output.stdout.is_empty(), "{}", render(output));
        String::from_utf8_lossy(&output.stderr).contains("git tracks the database .clavain/intercore.db")
    };
    for hook_of in ["pre-edit", "post-edit", "stop"] {
        assert!(!warns(&hook(&sandbox, hook_of, "file")), "{hook_of}");
    }
    git(&sandbox, &["commit", "-q", "--allow-empty", "-m", "before"]);
    git(&sandbox, &["add", "-f", ".clavain"]);
    for call in [&["init"][..], &["health"], &["health", "--deep"]] {
        let output = sandbox.ic(call);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && stderr.contains("git rm --cached"), "{call:?}: {stderr}");
    }
    for hook_of in ["pre-edit", "post-edit", "stop"] {
        assert!(warns(&hook(&sandbox, hook_of, "file")), "{hook_of}");
    }
    sandbox.ok(["hook", "install", "--git"]);
    fs::write(sandbox.dir().join("file"), "three").unwrap();
    for args in [&["commit", "-m", "x"][..], &["commit", "-am", "x"]] {
        let refused = git_in(&sandbox, sandbox.dir(), args);
        let stderr = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains("commit refused: .clavain/intercore.db "), "{stderr}");
    }
    // One that got in before the hook was there: other commits are made, with a warning.
    git(&sandbox, &["commit", "-q", "--no-verify", "-m", "in"]);
    fs::write(sandbox.dir().join("file"), "four").unwrap();
    let made = git_in(&sandbox, sandbox.dir(), &["commit", "-qm", "four", "file"]);
    assert!(made.status.success(), "{}", render(&made));
    assert!(String::from_utf8_lossy(&made.stderr).contains("git tracks the database"), "{}", render(&made));
    // Written to since, and staged again: git wants to be forced.
    sandbox.ok(["agent", "add", &id]);
    git(&sandbox, &["add", ".clavain/intercore.db"]);
    sandbox.ok(["agent", "add", &id]);
    // The way out as it is told, from wherever the caller is.
    let told = sandbox.ic(["health"]);
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    let command = told.split('`').nth(1).unwrap();
    fs::create_dir(sandbox.dir().join("sub")).unwrap();
    let mut shell = Command::new("sh");
    sandbox.seal(&mut shell);
    shell.args(["-c", command]).current_dir(sandbox.dir().join("sub"));
    let done = run(shell);
    assert!(done.status.success(), "{command}: {}", render(&done));
    let made = git_in(&sandbox, sandbox.dir(), &["commit", "-qm", "out"]);
    assert!(made.status.success(), "{}", render(&made));
    assert!(sandbox.ic(["health"]).stderr.is_empty());
    assert_eq!(sandbox.ok(["run", "current"]), id);
    sandbox.check_integrity();
}

/// K-23: the database of the version before is kept out of git by the write that migrates it.
#[test]
fn a_migration_keeps_the_database_out_of_git() {
    let sandbox = repository();
    sandbox.ok(["init"]);
    fs::remove_file(sandbox.dir().join(".clavain/.gitignore")).unwrap();
    for table in [
        "coordination_locks DROP COLUMN expires_at_ms",
        "coordination_locks DROP COLUMN automatic",
        "coordination_locks DROP COLUMN pid_namespace",
        "lock_waiters DROP COLUMN pid_namespace",
        "intents DROP COLUMN pid_namespace",
        "dispatches DROP COLUMN pid_namespace",
        "sentinels DROP COLUMN last_fired_ms",
        "state DROP COLUMN expires_at_ms",
    ] {
        sandbox.open().execute(&format!("ALTER TABLE {table}"), []).unwrap();
    }
    sandbox.open().pragma_update(None, "user_version", 1009).unwrap();
    assert_ne!(status(&sandbox), "");
    sandbox.ok(["run", "list"]);
    assert_ne!(status(&sandbox), "");
    sandbox.ok(["run", "create", "--goal=x"]);
    assert_eq!(status(&sandbox), "");
}

/// K-23: the look before an edit starts no program.
#[test]
fn hooks_about_edits_start_no_git() {
    let sandbox = repository();
    sandbox.ok(["init"]);
    git(&sandbox, &["add", "-f", ".clavain/intercore.db"]);
    let call = json!({
        "session_id": "s", "cwd": sandbox.dir(), "tool_name": "Edit",
        "tool_input": {"file_path": sandbox.dir().join("file")}
    });
    for verb in ["pre-edit", "post-edit"] {
        let mut command = sandbox.command(["hook", verb]);
        // A git that would be found is one that fails.
        let bin = sandbox.dir().with_file_name("bin");
        fs::create_dir_all(&bin).unwrap();
        let fake = bin.join("git");
        fs::write(&fake, "#!/bin/sh\ntouch \"$0.started\"\nexit 1\n").unwrap();
        fs::set_permissions(&fake, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        command.env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(call.to_string().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(String::from_utf8_lossy(&output.stderr).contains("git tracks"), "{}", render(&output));
        assert!(!bin.join("git.started").exists(), "{verb}");
    }
}
