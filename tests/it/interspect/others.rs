//! What other processes and the user do to the override file: commits in between, edits, staged versions,
//! deletions; and signals in between.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::{FILE, Project};
use crate::support::{render, run};

/// Every verb that commits.
const VERBS: [&[&str]; 4] = [
    &["apply", "fd-a", "--reason=r"],
    &["propose", "fd-a", "--reason=r"],
    &["approve", "fd-b", "--by=other"],
    &["revert", "fd-c"],
];

/// A project in which every one of [`VERBS`] has something to do, and `fd-safety` is excluded, too.
fn project() -> Project {
    let project = Project::new();
    project.apply("fd-safety");
    project.ok(&["propose", "fd-b", "--reason=r"]);
    project.apply("fd-c");
    project
}

impl Project {
    /// A call under a `git` that runs `script` once, before the first `git <verb>` whose arguments fit
    /// `pattern`.
    fn under_git(&self, args: &[&str], pattern: &str, script: &str) -> Command {
        let shim = self.sandbox.dir().join("../bin/git");
        let real = "PATH=/usr/local/bin:/usr/bin:/bin";
        self.write(
            "../bin/git",
            &format!(
                "#!/bin/sh\n{real}; export PATH\ncase \"$*\" in {pattern})\n\
                 if [ ! -e ../done ]; then touch ../done; (unset GIT_INDEX_FILE\n{script}\n) </dev/null >/dev/null 2>&1; fi;;\n\
                 esac\nexec git \"$@\"\n"
            ),
        );
        fs::set_permissions(&shim, fs::Permissions::from_mode(0o755)).unwrap();
        let mut command = self.command(args);
        command.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", shim.parent().unwrap().display()));
        command
    }

