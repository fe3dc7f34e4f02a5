//! The hooks that agents and git call (CO-02).

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::support::{Sandbox, render, run};

/// A repository with a database and two files.
pub(crate) fn project() -> Sandbox {
    let sandbox = Sandbox::new();
    git(&sandbox, &["init", "-q"]);
    git(&sandbox, &["config", "user.email", "dev@example.org"]);
    git(&sandbox, &["config", "user.name", "Dev"]);
    fs::create_dir(sandbox.dir().join("src")).unwrap();
    for file in ["src/a.rs", "src/b.txt"] {
        fs::write(sandbox.dir().join(file), "").unwrap();
    }
    sandbox
}

pub(crate) fn git(sandbox: &Sandbox, args: &[&str]) -> Output {
    let mut command = Command::new("git");
    sandbox.seal(&mut command);
    let bin = Path::new(assert_cmd::cargo::cargo_bin!("ic")).parent().unwrap();
    command.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display())).args(args);
    run(command)
}

/// A hook fed with `stdin`.
pub(crate) fn fed(sandbox: &Sandbox, hook: &[&str], stdin: &[u8], env: &[(&str, &str)]) -> Output {
    let mut command = sandbox.command(hook);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).envs(env.iter().copied());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(stdin).unwrap();
    child.wait_with_output().unwrap()
}

pub(crate) fn call(sandbox: &Sandbox, session: &str, tool: &str, path: &str) -> Value {
    json!({
        "session_id": session,
        "transcript_path": "/t",
        "cwd": sandbox.dir(),
        "permission_mode": "default",
        "hook_event_name": "PreToolUse",
        "tool_name": tool,
        "tool_use_id": "toolu_1",
        "tool_input": {"file_path": path, "old_string": "a", "new_string": "b", "replace_all": false}
    })
}

pub(crate) fn pre_edit(sandbox: &Sandbox, session: &str, path: &str) -> Output {
    fed(sandbox, &["hook", "pre-edit"], call(sandbox, session, "Edit", path).to_string().as_bytes(), &[])
}

/// Allowed: exit code 0 and not a word, so that the user's own permission prompt still comes.
pub(crate) fn allows(output: &Output) {
    assert_eq!(output.status.code(), Some(0), "{}", render(output));
    assert!(output.stdout.is_empty(), "{}", render(output));
}

/// Denied, in both forms; answers the reason.
pub(crate) fn denies(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", render(output));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", render(output)));
    let reason = said["reason"].as_str().unwrap().to_owned();
    assert_eq!(said["decision"], "block");
    assert_eq!(
        said["hookSpecificOutput"],
        json!({"hookEventName": "PreToolUse", "permissionDecision": "deny", "permissionDecisionReason": reason})
    );
    reason
}

/// CO-02: the first edit reserves the file, another session's is denied with who has it; the end of the session lets it go.
#[test]
fn an_edit_is_reserved_or_denied() {
    let sandbox = project();
    allows(&pre_edit(&sandbox, "s1", "src/a.rs"));
    let held = sandbox.json(["coordination", "list", "--active"]);
    assert_eq!(
        (&held[0]["owner"], &held[0]["scope"], &held[0]["pattern"], &held[0]["ttl_seconds"]),
        (&json!("s1"), &json!(sandbox.dir()), &json!("src/a.rs"), &json!(900))
    );
    allows(&pre_edit(&sandbox, "s1", sandbox.dir().join("src/../src/a.rs").to_str().unwrap()));
    let why = denies(&pre_edit(&sandbox, "s2", "./src/a.rs"));
    assert_eq!(
        why,
        "src/a.rs is reserved by s1 (src/a.rs, \"auto-reserve: editing\", until 2023-11-14T22:28:20.000Z). \
         Work on something else, wait, or ask them to release it."
    );
    allows(&pre_edit(&sandbox, "s2", "src/b.txt"));
    let stop = json!({"session_id": "s1", "cwd": sandbox.dir(), "hook_event_name": "SessionEnd"}).to_string();
    allows(&fed(&sandbox, &["hook", "stop"], stop.as_bytes(), &[]));
    allows(&pre_edit(&sandbox, "s2", "src/a.rs"));
    assert_eq!(sandbox.json(["coordination", "list", "--active"]).as_array().unwrap().len(), 2);
}

