//! Crashes: a process that dies at any step, and what the next call makes of it.

use std::thread;
use std::time::Duration;

use rand::RngExt;

use super::{FILE, Project};
use crate::support::{render, run};

/// The steps of a change, and whether the commit is made by then.
const STEPS: [(&str, bool); 13] = [
    ("before_commit", false),
    ("after_commit", false),
    ("interspect_locked", false),
    ("before_commit:2", false),
    ("after_commit:2", false),
    ("interspect_planned", false),
    ("git_made", false),
    ("git_locked", false),
    ("git_moved", true),
    ("git_indexed", true),
    ("interspect_committed", true),
    ("interspect_written", true),
    ("before_commit:3", true),
];

/// IS-03, IS-14: killed at any step, an override is there in full or not at all once the next call has looked; what the user
/// has staged is as it was, and the next call is not kept waiting.
#[test]
fn the_next_call_settles_what_a_dead_one_left() {
    for (verb, args) in [
        ("apply", &["apply", "fd-a", "--reason=r"][..]),
        ("approve", &["approve", "fd-b", "--by=other"]),
        ("revert", &["revert", "fd-c"]),
    ] {
        for (step, committed) in STEPS {
            let project = Project::new();
            project.ok(&["propose", "fd-b", "--reason=r"]);
            project.apply("fd-c");
            project.write("README", "staged\n");
            project.git(&["add", "README"]);
            let mut command = project.command(args);
            command.env("IC_TEST_CRASH", step);
            let output = run(command);
            assert_eq!(output.status.code(), None, "{verb} {step}: {}", render(&output));
            let output = project.at(1, &["propose", "fd-safety", "--reason=next"]);
            assert!(output.status.success(), "{verb} {step}: {}", render(&output));
            let wanted: &[&str] = match (verb, committed) {
                ("apply", true) => &["fd-a", "fd-c"],
                ("approve", true) => &["fd-b", "fd-c"],
                ("revert", true) => &[],
                _ => &["fd-c"],
            };
            assert_eq!(project.excluded(), wanted, "{verb} {step}");
            assert_eq!(project.git(&["diff", "--cached", "--name-only"]), "README", "{verb} {step}");
            assert_eq!(project.git(&["status", "--porcelain"]), "M  README", "{verb} {step}");
            project.check();
        }
    }
}

/// IS-03: without a next call of ours the user's own commit takes nothing of ours back; then ours is settled.
#[test]
fn the_users_commit_in_between_takes_nothing_back() {
    for step in ["interspect_committed", "interspect_written"] {
        let project = Project::new();
        let mut command = project.command(&["apply", "fd-a", "--reason=r"]);
        command.env("IC_TEST_CRASH", step);
        assert_eq!(run(command).status.code(), None);
        project.write("theirs", "x");
        project.git(&["add", "theirs"]);
        project.git(&["commit", "--quiet", "-m", "theirs"]);
        assert_eq!(project.git(&["show", "--format=", "--name-only", "HEAD"]), "theirs");
        assert_eq!(project.json(&["status"])["unfinished"], 1);
        project.ok(&["propose", "fd-b", "--reason=next"]);
        assert_eq!(project.excluded(), ["fd-a"]);
        project.check();
    }
}

/// IS-03: what the user has undone since then is not done again, and what the user has edited is not overwritten.
#[test]
fn what_the_user_did_since_then_counts() {
    let project = Project::new();
    let killed = |agent: &str| {
        let mut command = project.command(&["apply", agent, "--reason=r"]);
        command.env("IC_TEST_CRASH", "interspect_committed");
        assert_eq!(run(command).status.code(), None);
    };
    project.apply("fd-b");
    killed("fd-a");
    project.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    project.ok(&["propose", "fd-c", "--reason=r"]);
    assert_eq!(project.excluded(), ["fd-b"]);
    project.check();
    killed("fd-a");
    let mine = project.read(FILE).replace("\"slow\"", "\"edited by hand\"");
    project.write(FILE, &mine);
    let output = project.at(0, &["list"]);
    assert!(output.status.success());
    let output = project.at(0, &["apply", "fd-safety", "--reason=r"]);
    assert!(render(&output).contains("was edited meanwhile"), "{}", render(&output));
    assert!(project.read(FILE).contains("edited by hand"));
}

