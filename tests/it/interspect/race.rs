//! Many at once.

use std::process::Stdio;
use std::thread;

use super::{FILE, Project};
use crate::support::{Sandbox, run};

/// IS-01: ten agents, ten overrides, ten commits, ten rows, each commit with its own override.
#[test]
fn ten_agents_at_once() {
    let project = Project::new();
    let agents: Vec<String> = (0..10).map(|nth| format!("fd-x{nth}")).collect();
    for agent in &agents {
        project.agent(agent);
    }
    project.write("staged", "x");
    project.git(&["add", "staged"]);
    let commands = agents.iter().map(|agent| project.command(&["apply", agent, "--reason=r"]));
    let children: Vec<_> = commands
        .map(|mut command| command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap())
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(project.excluded(), agents);
    assert_eq!(project.git(&["rev-list", "--count", "HEAD", "--", FILE]), "10");
    assert_eq!(project.sandbox.count("SELECT count(DISTINCT commit_sha) FROM modifications"), 10);
    assert_eq!(project.git(&["status", "--porcelain"]), "A  staged");
    project.check();
}

/// IS-01: ten for one agent are one.
#[test]
fn one_agent_ten_times_at_once() {
    let project = Project::new();
    let codes: Vec<_> = thread::scope(|scope| {
        let call = || run(project.command(&["apply", "fd-a", "--reason=r"])).status.code();
        let threads: Vec<_> = (0..10).map(|_| scope.spawn(call)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(codes.iter().filter(|code| **code == Some(0)).count(), 1, "{codes:?}");
    assert_eq!(codes.iter().filter(|code| **code == Some(1)).count(), 9, "{codes:?}");
    assert_eq!(project.git(&["rev-list", "--count", "HEAD", "--", FILE]), "1");
    project.check();
}

/// IS-15: proposing, approving and taking back at once with commits of somebody else; nobody's is lost.
#[test]
fn others_commit_meanwhile() {
    let project = Project::new();
    let agents: Vec<String> = (0..4).map(|nth| format!("fd-x{nth}")).collect();
    for agent in &agents {
        project.agent(agent);
    }
    thread::scope(|scope| {
        for agent in &agents {
            let project = &project;
            scope.spawn(move || {
                project.ok(&["propose", agent, "--reason=r"]);
                project.ok(&["approve", agent, "--by=other"]);
                if agent.ends_with('0') {
                    project.ok(&["revert", agent]);
                }
            });
        }
        scope.spawn(|| {
            for nth in 0..20 {
                project.write("theirs", &nth.to_string());
                // While we hold the index for a moment they are told to try again.
                while !project.git_output(&["add", "theirs"]).status.success()
                    || !project.git_output(&["commit", "--quiet", "-m", "theirs"]).status.success()
                {
                    thread::yield_now();
                }
            }
        });
    });
    assert_eq!(project.excluded(), agents[1..]);
    assert_eq!(project.git(&["rev-list", "--count", "HEAD", "--", "theirs"]), "20");
    assert_eq!(project.git(&["rev-list", "--count", "HEAD", "--", FILE]), "9");
    let theirs = project.git(&["log", "--format=", "--name-only", "--grep=theirs"]);
    assert!(theirs.lines().all(|path| path == "theirs"), "nothing of ours is taken into theirs");
    project.check();
}

/// IS-13: the wait is bounded, and says whom for.
#[test]
fn whoever_holds_the_lock_is_named() {
    let project = Project::new();
    let scope = project.sandbox.dir().to_str().unwrap().to_owned();
    let name = format!("--pattern=interspect:{FILE}");
    let lock = |sandbox: &Sandbox| {
        let scope = format!("--scope={scope}");
        sandbox.ok(["coordination", "reserve", "--owner=somebody", &scope, &name, "--type=named_lock"])
    };
    let id = lock(&project.sandbox);
    let said = project.refused(&["apply", "fd-a", "--reason=r", "--wait=150ms"], 2, "overrides_locked");
    assert!(said.contains("somebody"), "{said}");
    // It goes on as soon as the lock is given back.
    thread::scope(|scope| {
        let waiting = scope.spawn(|| project.apply("fd-a"));
        thread::sleep(std::time::Duration::from_millis(200));
        project.sandbox.ok(["coordination", "release", &id]);
        assert_eq!(waiting.join().unwrap()["changed"], true);
    });
    project.check();
}
