//! The user's repository: what is refused, and that nothing of it changes then.

use std::fs;
use std::os::unix::fs::symlink;

use super::{FILE, Project};
use crate::support::{render, run};

/// IS-02, IS-14: a hook that refuses leaves everything as it was, whatever else is staged; the next commit has nothing of
/// ours.
#[test]
fn a_failing_hook_leaves_everything_as_it_was() {
    let project = Project::new();
    project.apply("fd-b");
    project.write("README", "staged\n");
    project.write("new", "staged\n");
    project.git(&["add", "README", "new"]);
    project.write("README", "and changed again\n");
    project.hook("pre-commit", "echo 'not today'; exit 1");
    let before = project.read(FILE);
    for args in [
        &["apply", "fd-a", "--reason=r", "--verify"][..],
        &["propose", "fd-a", "--reason=r", "--verify"],
        &["revert", "fd-b", "--verify"],
    ] {
        let said = project.refused(args, 2, "git_hook");
        assert!(said.contains("not today"), "{said}");
        assert_eq!(project.read(FILE), before);
    }
    let told = project.sandbox.events();
    assert_eq!(told.iter().filter(|event| event["type"] == "override.abandoned").count(), 3);
    project.git(&["commit", "--quiet", "--no-verify", "-m", "theirs"]);
    assert_eq!(project.git(&["show", "--format=", "--name-only", "HEAD"]), "README\nnew");
    // By default the hooks are not asked; --no-verify says the same.
    project.ok(&["apply", "fd-a", "--reason=r", "--no-verify"]);
    assert_eq!(project.git(&["status", "--porcelain"]), " M README");
    project.check();
    assert_eq!(
        project.sandbox.fails(["interspect", "apply", "fd-c", "--reason=r", "--verify", "--no-verify"], 3).0,
        ""
    );
}

/// IS-02: hooks see what is to be committed.
#[test]
fn hooks_that_agree_see_the_commit() {
    let project = Project::new();
    project.hook(
        "pre-commit",
        "git diff --cached --name-only > ../seen; git show :.claude/routing-overrides.json >> ../seen",
    );
    project.hook("commit-msg", "grep -q 'Exclude fd-a' \"$1\" || exit 1; echo 'Change-Id: 7' >> \"$1\"");
    project.ok(&["apply", "fd-a", "--reason=r", "--verify"]);
    let seen = fs::read_to_string(project.sandbox.dir().join("../seen")).unwrap();
    assert!(seen.starts_with(FILE) && seen.contains("\"fd-a\""), "{seen}");
    let message = project.git(&["log", "-1", "--format=%B"]);
    assert!(message.contains("Change-Id: 7\nIntercore-Intent: "), "{message}");
    project.check();
}

/// Without `git hook run` the hook's file is run.
#[test]
fn an_old_git_asks_its_hooks_too() {
    let project = Project::new();
    project.write("../bin/git", "#!/bin/sh\ncase $1 in version) echo git version 2.30.1;; hook) exit 129;; *) exec /usr/bin/git \"$@\";; esac\n");
    let shim = project.sandbox.dir().join("../bin/git");
    let mut mode = fs::metadata(&shim).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o755);
    fs::set_permissions(&shim, mode).unwrap();
    let call = |args: &[&str]| {
        let mut command = project.command(args);
        command.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", shim.parent().unwrap().display()));
        run(command)
    };
    let apply = ["apply", "fd-a", "--reason=r", "--verify"];
    project.hook("pre-commit", "echo old; exit 1");
    let output = call(&apply);
    assert!(output.status.code() == Some(2) && render(&output).contains("old"), "{}", render(&output));
    // Hooks that are kept elsewhere, with either git.
    project.git(&["config", "core.hooksPath", ".git/mine"]);
    fs::rename(project.sandbox.dir().join(".git/hooks"), project.sandbox.dir().join(".git/mine")).unwrap();
    assert!(render(&call(&apply)).contains("old"));
    assert!(project.refused(&apply, 2, "git_hook").contains("old"));
    fs::remove_file(project.sandbox.dir().join(".git/mine/pre-commit")).unwrap();
    assert!(call(&apply).status.success());
    project.check();
}

