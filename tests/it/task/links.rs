//! Which lines of an entry are links, and what shapes of `artifacts` in `state.json` are kept.

use std::fs;

use serde_json::{Value, json};

use super::{Specs, types};

const REPORT: &str = "specs/1_a/reports/r.md";
const LINK: &str = "- **Research**: [r.md](specs/1_a/reports/r.md)\n";
const RESEARCHED: &str =
    "postflight 1 --to=researched --force --no-commit --artifact=research:specs/1_a/reports/r.md";

/// Files whose first entry has `lines` below its fields, and `members` in its object.
fn specs(lines: &str, members: &Value) -> Specs {
    let specs = Specs::new(2);
    let todo = specs.todo().replacen("\n**Description**: not", &format!("{lines}\n**Description**: not"), 1);
    fs::write(specs.dir.join("TODO.md"), todo).unwrap();
    let mut state: Value = serde_json::from_str(&specs.state()).unwrap();
    let task = state["active_projects"][0].as_object_mut().unwrap();
    task.extend(members.as_object().unwrap().clone());
    fs::write(specs.dir.join("state.json"), serde_json::to_string_pretty(&state).unwrap() + "\n").unwrap();
    specs.file(REPORT, "report");
    specs
}

/// TS-67, TS-38: a path that prose mentions is no link. `postflight` adds the link, and before that `verify`
/// misses it and `show` and `audit` do not know it.
#[test]
fn a_path_in_prose_is_no_link() {
    for prose in [
        "\n**Goal**: write it to `specs/1_a/reports/r.md`\n",
        "\nWrite it to specs/1_a/reports/r.md, please.\n",
        "\nSee [r.md](specs/1_a/reports/r.md).\n",
        "- **Description**: [r.md](specs/1_a/reports/r.md) is where it goes\n",
        "- **Note**: specs/1_a/reports/r.md\n",
        "- **Research**: None yet, it goes to specs/1_a/reports/r.md\n",
        "- **Summary**: specs/1_a/reports/r.md will hold the result\n",
        "- **Files Affected**:\n  - specs/1_a/reports/r.md (new)\n",
        "- **Acceptance Criteria**:\n  - [ ] the report is in [specs/1_a/reports/r.md]\n",
        "- **Status note**: see [r.md](specs/1_a/reports/r.md)\n",
    ] {
        let specs = specs(prose, &json!({}));
        fs::remove_file(specs.sandbox.dir().join(REPORT)).unwrap();
        let verify = "verify 1 --status=not_started --artifact=specs/1_a/reports/r.md";
        let (code, result) = specs.result(verify);
        assert_eq!((code, types(&result)), (2, vec!["artifact_link_failed"]), "{prose}");
        assert_eq!(specs.result("show 1").1["paths"], json!([]), "{prose}");
        assert_eq!(specs.result("audit"), (0, json!([])), "{prose}");
        specs.file(REPORT, "report");
        let (code, result) = specs.result(RESEARCHED);
        assert_eq!((code, &result["links_added"]), (0, &json!([REPORT])), "{prose}: {result}");
        let todo = specs.todo();
        assert!(todo.contains(LINK) && todo.contains(prose), "{prose}: {todo}");
        assert_eq!(specs.result("verify 1 --status=researched --artifact=specs/1_a/reports/r.md").0, 0);
        // Again: nothing is added.
        let (code, result) = specs.result(RESEARCHED);
        assert_eq!((code, &result["links_added"]), (0, &json!([])), "{prose}: {result}");
        assert_eq!(specs.todo(), todo, "{prose}");
    }
}

/// TS-67, TS-20: every form of a link that label lines and their bullets have in real files is known as one.
#[test]
fn a_label_line_links_in_every_form() {
    for lines in [
        "- **Research**: [r.md](specs/1_a/reports/r.md)\n",
        "- **Research**: [Research Report](1_a/reports/r.md) (v2)\n",
        "- **Research**: [specs/1_a/reports/r.md]\n",
        "- **Research**: specs/1_a/reports/r.md\n",
        "- **Reports**: `specs/1_a/reports/r.md` — two ways\n",
        "**Research**: [a.md](a.md) (synthesis), [r.md](1_a/reports/r.md) through [b.md](b.md)\n",
        "- **Research Artifacts**:\n  - Main Report: [r.md](specs/1_a/reports/r.md)\n",
        "- **Research Artifacts**:\n  - [b.md](b.md) — first\n  - specs/1_a/reports/r.md (second)\n",
        "- **Research**: [a.md](a.md)\n  - [r.md](specs/1_a/reports/r.md)\n",
        "- **Summary**: both ways work, see [r.md](specs/1_a/reports/r.md)\n",
        "- **Artifacts**: [r.md](specs/1_a/reports/r.md)\n",
        "- **Handoff**: [r.md](specs/1_a/reports/r.md)\n",
        "- **Research (task 6)**:\n  - [r.md](specs/1_a/reports/r.md) - the old one\n",
        "- **Research Artifacts**:\n  - **Main Report**: [specs/1_a/reports/r.md]\n",
    ] {
        let specs = specs(lines, &json!({}));
        let verify = "verify 1 --status=not_started --artifact=specs/1_a/reports/r.md";
        assert_eq!(specs.result(verify).0, 0, "{lines}");
        let shown = specs.result("show 1").1["paths"].clone();
        let shown: Vec<_> = shown.as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert!(shown.iter().any(|path| path.ends_with("1_a/reports/r.md")), "{lines}: {shown:?}");
        let (code, result) = specs.result(RESEARCHED);
        assert_eq!((code, &result["links_added"]), (0, &json!([])), "{lines}: {result}");
        assert!(specs.todo().contains(lines), "{lines}: {}", specs.todo());
    }
}