    /// The agents that a version of the file names, by name.
    fn named(text: &str) -> Vec<String> {
        let file: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
        let entries = file["overrides"].as_array().cloned().unwrap_or_default();
        let mut names: Vec<_> =
            entries.iter().map(|entry| entry["agent"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }

    fn head(&self) -> String {
        self.git(&["show", &format!("HEAD:{FILE}")])
    }
}

/// A command that adds an entry for `fd-theirs` to the file.
const EDIT: &str = "sed -i 's/\"overrides\": \\[/&{\"agent\":\"fd-theirs\",\"action\":\"exclude\"},/' .claude/routing-overrides.json";

fn with(names: &[&str]) -> Vec<String> {
    let mut names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    names.sort();
    names
}

/// What the file names after the `nth` of [`VERBS`], with the other process's entry.
fn after(nth: usize) -> Vec<String> {
    match nth {
        0 | 1 => with(&["fd-a", "fd-b", "fd-c", "fd-safety", "fd-theirs"]),
        2 => with(&["fd-b", "fd-c", "fd-safety", "fd-theirs"]),
        _ => with(&["fd-b", "fd-safety", "fd-theirs"]),
    }
}

/// IS-18, IS-15: a commit of another process to the file between our reading and our commit is neither lost
/// nor undone. Our change is made on top of it.
#[test]
fn a_commit_to_the_file_in_between_is_kept() {
    let theirs = format!("{EDIT}; git commit -qm theirs --no-verify -- {FILE}");
    for (nth, args) in VERBS.iter().enumerate() {
        let points = ["*commit-tree*", "*read-tree*", "*hash-object*"];
        for point in &points[..if nth == 0 { 3 } else { 1 }] {
            let project = project();
            let output = run(project.under_git(args, point, &theirs));
            assert!(output.status.success(), "{args:?} {point}: {}", render(&output));
            assert_eq!(Project::named(&project.head()), after(nth), "{args:?} {point}");
            assert_eq!(Project::named(&project.read(FILE)), after(nth), "{args:?} {point}");
            assert_eq!(project.git(&["status", "--porcelain"]), "", "{args:?} {point}");
            assert_eq!(project.git(&["log", "--format=%s", "-2"]).lines().last(), Some("theirs"));
            assert_eq!(project.sandbox.count("SELECT count(*) FROM intents"), 0);
        }
    }
    // By a hook, as `git pull` of another terminal would come.
    let project = project();
    project.hook(
        "pre-commit",
        &format!("[ -e ../done ] && exit 0; touch ../done; unset GIT_INDEX_FILE; {theirs}"),
    );
    project.ok(&["apply", "fd-a", "--reason=r", "--verify"]);
    assert_eq!(Project::named(&project.head()), after(0));
    assert_eq!(Project::named(&project.read(FILE)), after(0));
    assert_eq!(project.git(&["status", "--porcelain"]), "");
}

/// IS-18: a commit in between that already does what was asked for leaves nothing to be done twice.
#[test]
fn a_commit_in_between_may_decide_it() {
    let project = project();
    let edit = EDIT.replace("fd-theirs", "fd-a");
    let theirs = format!("{edit}; git commit -qm theirs --no-verify -- {FILE}");
    let output = run(project.under_git(VERBS[0], "*commit-tree*", &theirs));
    assert_eq!(output.status.code(), Some(1), "{}", render(&output));
    assert!(render(&output).contains("fd-a is already excluded"), "{}", render(&output));
    assert_eq!(Project::named(&project.head()), with(&["fd-a", "fd-b", "fd-c", "fd-safety"]));
    assert_eq!(project.sandbox.count("SELECT count(*) FROM modifications WHERE agent = 'fd-a'"), 0);
    assert_eq!(project.sandbox.count("SELECT count(*) FROM intents"), 0);
}

/// IS-18: an edit that is not committed by the time at which the branch would move refuses the change, and
/// stays.
#[test]
fn an_edit_in_between_refuses_the_change() {
    for args in VERBS {
        let project = project();
        let head = project.git(&["rev-parse", "HEAD"]);
        let args = [args, &["--json"]].concat();
        let output = run(project.under_git(&args, "*commit-tree*", EDIT));
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", render(&output));
        assert!(render(&output).contains("git_uncommitted"), "{args:?}: {}", render(&output));
        assert_eq!(project.git(&["rev-parse", "HEAD"]), head, "{args:?}");
        assert!(project.read(FILE).contains("fd-theirs"), "{args:?}");
        assert_eq!(project.git(&["status", "--porcelain", "--untracked-files=all"]), format!(" M {FILE}"));
        assert_eq!(project.sandbox.count("SELECT count(*) FROM intents"), 0);
    }
}

/// IS-18: an edit in the last moment, when the branch has moved already, stays in the file beside the change,
/// and is not committed.
#[test]
fn an_edit_in_the_last_moment_stays_beside_the_change() {
    for (nth, args) in VERBS.iter().enumerate() {
        let project = project();
        let output = run(project.under_git(args, "*update-ref*", EDIT));
        assert!(output.status.success(), "{args:?}: {}", render(&output));
        assert!(render(&output).contains("was edited meanwhile"), "{args:?}: {}", render(&output));
        assert!(!project.head().contains("fd-theirs"), "{args:?}");
        assert_eq!(Project::named(&project.read(FILE)), after(nth), "{args:?}");
        assert_eq!(project.git(&["status", "--porcelain", "--untracked-files=all"]), format!(" M {FILE}"));
        // Their commit takes nothing of ours back.
        project.git(&["commit", "--quiet", "-am", "theirs"]);
        assert_eq!(Project::named(&project.head()), after(nth), "{args:?}");
        assert_eq!(project.sandbox.count("SELECT count(*) FROM intents"), 0);
    }
}

fn edit(project: &Project) {
    let text = project.read(FILE).replace("\"version\": 1,", "\"version\": 1,\n  \"note\": \"MINE\",");
    project.write(FILE, &text);
}

fn stage(project: &Project) {
    edit(project);
    project.git(&["add", FILE]);
}

fn stage_and_take_back(project: &Project) {
    stage(project);
    project.write(FILE, &(project.head() + "\n"));
}

fn stage_and_edit(project: &Project) {
    stage(project);
    project.write(FILE, &project.read(FILE).replace("MINE", "OTHER"));
}

fn delete(project: &Project) {
    fs::remove_file(project.sandbox.dir().join(FILE)).unwrap();
}

fn delete_from_the_index(project: &Project) {
    project.git(&["rm", "--quiet", "--cached", FILE]);
}

/// IS-18: a version of the file that is staged, edited, deleted or never committed refuses the change and stays.
#[test]
fn a_version_of_the_user_is_neither_dropped_nor_committed() {
    type Case = (&'static str, fn(&Project), &'static str);
    let cases: [Case; 6] = [
        ("edited", edit, "not committed"),
        ("staged", stage, "not committed"),
        ("staged and taken back in the file", stage_and_take_back, "staged version"),
        ("staged and edited again", stage_and_edit, "not committed"),
        ("deleted", delete, "not committed"),
        ("deleted from the index", delete_from_the_index, "staged version"),
    ];
    for (name, change, said) in cases {
        // What holds for one verb holds for all: each of them is tried where most can be lost.
        let verbs = if name == "edited" || said == "staged version" { &VERBS[..] } else { &VERBS[..1] };
        for args in verbs {
            let project = project();
            change(&project);
            let before = fs::read_to_string(project.sandbox.dir().join(FILE)).ok();
            let index = project.git_output(&["show", &format!(":{FILE}")]).stdout;
            let output = run(project.command(&[args, &["--json"][..]].concat()));
            let told = render(&output);
            assert_eq!(output.status.code(), Some(2), "{name} {args:?}: {told}");
            assert!(told.contains("git_uncommitted") && told.contains(said), "{name} {args:?}: {told}");
            let now = fs::read_to_string(project.sandbox.dir().join(FILE)).ok();
            assert_eq!(now, before, "{name} {args:?}");
            assert_eq!(project.git_output(&["show", &format!(":{FILE}")]).stdout, index, "{name} {args:?}");
            let head = Project::named(&project.head());
            assert_eq!(head, with(&["fd-b", "fd-c", "fd-safety"]), "{name} {args:?}");
            assert_eq!(project.sandbox.count("SELECT count(*) FROM intents"), 0, "{name} {args:?}");
        }
    }
    let project = Project::new();
    project.write(FILE, "{\"version\":1,\"note\":\"MINE\",\"overrides\":[]}\n");
    project.refused(VERBS[0], 2, "git_uncommitted");
    project.git(&["add", FILE]);
    project.refused(VERBS[0], 2, "git_uncommitted");
    project.git(&["commit", "--quiet", "-m", "mine"]);
    project.ok(VERBS[0]);
    project.check();
}

fn await_path(project: &Project, path: &str) {
    let begun = Instant::now();
    while !project.sandbox.dir().join(path).exists() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{path} did not come");
        thread::sleep(Duration::from_millis(2));
    }
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// IS-18, F11: a signal that ends the call while the index is locked leaves no lock: it ends the call when
/// the lock is released. The next call settles the rest.
#[test]
fn a_signal_under_the_lock_leaves_no_lock() {
    for (name, number) in [("-TERM", 15), ("-INT", 2), ("-HUP", 1), ("-QUIT", 3)] {
        let project = Project::new();
        project.hook(
            "reference-transaction",
            "[ \"$1\" = prepared ] || exit 0; [ -e ../moving ] && exit 0; touch ../moving\n\
             while [ ! -e ../go ]; do sleep 0.01; done",
        );
        let mut command = project.command(&["apply", "fd-a", "--reason=r"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        await_path(&project, "../moving");
        signal(&child, name);
        project.write("../go", "");
        let status = child.wait().unwrap();
        assert_eq!((status.code(), status.signal()), (None, Some(number)), "{name}");
        assert!(!project.sandbox.dir().join(".git/index.lock").exists(), "{name}");
        project.write("theirs", "x");
        project.git(&["add", "theirs"]);
        project.ok(&["propose", "fd-b", "--reason=next"]);
        assert_eq!(project.excluded(), ["fd-a"], "{name}");
        project.check();
    }
}

/// A signal that the caller ignores, as under `nohup`, stays ignored.
#[test]
fn an_ignored_signal_stays_ignored() {
    let project = Project::new();
    project.hook(
        "reference-transaction",
        "[ \"$1\" = prepared ] || exit 0; [ -e ../moving ] && exit 0; touch ../moving\n\
         while [ ! -e ../go ]; do sleep 0.01; done",
    );
    let inner = project.command(&["apply", "fd-a", "--reason=r"]);
    let mut command = Command::new("sh");
    project.sandbox.seal(&mut command);
    command.args(["-c", "trap '' HUP; exec \"$@\"", "sh"]).arg(inner.get_program()).args(inner.get_args());
    command.envs(inner.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    await_path(&project, "../moving");
    signal(&child, "-HUP");
    project.write("../go", "");
    assert!(child.wait().unwrap().success());
    project.check();
}

/// IS-03, IS-18: what a killed call had prepared beside the file is removed by the next call, also by one
/// that changes nothing.
#[test]
fn the_next_call_removes_what_was_prepared() {
    for step in ["git_made", "git_locked", "git_moved", "interspect_committed"] {
        let project = Project::new();
        project.apply("fd-c");
        let mut command = project.command(&["apply", "fd-a", "--reason=r"]);
        command.env("IC_TEST_CRASH", step);
        assert_eq!(run(command).status.code(), None, "{step}");
        assert!(project.ok(&["revert", "fd-b"]).starts_with("INFO:"));
        assert_eq!(project.git(&["status", "--porcelain", "--untracked-files=all"]), "", "{step}");
        project.check();
    }
}

/// F11: an index that cannot be replaced after the commit is told of, and the next change brings it up to
/// date.
#[test]
fn an_index_that_stays_behind_is_told_of() {
    let project = Project::new();
    project.apply("fd-c");
    project.hook(
        "reference-transaction",
        "[ \"$1\" = committed ] || exit 0; [ -e ../saved ] && exit 0\n\
         cp .git/index ../saved; rm .git/index; mkdir -p .git/index/x",
    );
    let output = run(project.command(&["apply", "fd-a", "--reason=r"]));
    assert!(output.status.success(), "{}", render(&output));
    let told = render(&output);
    assert!(told.contains("index could not be updated") && told.contains("git reset"), "{told}");
    fs::remove_dir_all(project.sandbox.dir().join(".git/index")).unwrap();
    fs::copy(project.sandbox.dir().join("../saved"), project.sandbox.dir().join(".git/index")).unwrap();
    assert_ne!(project.git(&["status", "--porcelain"]), "");
    project.ok(&["propose", "fd-b", "--reason=next"]);
    assert_eq!(project.git(&["status", "--porcelain"]), "");
    project.check();
}
