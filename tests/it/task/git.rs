//! The commit: the last step, which decides nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::{Value, json};

use super::{Specs, types};
use crate::support::{render, run};

/// Runs git in the project; answers its trimmed stdout.
fn git(specs: &Specs, args: &[&str]) -> String {
    let mut command = Command::new("git");
    specs.sandbox.seal(&mut command);
    command
        .args(["-c", "init.defaultBranch=main", "-c", "user.name=Ada", "-c", "user.email=ada@example.com"])
        .args(args);
    let output = run(command);
    assert!(output.status.success(), "git {args:?}: {}", render(&output));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// A repository with everything committed but the database.
fn repository(count: u64) -> Specs {
    let specs = Specs::new(count);
    specs.file("other.txt", "one\n");
    specs.file("more.txt", "one\n");
    specs.file(".gitignore", ".clavain/\n");
    git(&specs, &["init", "--quiet"]);
    git(&specs, &["config", "user.name", "Ada"]);
    git(&specs, &["config", "user.email", "ada@example.com"]);
    git(&specs, &["add", "-A"]);
    git(&specs, &["commit", "--quiet", "-m", "first"]);
    specs
}

const RESEARCHED: &str = "postflight 1 --to=researched --force --artifact=research:specs/1_a/r.md";

/// TS-45, TS-46, TS-65: the commit has the operation's files and nothing else; what is staged or changed beside them stays so.
/// `preflight` makes none, and `--no-commit` neither.
#[test]
fn a_commit_has_the_operation_s_files_alone() {
    let specs = repository(2);
    specs.file("specs/1_a/r.md", "report");
    let plan = "# Plan\n- **Status**: [NOT STARTED]\n";
    specs.file("specs/1_a/p.md", plan);
    specs.file("other.txt", "staged\n");
    git(&specs, &["add", "other.txt"]);
    specs.file("more.txt", "dirty\n");
    specs.ok("preflight 1 --to=researching");
    assert_eq!(git(&specs, &["rev-list", "--count", "HEAD"]), "1");
    let (code, result) = specs.result(&format!("{RESEARCHED} --plan=specs/1_a/p.md --session=sess_1_abcdef"));
    assert_eq!((code, types(&result)), (0, Vec::<&str>::new()), "{result}");
    assert_eq!(result["commit"]["hash"], git(&specs, &["rev-parse", "HEAD"]));
    let files = git(&specs, &["show", "--name-only", "--format=", "HEAD"]);
    assert_eq!(files, "specs/1_a/p.md\nspecs/1_a/r.md\nspecs/TODO.md\nspecs/state.json");
    let message = git(&specs, &["log", "-1", "--format=%B"]);
    assert_eq!(message, "task 1: complete research\n\nSession: sess_1_abcdef");
    assert!(message.lines().next().unwrap().len() <= 72);
    assert_eq!(git(&specs, &["status", "--short"]), " M more.txt\nM  other.txt");
    specs.ok("postflight 2 --to=planned --force --no-commit");
    let (_, result) = specs.result("set 2 --to=implementing");
    assert_eq!(result["commit"]["hash"], Value::Null);
    assert_eq!(git(&specs, &["rev-list", "--count", "HEAD"]), "2");
    specs.ok("set 2 --to=blocked --reason=r --commit");
    assert_eq!(git(&specs, &["log", "-1", "--format=%s"]), "task 2: blocked");
}

/// TS-44, TS-59: no repository, no git, nothing to commit, a hook that says no: the files are up to date, and it is a warning.
#[test]
fn a_commit_that_fails_is_a_warning() {
    let done = |specs: &Specs, env: &[(&str, &str)], said: &str| {
        let (code, result) = specs.result_with(RESEARCHED, env);
        assert_eq!(
            (code, &result["ok"], &result["commit"]["hash"]),
            (0, &json!(true), &Value::Null),
            "{result}"
        );
        let errors: Vec<_> = result["errors"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|error| error["code"] == "GIT_COMMIT_FAILED")
            .collect();
        assert_eq!(
            (errors.len(), &errors[0]["severity"], &errors[0]["recoverable"]),
            (1, &json!("NON-CRITICAL"), &json!(true))
        );
        assert!(errors[0]["message"].as_str().unwrap().contains(said), "{result}");
        assert_eq!(specs.status(1).1, "researched");
    };
    let specs = Specs::new(1);
    specs.file("specs/1_a/r.md", "report");
    done(&specs, &[], "not in a git working tree");
    let specs = repository(1);
    specs.file("specs/1_a/r.md", "report");
    specs.file("more.txt", "dirty\n");
    done(&specs, &[("PATH", "/nowhere")], "git is not installed");
    let specs = repository(1);
    specs.file("specs/1_a/r.md", "report");
    let hook = specs.file(".git/hooks/pre-commit", "#!/bin/sh\necho no such thing >&2\nexit 1\n");
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    done(&specs, &[], "hook refused the commit: no such thing");
    fs::remove_file(hook).unwrap();
    // Again, with nothing new in the task: the commit is made up for. And again: there is nothing to commit.
    let (_, result) = specs.result(RESEARCHED);
    assert!(result["commit"]["hash"].is_string(), "{result}");
    done(&specs, &[], "nothing to commit");
}

/// TS-47: after something critical no commit is tried.
#[test]
fn a_failed_change_is_not_committed() {
    let specs = repository(1);
    specs.file("specs/1_a/r.md", "report");
    let (code, result) = specs.result("postflight 1 --to=completed --artifact=research:specs/1_a/r.md");
    assert_eq!((code, &result["commit"]["hash"]), (1, &Value::Null));
    let log = specs.sandbox.dir().join("order");
    let env = [("IC_TEST_TASK_FAIL", "rename:1,2,3"), ("IC_TEST_TASK_LOG", log.to_str().unwrap())];
    let (code, result) = specs.result_with(RESEARCHED, &env);
    assert_eq!((code, types(&result)), (2, vec!["status_sync_failed"]));
    assert!(!fs::read_to_string(log).unwrap().contains("git"));
    assert_eq!(git(&specs, &["rev-list", "--count", "HEAD"]), "1");
}

/// TS-48: what a change did is taken back by git.
#[test]
fn git_takes_a_change_back() {
    let specs = repository(1);
    let before = specs.pair();
    specs.ok("preflight 1 --to=researching");
    git(&specs, &["checkout", "--", "specs/TODO.md", "specs/state.json"]);
    assert_eq!(specs.pair(), before);
    specs.ok("preflight 1 --to=researching");
}

/// IS-18: a staged version of a task file that is the user's own is not dropped: the commit is left out, and
/// why is told. A staged version that the change was made from is part of it.
#[test]
fn a_staged_version_of_a_task_file_is_not_dropped() {
    let specs = repository(2);
    specs.file("specs/1_a/r.md", "report");
    let todo = specs.todo();
    specs.file("specs/TODO.md", &todo.replace("# TODO", "# MINE"));
    git(&specs, &["add", "specs/TODO.md"]);
    specs.file("specs/TODO.md", &todo);
    let (code, result) = specs.result(RESEARCHED);
    assert_eq!((code, &result["commit"]["hash"]), (0, &Value::Null), "{result}");
    assert!(types(&result).contains(&"git_commit_failed"), "{result}");
    assert!(result.to_string().contains("TODO.md has a staged version"), "{result}");
    assert!(git(&specs, &["show", ":specs/TODO.md"]).contains("# MINE"));
    assert_eq!(specs.status(1).1, "researched");
    // Staged as it is, it was what the next change is made from.
    git(&specs, &["add", "specs/TODO.md", "specs/state.json"]);
    specs.ok("set 2 --to=blocked --reason=r --commit");
    assert_eq!(git(&specs, &["status", "--short", "specs/TODO.md", "specs/state.json"]), "");
    assert_eq!(git(&specs, &["rev-list", "--count", "HEAD"]), "2");
}

/// IS-18: a signal that ends the call while it holds git's index leaves no lock.
#[test]
fn a_signal_leaves_no_lock() {
    let specs = repository(1);
    specs.file("specs/1_a/r.md", "report");
    let hook = specs.file(
        ".git/hooks/reference-transaction",
        "#!/bin/sh\n[ \"$1\" = prepared ] || exit 0\ntouch ../moving\nwhile [ ! -e ../go ]; do sleep 0.01; done\n",
    );
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let mut child = specs.start(RESEARCHED, &[]);
    super::await_file(&specs.sandbox.dir().join("../moving"));
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    specs.file("../go", "");
    let status = child.wait().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(15));
    assert!(!specs.sandbox.dir().join(".git/index.lock").exists());
    git(&specs, &["add", "-A"]);
    assert_eq!(git(&specs, &["status", "--short"]), "");
}

/// F11: an index that cannot be replaced after the commit is told of.
#[test]
fn an_index_that_stays_behind_is_told_of() {
    let specs = repository(1);
    specs.file("specs/1_a/r.md", "report");
    let hook = specs.file(
        ".git/hooks/reference-transaction",
        "#!/bin/sh\n[ \"$1\" = committed ] || exit 0\nrm .git/index; mkdir -p .git/index/x\n",
    );
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let (code, result) = specs.result(RESEARCHED);
    assert_eq!((code, types(&result)), (0, vec!["transition_forced", "git_index_behind"]), "{result}");
    assert!(result["commit"]["hash"].is_string(), "{result}");
}