/// TS-67, TS-21: a plan label with prose is not a link either: its text stays, and the plan gets a line of
/// its own.
#[test]
fn a_plan_label_with_prose_keeps_its_text() {
    let prose = "- **Plan**: six phases, see docs/phases.md for the reasons\n";
    let specs = specs(prose, &json!({}));
    specs.file("specs/1_a/p.md", "plan");
    specs.ok("postflight 1 --to=planned --force --no-commit --artifact=plan:specs/1_a/p.md");
    let todo = specs.todo();
    assert!(todo.contains(prose) && todo.contains("- **Plan**: [p.md](specs/1_a/p.md)\n"), "{todo}");
}

/// TS-68: `artifacts` that sorts paths by kind gets the new one in the list of its kind, and keeps all the
/// others.
#[test]
fn artifacts_by_kind_are_added_to() {
    let by_kind = json!({ "reports": ["b.md"], "plans": ["a.md"], "summaries": [], "x": { "y": [1] } });
    let specs = specs("", &json!({ "artifacts": by_kind }));
    specs.file("specs/1_a/s.md", "summary");
    specs.ok(RESEARCHED);
    let mut expected = by_kind;
    expected["reports"] = json!(["b.md", REPORT]);
    assert_eq!(specs.object(1)["artifacts"], expected);
    let before = specs.pair();
    specs.ok(RESEARCHED);
    assert_eq!(specs.pair(), before, "once");
    specs.ok("set 1 --to=completed --force --artifact=summary:specs/1_a/s.md --summary=text");
    expected["summaries"] = json!(["specs/1_a/s.md"]);
    assert_eq!(specs.object(1)["artifacts"], expected);
    let shown = specs.result("show 1").1["paths"].clone();
    assert_eq!(shown, json!(["a.md", "b.md", REPORT, "specs/1_a/s.md"]));
}

/// TS-68: a list that is missing is added under the name that fits the others; lists of objects get objects.
#[test]
fn artifacts_by_kind_get_the_list_that_is_missing() {
    for (before, after) in [
        (json!({ "plans": ["a.md"] }), json!({ "plans": ["a.md"], "reports": [REPORT] })),
        (json!({ "plan": ["a.md"] }), json!({ "plan": ["a.md"], "research": [REPORT] })),
        (json!({}), json!({ "reports": [REPORT] })),
        (
            json!({ "reports": [{ "path": "b.md", "type": "research" }] }),
            json!({ "reports": [
                { "path": "b.md", "type": "research" },
                { "path": REPORT, "type": "research" },
            ] }),
        ),
    ] {
        let specs = specs("", &json!({ "artifacts": before }));
        specs.ok(RESEARCHED);
        assert_eq!(specs.object(1)["artifacts"], after);
    }
}

/// TS-68: a shape that says nothing about where a new artifact belongs is refused, with the member's name,
/// and neither file changes. The same holds for every other member whose value would be overwritten.
#[test]
fn containers_of_another_shape_are_refused() {
    for (members, named) in [
        (json!({ "artifacts": "b.md" }), "artifacts"),
        (json!({ "artifacts": 7 }), "artifacts"),
        (json!({ "artifacts": { "reports": "b.md" } }), "artifacts"),
        (json!({ "artifacts": { "reports": { "first": "b.md" } } }), "artifacts"),
        (json!({ "artifacts": { "b.md": { "type": "research" } } }), "artifacts"),
        (json!({ "status": { "now": "planned" } }), "status"),
        (json!({ "last_updated": ["2026-01-01"] }), "last_updated"),
        (json!({ "researched": { "at": "2026-01-01" } }), "researched"),
    ] {
        let specs = specs("", &members);
        let (code, types, messages) = specs.refused(RESEARCHED);
        assert_eq!((code, &types[..]), (1, &["validation_failed".to_owned()][..]), "{members}: {messages}");
        assert!(messages.contains(named), "{members}: {messages}");
    }
    for (members, line, named) in [
        (
            json!({ "plan_path": ["a.md"] }),
            "set 1 --to=planned --force --artifact=plan:specs/1_a/reports/r.md",
            "plan_path",
        ),
        (json!({ "subtasks": { "2": "x" } }), "set 1 --to=expanded --force --subtasks=2", "subtasks"),
        (json!({ "subtasks": [{ "id": 2 }] }), "set 1 --to=expanded --force --subtasks=2", "subtasks"),
        (json!({ "blocked_reason": ["a", "b"] }), "set 1 --to=blocked --force --reason=c", "blocked_reason"),
    ] {
        let specs = specs("", &members);
        let (code, types, messages) = specs.refused(line);
        assert_eq!((code, &types[..]), (1, &["validation_failed".to_owned()][..]), "{members}: {messages}");
        assert!(messages.contains(named), "{members}: {messages}");
    }
    // What is there already needs no place.
    let specs = specs("", &json!({ "artifacts": REPORT }));
    specs.ok(RESEARCHED);
    assert_eq!(specs.object(1)["artifacts"], REPORT);
    assert_eq!(specs.result("show 1").1["paths"], json!([REPORT]));
}
