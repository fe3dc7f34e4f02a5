//! The look at the result, and looks without a change.

use std::fs;

use serde_json::{Value, json};

use super::{Specs, await_file, types};

/// Changes a file while a call has written it and not looked at it yet; answers exit code and result.
fn meddled(specs: &Specs, line: &str, file: &str, change: impl Fn(&str) -> String) -> (i32, Value) {
    let go = specs.sandbox.dir().join("go");
    let child = specs
        .start(&format!("{line} --json"), &[("IC_TEST_TASK_PAUSE", &format!("written:{}", go.display()))]);
    await_file(&specs.sandbox.dir().join("go.at"));
    let path = specs.dir.join(file);
    fs::write(&path, change(&fs::read_to_string(&path).unwrap())).unwrap();
    fs::write(&go, "").unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap())
}

/// TS-36, TS-37, TS-38, TS-39, TS-42: what is in the files afterwards is read back, in the task's own entry; the other task
/// has the marker and the link all the while.
#[test]
fn what_was_written_is_read_back() {
    let line =
        "postflight 1 --to=planned --force --no-commit --artifact=plan:specs/1_a/p.md --plan=specs/1_a/p.md";
    let link = "\n- **Plan**: [p.md](specs/1_a/p.md)";
    for (file, from, to, expected) in [
        ("TODO.md", "[PLANNED]", "[PLANNING]", "verification_failed"),
        ("TODO.md", link, "", "artifact_link_failed"),
        ("state.json", "\"planned\"", "\"planning\"", "verification_failed"),
        ("1_a/p.md", "[PLANNED]", "[PLANNING]", "verification_failed"),
    ] {
        let specs = Specs::new(2);
        specs.file("specs/1_a/p.md", "# Plan\n- **Status**: [NOT STARTED]\n");
        specs.ok("set 2 --to=planned --force --artifact=plan:specs/1_a/p.md");
        let (code, result) = meddled(&specs, line, file, |text| text.replacen(from, to, 1));
        assert_eq!((code, &result["ok"]), (2, &json!(false)), "{file} {to}: {result}");
        assert!(types(&result).contains(&expected), "{file}: {result}");
    }
}

/// TS-40, TS-61: the checkpoint makes the same checks, and changes nothing, not even the log.
#[test]
fn the_checkpoint_makes_the_same_checks() {
    let specs = Specs::new(2);
    specs.file("specs/1_a/p.md", "- **Status**: [NOT STARTED]\n");
    specs.ok(
        "postflight 1 --to=planned --force --no-commit --artifact=plan:specs/1_a/p.md --plan=specs/1_a/p.md",
    );
    let (before, events) = (specs.pair(), specs.sandbox.events().len());
    let all = "--artifact=specs/1_a/p.md --plan=specs/1_a/p.md";
    assert_eq!(specs.ok(&format!("verify 1 --status=planned {all}")), "task 1: ok");
    assert_eq!(specs.result(&format!("verify 1 --status=planned {all}")).1["errors"], json!([]));
    let (code, result) = specs.result(&format!("verify 2 --status=planned {all}"));
    assert_eq!(code, 2);
    assert_eq!(types(&result), ["verification_failed", "artifact_link_failed", "verification_failed"]);
    assert_eq!(specs.result("verify 1 --status=planned --plan=specs/none.md").0, 2);
    assert_eq!(specs.result("verify 3 --status=planned").0, 2);
    specs.file("specs/1_a/p.md", "- **Status**: [PLANNING]\n");
    assert_eq!(types(&specs.result(&format!("verify 1 --status=planned {all}")).1), ["verification_failed"]);
    // A dry run of a change: what it would do, and what would be refused.
    let (code, result) = specs.result("set 2 --to=planning --dry-run");
    assert_eq!((code, &result["files_updated"]), (0, &json!(["state.json", "TODO.md"])));
    assert_eq!(specs.result("set 2 --to=completed --dry-run").0, 1);
    assert_eq!((specs.pair(), specs.sandbox.events().len()), (before, events));
}

/// TS-61: what is wrong with a whole directory.
#[test]
fn the_audit_finds_what_is_wrong() {
    let specs = Specs::new(2);
    assert_eq!(specs.result("audit"), (0, json!([])));
    let todo = specs.todo().replacen("[NOT STARTED]", "[PLANNED]\n- **Plan**: [p.md](specs/1_a/p.md)", 1);
    fs::write(specs.dir.join("TODO.md"), todo).unwrap();
    let before = specs.pair();
    let (code, found) = specs.result("audit");
    let kinds: Vec<_> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|found| (found["kind"].as_str().unwrap(), &found["task"]))
        .collect();
    assert_eq!((code, kinds), (1, vec![("status_mismatch", &json!(1)), ("dangling_link", &json!(1))]));
    specs.sandbox.fails(["task", "audit"], 1);
    assert_eq!(specs.pair(), before);
    fs::write(specs.dir.join("state.json"), "{").unwrap();
    let (stdout, _) = specs.sandbox.fails(["task", "audit"], 2);
    assert!(stdout.contains("unusable\tstate.json"), "{stdout}");
    let (code, found) = specs.result("audit");
    assert_eq!((code, &found[0]["kind"]), (2, &json!("unusable")));
    let (stdout, stderr) = specs.sandbox.fails(["task", "list"], 2);
    assert!(stdout.is_empty() && stderr.contains("state.json"), "{stderr}");
}

