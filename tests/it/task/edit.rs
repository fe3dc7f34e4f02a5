//! What changes in the files, and what does not.

use super::Specs;

/// TS-16, TS-20, TS-21: an entry whose fields were cut in two by blocks of links: the status changes, the report is added to
/// its block, and of three plans that were left behind the new one stays. No file is touched that is only linked.
#[test]
fn blocks_of_links_are_kept_in_order() {
    let specs = Specs::fixture("fields");
    let (todo, state) = specs.pair();
    for path in ["reports/research-002.md", "plans/implementation-003.md", "plans/implementation-004.md"] {
        specs.file(&format!("specs/1_a/{path}"), "old");
    }
    specs.ok("set 1 --artifact=research:specs/1_a/reports/research-002.md");
    let with_report = todo.replace(
        "research-001.md]\n\n**Plan A",
        "research-001.md]\n  - [research-002.md](specs/1_a/reports/research-002.md)\n\n**Plan A",
    );
    // A link alone renews the day of the stage that it belongs to.
    assert_eq!(specs.todo(), with_report.replace("2026-01-05", "2023-11-14"));
    specs.ok("set 1 --to=revising");
    specs.ok("postflight 1 --to=revised --no-commit --artifact=plan:specs/1_a/plans/implementation-004.md");
    let plans = &with_report[with_report.find("  - Implementation Plan v1").unwrap()
        ..with_report.find("\n- **Priority**: High\n- **L").unwrap()];
    let expected = with_report
        .replace(plans, "  - [implementation-004.md](specs/1_a/plans/implementation-004.md)\n")
        .replacen(
            "- **Status**: [PLANNED]\n- **Planned**: 2026-01-05\n",
            "- **Status**: [REVISED]\n- **Planned**: 2023-11-14\n- **Revised**: 2023-11-14\n",
            1,
        );
    assert_eq!(specs.todo(), expected);
    assert_eq!(std::fs::read_to_string(specs.dir.join("1_a/plans/implementation-003.md")).unwrap(), "old");
    let object = specs.object(1);
    assert_eq!(object["plan_path"], "specs/1_a/plans/implementation-004.md");
    assert_eq!(
        (&object["phase"], object["artifacts"].as_array().unwrap().len()),
        (&"planning_completed".into(), 2)
    );
    // The other tasks' bytes, and those of the root.
    let tail = |text: &str| text[text.find("{\n      \"project_number\": 2").unwrap()..].to_owned();
    assert_eq!(tail(&specs.state()), tail(&state));
}

/// TS-19, TS-20, TS-21: links on one line: reports are appended, plans replaced, further plan lines go; what stands behind the
/// status stays and is told.
#[test]
fn links_on_one_line() {
    let specs = Specs::fixture("fields");
    let todo = specs.todo();
    for path in ["reports/research-002.md", "plans/implementation-003.md"] {
        specs.file(&format!("specs/2_b/{path}"), "x");
    }
    specs.ok("set 2 --no-dates --artifact=report:./specs/2_b/reports/research-002.md");
    let with_report = todo.replace(
        "(specs/2_b/reports/research-001.md)",
        "(specs/2_b/reports/research-001.md), [research-002.md](specs/2_b/reports/research-002.md)",
    );
    assert_eq!(specs.todo(), with_report);
    let both = serde_json::json!(["specs/2_b/reports/research-001.md", "specs/2_b/reports/research-002.md"]);
    assert_eq!(specs.object(2)["artifacts"], both, "strings among strings");
    let (code, result) = specs.result("set 2 --to=implementing");
    assert_eq!((code, super::types(&result)), (0, vec!["status_note_kept"]));
    // TS-24: what was begun is not begun again.
    let implementing =
        with_report.replace("[PLANNED] (Phase 1 complete)", "[IMPLEMENTING] (Phase 1 complete)");
    assert_eq!(specs.todo(), implementing);
    assert_eq!(specs.object(2)["started"], "2025-12-30");
    specs.ok("set 2 --artifact=plan:specs/2_b/plans/implementation-003.md");
    let old = &with_report[with_report.find("- **Plan**").unwrap()
        ..with_report.find("\n\n**Description**: text\n\n---\n\n### 3").unwrap()];
    let new = "- **Plan**: [implementation-003.md](specs/2_b/plans/implementation-003.md)";
    assert_eq!(specs.todo(), implementing.replace(old, new));
    // Where history is to be kept, it is.
    specs.file("specs/2_b/plans/implementation-005.md", "x");
    specs.ok("set 2 --plan-link=append --artifact=plan:specs/2_b/plans/implementation-005.md");
    let line = format!("{new}, [implementation-005.md](specs/2_b/plans/implementation-005.md)\n");
    assert!(specs.todo().contains(&line));
}

