//! Dispatched children: real processes, real kills, and records that tell the truth.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rand::RngExt;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::{Sandbox, render, run};

/// Long enough for any machine.
const PATIENCE: Duration = Duration::from_secs(30);

pub fn until(what: &str, mut is: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is() {
        assert!(since.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a process runs, zombies left out.
pub fn runs(pid: i64) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap().trim_start().starts_with('Z'))
}

/// The processes that were started for a dispatch, or for something that it started.
pub fn family(id: &str) -> Vec<i64> {
    let mark = format!("IC_DISPATCH_ID={id}");
    let pids = fs::read_dir("/proc").unwrap().filter_map(|e| e.unwrap().file_name().to_str()?.parse().ok());
    pids.filter(|pid| {
        fs::read(format!("/proc/{pid}/environ"))
            .is_ok_and(|environ| environ.split(|b| *b == 0).any(|entry| entry == mark.as_bytes()))
            && runs(*pid)
    })
    .collect()
}

/// Starts a shell script as a dispatch; answers its id.
pub fn spawn(sandbox: &Sandbox, flags: &[&str], script: &str) -> String {
    sandbox.ok([&["dispatch", "spawn"], flags, &["--", "sh", "-c", script]].concat())
}

pub fn status(sandbox: &Sandbox, id: &str) -> Value {
    sandbox.json(["dispatch", "status", id])
}

pub fn stored(sandbox: &Sandbox, id: &str, column: &str) -> i64 {
    sandbox.count(&format!("SELECT coalesce({column}, 0) FROM dispatches WHERE id = '{id}'"))
}

pub fn signal(pid: i64, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid.try_into().unwrap()) {
        let _ = kill_process(pid, signal); // gone is as well
    }
}

/// A child with a grandchild in its group and one that has left it; each writes its pid to a file.
pub const WITH_GRANDCHILDREN: &str = "sleep 600 & echo $! > near; setsid sleep 600 & echo $! > far; wait";

pub fn pid_in(path: &Path) -> i64 {
    until("a pid is written", || fs::read_to_string(path).is_ok_and(|text| text.ends_with('\n')));
    fs::read_to_string(path).unwrap().trim().parse().unwrap()
}

/// DI-01: exit status, output, verdict and tokens end up in the record and in events, without anybody polling.
#[test]
fn what_a_child_did_is_on_record_without_anybody_looking() {
    let sandbox = Sandbox::new();
    let run = sandbox.new_run();
    let script = "echo out; echo err >&2; echo 'STATUS: warn  ' > $IC_DISPATCH_VERDICT; \
                  echo 'SUMMARY: two nits' >> $IC_DISPATCH_VERDICT; \
                  echo 'Tokens: 120 in / 30 out' > $IC_DISPATCH_OUTPUT.summary";
    let output = sandbox.dir().join("answer.md");
    let flags =
        ["--run-id", &run, "--agent=claude", "--name=n", "--output", output.to_str().unwrap(), "--model=m"];
    let id = spawn(&sandbox, &flags, script);
    let ended = || sandbox.count("SELECT count(*) FROM dispatches WHERE completed_at IS NOT NULL") == 1;
    until("the child has ended", ended);
    let dispatch = status(&sandbox, &id);
    let told = ["status", "exit_code", "verdict_status", "verdict_summary", "in_tokens", "out_tokens"];
    assert_eq!(
        told.map(|name| dispatch[name].clone()),
        [json!("completed"), json!(0), json!("warn"), json!("two nits"), json!(120), json!(30)]
    );
    assert_eq!((&dispatch["agent_type"], &dispatch["scope_id"]), (&json!("claude"), &json!(run)));
    assert_eq!(sandbox.ok(["dispatch", "logs", &id]), "out");
    assert_eq!(sandbox.ok(["dispatch", "logs", &id, "--stderr"]), "err");
    let events = sandbox.ok(["events", "tail", &run, "--source=dispatch"]);
    let steps: Vec<_> = events
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|e| format!("{} {}", e["type"].as_str().unwrap(), e["to_state"].as_str().unwrap()))
        .collect();
    assert_eq!(steps, ["created spawned", "status_change running", "status_change completed"]);
    assert_eq!(sandbox.json(["run", "tokens", &run])["total_tokens"], 150);
    sandbox.check_integrity();
    for (script, status_is, code) in [
        ("exit 7", "failed", 7),
        ("echo 'STATUS: pass' > $IC_DISPATCH_VERDICT; exit 7", "failed", 7),
        ("echo 'STATUS: reject' > $IC_DISPATCH_VERDICT", "failed", 0),
        ("kill -9 $$", "failed", 137),
        ("true", "completed", 0),
    ] {
        let id = spawn(&sandbox, &[], script);
        let _ = sandbox.ic(["dispatch", "wait", &id]);
        let dispatch = status(&sandbox, &id);
        assert_eq!(
            (&dispatch["status"], &dispatch["exit_code"]),
            (&json!(status_is), &json!(code)),
            "{script}"
        );
    }
    let (_, stderr) = sandbox.fails(["dispatch", "spawn", "--", "/no/such/program"], 2);
    assert!(stderr.contains("spawn: start process"), "{stderr}");
    let failed = sandbox.json(["dispatch", "list"]);
    assert_eq!(failed[0]["status"], "failed");
    assert!(failed[0]["error_message"].as_str().unwrap().starts_with("start: "), "{failed}");
}

