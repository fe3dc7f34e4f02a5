//! What was wrong with the shell version of this, and is not here.

use serde_json::json;

use super::{FILE, Project};
use crate::support::{render, run};

/// The first: applying to an agent that has an entry says so, and does not fail for want of something to commit; nothing is
/// sorted on the way.
#[test]
fn first_an_agent_with_an_entry_is_told_of() {
    let project = Project::new();
    project.apply("fd-c");
    project.apply("fd-a");
    project.refused(&["apply", "fd-c", "--reason=again"], 1, "already_applied");
    project.ok(&["apply", "fd-c", "--reason=again", "--update"]);
    let order: Vec<_> =
        project.file()["overrides"].as_array().unwrap().iter().map(|entry| entry["agent"].clone()).collect();
    assert_eq!(order, ["fd-c", "fd-a"]);
    project.check();
}

/// The second: that an earlier canary is still running is found before the commit, not after it.
#[test]
fn second_a_running_canary_blocks_before_the_commit() {
    let project = Project::new();
    project.apply("fd-a");
    // Somebody takes the override away past us.
    project.write(FILE, "{\"version\":1,\"overrides\":[]}\n");
    project.git(&["commit", "--quiet", "-am", "by hand"]);
    project.refused(&["apply", "fd-a", "--reason=r"], 1, "canary_active");
    let other = project.at(0, &["apply", "fd-b", "--reason=r"]);
    assert!(render(&other).contains("fd-a is being watched, too"), "{}", render(&other));
    assert!(
        project.ok(&["revert", "fd-a"]).starts_with("INFO: no override for fd-a; what is on record follows")
    );
    project.ok(&["apply", "fd-a", "--reason=r"]);
    project.check();
}

/// The third: taking back goes the same way as applying: whole files only, and only where the project allows it.
#[test]
fn third_a_revert_is_as_careful_as_an_apply() {
    use std::os::unix::fs::MetadataExt;
    let project = Project::new();
    project.apply("fd-a");
    project.allow(r#"{"modification_allow_list":["**"],"protected_paths":[".claude/**"]}"#);
    project.refused(&["revert", "fd-a"], 2, "path_protected");
    project.allow(r#"{"modification_allow_list":["**"]}"#);
    let inode = || std::fs::metadata(project.sandbox.dir().join(FILE)).unwrap().ino();
    // Held open, so that its number is not given away again.
    let _held = std::fs::File::open(project.sandbox.dir().join(FILE)).unwrap();
    let before = inode();
    project.ok(&["revert", "fd-a"]);
    assert_ne!(inode(), before, "another file took its place");
    project.check();
}

/// The fourth: rows come with the commit. A failure to write them is an error, and the next call writes them.
#[test]
fn fourth_rows_are_never_left_out() {
    for args in [&["apply", "fd-a", "--reason=r"][..], &["approve", "fd-a", "--by=x"]] {
        let project = Project::new();
        if args[0] == "approve" {
            project.ok(&["propose", "fd-a", "--reason=r"]);
        }
        project
            .sandbox
            .open()
            .execute_batch(
                "CREATE TRIGGER no BEFORE INSERT ON modifications BEGIN SELECT RAISE(ABORT, 'no'); END",
            )
            .unwrap();
        let output = run(project.command(args));
        assert_eq!(output.status.code(), Some(2), "{}", render(&output));
        project.sandbox.open().execute_batch("DROP TRIGGER no").unwrap();
        project.ok(&["apply", "fd-c", "--reason=r"]);
        assert_eq!(project.excluded(), ["fd-a", "fd-c"]);
        project.check();
    }
}

/// The fifth: applying and approving count the evidence under all names of an agent alike.
#[test]
fn fifth_evidence_counts_under_every_name() {
    let project = Project::new();
    for name in ["fd-a", "interflux:fd-a", "interflux:review:fd-a"] {
        project.evidence(name, 4, 3);
    }
    project.thresholds(r#"{"min_agent_wrong_pct":75}"#);
    project.ok(&["apply", "fd-a", "--reason=r"]);
    assert_eq!(project.file()["overrides"][0]["confidence"], json!(0.75));
    project.ok(&["revert", "fd-a"]);
    project.ok(&["propose", "fd-a", "--reason=r"]);
    project.ok(&["approve", "fd-a", "--by=x"]);
    assert_eq!(project.file()["overrides"][0]["confidence"], json!(0.75));
    let told = project.sandbox.events();
    let rows = told.iter().filter_map(|event| event["data"]["new"]["detail"].as_str());
    assert_eq!(
        rows.filter(|detail| detail.contains("\"confidence\":75,")).count(),
        3,
        "applied, reverted, approved"
    );
}

/// The sixth: the commit has nothing of what the user has staged.
#[test]
fn sixth_the_commit_has_nothing_of_the_users() {
    let project = Project::new();
    project.write("secret-plan", "x");
    project.git(&["add", "secret-plan"]);
    project.git(&["rm", "--quiet", "--cached", "README"]);
    for args in [
        &["apply", "fd-a", "--reason=r"][..],
        &["propose", "fd-b", "--reason=r"],
        &["approve", "fd-b"],
        &["revert", "fd-a"],
    ] {
        project.ok(args);
        assert_eq!(project.git(&["show", "--format=", "--name-only", "HEAD"]), FILE, "{args:?}");
        assert_eq!(
            project.git(&["diff", "--cached", "--name-status"]),
            "D\tREADME\nA\tsecret-plan",
            "{args:?}"
        );
    }
}

/// The seventh: a window of a day is a day long, to the second.
#[test]
fn seventh_windows_are_as_long_as_they_say() {
    let project = Project::new();
    project.thresholds(r#"{"autonomy":true,"rate_limit_max":1,"rate_limit_hours":24,"circuit_breaker_max":1,"circuit_breaker_days":1}"#);
    project.evidence("fd-a", 5, 5);
    project.evidence("fd-b", 5, 5);
    project.apply("fd-a");
    let day = 24 * 3600;
    let auto = |later: i64, agent: &str| project.at(later, &["apply", agent, "--reason=r", "--auto"]);
    let early = auto(day - 1, "fd-b");
    assert!(
        early.status.code() == Some(1) && render(&early).contains("within 24 hours"),
        "{}",
        render(&early)
    );
    assert!(auto(day, "fd-b").status.success());
    assert!(project.at(day, &["revert", "fd-a"]).status.success());
    let early = auto(2 * day - 1, "fd-a");
    assert!(early.status.code() == Some(1) && render(&early).contains("within 1 days"), "{}", render(&early));
    let late = auto(2 * day, "fd-a");
    assert!(late.status.success(), "{}", render(&late));
    project.check();
}

/// The eighth: what is empty is no JSON that could be written; a file of nothing is a file without entries.
#[test]
fn eighth_an_empty_file_is_no_file_of_nothing() {
    let project = Project::new();
    for nothing in ["", "\n", "  \t\n"] {
        project.write(FILE, nothing);
        assert_eq!(project.json(&["list"]), json!([]));
        project.apply("fd-a");
        assert_eq!(project.file()["version"], 1);
        project.ok(&["revert", "fd-a"]);
    }
    project.write(FILE, "null");
    project.refused(&["apply", "fd-a", "--reason=r"], 2, "overrides_unreadable");
}