/// IS-03: a change that is still being made is not taken for one that was left.
#[test]
fn a_change_under_way_is_left_alone() {
    let project = Project::new();
    project.hook("pre-commit", "touch ../running; while [ ! -e ../go ]; do sleep 0.02; done");
    thread::scope(|scope| {
        let first = scope.spawn(|| project.json(&["apply", "fd-a", "--reason=r", "--verify"]));
        let dir = project.sandbox.dir().join("..");
        while !dir.join("running").exists() {
            thread::sleep(Duration::from_millis(5));
        }
        // Even if its lock is over: the clock alone does not end a change.
        let output = project.at(10_000, &["apply", "fd-b", "--reason=r", "--wait=50ms"]);
        assert!(
            output.status.code() == Some(2) && render(&output).contains("are being changed by"),
            "{}",
            render(&output)
        );
        std::fs::write(dir.join("go"), "").unwrap();
        assert_eq!(first.join().unwrap()["changed"], true);
    });
    assert_eq!(project.excluded(), ["fd-a"]);
    project.check();
}

/// IS-03, K-25: a process of another machine is judged by the clock alone; the first process of a container
/// is one like any.
#[test]
fn a_change_of_another_machine_is_left_alone_until_its_time_is_over() {
    let project = Project::new();
    let mut command = project.command(&["apply", "fd-a", "--reason=r"]);
    command.env("IC_TEST_CRASH", "git_moved");
    assert_eq!(run(command).status.code(), None);
    let conn = project.sandbox.open();
    conn.execute_batch("UPDATE intents SET host = 'elsewhere', pid_namespace = 'elsewhere/1', pid = 1")
        .unwrap();
    let later = |seconds: i64| project.at(seconds, &["apply", "fd-b", "--reason=r"]);
    let early = later(899);
    assert!(early.status.code() == Some(2) && render(&early).contains("1:elsewhere"), "{}", render(&early));
    assert!(later(900).status.success());
    assert_eq!(project.excluded(), ["fd-a", "fd-b"]);
    let mut command = project.command(&["apply", "fd-c", "--reason=r"]);
    command.env("IC_TEST_CRASH", "interspect_written");
    assert_eq!(run(command).status.code(), None);
    conn.execute_batch("UPDATE intents SET pid = 1, pid_start = 7, boot_id = 'earlier'").unwrap();
    project.ok(&["propose", "fd-safety", "--reason=next"]);
    assert_eq!(project.excluded(), ["fd-a", "fd-b", "fd-c"]);
    project.check();
}

/// IS-03: a git that a killed call had started, and that still moves the branch, is waited for.
#[test]
fn a_git_that_outlives_its_caller_is_not_overtaken() {
    let project = Project::new();
    // The hook of git's own transaction makes moving the branch slow.
    project.hook(
        "reference-transaction",
        "[ \"$1\" = prepared ] || exit 0; [ -e ../moving ] && exit 0; touch ../moving; sleep 1",
    );
    let mut child = project.command(&["apply", "fd-a", "--reason=r"]).spawn().unwrap();
    while !project.sandbox.dir().join("../moving").exists() {
        thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    project.ok(&["apply", "fd-b", "--reason=next"]);
    assert_eq!(project.excluded(), ["fd-a", "fd-b"]);
    project.check();
}

/// IS-01, IS-03, K-01: many calls killed at random moments; what was acknowledged is there, and all agree.
#[test]
fn random_kills_leave_no_contradiction() {
    let project = Project::new();
    let agents: Vec<String> = (0..12).map(|nth| format!("fd-x{nth}")).collect();
    for agent in &agents {
        project.agent(agent);
    }
    let mut rng = crate::support::rng();
    let mut acknowledged = Vec::new();
    for pair in agents.chunks(3) {
        let children: Vec<_> = pair
            .iter()
            .map(|agent| {
                let mut command = project.command(&["apply", agent, "--reason=r"]);
                command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
                (agent, command.spawn().unwrap())
            })
            .collect();
        thread::sleep(Duration::from_millis(rng.random_range(20..250)));
        for (agent, mut child) in children {
            let _ = child.kill();
            if child.wait().unwrap().success() {
                acknowledged.push(agent.clone());
            }
        }
    }
    project.ok(&["apply", "fd-a", "--reason=last"]);
    let excluded = project.excluded();
    assert!(acknowledged.iter().all(|agent| excluded.contains(agent)), "{acknowledged:?} {excluded:?}");
    project.check();
}