/// DI-01: a script of the project starts agents, with the arguments that it knows; so does the environment's.
#[test]
fn agents_are_started_by_the_script_of_the_project() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.dir().join("prompt.md"), "do it").unwrap();
    fs::write(sandbox.dir().join("start.sh"), "echo \"$@\"; pwd").unwrap();
    let flags = ["--prompt-file=prompt.md", "--name=n", "--model=m", "--output=o.md", "--timeout=90s"];
    let line = |extra: &[&str], set: bool| {
        let mut command = sandbox.command([&["dispatch", "spawn"], &flags[..], extra].concat());
        if set {
            command.env("CLAVAIN_DISPATCH_SH", sandbox.dir().join("start.sh"));
        }
        let output = run(command);
        assert!(output.status.success(), "{}", render(&output));
        let id = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        sandbox.ok(["dispatch", "wait", &id]);
        sandbox.ok(["dispatch", "logs", &id])
    };
    let dir = sandbox.dir().display();
    let expected = format!(
        "-C {dir} -o {dir}/o.md --prompt-file {dir}/prompt.md -n n -m m --sandbox workspace-write --timeout 90\n{dir}"
    );
    assert_eq!(line(&["--dispatch-sh=start.sh"], false), expected);
    assert_eq!(line(&[], true), expected);
    let id = sandbox.json(["dispatch", "list"])[0]["id"].as_str().unwrap().to_owned();
    let hash = format!("SELECT count(*) FROM dispatches WHERE id = '{id}' AND length(prompt_hash) = 16");
    assert_eq!(sandbox.count(&hash), 1);
    for (bad, named, code) in [
        (&["--prompt-file=prompt.md", "--dispatch-sh=none.sh"][..], "--dispatch-sh", 3),
        (&["--prompt-file=prompt.md", "--dispatch-sh=."], "--dispatch-sh", 3),
        (&["--prompt-file=prompt.md", "--sandbox-spec={"], "--sandbox-spec", 3),
        (&["--prompt-file=prompt.md", "--scheduled"], "--scheduled", 3),
        (&["--prompt-file=prompt.md", "--project=none"], "--project", 3),
        (&["--prompt-file=none.md"], "hash prompt", 2),
        (&[], "--prompt-file is required", 3),
        (&["--parent-dispatch=nobody00", "--", "true"], "nobody00", 1),
    ] {
        let (_, stderr) = sandbox.fails([&["dispatch", "spawn"], bad].concat(), code);
        assert!(stderr.contains(named), "{bad:?}: {stderr}");
    }
    assert_eq!(sandbox.json(["dispatch", "list"]).as_array().unwrap().len(), 2, "nothing was recorded");
}

/// DI-06: what the child is told, and what it is not.
#[test]
fn a_child_learns_who_it_is() {
    let sandbox = Sandbox::new();
    let run = sandbox.new_run();
    let inner =
        "ic dispatch spawn --name=inner -- sh -c 'env | sort' > inner.id; ic dispatch wait $(cat inner.id)";
    let script = format!("env | sort > outer.env; PATH=$BIN:$PATH; {inner}");
    let bin = assert_cmd::cargo::cargo_bin!("ic").parent().unwrap().to_owned();
    let mut command =
        sandbox.command(["dispatch", "spawn", "--run", &run, "--model=m", "--", "sh", "-c", &script]);
    command.env("BIN", bin).env("IC_TRACE_ID", "t1").env("IC_SPAN_ID", "s1").env("IC_DETACHED", "1");
    let output = run_ok(command);
    sandbox.ok(["dispatch", "wait", &output]);
    let outer = fs::read_to_string(sandbox.dir().join("outer.env")).unwrap();
    let db = sandbox.db_path();
    for line in [
        format!("IC_DISPATCH_ID={output}"),
        format!("IC_RUN_ID={run}"),
        "IC_SPAWN_DEPTH=0".to_owned(),
        format!("INTERCORE_DB={}", db.display()),
        "IC_TRACE_ID=t1".to_owned(),
        format!("IC_SPAN_ID=dispatch:{output}"),
        "IC_PARENT_SPAN_ID=s1".to_owned(),
        "IC_DISPATCH_MODEL=m".to_owned(),
    ] {
        assert!(outer.lines().any(|found| found == line), "{line}:\n{outer}");
    }
    assert!(!outer.contains("IC_DETACHED"), "{outer}");
    let inner = fs::read_to_string(sandbox.dir().join("inner.id")).unwrap().trim().to_owned();
    let env = sandbox.ok(["dispatch", "logs", &inner]);
    assert!(
        env.contains(&format!("IC_DISPATCH_ID={inner}\n")) && env.contains("IC_SPAWN_DEPTH=1\n"),
        "{env}"
    );
    assert!(!env.contains("IC_RUN_ID") && !env.contains("IC_DISPATCH_MODEL"), "{env}");
    assert_eq!(status(&sandbox, &inner)["parent_dispatch_id"], output);
}

