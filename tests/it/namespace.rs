//! Processes in PID namespaces of their own, under one host name: none is taken for gone by those of another
//! one.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use crate::dispatch::{Stranger, spawn, status, until};
use crate::interspect::Project;
use crate::scripts::{PLAIN, bash};
use crate::support::{NOW, Sandbox, render, run};
use crate::task::Specs;

/// What a cell shows as `/proc`.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Proc {
    /// That of its own namespace.
    Own,
    /// That of the namespace outside, whose processes have other pids.
    Outer,
    /// Nothing.
    Hidden,
}

/// A PID namespace and a mount namespace, which live until they are dropped.
struct Cell<'a> {
    sandbox: &'a Sandbox,
    unshare: Child,
    init: String,
}

/// Whether namespaces can be made here. If not, that is said where it can be seen.
fn can_unshare() -> bool {
    static CAN: OnceLock<bool> = OnceLock::new();
    *CAN.get_or_init(|| {
        let made =
            Command::new("unshare").args(["--pid", "--fork", "--mount-proc", "--uts", "true"]).output();
        let can = made.is_ok_and(|output| output.status.success());
        if !can {
            println!("SKIPPED: no PID namespaces can be made here");
        }
        can
    })
}

impl<'a> Cell<'a> {
    fn new(sandbox: &'a Sandbox, proc: Proc) -> Self {
        Self::with(sandbox, proc, "")
    }