/// IS-15, and each state of a repository that a commit must not be made in: a clear error, and nothing has changed.
#[test]
fn a_repository_that_is_not_ready_is_left_alone() {
    let project = Project::new();
    let apply = ["apply", "fd-a", "--reason=r"];
    for (mark, content) in [
        ("MERGE_HEAD", true),
        ("CHERRY_PICK_HEAD", true),
        ("REVERT_HEAD", true),
        ("rebase-merge/x", false),
        ("rebase-apply/x", false),
    ] {
        let head = project.git(&["rev-parse", "HEAD"]);
        project.write(&format!(".git/{mark}"), if content { &head } else { "" });
        project.refused(&apply, 2, "git_in_progress");
        let top = project.sandbox.dir().join(".git").join(mark.split('/').next().unwrap());
        if content { fs::remove_file(top).unwrap() } else { fs::remove_dir_all(top).unwrap() }
    }
    project.git(&["checkout", "--quiet", "--detach"]);
    project.refused(&apply, 2, "git_detached");
    project.git(&["checkout", "--quiet", "main"]);
    project.git(&["config", "--unset", "user.email"]);
    project.git(&["config", "--unset", "user.name"]);
    project.git(&["config", "user.useConfigOnly", "true"]);
    project.refused(&apply, 2, "git_identity");
    project.git(&["config", "user.email", "somebody@example.org"]);
    project.git(&["config", "user.name", "Somebody"]);
    project.write(".git/info/exclude", ".clavain/\nagents/\n.claude/\n");
    project.refused(&apply, 2, "git_ignored");
    project.write(".git/info/exclude", ".clavain/\nagents/\n");
    let mut command = project.command(&apply);
    command.env("PATH", "/nonexistent");
    let output = run(command);
    assert!(
        output.status.code() == Some(2) && render(&output).contains("git is not installed"),
        "{}",
        render(&output)
    );
    project.write(".git/index.lock", "");
    let before = project.state();
    let output = run(project.command(&apply));
    assert!(
        output.status.code() == Some(2) && render(&output).contains("the index is locked"),
        "{}",
        render(&output)
    );
    assert_eq!(project.state(), before);
    fs::remove_file(project.sandbox.dir().join(".git/index.lock")).unwrap();
    project.ok(&apply);
    project.check();
    let plain = crate::support::Sandbox::new();
    let (_, stderr) = plain.fails(["interspect", "apply", "fd-a", "--reason=r"], 2);
    assert!(stderr.contains("not in a git working tree"), "{stderr}");
}