fn run_ok(command: Command) -> String {
    let output = run(command);
    assert!(output.status.success(), "{}", render(&output));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// DI-04, K-06: each limit, in the transaction that records the child; one document says so.
#[test]
fn limits_hold() {
    let sandbox = Sandbox::new();
    let rejected = |args: &[&str], reason: &str, run: Option<&str>, current: i64, limit: i64| {
        let args = [&["dispatch", "spawn", "--json"], args, &["--", "true"]].concat();
        let (stdout, stderr) = sandbox.fails(&args, 1);
        let mut expected =
            json!({ "reason": reason, "current": current, "limit": limit, "code": "spawn_rejected" });
        if let Some(run) = run {
            expected["run_id"] = run.into();
        }
        assert_eq!(serde_json::from_str::<Value>(&stdout).unwrap(), expected);
        assert_eq!(stderr, "");
    };
    let created = |flags: &[&str]| sandbox.ok([&["run", "create", "--goal=g"], flags].concat());
    let wait = |id: String| sandbox.ok(["dispatch", "wait", &id]);

    let poor = created(&["--token-budget=100", "--budget-enforce"]);
    let first = spawn(&sandbox, &["--run", &poor], "true");
    wait(first.clone());
    sandbox.ok(["dispatch", "tokens", &first, "--in=150"]);
    rejected(&["--run", &poor], "budget_exceeded", Some(&poor), 150, 100);

    let narrow = created(&["--max-dispatches=1"]);
    let one = spawn(&sandbox, &["--run", &narrow], "sleep 600");
    rejected(&["--run", &narrow], "concurrency_limit_per_run", Some(&narrow), 1, 1);
    sandbox.ok(["config", "set", "global_max_dispatches", "1"]);
    rejected(&[], "concurrency_limit_global", None, 1, 1);
    sandbox.ok(["config", "set", "global_max_dispatches", "0"]);
    sandbox.ok(["dispatch", "kill", &one]);
    wait(spawn(&sandbox, &["--run", &narrow], "true"));

    let short = created(&["--max-agents=1"]);
    wait(spawn(&sandbox, &["--run", &short], "true"));
    rejected(&["--run", &short], "agent_cap_per_run", Some(&short), 1, 1);

    sandbox.ok(["config", "set", "max_spawn_depth", "1"]);
    let child = spawn(&sandbox, &["--parent-dispatch", &one], "true");
    wait(child.clone());
    rejected(&["--parent-dispatch", &child], "spawn_depth_exceeded", None, 2, 1);
    let (_, stderr) = sandbox.fails(["dispatch", "spawn", "--parent-dispatch", &child, "--", "true"], 1);
    assert!(stderr.contains("spawn rejected: spawn_depth_exceeded (current=2, limit=1)"), "{stderr}");
}

/// DI-04: twenty at once against a limit of five start five.
#[test]
fn of_twenty_at_once_five_start() {
    let sandbox = Sandbox::new();
    let run_id = sandbox.ok(["run", "create", "--goal=g", "--max-dispatches=5"]);
    let codes: Vec<_> = thread::scope(|scope| {
        let spawned: Vec<_> = (0..20)
            .map(|_| {
                scope.spawn(|| sandbox.ic(["dispatch", "spawn", "--run", &run_id, "--", "sleep", "600"]))
            })
            .collect();
        spawned.into_iter().map(|call| call.join().unwrap().status.code().unwrap()).collect()
    });
    let started = codes.iter().filter(|code| **code == 0).count();
    let refused = codes.iter().filter(|code| **code == 1).count();
    assert_eq!((started, refused), (5, 15), "{codes:?}");
    let ids: Vec<_> = sandbox.json(["dispatch", "list", "--active"]).as_array().unwrap().clone();
    assert_eq!(ids.len(), 5);
    sandbox.ok(["run", "cancel", &run_id]);
    for id in &ids {
        until("the child is gone", || family(id["id"].as_str().unwrap()).is_empty());
    }
    sandbox.check_integrity();
}

/// DI-02: TERM to the group, KILL after the grace period, and whoever left the group with it.
#[test]
fn a_kill_leaves_nobody() {
    let sandbox = Sandbox::new();
    let id = spawn(&sandbox, &[], WITH_GRANDCHILDREN);
    let (near, far) = (pid_in(&sandbox.dir().join("near")), pid_in(&sandbox.dir().join("far")));
    assert!(runs(near) && runs(far));
    assert_eq!(sandbox.ok(["dispatch", "kill", &id]), "killed");
    until("everybody is gone", || !runs(near) && !runs(far) && family(&id).is_empty());
    let dispatch = status(&sandbox, &id);
    assert_eq!(
        (&dispatch["status"], &dispatch["error_message"]),
        (&json!("cancelled"), &json!("killed by user"))
    );
    assert_eq!(sandbox.ok(["dispatch", "kill", &id]), "killed", "once more is no mistake");
    assert_eq!(sandbox.ok(["dispatch", "wait", &id]).lines().nth(1), Some("Status:  cancelled"));
    sandbox.fails(["dispatch", "kill", "nobody00"], 1);

    // One that does not listen.
    let deaf = spawn(&sandbox, &[], "trap '' TERM; sleep 600 & echo $! > deaf; while :; do sleep 1; done");
    let grandchild = pid_in(&sandbox.dir().join("deaf"));
    sandbox.ok(["dispatch", "kill", &deaf]);
    until("everybody is gone", || !runs(grandchild) && family(&deaf).is_empty());
}

/// DI-02: a time limit ends everybody, and what is left behind ends with the child.
#[test]
fn time_limits_and_ends_leave_nobody() {
    let sandbox = Sandbox::new();
    let id = spawn(&sandbox, &["--timeout=1s"], WITH_GRANDCHILDREN);
    let (near, far) = (pid_in(&sandbox.dir().join("near")), pid_in(&sandbox.dir().join("far")));
    sandbox.fails(["dispatch", "wait", &id], 1);
    let dispatch = status(&sandbox, &id);
    assert_eq!(
        (&dispatch["status"], &dispatch["error_message"], &dispatch["timeout_sec"]),
        (&json!("timeout"), &json!("timed out after 1 seconds"), &json!(1))
    );
    until("everybody is gone", || !runs(near) && !runs(far) && family(&id).is_empty());

    let quick = spawn(&sandbox, &[], "sleep 600 & echo $! > left; setsid sleep 600 & echo $! > behind");
    sandbox.ok(["dispatch", "wait", &quick]);
    let (left, behind) = (pid_in(&sandbox.dir().join("left")), pid_in(&sandbox.dir().join("behind")));
    until("nobody is left behind", || !runs(left) && !runs(behind) && family(&quick).is_empty());
}

/// DI-02, DI-10: without its supervisor nothing is left either, also if nobody looks; the record says that it is lost.
#[test]
fn a_killed_supervisor_leaves_nobody() {
    let sandbox = Sandbox::new();
    let id = spawn(&sandbox, &[], WITH_GRANDCHILDREN);
    let (near, far) = (pid_in(&sandbox.dir().join("near")), pid_in(&sandbox.dir().join("far")));
    signal(stored(&sandbox, &id, "supervisor_pid"), Signal::KILL);
    until("everybody is gone", || !runs(near) && !runs(far) && family(&id).is_empty());
    until("the record is closed", || stored(&sandbox, &id, "completed_at") > 0);
    let dispatch = status(&sandbox, &id);
    assert_eq!(
        (&dispatch["status"], &dispatch["error_message"]),
        (&json!("failed"), &json!("lost: supervisor and child gone"))
    );
    assert_eq!(dispatch["exit_code"], Value::Null, "nobody saw it");
    sandbox.check_integrity();
}

/// DI-02, DI-10: whoever of them is killed, whenever: nobody is left, and every record is closed with the truth.
#[test]
fn random_kills_leave_neither_processes_nor_open_records() {
    let sandbox = Sandbox::new();
    let mut rng = crate::support::rng();
    let mut ids: Vec<String> = Vec::new();
    let newest = || sandbox.count("SELECT coalesce(max(seq), 0) FROM dispatches");
    for round in 0..100 {
        let before = newest();
        let script = if round % 2 == 0 { "sleep 0.05 & sleep 0.05; exit 3" } else { WITH_GRANDCHILDREN };
        let mut command = sandbox.command(["dispatch", "spawn", "--timeout=20s", "--", "sh", "-c", script]);
        let mut caller = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        thread::sleep(Duration::from_micros(rng.random_range(0..60_000)));
        if rng.random_range(0..3) == 0 {
            caller.kill().unwrap();
        }
        caller.wait().unwrap();
        if newest() == before {
            continue; // it was killed before it had recorded anything
        }
        let sql = "SELECT id FROM dispatches ORDER BY seq DESC LIMIT 1";
        let id: String = sandbox.open().query_row(sql, [], |row| row.get(0)).unwrap();
        let victim = ["supervisor_pid", "pid", "nobody"][rng.random_range(0..3)];
        if victim != "nobody" {
            signal_if_ours(stored(&sandbox, &id, victim), &id);
        }
        ids.push(id);
    }
    assert!(ids.len() > 50, "only {} of 100 were recorded", ids.len());
    for id in &ids {
        // What is meant to run on is ended by hand.
        sandbox.ok(["dispatch", "kill", id]);
    }
    for id in &ids {
        until("nobody is left", || family(id).is_empty());
        let dispatch = status(&sandbox, id);
        let (status, code) = (dispatch["status"].as_str().unwrap(), &dispatch["exit_code"]);
        match status {
            // Nobody claims to have seen an end that nobody saw.
            "failed" if dispatch["error_message"].as_str().unwrap().starts_with("lost") => {
                assert_eq!(*code, Value::Null);
            }
            "failed" => assert!([json!(3), json!(137)].contains(code), "{dispatch}"),
            "cancelled" => {}
            other => panic!("{other}: {dispatch}"),
        }
    }
    assert_eq!(sandbox.count("SELECT count(*) FROM dispatches WHERE completed_at IS NULL"), 0);
    sandbox.check_integrity();
}

/// Kills a process, unless it is a caller's that is gone already and whose number may be somebody else's.
fn signal_if_ours(pid: i64, id: &str) {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let line = String::from_utf8_lossy(&line);
    if pid > 1 && (line.contains(id) || line.contains("sleep")) {
        signal(pid, Signal::KILL);
    }
}

/// A stranger that happens to have a number which a record names.
pub struct Stranger(Child);

impl Stranger {
    pub fn new() -> Self {
        Self(Command::new("sleep").arg("600").spawn().unwrap())
    }

    pub fn pid(&self) -> i64 {
        self.0.id().into()
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// DI-03, DI-09: a number that was given to somebody else is neither signalled nor taken for the child.
#[test]
fn a_stranger_with_the_same_number_is_never_signalled() {
    let sandbox = Sandbox::new();
    for columns in
        ["pid = {}, pid_start = 1", "pid = {}, pid_start = 1, supervisor_pid = {}, supervisor_start = 1"]
    {
        for ending in ["kill", "poll", "list", "wait", "status"] {
            let stranger = Stranger::new();
            let own = Stranger::new();
            let id = sandbox.ok(["dispatch", "record", &format!("--pid={}", own.pid())]);
            let set = columns.replace("{}", &stranger.pid().to_string());
            sandbox.open().execute_batch(&format!("UPDATE dispatches SET {set} WHERE id = '{id}'")).unwrap();
            let args: &[&str] =
                if ending == "list" { &["dispatch", ending] } else { &["dispatch", ending, &id] };
            let output = sandbox.ic(args);
            assert!(output.status.code().unwrap() <= 1, "{}", render(&output));
            assert!(runs(stranger.pid()), "{ending}: a stranger was killed");
            let dispatch = status(&sandbox, &id);
            assert_eq!(dispatch["status"], "failed", "{ending}: its own process is gone");
            assert!(dispatch["error_message"].as_str().unwrap().starts_with("lost"), "{dispatch}");
        }
    }
    // Numbers that mean everybody, or init.
    for pid in [-1, 0, 1] {
        let id = sandbox.ok(["dispatch", "record"]);
        let set = format!("pid = {pid}, pid_start = 1, status = 'running', boot_id = '', host = ''");
        sandbox.open().execute_batch(&format!("UPDATE dispatches SET {set} WHERE id = '{id}'")).unwrap();
        sandbox.ok(["dispatch", "kill", &id]);
    }
}

/// DI-10: a child that was started elsewhere is believed by what it left.
#[test]
fn a_recorded_child_that_is_gone_is_settled() {
    let sandbox = Sandbox::new();
    for (verdict, expected) in
        [(Some("STATUS: pass  \n"), "completed"), (Some("STATUS: fail\n"), "failed"), (None, "failed")]
    {
        let child = Stranger::new();
        let output = sandbox.dir().join(format!("{expected}-{}.md", verdict.is_some()));
        let flags = [format!("--pid={}", child.pid()), format!("--output={}", output.display())];
        let id = sandbox.ok(["dispatch", "record", &flags[0], &flags[1]]);
        assert_eq!(status(&sandbox, &id)["status"], "running");
        if let Some(verdict) = verdict {
            fs::write(output.with_extension("md.verdict"), verdict).unwrap();
        }
        drop(child);
        let codes: Vec<_> = thread::scope(|scope| {
            let polls: Vec<_> =
                (0..12).map(|_| scope.spawn(|| sandbox.ic(["dispatch", "poll", &id]))).collect();
            polls.into_iter().map(|poll| poll.join().unwrap().status.code()).collect()
        });
        assert_eq!(codes, [Some(0); 12], "twelve at once");
        assert_eq!(status(&sandbox, &id)["status"], expected);
        let settled =
            format!("SELECT count(*) FROM events WHERE subject = '{id}' AND type = 'status_change'");
        assert_eq!(sandbox.count(&settled), 1, "by one of them");
    }
    sandbox.fails(["dispatch", "poll", "nobody00"], 1);
}

/// DI-05: several at once, the first or all; a time limit ends what was waited for.
#[test]
fn waiting_ends_when_it_should() {
    let sandbox = Sandbox::new();
    let quick = spawn(&sandbox, &[], "true");
    let bad = spawn(&sandbox, &[], "exit 4");
    let slow = spawn(&sandbox, &[], WITH_GRANDCHILDREN);
    assert_eq!(sandbox.json(["dispatch", "wait", &quick])["status"], "completed");
    sandbox.fails(["dispatch", "wait", &bad], 1);
    sandbox.fails(["dispatch", "wait", &quick, &bad], 1);
    let first: Value = sandbox.json(["dispatch", "wait", &slow, &quick, "--any"]);
    assert_eq!(first["id"], quick);
    let far = pid_in(&sandbox.dir().join("far"));
    let (stdout, stderr) = sandbox.fails(["dispatch", "wait", &slow, "--timeout=200ms"], 1);
    assert!(stdout.contains("Status:  timeout") && stderr.is_empty(), "{stdout} {stderr}");
    assert!(stdout.contains("timeout waiting for dispatch"), "{stdout}");
    until("everybody is gone", || !runs(far) && family(&slow).is_empty());
    sandbox.fails(["dispatch", "wait", "nobody00"], 1);
    sandbox.fails(["dispatch", "wait"], 3);
    sandbox.fails(["dispatch", "wait", &quick, "--poll=x"], 3);
    // A record that nobody will ever close is given up too.
    let never = sandbox.ok(["dispatch", "record"]);
    sandbox.fails(["dispatch", "wait", &never, "--timeout=50ms"], 1);
    assert_eq!(status(&sandbox, &never)["status"], "timeout");
}

/// DI-08, RB-15, RB-16: calling a run off, or taking it back, ends the children concerned and no others.
#[test]
fn cancel_and_rollback_end_their_children() {
    let sandbox = Sandbox::new();
    let run_id = sandbox.short_run();
    let early = spawn(&sandbox, &["--run", &run_id], "sleep 600");
    sandbox.ok(["run", "advance", &run_id, "--priority=4"]);
    let late = spawn(&sandbox, &["--run", &run_id], "setsid sleep 600 & wait");
    sandbox.ok(["run", "rollback", &run_id, "--to-phase=a", "--reason=r"]);
    until("the late one is gone", || family(&late).is_empty());
    assert!(!family(&early).is_empty(), "RB-15");
    assert_eq!(status(&sandbox, &late)["status"], "cancelled");
    sandbox.ok(["run", "cancel", &run_id]);
    until("the early one is gone", || family(&early).is_empty());
    assert_eq!(status(&sandbox, &early)["status"], "cancelled");
    assert_eq!(sandbox.count("SELECT count(*) FROM dispatches WHERE stop_requested_at IS NOT NULL"), 0);

    // Killed between the commit and the signals, the caller leaves the rest to the supervisor.
    let other = sandbox.short_run();
    let child = spawn(&sandbox, &["--run", &other], "sleep 600");
    let mut command = sandbox.command(["run", "cancel", &other]);
    command.env("IC_TEST_CRASH", "after_commit");
    assert_eq!(run(command).status.code(), None, "killed by a signal");
    until("the child is gone", || family(&child).is_empty());

    let kept = sandbox.short_run();
    let child = spawn(&sandbox, &["--run", &kept], "sleep 600");
    sandbox.ok(["run", "cancel", &kept, "--no-signal"]);
    thread::sleep(Duration::from_secs(1));
    assert!(!family(&child).is_empty(), "--no-signal");
    for pid in family(&child) {
        signal(pid, Signal::TERM);
    }
    until("the child is gone", || family(&child).is_empty());
    assert_eq!(status(&sandbox, &child)["status"], "cancelled", "what was decided stays");
    sandbox.check_integrity();
}

/// What a child writes is bounded, in memory and on disk.
#[test]
fn a_gigabyte_of_output_fills_neither_memory_nor_disk() {
    let sandbox = Sandbox::new();
    let id = spawn(&sandbox, &[], "head -c 1073741824 /dev/zero; echo end");
    let supervisor = stored(&sandbox, &id, "supervisor_pid");
    let mut most = 0;
    until("the child has ended", || {
        let text = fs::read_to_string(format!("/proc/{supervisor}/status")).unwrap_or_default();
        let peak = text
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
        most = most.max(peak.unwrap_or(0));
        stored(&sandbox, &id, "completed_at") > 0
    });
    assert!(most > 0 && most < 64 * 1024, "{most} KB at its peak");
    let logs = sandbox.dir().join(".clavain/dispatch-logs");
    let size: u64 = fs::read_dir(&logs).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert!((8 << 20..=17 << 20).contains(&size), "{size} bytes of logs");
    assert_eq!(status(&sandbox, &id)["status"], "completed");
    let shown = sandbox.ic(["dispatch", "logs", &id]).stdout;
    assert!(shown.ends_with(b"end\n") && shown.len() as u64 <= size);
}

#[test]
fn logs_can_be_followed() {
    let sandbox = Sandbox::new();
    let id = spawn(&sandbox, &[], "echo one; sleep 0.3; echo two; sleep 0.3; echo three");
    assert_eq!(sandbox.ok(["dispatch", "logs", &id, "-f"]), "one\ntwo\nthree");
    sandbox.fails(["dispatch", "logs", "nobody00"], 1);
    let recorded = sandbox.ok(["dispatch", "record"]);
    assert_eq!(sandbox.ok(["dispatch", "logs", &recorded]), "");
}

/// DI-07: once per failed attempt, after its wait or at once; live and successful ones are refused.
#[test]
fn a_failed_dispatch_is_tried_again() {
    let sandbox = Sandbox::new();
    let refused = |id: &str| {
        let (stdout, stderr) = sandbox.fails(["dispatch", "retry", id], 1);
        assert!(stdout.is_empty() && !stderr.is_empty());
        stderr
    };
    let live = spawn(&sandbox, &[], "sleep 600");
    assert!(refused(&live).contains("status=running"));
    sandbox.ok(["dispatch", "kill", &live]);
    assert!(refused(&live).contains("status=cancelled"));
    let good = spawn(&sandbox, &[], "true");
    sandbox.ok(["dispatch", "wait", &good]);
    assert!(refused(&good).contains("status=completed"));
    refused("nobody00");

    let script = "echo x >> tries; test $(wc -l < tries) -ge 3";
    let mut id = spawn(&sandbox, &["--name=flaky", "--timeout=60s"], script);
    for attempt in 1..=2 {
        sandbox.fails(["dispatch", "wait", &id], 1);
        let codes: Vec<_> = thread::scope(|scope| {
            let calls: Vec<_> = (0..5)
                .map(|_| scope.spawn(|| sandbox.ic(["dispatch", "retry", &id, "--now", "--json"])))
                .collect();
            calls
                .into_iter()
                .map(|call| call.join().unwrap())
                .filter(|output| output.status.success())
                .collect()
        });
        assert_eq!(codes.len(), 1, "one of five");
        let done: Value = serde_json::from_slice(&codes[0].stdout).unwrap();
        assert_eq!((&done["attempt"], &done["backoff_ms"]), (&json!(attempt), &json!(0)));
        id = done["new_id"].as_str().unwrap().to_owned();
    }
    sandbox.ok(["dispatch", "wait", &id]);
    let last = status(&sandbox, &id);
    assert_eq!(
        (&last["retry_count"], &last["name"], &last["spawn_depth"]),
        (&json!(2), &json!("flaky"), &json!(0))
    );

    // Not at once: it waits under its supervisor, and can be called off.
    let bad = spawn(&sandbox, &[], "exit 1");
    sandbox.fails(["dispatch", "wait", &bad], 1);
    let text = sandbox.ok(["dispatch", "retry", &bad]);
    let (next, rest) = text.split_once('\t').unwrap();
    assert_eq!(rest, "attempt=1\tbackoff_ms=5000");
    assert_eq!(status(&sandbox, next)["status"], "spawned");
    sandbox.ok(["dispatch", "kill", next]);
    assert_eq!(status(&sandbox, next)["status"], "cancelled");
    until("its supervisor has ended", || !runs(stored(&sandbox, next, "supervisor_pid")));
    assert!(family(next).is_empty());
}

/// DI-07, K-06: the ladder, the chain of failures in the prompt, and the lesson at its end, in one document.
#[test]
fn escalation_climbs_the_ladder() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.dir().join("prompt.md"), "the task").unwrap();
    fs::write(sandbox.dir().join("start.sh"), "echo \"$@\"; exit 1").unwrap();
    let args = ["dispatch", "spawn", "--prompt-file=prompt.md", "--model=sonnet", "--dispatch-sh=start.sh"];
    let mut id = sandbox.ok(args);
    let flags = [
        "--escalate",
        "--now",
        "--chain-key=c1",
        "--failure-mode=error",
        "--failure-detail=it broke",
        "--json",
    ];
    for (model, escalated) in [("sonnet", false), ("opus", true), ("opus", false)] {
        sandbox.fails(["dispatch", "wait", &id], 1);
        let done: Value =
            serde_json::from_str(&sandbox.ok([&["dispatch", "retry", &id], &flags[..]].concat())).unwrap();
        assert_eq!((&done["model"], &done["escalated"]), (&json!(model), &json!(escalated)));
        id = done["new_id"].as_str().unwrap().to_owned();
        let next = status(&sandbox, &id);
        assert_eq!(next["model"], model);
        let prompt = fs::read_to_string(next["prompt_file"].as_str().unwrap()).unwrap();
        assert!(prompt.starts_with("the task") && prompt.contains("sonnet: error: it broke"), "{prompt}");
    }
    sandbox.fails(["dispatch", "wait", &id], 1);
    assert!(sandbox.ok(["dispatch", "logs", &id]).contains("-m opus"));
    let (stdout, stderr) = sandbox.fails([&["dispatch", "retry", &id], &flags[..]].concat(), 1);
    let done: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&done["exhausted"], &done["code"]), (&json!(true), &json!("chain_exhausted")));
    assert_eq!(stderr, "");
    let lesson = fs::read_to_string(PathBuf::from(done["lesson_file"].as_str().unwrap())).unwrap();
    assert_eq!(lesson.matches("it broke").count(), 4, "{lesson}");
    let (_, stderr) = sandbox.fails([&["dispatch", "retry", &id], &flags[..]].concat(), 1);
    assert!(stderr.contains("already exhausted"), "{stderr}");
    let other = sandbox.ok(args);
    sandbox.fails(["dispatch", "wait", &other], 1);
    sandbox.fails(["dispatch", "retry", &other, "--escalate", "--chain-key=NOT A KEY"], 3);
    sandbox.fails(["dispatch", "retry", &other, "--chain-key=c1"], 3);
}