    /// A cell in which `setup` was run at first, as a shell script.
    fn with(sandbox: &'a Sandbox, proc: Proc, setup: &str) -> Self {
        let empty = sandbox.dir().with_file_name("empty");
        std::fs::create_dir_all(&empty).unwrap();
        let hide = if proc == Proc::Hidden {
            format!("mount --bind {} /proc;", empty.display())
        } else {
            String::new()
        };
        let mut command = Command::new("unshare");
        sandbox.seal(&mut command);
        command.args(["--pid", "--fork", "--mount", "--uts", "--kill-child=KILL"]);
        if proc == Proc::Own {
            command.arg("--mount-proc");
        }
        // Its first process takes in the orphans.
        let stay = "i=0; while [ $i -lt 6000 ]; do sleep 0.02; i=$((i + 1)); done";
        command.args(["sh", "-ec", &format!("{setup}\n{hide} echo ready; {stay}")]);
        let mut unshare = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(unshare.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        let children = format!("/proc/{0}/task/{0}/children", unshare.id());
        let init = std::fs::read_to_string(children).unwrap().trim().to_owned();
        Self { sandbox, unshare, init }
    }

    /// Moves a command into the cell.
    fn inside(&self, command: &Command) -> Command {
        let mut moved = Command::new("nsenter");
        moved.env_clear().current_dir(self.sandbox.dir());
        moved.args([
            "--target",
            &self.init,
            "--pid",
            "--mount",
            "--uts",
            "sh",
            "-c",
            "cd \"$0\" && exec \"$@\"",
        ]);
        moved.arg(self.sandbox.dir()).arg(command.get_program()).args(command.get_args());
        moved.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        moved
    }

    fn ic(&self, args: &[&str]) -> Output {
        run(self.inside(&self.sandbox.command(args)))
    }

    fn ok(&self, args: &[&str]) -> String {
        let output = self.ic(args);
        assert!(output.status.success(), "ic {args:?}: {}", render(&output));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn sh(&self, script: &str) -> String {
        let mut shell = Command::new("sh");
        self.sandbox.seal(&mut shell);
        shell.args(["-c", script]);
        let output = run(self.inside(&shell));
        assert!(output.status.success(), "{script}: {}", render(&output));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Starts a process that does nothing; returns its pid inside.
    fn holder(&self) -> String {
        self.sh("sleep 600 >/dev/null 2>&1 & echo $!")
    }

    /// Ends a process inside.
    fn end(&self, pid: &str) {
        let gone = "i=0; while kill -0 $0 2>/dev/null; do [ $i -lt 1000 ]; sleep 0.01; i=$((i + 1)); done";
        self.sh(&format!("set -- {pid}; set -e; kill -9 $1; {}", gone.replace("$0", "$1")));
    }
}

impl Drop for Cell<'_> {
    fn drop(&mut self) {
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
    }
}

fn later(sandbox: &Sandbox, seconds: i64, args: &[&str]) -> Command {
    let mut command = sandbox.command(args);
    command.env("IC_TEST_NOW", (NOW.parse::<i64>().unwrap() + seconds).to_string());
    command
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or_else(|| panic!("{}", render(output)))
}

fn reserve<'a>(owner: &'a str, flags: &[&'a str]) -> Vec<&'a str> {
    [&["coordination", "reserve", "--scope=r", "--pattern=a", "--owner", owner], flags].concat()
}

/// K-25: a lock that lives with a process of another namespace stays until its time is over, whichever side
/// looks, and whatever `/proc` shows there; in its own namespace it ends with its process.
#[test]
fn a_lock_of_another_namespace_stays() {
    if !can_unshare() {
        return;
    }
    for proc in [Proc::Own, Proc::Outer, Proc::Hidden] {
        let sandbox = Sandbox::new();
        let (cell, other) = (Cell::new(&sandbox, proc), Cell::new(&sandbox, proc));
        let pid = cell.holder();
        cell.ok(&reserve("inside", &["--ttl=600", &format!("--owner-pid={pid}")]));
        let held = |context: &str| {
            for (looker, output) in
                [("outside", sandbox.ic(reserve("taker", &[]))), ("other", other.ic(&reserve("taker", &[])))]
            {
                assert_eq!(code(&output), 1, "{proc:?} {looker} {context}: {}", render(&output));
            }
            for swept in [sandbox.ok(["coordination", "sweep"]), other.ok(&["coordination", "sweep"])] {
                assert!(swept.starts_with('0'), "{proc:?} {context}: {swept}");
            }
        };
        held("lives");
        assert_eq!(code(&cell.ic(&reserve("taker", &[]))), 1, "{proc:?}: its own namespace sees it");
        cell.end(&pid);
        held("has ended, which cannot be seen");
        if proc == Proc::Hidden {
            assert_eq!(code(&cell.ic(&reserve("taker", &[]))), 1, "which namespace it is cannot be seen");
            assert_eq!(code(&run(later(&sandbox, 599, &reserve("taker", &[])))), 1);
            assert_eq!(code(&run(later(&sandbox, 600, &reserve("taker", &[])))), 0, "its time is over");
        } else {
            cell.ok(&reserve("taker", &[]));
        }

        // The other way round: the holder is outside.
        let outside = Stranger::new();
        let flags = ["--ttl=600", &format!("--owner-pid={}", outside.pid())];
        let mut at = reserve("outside", &flags);
        at[3] = "--pattern=b";
        sandbox.ok(&at);
        for cell in [&cell, &other] {
            let mut taker = reserve("taker2", &[]);
            taker[3] = "--pattern=b";
            let output = cell.ic(&taker);
            assert_eq!(code(&output), 1, "{proc:?}: {}", render(&output));
            assert!(cell.ok(&["coordination", "sweep"]).starts_with('0'), "{proc:?}");
        }
        drop(outside);
        at[5] = "outside3";
        at.truncate(6);
        assert_eq!(code(&sandbox.ic(&at)), 0, "{proc:?}: its own namespace sees it");
        sandbox.check_integrity();
    }
}

/// K-25: a dispatch of another namespace is neither settled as lost nor signalled, by its pid there or by the
/// pid that it has here; its own namespace settles it.
#[test]
fn a_dispatch_of_another_namespace_is_left_alone() {
    if !can_unshare() {
        return;
    }
    for (proc, other) in [(Proc::Own, Proc::Hidden), (Proc::Outer, Proc::Own)] {
        let sandbox = Sandbox::new();
        let (cell, other) = (Cell::new(&sandbox, proc), Cell::new(&sandbox, other));
        let go = sandbox.dir().join("go");
        let script = format!("while ! test -e {}; do sleep 0.02; done", go.display());
        let inside = cell.ok(&["dispatch", "spawn", "--", "sh", "-c", &script]);
        let outside = spawn(&sandbox, &[], &script);
        let is = |id: &str| status(&sandbox, id)["status"].as_str().unwrap().to_owned();
        for id in [&inside, &outside] {
            until("it runs", || is(id) == "running");
            for looker in [&cell, &other] {
                looker.ok(&["dispatch", "poll", id]);
                looker.ok(&["dispatch", "list"]);
                looker.ok(&["dispatch", "status", id]);
            }
            sandbox.ok(["dispatch", "poll", id]);
            sandbox.ok(["dispatch", "list"]);
            assert_eq!(is(id), "running", "{proc:?}");
        }
        let killed = spawn(&sandbox, &[], &script);
        other.ok(&["dispatch", "kill", &killed]);
        until("its supervisor has ended it", || {
            sandbox.count("SELECT count(*) FROM dispatches WHERE stop_requested_at IS NOT NULL") == 0
        });
        assert_eq!(is(&inside), "running", "{proc:?}");
        std::fs::write(&go, "").unwrap();
        for id in [&inside, &outside] {
            until("it has ended", || is(id) != "running");
            assert_eq!(is(id), "completed", "{proc:?}: {}", status(&sandbox, id));
        }
        sandbox.check_integrity();
    }
}

/// K-25: a child that was made known is its own namespace's to judge. The row says where its pid counts.
#[test]
fn a_recorded_child_is_judged_where_its_pid_counts() {
    if !can_unshare() {
        return;
    }
    let sandbox = Sandbox::new();
    let (cell, other) = (Cell::new(&sandbox, Proc::Own), Cell::new(&sandbox, Proc::Own));
    let pid = cell.holder();
    let id = cell.ok(&["dispatch", "record", "--status=running", &format!("--pid={pid}")]);
    let machine = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let number = cell.sh("stat -Lc %i /proc/self/ns/pid");
    let sql = "SELECT pid_namespace FROM dispatches";
    let space: String = sandbox.open().query_row(sql, [], |row| row.get(0)).unwrap();
    if !machine.trim().is_empty() {
        assert_eq!(space, format!("{}/{number}", machine.trim()));
    }
    cell.end(&pid);
    sandbox.ok(["dispatch", "poll", &id]);
    other.ok(&["dispatch", "poll", &id]);
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let seen = status(&sandbox, &id);
    assert_eq!(
        (&seen["status"], &seen["host"]),
        (&"running".into(), &host.trim().into()),
        "not seen from there"
    );
    cell.ok(&["dispatch", "poll", &id]);
    assert_eq!(status(&sandbox, &id)["status"], "failed");
    // A row of an older version goes by host and boot, wherever it is looked at.
    let pid = cell.holder();
    let id = cell.ok(&["dispatch", "record", "--status=running", &format!("--pid={pid}")]);
    sandbox.open().execute_batch("UPDATE dispatches SET pid_namespace = NULL, pid_start = 1").unwrap();
    other.ok(&["dispatch", "poll", &id]);
    assert_eq!(status(&sandbox, &id)["status"], "failed");
}

/// K-25, CO-16: who waits in another namespace keeps its place, and is served first.
#[test]
fn a_waiter_of_another_namespace_keeps_its_place() {
    if !can_unshare() {
        return;
    }
    let sandbox = Sandbox::new();
    let (cell, other) = (Cell::new(&sandbox, Proc::Own), Cell::new(&sandbox, Proc::Own));
    let now = |args: Vec<&str>| {
        let mut command = sandbox.command(args);
        command.env_remove("IC_TEST_NOW");
        command
    };
    assert_eq!(code(&run(now(reserve("holder", &["--ttl=600"])))), 0);
    let mut first = cell.inside(&now(reserve("first", &["--wait=60s"])));
    let first = first.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let places = || sandbox.count("SELECT count(*) FROM lock_waiters WHERE left_at IS NULL");
    until("it stands in line", || places() == 1);
    for _ in 0..3 {
        assert_eq!(code(&run(now(reserve("outside", &[])))), 1);
        assert_eq!(code(&run(other.inside(&now(reserve("other", &[]))))), 1);
    }
    assert_eq!(places(), 1);
    assert_eq!(code(&run(now(vec!["coordination", "release", "--scope=r", "--owner=holder"]))), 0);
    assert_eq!(code(&run(now(reserve("outside", &[])))), 1, "its turn");
    let first = first.wait_with_output().unwrap();
    assert!(first.status.success(), "{}", render(&first));
}

/// K-25, IS-03: a change of overrides that another namespace has begun is left alone until its time is over;
/// its own namespace finishes what a killed call left. So is the directory in which a commit is put together.
#[test]
fn a_change_of_another_namespace_is_left_alone() {
    if !can_unshare() {
        return;
    }
    let project = Project::new();
    let sandbox = &project.sandbox;
    let (cell, other) = (Cell::new(sandbox, Proc::Own), Cell::new(sandbox, Proc::Own));
    let left = || {
        let entries = std::fs::read_dir(sandbox.dir().join(".git")).unwrap();
        entries
            .filter(|entry| entry.as_ref().unwrap().file_name().to_str().unwrap().starts_with("intercore."))
            .count()
    };
    let mut command = project.command(&["apply", "fd-a", "--reason=r"]);
    command.env("IC_TEST_CRASH", "git_moved");
    assert_eq!(run(cell.inside(&command)).status.code(), None);
    assert_eq!(left(), 1);
    for seconds in [0, 899] {
        for looker in [None, Some(&other)] {
            let command =
                later(sandbox, seconds, &["interspect", "apply", "fd-b", "--reason=r", "--wait=0s"]);
            let output = run(match looker {
                None => command,
                Some(cell) => cell.inside(&command),
            });
            assert_eq!(code(&output), 2, "{}", render(&output));
            assert_eq!(left(), 1);
        }
    }
    cell.ok(&["interspect", "apply", "fd-c", "--reason=r"]);
    assert_eq!((project.excluded(), left()), (vec!["fd-a".to_owned(), "fd-c".to_owned()], 0));
}

/// K-25: the change of task files that a process of another namespace has begun is its own to finish.
#[test]
fn a_task_intent_of_another_namespace_is_waited_for() {
    if !can_unshare() {
        return;
    }
    let specs = Specs::new(2);
    let sandbox = &specs.sandbox;
    let (cell, other) = (Cell::new(sandbox, Proc::Own), Cell::new(sandbox, Proc::Own));
    let go: PathBuf = sandbox.dir().join("go");
    let mut command = sandbox.command(["task", "preflight", "1", "--to=researching", "--dir=specs"]);
    command.env("IC_TEST_TASK_PAUSE", format!("intent:{}", go.display()));
    let mut command = cell.inside(&command);
    let paused = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    until("its intent is written", || go.with_extension("at").exists());
    for looker in [None, Some(&other)] {
        let command = sandbox.command(["task", "preflight", "2", "--to=researching", "--dir=specs"]);
        let output = run(match looker {
            None => command,
            Some(cell) => cell.inside(&command),
        });
        assert!(output.status.code().is_some(), "{}", render(&output));
        assert_eq!(sandbox.count("SELECT count(*) FROM intents"), 1, "{}", render(&output));
    }
    std::fs::write(&go, "").unwrap();
    let paused = paused.wait_with_output().unwrap();
    assert!(paused.status.success(), "{}", render(&paused));
    assert_eq!(sandbox.count("SELECT count(*) FROM intents"), 0);
}

/// K-25, CL-05: a directory lock of another namespace is neither broken nor cleaned away, and its name alone
/// does not release it; its own namespace does both.
#[test]
fn a_directory_lock_of_another_namespace_stays() {
    if !can_unshare() {
        return;
    }
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let host = host.trim();
    for proc in [Proc::Own, Proc::Outer, Proc::Hidden] {
        let sandbox = Sandbox::bare();
        let (cell, other) = (Cell::new(&sandbox, proc), Cell::new(&sandbox, proc));
        let pid = cell.holder();
        let owner = format!("--owner={pid}:{host}");
        cell.ok(&["lock", "acquire", "n", "s", &owner]);
        let outside = Stranger::new();
        let outer = format!("--owner={}:{host}", outside.pid());
        sandbox.ok(["lock", "acquire", "n", "t", &outer]);
        let acquire = |scope| later(&sandbox, 1000, &["lock", "acquire", "n", scope, "--timeout=0"]);
        let clean = || later(&sandbox, 1000, &["lock", "clean"]);
        let said = |output: Output| String::from_utf8(output.stdout).unwrap();
        let others: [&dyn Fn(Command) -> Output; 2] = [&run, &|command| run(other.inside(&command))];
        for go in others {
            let output = go(acquire("s"));
            assert_eq!(code(&output), 1, "{proc:?}: {}", render(&output));
            assert_eq!(said(go(clean())), "0 cleaned\n", "{proc:?}");
            // Where no place can be told from another, a name is all that there is.
            if proc != Proc::Hidden {
                assert_eq!(code(&go(sandbox.command(["lock", "release", "n", "s", &owner]))), 1, "{proc:?}");
            }
            let list = said(go(later(&sandbox, 1000, &["lock", "list", "--json"])));
            let list: Value = serde_json::from_str(&list).unwrap();
            assert!(list.as_array().unwrap().iter().all(|lock| lock["stale"] == false), "{list}");
        }
        for cell in [&cell, &other] {
            let output = run(cell.inside(&acquire("t")));
            assert_eq!(code(&output), 1, "{proc:?}: {}", render(&output));
        }
        cell.end(&pid);
        drop(outside);
        assert_eq!(said(run(clean())), "1 cleaned\n", "{proc:?}");
        let expected = if proc == Proc::Hidden { "0 cleaned\n" } else { "1 cleaned\n" };
        assert_eq!(said(run(cell.inside(&clean()))), expected, "{proc:?}");
    }
}

/// K-25: so it is where there is no `ic`, in both directions, and between shells with `ic` and shells
/// without.
#[test]
fn a_directory_lock_without_ic_stays() {
    if !can_unshare() {
        return;
    }
    let sandbox = Sandbox::bare();
    let cell = Cell::new(&sandbox, Proc::Own);
    let plain = |script: &str| {
        let mut command = bash(&sandbox, "set -eu", script, &[]);
        command.env("PATH", PLAIN).env_remove("IC_TEST_NOW");
        command
    };
    let hold = |mut command: Command| {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "taken\n");
        child
    };
    let script = |scope: &str| format!("intercore_lock n {scope} 0 && echo taken && read -r _ || :");
    let (outside, inside) = (hold(plain(&script("out"))), hold(cell.inside(&plain(&script("in")))));
    let held = || {
        let dir = sandbox.dir().with_file_name("locks").join("n");
        let names =
            std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    };
    let clean = || {
        let mut command = sandbox.command(["lock", "clean", "--older-than=0s"]);
        command.env_remove("IC_TEST_NOW");
        command
    };
    let clean_all = |inside: bool| {
        for command in [plain("intercore_lock_clean 0s"), clean()] {
            let output = run(if inside { cell.inside(&command) } else { command });
            assert!(output.status.success(), "{}", render(&output));
        }
    };
    clean_all(true);
    clean_all(false);
    assert_eq!(held(), ["in", "out"]);
    // The shells end without a release: each side tells its own.
    for mut child in [outside, inside] {
        drop(child.stdin.take());
        child.wait().unwrap();
    }
    let output = run(cell.inside(&plain("intercore_lock_clean 0s")));
    assert!(output.status.success(), "{}", render(&output));
    assert_eq!(held(), ["out"]);
    assert_eq!(run(clean()).stdout, b"1 cleaned\n");
}

/// K-25: where the system has no machine id, one is drawn and kept in the user's state directory; where that
/// is not possible either, an equal boot stands for it.
#[test]
fn a_machine_without_an_id_gets_one() {
    if !can_unshare() {
        return;
    }
    let sandbox = Sandbox::new();
    let home = sandbox.dir().with_file_name("home");
    let none = sandbox.dir().with_file_name("none");
    std::fs::write(&none, "").unwrap();
    let hide = format!("test ! -e /etc/machine-id || mount --bind {} /etc/machine-id", none.display());
    let cell = Cell::with(&sandbox, Proc::Own, &hide);
    let space = |owner: &str| -> String {
        let sql = "SELECT pid_namespace FROM coordination_locks WHERE owner = ?1 AND released_at IS NULL";
        sandbox.open().query_row(sql, [owner], |row| row.get(0)).unwrap()
    };
    let number = cell.sh("stat -Lc %i /proc/self/ns/pid");
    for (variable, kept) in
        [("HOME", ".local/state/intercore/machine-id"), ("XDG_STATE_HOME", "intercore/machine-id")]
    {
        let pid = cell.holder();
        let mut ids = Vec::new();
        for _ in 0..2 {
            let mut command = sandbox.command(reserve(variable, &[&format!("--owner-pid={pid}")]));
            command.env(variable, &home);
            let output = run(cell.inside(&command));
            assert_eq!(code(&output), 0, "{}", render(&output));
            ids.push(std::fs::read_to_string(home.join(kept)).unwrap().trim().to_owned());
            assert_eq!(space(variable), format!("{}/{number}", ids.last().unwrap()));
        }
        assert!(ids[0] == ids[1] && ids[0].len() == 32, "{ids:?}");
        assert_eq!(code(&sandbox.ic(reserve("taker", &[]))), 1);
        cell.end(&pid);
        assert_eq!(code(&sandbox.ic(reserve("taker", &[]))), 1);
        let mut command = sandbox.command(reserve("taker", &[]));
        command.env(variable, &home);
        assert_eq!(code(&run(cell.inside(&command))), 0);
        sandbox.ok(["coordination", "release", "--scope=r", "--owner=taker"]);
    }
    let nowhere = |args: &[&str]| {
        let mut command = sandbox.command(args);
        command.env_remove("HOME");
        run(cell.inside(&command))
    };
    let pid = cell.holder();
    assert_eq!(code(&nowhere(&reserve("nowhere", &[&format!("--owner-pid={pid}")]))), 0);
    assert_eq!(space("nowhere"), format!("/{number}"));
    assert_eq!(code(&nowhere(&reserve("taker", &[]))), 1);
    cell.end(&pid);
    assert_eq!(code(&sandbox.ic(reserve("taker", &[]))), 1);
    assert_eq!(code(&nowhere(&reserve("taker", &[]))), 0);
}

/// K-25: a process in a time namespace of its own sees all start times moved; that makes none of them gone.
#[test]
fn a_moved_clock_makes_no_process_gone() {
    if !can_unshare() {
        return;
    }
    let apart = |args: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--time", "--boottime=100000", "--fork"]).args(args);
        command
    };
    if !apart(&["true"]).output().unwrap().status.success() {
        println!("SKIPPED: no time namespaces can be made here");
        return;
    }
    let sandbox = Sandbox::new();
    let holder = Stranger::new();
    sandbox.ok(reserve("holder", &[&format!("--owner-pid={}", holder.pid())]));
    let taker = sandbox.command(reserve("taker", &[]));
    let mut moved = apart(&[]);
    sandbox.seal(&mut moved);
    moved.arg(taker.get_program()).args(taker.get_args());
    let output = run(moved);
    assert_eq!(code(&output), 1, "{}", render(&output));
    drop(holder);
    sandbox.ok(reserve("taker", &[]));
}

/// K-25: what needs no process asks for none, and where one is recorded or judged its place is read once.
#[test]
fn a_place_is_read_where_it_is_needed_and_once() {
    if !Command::new("strace").arg("-V").output().is_ok_and(|output| output.status.success()) {
        println!("SKIPPED: no strace");
        return;
    }
    let sandbox = Sandbox::new();
    let run_id = sandbox.new_run();
    let value = sandbox.dir().join("value");
    std::fs::write(&value, "{}").unwrap();
    sandbox.ok(["state", "set", "k", "s", &format!("@{}", value.display())]);
    let holder = Stranger::new();
    let owner_pid = format!("--owner-pid={}", holder.pid());
    let log = sandbox.dir().join("trace");
    let asked = |args: &[&str]| {
        let mut traced = Command::new("strace");
        sandbox.seal(&mut traced);
        let ic = sandbox.command(args);
        traced.args(["-f", "-e", "trace=open,openat,readlink,readlinkat", "-o"]).arg(&log);
        traced.arg(ic.get_program()).args(ic.get_args());
        let output = run(traced);
        assert!(output.status.success(), "{args:?}: {}", render(&output));
        let text = std::fs::read_to_string(&log).unwrap();
        ["machine-id", "ns/pid", "boot_id", "self/status"].map(|name| text.matches(name).count())
    };
    for args in [
        &["run", "phase", &run_id] as &[&str],
        &["state", "get", "k", "s"],
        &reserve("alice", &[]),
        &["coordination", "release", "--scope=r", "--owner=alice"],
    ] {
        assert_eq!(asked(args), [0; 4], "{args:?}");
    }
    assert_eq!(asked(&reserve("bob", &[&owner_pid, "--exclusive=false"])), [1; 4]);
    let mut third = reserve("carol", &["--exclusive=false", &owner_pid, "--wait=1s"]);
    assert_eq!(asked(&third), [1; 4]);
    third[4] = "--owner=dave";
    third.remove(5);
    assert_eq!(asked(&third), [1; 4]);
}