/// TS-16, TS-22, TS-24: where nothing is linked yet, links go behind the fields, in their order; dates behind dates.
#[test]
fn first_links_and_dates() {
    let specs = Specs::fixture("fields");
    let todo = specs.todo();
    for path in ["plans/p.md", "summaries/s.md", "reports/r.md", "lean.md"] {
        specs.file(&format!("specs/3_c/{path}"), "x");
    }
    specs.ok("set 3 --to=planned --artifact=plan:specs/3_c/plans/p.md");
    let planned = todo.replace("[RESEARCHED]", "[PLANNED]").replace(
        "- **Researched**: 2026-01-02\n- **Priority**: Low\n",
        "- **Researched**: 2026-01-02\n- **Planned**: 2023-11-14\n- **Priority**: Low\n- **Plan**: [p.md](specs/3_c/plans/p.md)\n",
    );
    assert_eq!(specs.todo(), planned);
    specs.ok("set 3 --to=implementing --no-dates");
    specs.ok("set 3 --to=completed --artifact=summary:specs/3_c/summaries/s.md --artifact=research:3_c/reports/r.md --summary=done --date=2026-02-03");
    let completed = planned.replace("[PLANNED]\n- **R", "[COMPLETED]\n- **R").replace("- **Planned**: 2023-11-14\n", "- **Planned**: 2023-11-14\n- **Completed**: 2026-02-03\n").replace(
        "- **Priority**: Low\n- **Plan**: [p.md](specs/3_c/plans/p.md)\n",
        "- **Priority**: Low\n- **Research**: [r.md](3_c/reports/r.md)\n- **Plan**: [p.md](specs/3_c/plans/p.md)\n- **Summary**: [s.md](specs/3_c/summaries/s.md)\n",
    );
    assert_eq!(specs.todo(), completed);
    let object = specs.object(3);
    assert_eq!(
        (&object["researched"], &object["completed"]),
        (&"2026-01-02T10:00:00Z".into(), &"2026-02-03T00:00:00Z".into())
    );
    assert_eq!(object.get("started"), None, "--no-dates");
    assert_eq!(
        object["artifacts"][2],
        serde_json::json!({"path": "specs/3_c/summaries/s.md", "type": "summary", "summary": "done"})
    );
    // TS-20: by its other name it is the same file.
    let before = specs.pair();
    specs.ok("set 3 --artifact=research:specs/3_c/reports/r.md");
    assert_eq!(specs.pair(), before);
}

/// TS-17: escapes, numbers like 13.0, arrays on one line, a repeated key, no newline at the end: all stay as they are.
#[test]
fn the_style_of_the_state_stays() {
    let specs = Specs::fixture("escapes");
    let state = specs.state();
    specs.file("specs/1_a/r φ.md", "x");
    specs.ok("postflight 1 --to=researched --no-commit '--artifact=research:specs/1_a/r φ.md' --summary=é");
    let added = concat!(
        "\"status\": \"researched\",\n      \"artifacts\": [\n        {\n          \"path\": \"specs/1_a/r \\u03c6.md\",\n",
        "          \"type\": \"research\",\n          \"summary\": \"\\u00e9\"\n        }\n      ],\n",
        "      \"last_updated\": \"2023-11-14T22:13:20Z\"\n"
    );
    let expected = state
        .replace("\"status\": \"researching\"\n", added)
        .replace("\"researched\": \"2026-01-02\"", "\"researched\": \"2023-11-14T22:13:20Z\"");
    assert_eq!(specs.state(), expected);
    assert!(specs.todo().contains("[r φ.md](<specs/1_a/r φ.md>)\n"));
    // The last line of a file without a newline at its end.
    let before = specs.todo();
    specs.ok("set 2 --to=blocked --reason=why");
    let new = before.replace("[PLANNED]", "[BLOCKED]\n- **Blocked**: 2023-11-14\n- **Blocking Reason**: why");
    assert_eq!(specs.todo(), new);
}