/// CO-02: the agent that the environment names comes before the session; tools that change nothing are let go on, and so is
/// what lies outside.
#[test]
fn whose_edit_it_is() {
    let sandbox = project();
    let text = call(&sandbox, "session", "Write", "src/a.rs").to_string();
    let agent = [("INTERMUTE_AGENT_ID", "agent-1")];
    allows(&fed(&sandbox, &["hook", "pre-edit"], text.as_bytes(), &agent));
    let denied = fed(&sandbox, &["hook", "pre-edit"], text.as_bytes(), &[]);
    assert!(denies(&denied).contains("agent-1"));
    for (tool, path) in [("Read", "src/a.rs"), ("Bash", "src/a.rs"), ("Edit", "/etc/hosts"), ("Edit", "")] {
        let text = call(&sandbox, "s2", tool, path).to_string();
        allows(&fed(&sandbox, &["hook", "pre-edit"], text.as_bytes(), &[]));
    }
    let notebook =
        json!({"session_id": "s2", "tool_name": "NotebookEdit", "tool_input": {"notebook_path": "src/a.rs"}});
    denies(&fed(&sandbox, &["hook", "pre-edit"], notebook.to_string().as_bytes(), &[]));
    assert_eq!(sandbox.count("SELECT count(*) FROM coordination_locks"), 1);
}

/// CO-02, CO-13: a file has one name, through symlinks and from any directory below.
#[test]
fn a_file_is_one_by_all_its_names() {
    let sandbox = project();
    std::os::unix::fs::symlink("src", sandbox.dir().join("link")).unwrap();
    allows(&pre_edit(&sandbox, "s1", "link/a.rs"));
    denies(&pre_edit(&sandbox, "s2", "src/a.rs"));
    let mut inside = call(&sandbox, "s2", "MultiEdit", "a.rs");
    inside["cwd"] = json!(sandbox.dir().join("src"));
    denies(&fed(&sandbox, &["hook", "pre-edit"], inside.to_string().as_bytes(), &[]));
    sandbox.fails(["coordination", "check", "--scope=link", "--pattern=src/*.rs"], 1);
}

/// CO-02, K-08: whatever a file is called, the answer is nothing or valid JSON, and its name is data.
#[test]
fn hostile_names_are_only_names() {
    let sandbox = project();
    let deep = (0..300).map(|n| n.to_string()).collect::<Vec<_>>().join("/");
    let names = [
        "it's \"quoted\".rs",
        "$(touch was-run).rs",
        "`touch was-run`; rm -rf x",
        "new\nline\ttab.rs",
        "*?[a-z]{x,y}!\\.rs",
        "--help",
        " leading and trailing ",
        "\u{202e}rtl\u{1b}[31m.rs",
        deep.as_str(),
    ];
    for name in names {
        allows(&pre_edit(&sandbox, "s1", name));
        let why = denies(&pre_edit(&sandbox, "s2", name));
        assert!(!why.contains('\n') && !why.contains('\u{1b}'), "{why:?}");
    }
    allows(&pre_edit(&sandbox, "s2", "a-z.rs")); // not what the pattern of that name would have meant
    let mut bytes = call(&sandbox, "s1", "Edit", "bad-NAME.rs").to_string().into_bytes();
    let at = bytes.windows(4).position(|four| four == b"NAME").unwrap();
    bytes[at..at + 2].copy_from_slice(b"\xff\xfe");
    allows(&fed(&sandbox, &["hook", "pre-edit"], &bytes, &[]));
    let mut other = bytes.clone();
    let session = other.windows(4).position(|four| four == b"\"s1\"").unwrap();
    other[session + 2] = b'2';
    denies(&fed(&sandbox, &["hook", "pre-edit"], &other, &[]));
    allows(&pre_edit(&sandbox, "s1", &"x".repeat(100_000)));
    assert!(!sandbox.dir().join("was-run").exists());
}

