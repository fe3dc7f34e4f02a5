//! Children and supervisors that misbehave, and what they leave: nobody stays behind, nothing is lost, nobody gets stuck.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::dispatch::{
    Stranger, WITH_GRANDCHILDREN, family, pid_in, runs, signal, spawn, status, stored, until,
};
use crate::support::{Sandbox, render, run};

fn fifo(path: PathBuf) -> PathBuf {
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

/// DI-02: a supervisor that takes in orphans buries them while its child still runs.
#[test]
fn orphans_do_not_pile_up_while_the_child_runs() {
    let sandbox = Sandbox::new();
    let id = spawn(&sandbox, &[], "(sh -c 'echo $$ > orphan' &); exec sleep 600");
    let orphan = pid_in(&sandbox.dir().join("orphan"));
    until("the orphan is reaped", || !PathBuf::from(format!("/proc/{orphan}")).exists());
    assert!(runs(stored(&sandbox, &id, "pid")));
    sandbox.ok(["dispatch", "kill", &id]);
}

/// DI-02: a child whose record was taken away by a restore can be stopped by nobody any more; it ends.
#[test]
fn a_child_without_a_record_ends() {
    let sandbox = Sandbox::new();
    let backup = sandbox.dir().join("before.db");
    sandbox.ok(["backup", backup.to_str().unwrap()]);
    let id = spawn(&sandbox, &[], WITH_GRANDCHILDREN);
    let far = pid_in(&sandbox.dir().join("far"));
    sandbox.ok(["restore", backup.to_str().unwrap()]);
    until("everybody is gone", || !runs(far) && family(&id).is_empty());
    // Also if its supervisor does not live to see it.
    let id = spawn(&sandbox, &[], WITH_GRANDCHILDREN);
    let supervisor = stored(&sandbox, &id, "supervisor_pid");
    signal(supervisor, Signal::STOP);
    sandbox.ok(["restore", backup.to_str().unwrap()]);
    signal(supervisor, Signal::KILL);
    until("everybody is gone", || family(&id).is_empty());
    sandbox.check_integrity();
}

/// DI-02, DI-10: supervisor and guard killed together: the next look ends whoever is left and closes the record.
#[test]
fn without_supervisor_and_guard_the_next_look_cleans_up() {
    let sandbox = Sandbox::new();
    let id = spawn(&sandbox, &[], WITH_GRANDCHILDREN);
    let far = pid_in(&sandbox.dir().join("far"));
    let line = format!("dispatch\0guard\0{id}\0");
    let pids = fs::read_dir("/proc").unwrap().filter_map(|e| e.unwrap().file_name().to_str()?.parse().ok());
    let is_guard = |pid: &i64| {
        fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|found| found.ends_with(&line))
    };
    let guards: Vec<i64> = pids.filter(is_guard).collect();
    assert_eq!(guards.len(), 1);
    signal(guards[0], Signal::KILL);
    signal(stored(&sandbox, &id, "supervisor_pid"), Signal::KILL);
    until("it is closed", || status(&sandbox, &id)["status"] == "failed");
    assert_eq!(status(&sandbox, &id)["error_message"], "lost: supervisor and child gone");
    until("everybody is gone", || !runs(far) && family(&id).is_empty());
}

/// DI-02: a supervisor that was stopped does not shield those who left its child's group.
#[test]
fn a_stopped_supervisor_does_not_save_its_family() {
    let sandbox = Sandbox::new();
    let id = spawn(&sandbox, &[], WITH_GRANDCHILDREN);
    let (near, far) = (pid_in(&sandbox.dir().join("near")), pid_in(&sandbox.dir().join("far")));
    let supervisor = stored(&sandbox, &id, "supervisor_pid");
    signal(supervisor, Signal::STOP);
    let mut kill = sandbox.command(["dispatch", "kill", &id]);
    kill.env("IC_TEST_CRASH", "after_commit");
    assert_eq!(run(kill).status.code(), None, "killed by a signal");
    // It was asked long ago.
    sandbox.open().execute_batch("UPDATE dispatches SET stop_signalled_at = 1").unwrap();
    sandbox.ok(["dispatch", "list"]);
    until("everybody is gone", || !runs(near) && !runs(far));
    signal(supervisor, Signal::CONT);
    until("it ends", || !runs(supervisor));
    assert_eq!(status(&sandbox, &id)["status"], "cancelled");
}