/// TS-18, TS-23: what a status writes into the task's object, and nothing at the root.
#[test]
fn members_of_the_task_s_object() {
    let specs = Specs::new(2);
    specs.ok("preflight 1 --to=implementing");
    let object = specs.object(1);
    assert_eq!(
        (&object["status"], &object["started"]),
        (&"implementing".into(), &"2023-11-14T22:13:20Z".into())
    );
    assert_eq!(object["last_updated"], "2023-11-14T22:13:20Z");
    assert_eq!(object.get("artifacts"), None);
    let state: serde_json::Value = serde_json::from_str(&specs.state()).unwrap();
    assert_eq!(
        state.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["active_projects", "next_project_number"]
    );
    specs.ok("set 2 --to=in_progress");
    assert_eq!(specs.status(2), ("IN PROGRESS".to_owned(), "in_progress".to_owned()));
}

/// TS-25: of a plan only the overall status changes.
#[test]
fn a_plan_s_phases_stay() {
    let specs = Specs::new(1);
    let text = "# Plan\n\n**Task**: 1  \n**Status**: [NOT STARTED]  \n\n### Phase 1: a [IN PROGRESS]\n- **Status**: [NOT STARTED]\n";
    let plan = specs.file("specs/1_a/plans/p.md", text);
    let (_, result) = specs.result("preflight 1 --to=implementing --plan=specs/1_a/plans/p.md");
    assert_eq!(std::fs::read_to_string(plan).unwrap(), text.replacen("NOT STARTED", "IMPLEMENTING", 1));
    assert_eq!(result["files_updated"], serde_json::json!(["state.json", "TODO.md", "specs/1_a/plans/p.md"]));
}

/// TS-26: headings and markers that only look like the task's.
#[test]
fn lookalikes_are_left_alone() {
    let specs = Specs::fixture("orders");
    let todo = specs.todo();
    specs.ok("set 6 --to=revising --no-dates");
    let (before, after) = todo.split_once("### 6. The real one").unwrap();
    let expected = format!("{before}### 6. The real one{}", after.replacen("[PLANNED]", "[REVISING]", 1));
    assert_eq!(specs.todo(), expected);
}

/// TS-27: a second time nothing is added, and nothing is written.
#[test]
fn a_repeated_call_changes_nothing() {
    let specs = Specs::new(1);
    specs.file("specs/1_a/plans/p.md", "x");
    let line =
        "postflight 1 --to=planned --no-commit --force --artifact=plan:specs/1_a/plans/p.md --summary=s";
    specs.ok(line);
    let before = specs.pair();
    let (code, result) = specs.result(line);
    assert_eq!(
        (code, &result["files_updated"], &result["links_added"]),
        (0, &serde_json::json!([]), &serde_json::json!([]))
    );
    assert_eq!(specs.pair(), before);
}

/// TS-28: a half-applied predecessor is healed by the next change, which says so; with --strict it is refused.
#[test]
fn files_that_disagree_are_brought_together() {
    let specs = Specs::new(1);
    std::fs::write(specs.dir.join("state.json"), specs.state().replace("not_started", "researching"))
        .unwrap();
    let (code, types, messages) = specs.refused("set 1 --to=researched --force --strict");
    assert_eq!((code, &types[..]), (1, &["status_mismatch".to_owned()][..]));
    assert!(messages.contains("TODO.md said [NOT STARTED], state.json said researching"), "{messages}");
    let (code, result) = specs.result("preflight 1 --to=researching");
    assert_eq!((code, super::types(&result)), (0, vec!["status_mismatch"]));
    assert_eq!(specs.status(1), ("RESEARCHING".to_owned(), "researching".to_owned()));
}

/// TS-55
#[test]
fn no_directory_is_made() {
    let specs = Specs::new(1);
    specs.ok("preflight 1 --to=researching");
    specs.ok("set 1 --to=blocked --reason=r");
    assert_eq!(specs.names(), ["TODO.md", "state.json"]);
}

/// The directory is found where projects have it, from below the top of the repository, or named.
#[test]
fn the_directory_is_found() {
    for place in [".claude/specs", ".opencode/specs"] {
        let specs = Specs::new(1);
        let new = specs.sandbox.dir().join(place);
        std::fs::create_dir_all(new.parent().unwrap()).unwrap();
        std::fs::rename(&specs.dir, &new).unwrap();
        specs.ok("list");
        std::fs::create_dir_all(specs.sandbox.dir().join("deep/er")).unwrap();
        std::fs::create_dir(specs.sandbox.dir().join(".git")).unwrap();
        let mut below = specs.sandbox.command(["task", "list"]);
        below.current_dir(specs.sandbox.dir().join("deep/er")).env_remove("PWD");
        assert!(crate::support::run(below).status.success());
        specs.ok(&format!("list --dir={place}"));
    }
}