/// CO-02: what goes wrong with us keeps nobody from working, unless that is asked for.
#[test]
fn a_failure_of_ours_blocks_nobody() {
    let sandbox = project();
    let text = call(&sandbox, "s1", "Edit", "src/a.rs").to_string();
    for bad in [&b""[..], b"{", b"[]", b"{\"tool_input\": 7}", b"\xff", b"null"] {
        allows(&fed(&sandbox, &["hook", "pre-edit"], bad, &[]));
        allows(&fed(&sandbox, &["hook", "post-edit"], bad, &[]));
        allows(&fed(&sandbox, &["hook", "stop"], bad, &[]));
    }
    let writer = sandbox.open();
    writer.execute_batch("BEGIN IMMEDIATE").unwrap();
    allows(&fed(&sandbox, &["--timeout=10ms", "hook", "pre-edit"], text.as_bytes(), &[]));
    let strict = fed(&sandbox, &["--timeout=10ms", "hook", "pre-edit", "--strict"], text.as_bytes(), &[]);
    assert!(denies(&strict).contains("cannot be told"));
    writer.execute_batch("ROLLBACK").unwrap();
    fs::write(sandbox.db_path(), "no database").unwrap();
    allows(&fed(&sandbox, &["hook", "pre-edit"], text.as_bytes(), &[]));
    let bare = Sandbox::bare();
    let text = call(&bare, "s1", "Edit", "src/a.rs").to_string();
    allows(&fed(&bare, &["hook", "pre-edit"], text.as_bytes(), &[]));
    allows(&fed(&bare, &["hook", "pre-edit", "--strict"], text.as_bytes(), &[]));
    assert!(!bare.dir().join(".clavain").exists(), "nothing is made where nobody asked for it");
    bare.fails(["hook", "pre-edit", "--nonsense"], 3);
}

/// CO-02: of eight sessions at once one gets the file.
#[test]
fn of_many_sessions_one_edits() {
    let sandbox = project();
    let answers: Vec<Output> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..8)
            .map(|n| {
                let sandbox = &sandbox;
                scope.spawn(move || pre_edit(sandbox, &format!("s{n}"), "src/a.rs"))
            })
            .collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    assert_eq!(answers.iter().filter(|answer| answer.stdout.is_empty()).count(), 1);
    assert_eq!(sandbox.count("SELECT count(*) FROM coordination_locks"), 1);
}

/// CO-02, CO-17: after the edit the file is held on; if it was lost meanwhile the agent hears of it. A session whose own lock
/// was lost edits and commits nothing.
#[test]
fn who_lost_a_lock_is_told() {
    let sandbox = project();
    let text = call(&sandbox, "s1", "Edit", "src/a.rs").to_string();
    allows(&fed(&sandbox, &["hook", "pre-edit"], text.as_bytes(), &[]));
    let later = |seconds: i64| (1_700_000_000 + seconds).to_string();
    let at = later(600);
    allows(&fed(&sandbox, &["hook", "post-edit"], text.as_bytes(), &[("IC_TEST_NOW", &at)]));
    assert_eq!(sandbox.json(["coordination", "list"])[0]["expires_at"], 1_700_001_500);
    let (at, other) = (later(2000), call(&sandbox, "s2", "Edit", "src/a.rs").to_string());
    allows(&fed(&sandbox, &["hook", "pre-edit"], other.as_bytes(), &[("IC_TEST_NOW", &at)]));
    let told = fed(&sandbox, &["hook", "post-edit"], text.as_bytes(), &[("IC_TEST_NOW", &at)]);
    let said: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert!(said["reason"].as_str().unwrap().contains("reserved by s2"), "{said}");
    assert_eq!(said["hookSpecificOutput"]["hookEventName"], "PostToolUse");

    let lock = sandbox.json([
        "coordination",
        "reserve",
        "--owner=s1",
        "--scope=w",
        "--pattern=w",
        "--type=named_lock",
    ]);
    let fence = format!("{}:{}", lock["lock"]["id"].as_str().unwrap(), lock["lock"]["fence"]);
    let under = [("INTERCORE_FENCE", fence.as_str())];
    let b = call(&sandbox, "s1", "Edit", "src/b.txt").to_string();
    allows(&fed(&sandbox, &["hook", "pre-edit"], b.as_bytes(), &under));
    sandbox.ok(["coordination", "transfer", "--from=s1", "--to=s3", "--scope=w"]);
    assert!(denies(&fed(&sandbox, &["hook", "pre-edit"], b.as_bytes(), &under)).contains("another token"));
    let mut commit = sandbox.command(["hook", "pre-commit"]);
    commit.env("INTERCORE_FENCE", &fence);
    assert_eq!(run(commit).status.code(), Some(1));
    let nonsense = [("INTERCORE_FENCE", "nonsense")];
    let typo = fed(&sandbox, &["hook", "pre-edit"], b.as_bytes(), &nonsense);
    assert!(denies(&typo).contains("INTERCORE_FENCE"), "a guard with a typing error is no guard");
}