/// DI-03: before a supervisor has taken over, whoever asked for the dispatch stands in the record. It is not the child.
#[test]
fn a_caller_is_not_signalled_for_what_it_asked_for() {
    let sandbox = Sandbox::new();
    let run_id = sandbox.new_run();
    let caller = Stranger::new();
    let id = sandbox.ok(["dispatch", "record", "--run", &run_id, &format!("--pid={}", caller.pid())]);
    let set = "status = 'spawned', supervisor_pid = pid, supervisor_start = pid_start, pid = NULL, pid_start = NULL";
    sandbox.open().execute_batch(&format!("UPDATE dispatches SET {set} WHERE id = '{id}'")).unwrap();
    sandbox.ok(["run", "cancel", &run_id]);
    assert_eq!(status(&sandbox, &id)["status"], "cancelled");
    assert!(runs(caller.pid()));
    drop(caller);
    sandbox.ok(["dispatch", "list"]);
    assert_eq!(stored(&sandbox, &id, "stop_requested_at"), 0);
}

/// DI-01: locks and pipes of the caller are not held for as long as a child runs.
#[test]
fn files_of_the_caller_do_not_reach_the_child() {
    let sandbox = Sandbox::new();
    let mut command = Command::new("bash");
    sandbox.seal(&mut command);
    command.arg("-c").arg("exec 9> lock 77> lock; exec \"$IC\" dispatch spawn -- sleep 600");
    command.env("IC", assert_cmd::cargo::cargo_bin!("ic"));
    let output = run(command);
    assert!(output.status.success(), "{}", render(&output));
    let id = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    let lock = sandbox.dir().join("lock");
    for process in ["pid", "supervisor_pid"] {
        let files = fs::read_dir(format!("/proc/{}/fd", stored(&sandbox, &id, process))).unwrap();
        let held =
            files.filter(|file| fs::read_link(file.as_ref().unwrap().path()).is_ok_and(|to| to == lock));
        assert_eq!(held.count(), 0, "{process}");
    }
    sandbox.ok(["dispatch", "kill", &id]);
}

/// DI-01: the last verdict counts in a file of any length, nobody waits for a FIFO, and numbers that cannot be are none.
#[test]
fn what_a_child_leaves_is_read_with_care() {
    let sandbox = Sandbox::new();
    let end = |script: &str| {
        let id = spawn(&sandbox, &[], script);
        let _ = sandbox.ic(["dispatch", "wait", &id]);
        status(&sandbox, &id)
    };
    let long = "echo 'STATUS: pass' > $IC_DISPATCH_VERDICT; seq 100000 >> $IC_DISPATCH_VERDICT; \
                echo 'STATUS: fail' >> $IC_DISPATCH_VERDICT";
    let dispatch = end(long);
    assert_eq!((&dispatch["status"], &dispatch["verdict_status"]), (&json!("failed"), &json!("fail")));
    let dispatch = end("mkfifo $IC_DISPATCH_VERDICT $IC_DISPATCH_OUTPUT.summary");
    assert_eq!(dispatch["status"], "completed");
    let most = "9223372036854775807";
    let dispatch = end(&format!("echo 'Tokens: {most} in / {most} out' > $IC_DISPATCH_OUTPUT.summary"));
    assert_eq!((&dispatch["status"], &dispatch["in_tokens"]), (&json!("completed"), &json!(0)));
    let id = dispatch["id"].as_str().unwrap();
    sandbox.fails(["dispatch", "tokens", id, &format!("--in={most}")], 3);
    assert_eq!(end("exit 200")["error_message"], "exit status 200");
    assert_eq!(end("kill -9 $$")["error_message"], "killed by signal 9");
}