#[test]
fn tasks_are_shown_as_both_files_have_them() {
    let specs = Specs::new(2);
    specs.file("specs/r.md", "x");
    specs.ok("set 2 --to=researched --force --artifact=research:specs/r.md");
    assert_eq!(specs.ok("list --status=researched"), "2\tresearched\tRESEARCHED\tTask number 2");
    assert_eq!(specs.ok("list").lines().count(), 2);
    assert_eq!(specs.ok("show 2").lines().last().unwrap().trim(), "specs/r.md");
    assert_eq!(specs.result("show 2").1["agree"], true);
    let (stdout, stderr) = specs.sandbox.fails(["task", "show", "7"], 1);
    assert!(stdout.is_empty() && stderr.contains("no task 7"), "{stderr}");
    assert!(specs.ok("transitions completed").ends_with("→ nothing"));
}

/// K-06, TS-41, TS-42, TS-43, TS-62, TS-63, TS-72: what a caller is told: a short line or two; everything as JSON, also of a failure; and
/// each error as an event that is listed later.
#[test]
fn what_a_caller_is_told() {
    let specs = Specs::new(1);
    specs.file("specs/1_a/reports/r.md", "x");
    assert_eq!(specs.ok("preflight 1 --to=researching"), "task 1: not_started → researching");
    let line = "postflight 1 --to=researched --artifact=research:specs/1_a/reports/r.md '--summary=Two ways, one of them short.'";
    let mut command = specs.sandbox.command(super::words(line));
    command.env("PATH", "/nowhere");
    let output = crate::support::run(command);
    let (stdout, stderr) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(stdout, "task 1: researching → researched (r.md)\nTwo ways, one of them short.\n");
    assert!(output.status.success() && stderr.lines().count() == 1, "{stderr}");
    assert!(stderr.contains("task 1: r.md is in place; the git commit failed"), "{stderr}");
    assert!(stderr.contains("`ic task errors 1`"), "{stderr}");
    let (stdout, stderr) = specs.sandbox.fails(["task", "postflight", "1", "--to=not_started"], 1);
    assert!(stdout.is_empty() && stderr.starts_with("ic: task 1: postflight failed\n"), "{stderr}");
    assert!(stderr.contains("hint: `ic task errors 1`") && stderr.lines().count() <= 4, "{stderr}");

    let (code, result) = specs.result("set 1 --to=not_started");
    assert_eq!((code, &result["status"], &result["task"]), (1, &json!("failed"), &json!(1)));
    assert_eq!(result["code"], "task_refused");
    let (code, verified) = specs.result("verify 1 --status=planned");
    assert_eq!((code, &verified["ok"], &verified["code"]), (2, &json!(false), &json!("task_failed")));
    assert!(result["summary"].is_string());
    let keys = |error: &Value| error.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    for error in result["errors"].as_array().unwrap() {
        assert_eq!(keys(error), ["code", "message", "recommendation", "recoverable", "severity", "type"]);
        assert_eq!((&error["severity"], &error["recoverable"]), (&json!("CRITICAL"), &json!(false)));
    }
    let (code, result) =
        specs.result("set 1 --to=planned --force --summary=kept --artifact=plan:specs/1_a/reports/r.md");
    assert_eq!((code, &result["status"], &result["summary"]), (0, &json!("completed"), &json!("kept")));
    assert_eq!(specs.object(1)["artifacts"][0]["summary"], "kept");

    let events = specs.sandbox.events();
    let errors: Vec<_> = events.iter().filter(|event| event["type"] == "error").collect();
    assert!(errors.iter().all(|event| event["source"] == "task" && event["subject"] == "1"));
    let codes: Vec<_> = errors.iter().map(|event| event["data"]["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["GIT_COMMIT_FAILED", "INVALID_TRANSITION", "INVALID_TRANSITION"]);
    assert_eq!(specs.ok("errors 1").lines().count(), 3);
    assert_eq!(specs.ok("errors --limit=1").lines().count(), 1);
    assert_eq!(specs.ok("errors 2"), "");
    let listed = specs.result("errors").1;
    assert_eq!((&listed[0]["type"], &listed[0]["task"]), (&json!("git_commit_failed"), &json!(1)));
    let changes: Vec<_> = events.iter().filter(|event| event["type"] == "status").collect();
    assert_eq!(
        (&changes[1]["from_state"], &changes[1]["to_state"]),
        (&json!("researching"), &json!("researched"))
    );
    specs.sandbox.check_integrity();
    specs.sandbox.fails(["events", "record", "--source=task", "--type=mine"], 3);
}