#[test]
fn old_records_are_pruned_and_their_events_stay() {
    let sandbox = Sandbox::new();
    let id = spawn(
        &sandbox,
        &[],
        "echo x; echo y > $IC_DISPATCH_OUTPUT; echo 'STATUS: pass' > $IC_DISPATCH_VERDICT",
    );
    sandbox.ok(["dispatch", "wait", &id]);
    let output = status(&sandbox, &id)["output_file"].as_str().unwrap().to_owned();
    assert!(Path::new(&output).exists());
    let live = spawn(&sandbox, &[], "sleep 600");
    assert_eq!(sandbox.ok(["dispatch", "prune", "--older-than=1h"]), "0 pruned");
    let mut later = sandbox.command(["dispatch", "prune", "--older-than=1h", "--json"]);
    later.env("IC_TEST_NOW", "1700004000");
    assert_eq!(run_ok(later), "{\"pruned\":1}");
    sandbox.fails(["dispatch", "status", &id], 1);
    assert!(!sandbox.dir().join(format!(".clavain/dispatch-logs/{id}.out")).exists());
    assert!(!Path::new(&output).exists() && !Path::new(&format!("{output}.verdict")).exists());
    let last = sandbox.events().pop().unwrap();
    assert_eq!(
        (&last["type"], &last["subject"], &last["data"]["new"]),
        (&json!("pruned"), &json!(id), &Value::Null)
    );
    assert_eq!(status(&sandbox, &live)["status"], "running");
    sandbox.ok(["dispatch", "kill", &live]);
    sandbox.fails(["dispatch", "prune"], 3);
}