/// CO-02: a file of a repository within another is held by who holds its tree there; without git a project is one scope.
#[test]
fn a_file_belongs_to_the_trees_around_it() {
    let sandbox = project();
    fs::create_dir_all(sandbox.dir().join("sub/.git")).unwrap();
    sandbox.ok(["coordination", "reserve", "--owner=ann", "--scope=.", "--pattern=sub/**"]);
    assert!(denies(&pre_edit(&sandbox, "bob", "sub/x.c")).contains("reserved by ann"));
    allows(&pre_edit(&sandbox, "ann", "sub/x.c"));
    let plain = Sandbox::new();
    fs::create_dir(plain.dir().join("d")).unwrap();
    let mut inner = call(&plain, "s1", "Edit", "x.c");
    inner["cwd"] = json!(plain.dir().join("d"));
    allows(&fed(&plain, &["hook", "pre-edit"], inner.to_string().as_bytes(), &[]));
    denies(&pre_edit(&plain, "s2", "d/x.c"));
}

/// CO-02: an `ic` that fails keeps nobody from committing.
#[test]
fn a_failure_of_ours_ends_no_commit() {
    let sandbox = project();
    sandbox.ok(["hook", "install", "--git"]);
    let bin = sandbox.dir().parent().unwrap().join("bin");
    fs::create_dir(&bin).unwrap();
    for code in [2, 3, 134] {
        fs::write(bin.join("ic"), format!("#!/bin/sh\nexit {code}\n")).unwrap();
        fs::set_permissions(bin.join("ic"), fs::Permissions::from_mode(0o755)).unwrap();
        let mut commit = Command::new("git");
        sandbox.seal(&mut commit);
        commit.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display()));
        commit.args(["commit", "-q", "--allow-empty", "-m", "x"]);
        assert!(run(commit).status.success(), "{code}");
    }
}

/// CO-02: what is held for longer than an edit is not held for less by it.
#[test]
fn an_edit_takes_no_time_away() {
    let sandbox = project();
    sandbox.ok(["coordination", "reserve", "--owner=s1", "--scope=.", "--pattern=src/a.rs", "--ttl=2h"]);
    allows(&pre_edit(&sandbox, "s1", "src/a.rs"));
    assert_eq!(sandbox.json(["coordination", "list"])[0]["ttl_seconds"], 7200);
    assert_eq!(sandbox.events().len(), 1);
}

