//! Files that a project really had, where they are present: beside this project, in `shared/testdata`.

use std::fs;
use std::path::Path;

use super::Specs;

/// A pair of real files, at the path that they had. `None`, and a word about it, if they are not here.
fn real(name: &str, place: &str) -> Option<Specs> {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/testdata/task-sync").join(name);
    let read = |file: &str| fs::read_to_string(from.join(file)).ok();
    let (Some(todo), Some(state)) = (read("TODO.md"), read("state.json")) else {
        println!("skipped: {name} is not here");
        return None;
    };
    let mut specs = Specs::with(&todo, &state);
    let dir = specs.sandbox.dir().join(place);
    fs::create_dir_all(dir.parent().unwrap()).unwrap();
    if dir != specs.dir {
        fs::rename(&specs.dir, &dir).unwrap();
    }
    specs.dir = dir;
    Some(specs)
}

/// The lines by which two texts differ: `-` taken out, `+` put in, in order.
fn difference(old: &str, new: &str) -> Vec<String> {
    let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    let head = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let tail =
        old[head..].iter().rev().zip(new[head..].iter().rev()).take_while(|(old, new)| old == new).count();
    let (old, new) = (&old[head..old.len() - tail], &new[head..new.len() - tail]);
    // Longest common subsequence of what is left.
    let mut best = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for at in (0..old.len()).rev() {
        for by in (0..new.len()).rev() {
            best[at][by] = if old[at] == new[by] {
                best[at + 1][by + 1] + 1
            } else {
                best[at + 1][by].max(best[at][by + 1])
            };
        }
    }
    let (mut at, mut by, mut out) = (0, 0, Vec::new());
    while at < old.len() || by < new.len() {
        if at < old.len() && by < new.len() && old[at] == new[by] {
            (at, by) = (at + 1, by + 1);
        } else if at < old.len() && (by == new.len() || best[at + 1][by] >= best[at][by + 1]) {
            out.push(format!("-{}", old[at].trim()));
            at += 1;
        } else {
            out.push(format!("+{}", new[by].trim()));
            by += 1;
        }
    }
    out
}

const NOW: &str = "2023-11-14T22:13:20Z";

/// Runs calls, and answers what they changed in the two files.
fn changes(specs: &Specs, lines: &[&str]) -> (Vec<String>, Vec<String>) {
    let (todo, state) = specs.pair();
    for line in lines {
        specs.ok(line);
    }
    (difference(&todo, &specs.todo()), difference(&state, &specs.state()))
}

/// TS-54: /research, on a file with headings that look like tasks.
#[test]
fn research_on_real_files() {
    let Some(specs) = real("vault-era", "specs") else { return };
    specs.file("specs/040_x/reports/01_r.md", "report");
    let (todo, state) = changes(
        &specs,
        &[
            "preflight 40 --to=researching",
            "postflight 40 --to=researched --no-commit --artifact=report:040_x/reports/01_r.md",
        ],
    );
    let expected = [
        "-- **Status**: [NOT STARTED]",
        "+- **Status**: [RESEARCHED]",
        "+- **Researched**: 2023-11-14",
        "+- **Research**: [01_r.md](040_x/reports/01_r.md)",
    ];
    assert_eq!(todo, expected);
    let updated = format!("+\"last_updated\": \"{NOW}\",");
    let researched = format!("+\"researched\": \"{NOW}\"");
    let expected = [
        "-\"status\": \"not_started\",",
        "+\"status\": \"researched\",",
        "-\"last_updated\": \"2026-03-23T05:47:47Z\"",
        &updated,
        "+\"artifacts\": [",
        "+{",
        "+\"path\": \"040_x/reports/01_r.md\",",
        "+\"type\": \"research\"",
        "+}",
        "+],",
        &researched,
    ];
    assert_eq!(state, expected);
}

/// TS-54: /plan, where three plans were left behind.
#[test]
fn plan_on_real_files() {
    let Some(specs) = real("vault-era", "specs") else { return };
    specs.file("specs/006_canonical_taskframe_completeness/plans/07_new.md", "plan");
    let line = "postflight 6 --to=planned --no-commit --artifact=plan:006_canonical_taskframe_completeness/plans/07_new.md";
    let (todo, state) = changes(&specs, &["preflight 6 --to=planning", line]);
    let dir = "006_canonical_taskframe_completeness/plans";
    let link = |sign, name: &str| format!("{sign}- [{name}]({dir}/{name})");
    let expected = [
        "-- **Status**: [RESEARCHED]".to_owned(),
        "+- **Status**: [PLANNED]".to_owned(),
        "+- **Planned**: 2023-11-14".to_owned(),
        link('-', "04_three-completeness-plan.md"),
        link('-', "05_torsor-construction-plan.md"),
        link('-', "06_cantor-transfer-plan.md"),
        link('+', "07_new.md"),
    ];
    assert_eq!(todo, expected);
    let added: Vec<_> = state.iter().filter(|line| line.starts_with('+')).collect();
    assert_eq!(added.len(), 3 + 4, "{state:?}");
    assert_eq!(state.len(), 3 + 3 + 4, "{state:?}");
}