/// PH-10: entering `executing` puts the agents to work that have a prompt, once each.
#[test]
fn agents_go_to_work_when_a_run_executes() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.dir().join("start.sh"), "sleep 600").unwrap();
    fs::create_dir_all(sandbox.dir().join(".ic/prompts")).unwrap();
    fs::write(sandbox.dir().join(".ic/prompts/one.md"), "work").unwrap();
    let chain = r#"--phases=["a","executing","b"]"#;
    let id = sandbox.ok(["run", "create", "--goal=g", chain]);
    let one = sandbox.ok(["agent", "add", &id, "--name=one"]);
    let none = sandbox.ok(["agent", "add", &id, "--name=none"]);
    let nameless = sandbox.ok(["agent", "add", &id]);
    let advance = || {
        let mut command = sandbox.command(["run", "advance", &id, "--priority=4"]);
        command.env("CLAVAIN_DISPATCH_SH", sandbox.dir().join("start.sh"));
        run(command)
    };
    let output = advance();
    assert!(output.status.success(), "{}", render(&output));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains(&format!("auto-spawn failed: agent {none}")), "{stderr}");
    assert!(stderr.contains(&format!("auto-spawn failed: agent {nameless}")), "{stderr}");
    let agents = sandbox.json(["agent", "list", &id]);
    let dispatch = agents[0]["dispatch_id"].as_str().unwrap().to_owned();
    assert_eq!((&agents[0]["id"], &agents[1]["dispatch_id"]), (&json!(one), &Value::Null));
    let found = status(&sandbox, &dispatch);
    assert_eq!(
        (&found["scope_id"], &found["status"], &found["run_phase"]),
        (&json!(id), &json!("running"), &json!("executing"))
    );
    // Back and again: the one that still works is left alone.
    sandbox.ok(["run", "rollback", &id, "--to-phase=a", "--reason=r", "--no-signal"]);
    sandbox.ok(["agent", "update", &one, "--status=active"]);
    assert!(advance().status.success());
    let agents = sandbox.json(["agent", "list", &id]);
    let second = agents[0]["dispatch_id"].as_str().unwrap().to_owned();
    assert_ne!(second, dispatch, "its dispatch was cancelled by the rollback");
    sandbox.ok(["run", "cancel", &id]);
    for pid in family(&dispatch) {
        signal(pid, Signal::TERM);
    }
    until("everybody is gone", || family(&dispatch).is_empty() && family(&second).is_empty());
    sandbox.check_integrity();
}

#[test]
fn a_key_starts_one_child() {
    let sandbox = Sandbox::new();
    let args = ["dispatch", "spawn", "--idempotency-key=k", "--", "sh", "-c", "echo x >> started"];
    let id = sandbox.ok(args);
    assert_eq!(sandbox.ok(args), id);
    sandbox.ok(["dispatch", "wait", &id]);
    assert_eq!(fs::read_to_string(sandbox.dir().join("started")).unwrap(), "x\n");
    sandbox.fails(["dispatch", "spawn", "--idempotency-key=k", "--", "true"], 1);
}