/// A link or a FIFO that somebody laid where counters are expected is not read.
#[test]
fn counters_are_read_from_our_own_files_only() {
    struct Removed(String);
    impl Drop for Removed {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }
    let sandbox = Sandbox::new();
    let child = Stranger::new();
    let id = sandbox.ok(["dispatch", "record", &format!("--pid={}", child.pid())]);
    let place = Removed(format!("/tmp/clavain-dispatch-{}.json", child.pid()));
    let turns = || sandbox.json(["dispatch", "poll", &id])["turns"].clone();
    let counters = sandbox.dir().join("counters");
    fs::write(&counters, r#"{"turns":3,"commands":2,"messages":1}"#).unwrap();
    let _ = fs::remove_file(&place.0);
    symlink(&counters, &place.0).unwrap();
    assert_eq!(turns(), 0, "a link");
    fs::remove_file(&place.0).unwrap();
    fifo(place.0.clone().into());
    assert_eq!(turns(), 0, "a FIFO");
    fs::remove_file(&place.0).unwrap();
    fs::write(&place.0, r#"{"turns":3,"commands":"2","messages":1}"#).unwrap();
    assert_eq!(turns(), 0, "no number");
    fs::copy(&counters, &place.0).unwrap();
    assert_eq!(turns(), 3);
}

/// DI-01: what the child counted is in the record when it has ended, without anybody polling.
#[test]
fn the_last_counters_are_kept() {
    let sandbox = Sandbox::new();
    let script = r#"echo '{"turns":3,"commands":2,"messages":1}' > /tmp/clavain-dispatch-$$.json"#;
    let id = spawn(&sandbox, &[], script);
    sandbox.ok(["dispatch", "wait", &id]);
    let dispatch = status(&sandbox, &id);
    let _ = fs::remove_file(format!("/tmp/clavain-dispatch-{}.json", dispatch["pid"]));
    assert_eq!(
        ["turns", "commands", "messages"].map(|name| dispatch[name].clone()),
        [json!(3), json!(2), json!(1)]
    );
}

/// DI-07: an attempt is told what went wrong, whatever prompt and answer look like; one that cannot be told is closed.
#[test]
fn odd_prompts_and_answers_do_not_stop_another_attempt() {
    let sandbox = Sandbox::new();
    let at = |name: &str| sandbox.dir().join(name).to_str().unwrap().to_owned();
    fs::create_dir(at("prompts")).unwrap();
    fs::write(at("prompts/p.md"), b"caf\xe9").unwrap();
    fs::write(at("start.sh"), "exit 1").unwrap();
    fifo(at("answer").into());
    let flags = ["--prompt-file=prompts/p.md", "--output=answer", "--dispatch-sh=start.sh"];
    let id = sandbox.ok([&["dispatch", "spawn"], &flags[..]].concat());
    sandbox.fails(["dispatch", "wait", &id], 1);
    let next = sandbox.json(["dispatch", "retry", &id, "--escalate", "--now"])["new_id"].clone();
    let next = next.as_str().unwrap();
    sandbox.fails(["dispatch", "wait", next], 1);
    let told = fs::read(status(&sandbox, next)["prompt_file"].as_str().unwrap()).unwrap();
    assert!(told.starts_with(b"caf\xe9\n\n## What went wrong"));

    // Where the prompt of the next attempt is to go stands a directory.
    fs::create_dir(format!("{}.retry2-{next}", status(&sandbox, next)["prompt_file"].as_str().unwrap()))
        .unwrap();
    let (_, stderr) = sandbox.fails(["dispatch", "retry", next, "--escalate"], 2);
    assert!(stderr.contains("writing the prompt"), "{stderr}");
    let last: Value = sandbox.json(["dispatch", "list"])[0].clone();
    assert_eq!(last["status"], "failed");
    assert!(last["error_message"].as_str().unwrap().starts_with("start: writing the prompt"), "{last}");
}

/// DI-01: what is missing is named: the directory, not the program.
#[test]
fn a_project_that_is_gone_is_named() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.dir().join("gone")).unwrap();
    let id = spawn(&sandbox, &["--project=gone"], "exit 1");
    sandbox.fails(["dispatch", "wait", &id], 1);
    fs::remove_dir(sandbox.dir().join("gone")).unwrap();
    let (_, stderr) = sandbox.fails(["dispatch", "retry", &id, "--now"], 2);
    assert!(stderr.contains("project/gone") && !stderr.contains("program sh"), "{stderr}");
}