/// TS-54, TS-07, TS-25: /revise, on the entry whose fields were cut in two, with the plan that it had.
#[test]
fn revise_on_real_files() {
    let Some(specs) = real("seed-plan-revised", ".opencode/specs") else { return };
    let from =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/testdata/task-sync/seed-plan-revised/plans");
    let text = fs::read_to_string(from.join("320-implementation-003.md")).unwrap();
    let plan = ".opencode/specs/320_x/plans/implementation-004.md";
    specs.file(plan, &text);
    let line = format!("postflight 320 --to=revised --no-commit --artifact=plan:{plan} --plan={plan}");
    let (todo, state) = changes(&specs, &["preflight 320 --to=revising", &line]);
    assert_eq!(
        todo[..3],
        ["-- **Status**: [PLANNED]", "+- **Status**: [REVISED]", "+- **Revised**: 2023-11-14"]
    );
    assert_eq!(todo.len(), 5, "{todo:?}");
    assert!(todo[3].starts_with("-- Implementation Plan: [.opencode"), "{todo:?}");
    assert_eq!(todo[4], format!("+- [implementation-004.md]({plan})"));
    assert_eq!(
        fs::read_to_string(specs.sandbox.dir().join(plan)).unwrap(),
        text.replacen("**Status**: [PLANNED]  ", "**Status**: [REVISED]  ", 1)
    );
    assert!(state.contains(&format!("+\"plan_path\": \"{plan}\",")), "{state:?}");
    assert!(state.contains(&format!("+\"revised\": \"{NOW}\"")), "{state:?}");
    // The sibling's three plans are as they were.
    assert_eq!(specs.todo().matches("Implementation Plan v").count(), 3);
}

/// TS-54, TS-17: /implement, on a state with escapes and numbers that a printer would change.
#[test]
fn implement_on_real_files() {
    let Some(specs) = real("largest-state", ".opencode/specs") else { return };
    specs.file(".opencode/specs/316_x/summaries/s.md", "summary");
    let line =
        "postflight 316 --to=completed --no-commit --artifact=summary:.opencode/specs/316_x/summaries/s.md";
    let (todo, state) = changes(&specs, &["preflight 316 --to=implementing", line]);
    let plus: Vec<_> = todo.iter().filter(|line| line.starts_with('+')).map(String::as_str).collect();
    assert_eq!(plus[0], "+- **Status**: [COMPLETED]");
    assert!(plus.contains(&"+- **Completed**: 2023-11-14"), "{todo:?}");
    assert!(plus.contains(&"+- **Summary**: [s.md](.opencode/specs/316_x/summaries/s.md)"), "{todo:?}");
    assert_eq!(todo.iter().filter(|line| line.starts_with('-')).count(), 1, "{todo:?}");
    let gone: Vec<_> = state.iter().filter(|line| line.starts_with('-')).collect();
    assert!(
        gone.iter().all(|line| line.contains("status")
            || line.contains("last_updated")
            || !line.contains(": ")
            || line.ends_with('"')),
        "{state:?}"
    );
    assert!(state.len() < 20, "{state:?}");
}

/// TS-08, TS-16: a task that was pasted into another one: the one is changed in its own lines, the other is refused.
#[test]
fn a_split_heading_on_real_files() {
    let Some(specs) = real("split-heading", ".opencode/specs") else { return };
    let (code, types, messages) = specs.refused("set 323 --to=blocked --reason=r --force");
    assert_eq!((code, &*types[0]), (1, "task_not_found"));
    assert!(messages.contains("no status line"), "{messages}");
    // The state of that day did not know it.
    let with = "\"active_projects\": [\n    {\"project_number\": 332, \"status\": \"not_started\"},";
    fs::write(specs.dir.join("state.json"), specs.state().replacen("\"active_projects\": [", with, 1))
        .unwrap();
    let (todo, _) = changes(&specs, &["set 332 --to=blocked --reason=why --force --no-dates"]);
    assert_eq!(todo.len(), 3, "{todo:?}");
    assert_eq!(todo[1..], ["+- **Status**: [BLOCKED]", "+- **Blocking Reason**: why"]);
}

/// TS-06: every change is refused, with the place.
#[test]
fn broken_json_on_real_files() {
    let Some(specs) = real("broken-json", ".opencode/specs") else { return };
    let (code, types, messages) = specs.refused("set 1 --to=blocked --reason=r --force");
    assert_eq!((code, types.contains(&"parse_error".to_owned())), (2, true));
    assert!(messages.contains("line 8"), "{messages}");
}

/// TS-56: files as large as the largest there were are changed; `benches/counts.sh` holds what that costs.
#[test]
fn large_files_are_changed() {
    let specs = Specs::new(900);
    let long = "\"description\": \"as long as descriptions are, on and on and on, and more\",\n      \"project_name\"";
    fs::write(specs.dir.join("state.json"), specs.state().replace("\"project_name\"", long)).unwrap();
    assert!(specs.todo().len() > 127_008 && specs.state().len() > 158_198);
    specs.ok("set 450 --to=researching --force");
    assert_eq!(specs.object(450)["status"], "researching");
    if let Some(specs) = real("largest-todo", ".opencode/specs") {
        let tasks = specs.result("list").1;
        let task =
            tasks.as_array().unwrap().iter().find(|task| task["agree"] == true).unwrap()["task"].clone();
        specs.ok(&format!("set {task} --to=researching --force"));
        assert_eq!(specs.object(task.as_u64().unwrap())["status"], "researching");
    }
}