/// CO-02, HK-04: a commit with files that others hold is refused by git itself; one of free files goes
/// through, and holds nothing.
#[test]
fn a_commit_of_reserved_files_is_refused() {
    let sandbox = project();
    sandbox.ok(["hook", "install", "--git"]);
    git(&sandbox, &["add", "-A"]);
    sandbox.ok([
        "coordination",
        "reserve",
        "--owner=ann",
        "--scope=.",
        "--pattern=src/*.rs",
        "--reason=parser",
    ]);
    let refused = git(&sandbox, &["commit", "-q", "-m", "one"]);
    let text = render(&refused);
    assert_eq!(refused.status.code(), Some(1), "{text}");
    assert!(text.contains("src/a.rs is reserved by ann (src/*.rs, \"parser\""), "{text}");
    assert_eq!(
        sandbox.count("SELECT count(*) FROM coordination_locks WHERE owner <> 'ann'"),
        0,
        "all or nothing"
    );
    assert_eq!(sandbox.events().iter().filter(|e| e["type"] == "coordination.conflict").count(), 1);
    git(&sandbox, &["rm", "-q", "--cached", "src/a.rs"]);
    assert!(git(&sandbox, &["commit", "-q", "-m", "one"]).status.success());
    sandbox.ok(["coordination", "release", "--owner=ann", "--scope=."]);
    git(&sandbox, &["add", "-A"]);
    assert!(git(&sandbox, &["commit", "-q", "-m", "two"]).status.success());
    fs::write(sandbox.dir().join("src/a.rs"), "more").unwrap();
    assert!(git(&sandbox, &["commit", "-q", "-a", "-m", "three"]).status.success(), "the same committer");
    assert_eq!(
        sandbox.count("SELECT count(*) FROM coordination_locks WHERE owner <> 'ann'"),
        0,
        "nothing is held"
    );
    assert_eq!(run(sandbox.command(["hook", "pre-commit"])).status.code(), Some(0), "nothing is staged");
    let bare = Sandbox::bare();
    assert_eq!(run(bare.command(["hook", "pre-commit"])).status.code(), Some(0));
    assert_eq!(run(bare.command(["hook", "pre-commit", "--strict"])).status.code(), Some(2));
}

/// CO-02: what is in the files of others stays, and comes back as it was.
#[test]
fn installing_disturbs_nothing() {
    let sandbox = project();
    let settings = sandbox.dir().join(".claude/settings.json");
    let hook = sandbox.dir().join(".git/hooks/pre-commit");
    let theirs =
        "{\n    \"model\": \"x\",\n    \"hooks\": {\n        \"Stop\": []\n    },\n    \"n\": 1.0\n}\n";
    fs::create_dir(sandbox.dir().join(".claude")).unwrap();
    fs::write(&settings, theirs).unwrap();
    fs::write(&hook, "#!/bin/sh\nexit 0\n").unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let planned = sandbox.ok(["hook", "install", "--dry-run"]);
    assert!(planned.contains("ic hook pre-edit") && planned.contains("exit 0"), "{planned}");
    assert_eq!(fs::read_to_string(&settings).unwrap(), theirs);
    let done = sandbox.json(["hook", "install"]);
    assert_eq!((&done[0]["change"], &done[1]["change"]), (&json!("changed"), &json!("changed")));
    assert!(fs::read_to_string(&settings).unwrap().starts_with("{\n    \"model\": \"x\",\n    \"hooks\""));
    assert_eq!(fs::metadata(&hook).unwrap().permissions().mode() & 0o777, 0o755);
    assert_eq!(sandbox.json(["hook", "install"])[0]["change"], "unchanged");
    sandbox.ok(["hook", "uninstall"]);
    assert_eq!(fs::read_to_string(&hook).unwrap(), "#!/bin/sh\nexit 0\n");
    fs::remove_file(&settings).unwrap();
    fs::remove_file(&hook).unwrap();
    sandbox.ok(["hook", "install"]);
    assert_eq!(fs::metadata(&hook).unwrap().permissions().mode() & 0o777, 0o755);
    sandbox.ok(["hook", "uninstall"]);
    assert!(!settings.exists() && !hook.exists());
    // A link stays a link, and what it leads to is a file still.
    let elsewhere = sandbox.dir().parent().unwrap().join("dotfiles.json");
    fs::write(&elsewhere, "{}").unwrap();
    std::os::unix::fs::symlink(&elsewhere, &settings).unwrap();
    sandbox.ok(["hook", "install", "--claude"]);
    assert!(fs::read_to_string(&elsewhere).unwrap().contains("ic hook pre-edit"));
    sandbox.ok(["hook", "uninstall", "--claude"]);
    assert!(settings.is_symlink());
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "{}\n");
    fs::remove_file(&elsewhere).unwrap();
    sandbox.fails(["hook", "install", "--claude"], 2);
    assert!(settings.is_symlink());
    fs::remove_file(&settings).unwrap();

    fs::write(&settings, "{ broken").unwrap();
    let (_, stderr) = sandbox.fails(["hook", "install"], 2);
    assert!(stderr.contains("nothing was changed"), "{stderr}");
    assert!(!hook.exists(), "neither of the two");
    assert_eq!(fs::read_to_string(&settings).unwrap(), "{ broken");
}