/// Before the first commit, and in a linked working tree.
#[test]
fn unborn_branches_and_linked_trees() {
    let project = Project::unborn();
    project.write("staged", "x");
    project.git(&["add", "staged"]);
    project.apply("fd-a");
    assert_eq!(project.git(&["ls-tree", "-r", "--name-only", "HEAD"]), FILE);
    assert_eq!(project.git(&["status", "--porcelain"]), "A  staged");
    project.check();
    project.git(&["worktree", "add", "--quiet", "-b", "side", "linked"]);
    project.write("linked/agents/review/fd-b.md", "");
    project.write("linked/.clavain/interspect/protected-paths.json", r#"{"modification_allow_list":["**"]}"#);
    let main = project.git(&["rev-parse", "main"]);
    let mut command = project.command(&["apply", "fd-b", "--reason=r"]);
    let linked = project.sandbox.dir().join("linked");
    // What a call of git that encloses ours has set is not meant for us.
    command
        .current_dir(&linked)
        .env("PWD", &linked)
        .env("GIT_DIR", "/nonexistent")
        .env("GIT_INDEX_FILE", "/nonexistent");
    let output = run(command);
    assert!(output.status.success(), "{}", render(&output));
    assert_eq!(project.git(&["rev-parse", "main"]), main);
    assert!(project.git(&["show", &format!("side:{FILE}")]).contains("fd-b"));
}

/// IS-06: a reason is text, in the file, in the history and in the tables, and nothing runs.
#[test]
fn a_reason_is_data() {
    let project = Project::new();
    let reason = "'; $(touch x) \" `touch x`\n\nIntercore-Intent: spoof\n\u{7f}é";
    project.ok(&["apply", "fd-a", &format!("--reason={reason}"), "--by=$(touch x)"]);
    assert!(!project.sandbox.dir().join("x").exists());
    assert_eq!(project.file()["overrides"][0]["reason"], reason);
    assert!(project.git(&["log", "-1", "--format=%B"]).contains("Reason: '; $(touch x) \" `touch x`\n"));
    let stored: String =
        project.sandbox.open().query_row("SELECT detail FROM modifications", [], |row| row.get(0)).unwrap();
    let stored: serde_json::Value = serde_json::from_str(&stored).unwrap();
    assert_eq!((stored["reason"].as_str(), stored["by"].as_str()), (Some(reason), Some("$(touch x)")));
    project.check();
    for (args, field) in [
        (&["apply", "fd-b", "--reason=r", "--evidence=1,x"][..], "--evidence"),
        (&["apply", "fd-b", "--reason=r", "--evidence=1;2"], "--evidence"),
        (&["apply", "fd-b;x", "--reason=r"], "AGENT"),
        (&["apply", "fd-b", "--reason=  "], "--reason"),
        (&["apply", "fd-b", "--reason=r", "--file-pattern=/etc/*"], "--file-pattern"),
        (&["apply", "fd-b", "--reason=r", "--file-pattern=a/../b"], "--file-pattern"),
        (&["apply", "fd-b", "--reason=r", "--wait=soon"], "--wait"),
    ] {
        let said = project.refused(args, 3, "usage");
        assert!(said.contains(field), "{said}");
    }
}

/// IS-11: a path that leads out of the repository by symlinks; within it they are followed.
#[test]
fn symlinks_may_not_lead_out() {
    let project = Project::new();
    let dir = project.sandbox.dir();
    let apply = ["apply", "fd-a", "--reason=r"];
    fs::create_dir(dir.join("../outside")).unwrap();
    symlink("../outside", dir.join(".claude")).unwrap();
    project.refused(&apply, 2, "path_outside");
    fs::remove_file(dir.join(".claude")).unwrap();
    fs::create_dir(dir.join(".claude")).unwrap();
    for target in ["../../outside/file.json", "../../outside/none.json"] {
        fs::write(dir.join("../outside/file.json"), "").unwrap();
        symlink(target, dir.join(FILE)).unwrap();
        project.refused(&apply, 2, "path_outside");
        fs::remove_file(dir.join(FILE)).unwrap();
    }
    assert_eq!(fs::read_dir(dir.join("../outside")).unwrap().count(), 1);
    project.write("config/real.json", "");
    symlink("../config/real.json", dir.join(FILE)).unwrap();
    project.ok(&apply);
    assert!(project.read("config/real.json").contains("fd-a"));
    assert!(dir.join(FILE).is_symlink());
    assert_eq!(project.git(&["show", "--format=", "--name-only", "HEAD"]), "config/real.json");
}

/// IS-17: a path that is absolute or leads upwards is wrong usage, whoever says it.
#[test]
fn a_path_stays_below_the_repository() {
    let project = Project::new();
    for path in ["/etc/x.json", "../x.json", "a/../../x.json", ""] {
        let flag = format!("--path={path}");
        for args in [&["apply", "fd-a", "--reason=r", &flag][..], &["triage", &flag], &["status", &flag]] {
            assert!(project.refused(args, 3, "usage").contains("--path"), "{path}");
        }
        if !path.is_empty() {
            let mut command = project.command(&["apply", "fd-a", "--reason=r"]);
            command.env("FLUX_ROUTING_OVERRIDES_PATH", path);
            let output = run(command);
            assert!(
                output.status.code() == Some(3) && render(&output).contains("FLUX_ROUTING_OVERRIDES_PATH"),
                "{}",
                render(&output)
            );
        }
    }
    let mut command = project.command(&["apply", "fd-a", "--reason=r"]);
    command.env("FLUX_ROUTING_OVERRIDES_PATH", "config/else.json");
    assert!(run(command).status.success());
    assert!(project.read("config/else.json").contains("fd-a"));
}

/// IS-10: a file that cannot be read is told of, and never overwritten.
#[test]
fn a_malformed_file_is_never_overwritten() {
    let project = Project::new();
    for text in [
        "{",
        "[]",
        "{\"version\":2,\"overrides\":[]}",
        "{\"version\":1,\"overrides\":{}}",
        "\u{0}",
        "{\"overrides\":[]}",
    ] {
        project.write(FILE, text);
        for args in [
            &["apply", "fd-a", "--reason=r"][..],
            &["propose", "fd-a", "--reason=r"],
            &["revert", "fd-a"],
            &["list"],
            &["status"],
        ] {
            project.refused(args, 2, "overrides_unreadable");
            assert_eq!(project.read(FILE), text);
        }
    }
    fs::write(project.sandbox.dir().join(FILE), b"\xff").unwrap();
    project.refused(&["apply", "fd-a", "--reason=r"], 2, "overrides_unreadable");
    fs::remove_file(project.sandbox.dir().join(FILE)).unwrap();
    fs::create_dir(project.sandbox.dir().join(FILE)).unwrap();
    project.refused(&["apply", "fd-a", "--reason=r"], 2, "overrides_unreadable");
    fs::remove_dir(project.sandbox.dir().join(FILE)).unwrap();
    // An empty one has no entries.
    project.write(FILE, "\n");
    project.apply("fd-a");
    project.check();
}

/// What others keep in the file stays as it is, whatever happens to ours.
#[test]
fn the_part_of_others_stays() {
    let project = Project::new();
    let theirs = "{\n  \"note\": 1.50,\n  \"version\": 1,\n  \"overlays\": [],\n  \"overrides\": [\n    {\n      \"kind\": \"skill_tune\",\n      \"z\": 1,\n      \"a\": \"\\u00e9\"\n    }\n  ]\n}\n";
    project.write(FILE, theirs);
    project.git(&["add", FILE]);
    project.git(&["commit", "--quiet", "-m", "theirs"]);
    project.apply("fd-a");
    project.ok(&["revert", "fd-a"]);
    assert_eq!(project.read(FILE), theirs);
    project.check();
}

/// What the project does not allow is refused, and so is everything where it says nothing.
#[test]
fn a_path_has_to_be_allowed() {
    let project = Project::new();
    project.apply("fd-b");
    let apply = ["apply", "fd-a", "--reason=r"];
    for rules in [
        "{}",
        r#"{"modification_allow_list":["src/**"]}"#,
        r#"{"modification_allow_list":["**"],"protected_paths":[".claude/**"]}"#,
        "[]",
        "{",
    ] {
        project.allow(rules);
        for args in [&apply[..], &["propose", "fd-a", "--reason=r"], &["revert", "fd-b"]] {
            project.refused(args, 2, "path_protected");
        }
    }
    project.allow(r#"{"modification_allow_list":["**"],"always_propose":[".claude/*"]}"#);
    project.refused(&apply, 1, "propose_first");
    project.ok(&["propose", "fd-a", "--reason=r"]);
    project.ok(&["approve", "fd-a"]);
    project.check();
    fs::remove_file(project.sandbox.dir().join(".clavain/interspect/protected-paths.json")).unwrap();
    let said = project.refused(&["apply", "fd-c", "--reason=r"], 2, "path_protected");
    assert!(said.contains("no protected-paths.json"), "{said}");
}
