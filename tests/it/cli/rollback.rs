//! Rollback, its consequences, and undoing it (seed 000).

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{NOW, Sandbox, run};

/// A run in phase c of a, b, c, d.
fn in_c(sandbox: &Sandbox) -> String {
    let id = sandbox.short_run();
    sandbox.ok(["run", "advance", &id, "--priority=4"]);
    sandbox.ok(["run", "advance", &id, "--priority=4"]);
    id
}

fn ended(child: &mut Child) -> bool {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        if child.try_wait().unwrap().is_some() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    false
}

/// A process that would run for a minute, leading its own group.
fn sleeper(script: &str) -> Child {
    let mut command = Command::new("sh");
    command
        .args(["-c", script])
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command.spawn().unwrap()
}

fn end(mut child: Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// RB-02: a completed run comes back; what it was is kept. Cancelled and failed ones do not, not even to look.
#[test]
fn only_a_completed_run_comes_back_and_the_event_keeps_what_it_was() {
    let sandbox = Sandbox::new();
    let id = in_c(&sandbox);
    sandbox.ok(["run", "advance", &id, "--priority=4"]);
    sandbox.ok(["run", "rollback", &id, "--to-phase=b", "--reason=early"]);
    let shown = sandbox.json(["run", "status", &id]);
    assert_eq!((&shown["status"], shown.get("completed_at")), (&json!("active"), None));
    let history = sandbox.json(["run", "events", &id]);
    let last = history.as_array().unwrap().last().unwrap();
    let told = &last["envelope"]["rollback"];
    assert_eq!(
        (&told["prev_status"], &told["prev_completed_at"]),
        (&json!("completed"), &json!(NOW.parse::<i64>().unwrap()))
    );
    assert_eq!(last["reason"], "early");
    sandbox.ok(["run", "cancel", &id]);
    for extra in [&[][..], &["--dry-run"]] {
        let call = [&["run", "rollback", &id, "--to-phase=a"], extra].concat();
        let (stdout, stderr) = sandbox.fails(&call, 1);
        assert!(stdout.is_empty() && stderr.contains("terminal"), "{stderr}");
    }
    sandbox.open().execute("UPDATE runs SET status = 'failed'", []).unwrap();
    sandbox.fails(["run", "rollback", &id, "--to-phase=a", "--dry-run"], 1);
}

/// RB-03: no gate, count or template sees what was rolled back, from any phase behind the target; lists still do.
#[test]
fn artifacts_of_every_later_phase_stop_counting() {
    let sandbox = Sandbox::new();
    let rules = r#"--gates={"a→b":[],"b→c":[{"check":"artifact_exists"}],"c→d":[]}"#;
    let id = sandbox.ok(["run", "create", "--goal=g", r#"--phases=["a","b","c","d"]"#, rules]);
    for phase in ["a", "b", "c", "d", "free"] {
        let _ = sandbox.ic(["artifact", "add", &id, &format!("--phase={phase}"), "--path=p", "--type=plan"]);
    }
    sandbox.ok(["run", "advance", &id]);
    sandbox.ok(["run", "advance", &id]);
    let done = sandbox.json(["run", "rollback", &id, "--to-phase=a"]);
    assert_eq!((&done["marked_artifacts"], &done["rolled_back_phases"]), (&json!(3), &json!(["b", "c"])));
    let listed = sandbox.json(["artifact", "list", &id]);
    let statuses: Vec<_> = listed.as_array().unwrap().iter().map(|a| a["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["active", "rolled_back", "rolled_back", "rolled_back", "active"]);
    sandbox.ok(["run", "advance", &id]);
    let (stdout, _) = sandbox.fails(["run", "advance", &id, "--json"], 1);
    assert!(stdout.contains(r#"\"count\":0"#), "{stdout}");
    sandbox.ok(["artifact", "add", &id, "--phase=b", "--path=new"]);
    sandbox.ok(["run", "advance", &id]);
}

/// RB-06, RB-15: live dispatches of the undone phases are cancelled, each with its own event; those of the target and
/// before, and finished ones, are left alone.
#[test]
fn dispatches_of_undone_phases_are_cancelled_one_event_each() {
    let sandbox = Sandbox::new();
    let id = sandbox.short_run();
    let scope = format!("--scope-id={id}");
    let of_a = sandbox.ok(["dispatch", "record", &scope]);
    sandbox.ok(["run", "advance", &id, "--priority=4"]);
    let of_b = sandbox.ok(["dispatch", "record", &scope]);
    let running = sandbox.ok(["dispatch", "record", &scope, "--status=running"]);
    let over = sandbox.ok(["dispatch", "record", &scope, "--status=completed"]);
    let unknown = sandbox.ok(["dispatch", "record", &scope]);
    sandbox
        .open()
        .execute(&format!("UPDATE dispatches SET run_phase = NULL WHERE id = '{unknown}'"), [])
        .unwrap();
    let done = sandbox.json(["run", "rollback", &id, "--to-phase=a", "--reason=why"]);
    assert_eq!(done["dispatches"], json!([of_b, running, unknown]));
    let status = |id: &str| sandbox.json(["dispatch", "status", id])["status"].clone();
    assert_eq!([status(&of_a), status(&of_b), status(&over)], ["spawned", "cancelled", "completed"]);
    let told: Vec<_> = sandbox
        .events()
        .into_iter()
        .filter(|e| e["source"] == "dispatch" && e["type"] == "status_change")
        .map(|e| (e["subject"].clone(), e["from_state"].clone(), e["to_state"].clone(), e["reason"].clone()))
        .collect();
    let expected =
        |id: &str, from: &str| (json!(id), json!(from), json!("cancelled"), json!("rollback: why"));
    assert_eq!(
        told,
        [expected(&of_b, "spawned"), expected(&running, "running"), expected(&unknown, "spawned")]
    );
}

/// RB-09: skipped, walked past, rolled back: the run stops where it was skipped before.
#[test]
fn skips_of_undone_phases_are_cleared() {
    let sandbox = Sandbox::new();
    let id = sandbox.short_run();
    sandbox.ok(["run", "skip", &id, "b", "--reason=r", "--actor=me"]);
    sandbox.ok(["run", "advance", &id, "--priority=4"]);
    assert_eq!(sandbox.ok(["run", "phase", &id]), "c");
    let done = sandbox.json(["run", "rollback", &id, "--to-phase=a"]);
    assert_eq!(done["unskipped_phases"], json!(["b"]));
    let history = sandbox.json(["run", "events", &id]);
    let last = history.as_array().unwrap().last().unwrap();
    assert_eq!(
        (&last["event_type"], &last["from_phase"], &last["to_phase"]),
        (&json!("unskip"), &json!("a"), &json!("b"))
    );
    sandbox.ok(["run", "advance", &id, "--priority=4"]);
    assert_eq!(sandbox.ok(["run", "phase", &id]), "b");
}

/// RB-10: agents of the target phase and before survive, unless their dispatch was cancelled.
#[test]
fn only_agents_of_undone_phases_are_failed() {
    let sandbox = Sandbox::new();
    let id = sandbox.short_run();
    let of_a = sandbox.ok(["agent", "add", &id]);
    sandbox.ok(["run", "advance", &id, "--priority=4"]);
    let of_b = sandbox.ok(["agent", "add", &id]);
    let dispatch = sandbox.ok(["dispatch", "record", &format!("--scope-id={id}")]);
    let tied = sandbox.ok(["agent", "add", &id, "--phase=a", &format!("--dispatch-id={dispatch}")]);
    let done_before = sandbox.ok(["agent", "add", &id]);
    sandbox.ok(["agent", "update", &done_before, "--status=completed"]);
    let done = sandbox.json(["run", "rollback", &id, "--to-phase=a"]);
    assert_eq!(done["agents"], json!([of_b, tied]));
    let listed = sandbox.json(["agent", "list", &id]);
    let status =
        |id: &str| listed.as_array().unwrap().iter().find(|a| a["id"] == id).unwrap()["status"].clone();
    assert_eq!(
        [status(&of_a), status(&of_b), status(&tied), status(&done_before)],
        ["active", "failed", "failed", "completed"]
    );
}

/// RB-11: the process group of a cancelled dispatch is asked to end, grandchildren included.
#[test]
fn processes_of_cancelled_dispatches_are_asked_to_end() {
    let sandbox = Sandbox::new();
    let id = in_c(&sandbox);
    let mut child = sleeper("sleep 60 & echo started; wait");
    let mut started = [0; 8];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut started).unwrap();
    let mut left_alone = sleeper("exec sleep 60");
    let scope = format!("--scope-id={id}");
    sandbox.ok(["dispatch", "record", &scope, &format!("--pid={}", child.id())]);
    let done = sandbox.json(["run", "rollback", &id, "--to-phase=b"]);
    assert_eq!(done["signalled"], 1);
    assert!(ended(&mut child));
    // The pipe closes when the last of the group is gone.
    let mut rest = Vec::new();
    std::io::Read::read_to_end(child.stdout.as_mut().unwrap(), &mut rest).unwrap();

    sandbox.ok(["run", "advance", &id, "--priority=4"]);
    sandbox.ok(["dispatch", "record", &scope, &format!("--pid={}", left_alone.id())]);
    let done = sandbox.json(["run", "rollback", &id, "--to-phase=b", "--no-signal"]);
    assert_eq!((&done["signalled"], &done["cancelled_dispatches"]), (&json!(0), &json!(1)));
    sandbox.ok(["dispatch", "list"]);
    assert!(left_alone.try_wait().unwrap().is_none(), "--no-signal leaves it running");
    end(left_alone);
}

/// RB-11, DI-03, K-25: a pid that means another process by now, or elsewhere, is never signalled.
#[test]
fn a_reused_pid_is_not_signalled() {
    let sandbox = Sandbox::new();
    for stranger in [
        "pid_start = pid_start + 1",
        "boot_id = 'another'",
        "pid_namespace = 'another/1'",
        "pid_namespace = NULL, host = 'elsewhere'",
    ] {
        let id = in_c(&sandbox);
        let mut child = sleeper("exec sleep 60");
        sandbox.ok(["dispatch", "record", &format!("--scope-id={id}"), &format!("--pid={}", child.id())]);
        let sql = format!("UPDATE dispatches SET {stranger} WHERE scope_id = '{id}'");
        assert_eq!(sandbox.open().execute(&sql, []).unwrap(), 1);
        let done = sandbox.json(["run", "rollback", &id, "--to-phase=b"]);
        assert_eq!(done["signalled"], 0, "{stranger}");
        sandbox.ok(["dispatch", "list"]);
        assert!(child.try_wait().unwrap().is_none(), "{stranger}");
        end(child);
    }
}

/// RB-16: a rollback that dies between its commit and the signals leaves them to the next dispatch command; a process
/// that ignores the first signal gets the second one once its time is over.
#[test]
fn signals_outlive_the_process_that_owed_them() {
    let sandbox = Sandbox::new();
    let id = in_c(&sandbox);
    let mut child = sleeper("trap '' TERM; echo started; while :; do sleep 1; done");
    let mut started = [0; 8];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut started).unwrap();
    sandbox.ok(["dispatch", "record", &format!("--scope-id={id}"), &format!("--pid={}", child.id())]);
    let mut command = sandbox.command(["run", "rollback", &id, "--to-phase=b"]);
    command.env("IC_TEST_CRASH", "after_commit");
    assert_eq!(run(command).status.code(), None);
    let asked = || sandbox.count("SELECT count(*) FROM dispatches WHERE stop_signalled_at IS NOT NULL");
    let open = || sandbox.count("SELECT count(*) FROM dispatches WHERE stop_requested_at IS NOT NULL");
    assert_eq!((asked(), open()), (0, 1));
    sandbox.ok(["dispatch", "list"]);
    assert_eq!((asked(), open()), (1, 1), "asked to end, and not forgotten");
    sandbox.ok(["dispatch", "list"]);
    assert!(child.try_wait().unwrap().is_none(), "it ignores being asked, and still has time");
    let later = |seconds: i64| {
        let mut command = sandbox.command(["dispatch", "list"]);
        command.env("IC_TEST_NOW", (NOW.parse::<i64>().unwrap() + seconds).to_string());
        assert!(run(command).status.success());
    };
    later(5);
    assert!(ended(&mut child), "killed");
    later(6);
    assert_eq!(open(), 0, "forgotten once it is gone");
}

/// RB-12: a dry run tells exactly what the real one does, and writes nothing.
#[test]
fn a_dry_run_tells_the_truth_and_writes_nothing() {
    let sandbox = Sandbox::new();
    let id = sandbox.short_run();
    sandbox.ok(["run", "skip", &id, "b", "--reason=r"]);
    sandbox.ok(["run", "advance", &id, "--priority=4"]);
    sandbox.ok(["agent", "add", &id]);
    sandbox.ok(["artifact", "add", &id, "--phase=c", "--path=p"]);
    sandbox.ok(["dispatch", "record", &format!("--scope-id={id}")]);
    let events = sandbox.events();
    let call = ["run", "rollback", &id, "--to-phase=a", "--reason=r"];
    let mut told = sandbox.json([&call[..], &["--dry-run"]].concat());
    assert_eq!(sandbox.events(), events);
    assert_eq!(sandbox.ok(["run", "phase", &id]), "c");
    let mut done = sandbox.json(call);
    assert_eq!(told.as_object_mut().unwrap().remove("dry_run"), Some(json!(true)));
    for extra in ["event_id", "signalled"] {
        done.as_object_mut().unwrap().remove(extra).unwrap();
    }
    assert_eq!(told, done);
    assert!(sandbox.ok(["run", "rollback", &id, "--layer=code"]).starts_with("[\n  {"), "always indented");
}

/// RB-12: the files of a run, for a rollback of the code itself.
#[test]
fn the_code_layer_lists_files() {
    let sandbox = Sandbox::new();
    let id = sandbox.short_run();
    let dispatch = sandbox.ok(["dispatch", "record", &format!("--scope-id={id}"), "--name=builder"]);
    sandbox.ok(["artifact", "add", &id, "--phase=b", "--path=two"]);
    sandbox.ok(["artifact", "add", &id, "--phase=a", "--path=one", &format!("--dispatch={dispatch}")]);
    let listed = sandbox.json(["run", "rollback", &id, "--layer=code"]);
    assert_eq!((&listed[0]["path"], &listed[0]["dispatch_name"]), (&json!("one"), &json!("builder")));
    assert_eq!((&listed[1]["path"], &listed[1]["content_hash"]), (&json!("two"), &Value::Null));
    assert_eq!(sandbox.json(["run", "rollback", &id, "--layer=code", "--phase=d"]), json!([]));
    let text = sandbox.ok(["run", "rollback", &id, "--layer=code", "--format=text"]);
    assert!(text.lines().nth(1).unwrap().ends_with("<none>"), "{text}");
    for bad in [
        &["--layer=x"][..],
        &["--layer=code", "--format=xml"],
        &["--layer=code", "--to-phase=a"],
        &["--format=json"],
        &[],
    ] {
        sandbox.fails([&["run", "rollback", &id], bad].concat(), 3);
    }
    sandbox.fails(["run", "rollback"], 3);
}

/// RB-12: a dispatch whose record cannot be read is an error, not a dispatch without a name.
#[test]
fn the_code_layer_does_not_hide_a_record_that_cannot_be_read() {
    let sandbox = Sandbox::new();
    let id = sandbox.short_run();
    let dispatch = sandbox.ok(["dispatch", "record", &format!("--scope-id={id}"), "--name=builder"]);
    sandbox.ok(["artifact", "add", &id, "--phase=a", "--path=one", &format!("--dispatch={dispatch}")]);
    let conn = sandbox.open();
    conn.execute_batch("PRAGMA ignore_check_constraints = 1; UPDATE dispatches SET status = 'odd'").unwrap();
    drop(conn);
    for format in ["--format=json", "--format=text"] {
        let (stdout, stderr) = sandbox.fails(["run", "rollback", &id, "--layer=code", format], 2);
        assert!(stdout.is_empty() && stderr.contains("odd"), "{stdout}{stderr}");
    }
}

/// RB-12: an artifact outlives the record of the dispatch that made it.
#[test]
fn the_code_layer_lists_files_of_dispatches_that_are_gone() {
    let sandbox = Sandbox::new();
    let id = sandbox.short_run();
    let dispatch = sandbox.ok(["dispatch", "record", &format!("--scope-id={id}"), "--name=builder"]);
    sandbox.ok(["artifact", "add", &id, "--phase=a", "--path=one", &format!("--dispatch={dispatch}")]);
    let conn = sandbox.open();
    conn.execute_batch("PRAGMA foreign_keys = 0; DELETE FROM dispatches").unwrap();
    drop(conn);
    let listed = sandbox.json(["run", "rollback", &id, "--layer=code"]);
    assert_eq!((&listed[0]["path"], &listed[0]["dispatch_name"]), (&json!("one"), &Value::Null));
}

#[test]
fn a_target_has_to_lie_behind() {
    let sandbox = Sandbox::new();
    let id = in_c(&sandbox);
    for target in ["c", "d", "nowhere"] {
        let (_, stderr) =
            sandbox.fails(["run", "rollback", &id, &format!("--to-phase={target}"), "--json"], 1);
        assert!(stderr.contains("not_behind"), "{stderr}");
    }
    sandbox.fails(["run", "rollback", &id, "--to-phase=a", "--expect-phase=b"], 1);
}

/// RB-14: undone, a rollback leaves the run, its artifacts, skips and agents as they were.
#[test]
fn a_rollback_can_be_undone() {
    let sandbox = Sandbox::new();
    let id = sandbox.short_run();
    sandbox.ok(["run", "skip", &id, "b", "--reason=r", "--actor=me"]);
    sandbox.ok(["run", "advance", &id, "--priority=4"]);
    let agent = sandbox.ok(["agent", "add", &id]);
    let dispatch = sandbox.ok(["dispatch", "record", &format!("--scope-id={id}")]);
    let tied = sandbox.ok(["agent", "add", &id, &format!("--dispatch-id={dispatch}")]);
    let artifact = sandbox.ok(["artifact", "add", &id, "--phase=c", "--path=p"]);
    sandbox.ok(["run", "advance", &id, "--priority=4"]);
    let before = sandbox.json(["run", "status", &id]);
    assert_eq!(before["status"], "completed");
    let event = sandbox.json(["run", "rollback", &id, "--to-phase=a"])["event_id"].to_string();
    let undone = sandbox.json(["phase", "rollback", &format!("--undo={event}"), "--reason=mistake"]);
    assert_eq!(undone["restored_artifacts"], json!([artifact]));
    assert_eq!(undone["restored_agents"], json!([agent]));
    assert_eq!(undone["restored_skips"], json!(["b"]));
    assert_eq!(undone["still_cancelled_dispatches"], json!([dispatch]));
    assert_eq!(undone["still_failed_agents"], json!([tied]));
    assert_eq!(sandbox.json(["run", "status", &id]), before);
    assert_eq!(sandbox.json(["dispatch", "status", &dispatch])["status"], "cancelled");
    let (_, stderr) = sandbox.fails(["phase", "rollback", &format!("--undo={event}"), "--json"], 1);
    assert!(stderr.contains("undo_blocked") && stderr.contains("undo a → d"), "{stderr}");
    sandbox.check_integrity();
}

/// RB-14: what happened since is named; another event is not a rollback.
#[test]
fn an_undo_is_refused_once_something_happened() {
    let sandbox = Sandbox::new();
    let id = in_c(&sandbox);
    let other = sandbox.short_run();
    let event = sandbox.json(["run", "rollback", &id, "--to-phase=b"])["event_id"].to_string();
    let undo = format!("--undo={event}");
    sandbox.fails(["run", "rollback", &other, &undo], 1);
    sandbox.fails(["run", "rollback", "--undo=1"], 1);
    sandbox.fails(["run", "rollback", "--undo=9999"], 1);
    sandbox.fails(["run", "rollback", &undo, "--dry-run"], 3);
    // Another run's life is no obstacle, an agent of this one is.
    sandbox.ok(["run", "advance", &other, "--priority=4"]);
    sandbox.ok(["agent", "add", &id]);
    let (_, stderr) = sandbox.fails(["run", "rollback", &id, &undo], 1);
    assert!(stderr.contains("agent add"), "{stderr}");
}

/// DI-08: a cancelled run takes its dispatches and agents with it.
#[test]
fn a_cancelled_run_takes_its_dispatches_and_agents_with_it() {
    let sandbox = Sandbox::new();
    let id = in_c(&sandbox);
    let mut child = sleeper("exec sleep 60");
    sandbox.ok(["dispatch", "record", &format!("--scope-id={id}"), &format!("--pid={}", child.id())]);
    sandbox.ok(["agent", "add", &id]);
    let done = sandbox.json(["run", "cancel", &id]);
    assert_eq!((&done["status"], &done["signalled"]), (&json!("cancelled"), &json!(1)));
    assert!(ended(&mut child));
    assert_eq!(sandbox.json(["agent", "list", &id])[0]["status"], "failed");
    assert_eq!(sandbox.json(["dispatch", "list"])[0]["status"], "cancelled");
}
