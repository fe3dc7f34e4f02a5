//! Tasks in real files and repositories.

use std::fmt::Write as _;

use super::tape::Tape;

/// Task files with so many tasks, in a repository.
fn specs(t: &mut Tape, title: &str) {
    t.repository(title);
    files(t);
    t.git("add specs");
    t.git("commit --quiet -m specs");
}

fn files(t: &Tape) {
    let mut todo = "---\nnext_project_number: 9\n---\n\n# TODO\n\n## Tasks\n\n".to_owned();
    let mut tasks = Vec::new();
    for n in 1..=3 {
        write!(
            todo,
            "### {n}. Task number {n}\n- **Effort**: 2 hours\n- **Status**: [NOT STARTED]\n- **Priority**: Low\n\n\
             **Description**: not [RESEARCHED].\n\n---\n\n"
        )
        .unwrap();
        tasks.push(format!(
            "    {{\n      \"project_number\": {n},\n      \"project_name\": \"task_{n}\",\n      \"status\": \"not_started\"\n    }}"
        ));
    }
    t.write("specs/TODO.md", &todo);
    let tasks = tasks.join(",\n");
    t.write(
        "specs/state.json",
        &format!("{{\n  \"active_projects\": [\n{tasks}\n  ],\n  \"next_project_number\": 9\n}}\n"),
    );
}

pub fn life(t: &mut Tape) {
    specs(t, "from research to the end");
    t.write("specs/1_a/r.md", "report\n");
    t.write("specs/1_a/p.md", "# Plan\n- **Status**: [NOT STARTED]\n");
    t.get("run", r#"run create --goal=g --phases='["a","b"]'"#);
    t.calls(&[
        "task list",
        "task list --status=planned",
        "task list --status=nonsense",
        "task show 1",
        "task transitions",
        "task transitions planned",
        "task transitions nonsense",
        "task audit",
        "task errors",
        "task preflight 1 --to=researching --dry-run",
        "task preflight 1 --to=researching --session=s1",
        "task postflight 1 --to=researched --artifact=research:specs/1_a/r.md --summary='all of it' --session=s1 --run=$run",
        "task preflight 1 --to=planning --date=2024-02-29",
        "task postflight 1 --to=planned --artifact=plan:specs/1_a/p.md --plan=specs/1_a/p.md --no-commit --run=$run --advance",
        "task show 1",
        "task list",
        "task verify 1 --status=planned --artifact=specs/1_a/p.md --plan=specs/1_a/p.md",
        "task verify 2 --status=planned --artifact=specs/1_a/p.md",
        "task verify 9 --status=planned",
        "task verify 1",
        "task set 2 --to=blocked --reason='waits for 1' --commit",
        "task set 2 --to=blocked --reason='waits for 1'",
        "task set 3 --to=expanded --subtasks=4,5",
        "task set 1 --artifact=research:specs/1_a/r.md",
        "task set 2 --to=planning --force --no-dates",
        "artifact list $run",
        "run status $run",
        "events tail --all --source=task",
    ]);
    t.show("specs/TODO.md");
    t.show("specs/state.json");
    t.show("specs/1_a/p.md");
    let log = t.git("log --format=%s%n%b --name-only");
    t.write("log", &log);
    t.show("log");
}

pub fn refusals(t: &mut Tape) {
    specs(t, "refused");
    t.calls(&[
        "task preflight 1 --to=completed",
        "task preflight 1 --to=nonsense",
        "task preflight 9 --to=planning",
        "task preflight x --to=planning",
        "task preflight",
        "task preflight 1 --to=planning --plan=none.md",
        "task preflight 1 --to=planning --run=none",
        "task preflight 1 --to=planning --date=yesterday",
        "task preflight 1 --to=planning --dir=none",
        "task postflight 1 --to=researched",
        "task postflight 1 --to=researched --force --artifact=research:none.md",
        "task postflight 1 --to=researched --force --artifact=nonsense",
        "task postflight 9 --to=researched --force",
        "task postflight",
        "task set 1",
        "task set 1 --to=blocked",
        "task set 1 --to=expanded",
        "task set 9 --to=planning",
        "task set 1 --to=planning --plan-link=nonsense",
        "task show 9",
        "task show x",
        "task show",
        "task list --dir=none",
        "task list extra",
        "task show 1 --dir=none",
        "task audit --dir=none",
        "task verify 1 --status=planned --dir=none",
        "task set 1 --to=planning --dir=none",
        "task errors",
        "task errors 1",
        "task errors x",
        "task errors --limit=1",
    ]);
    t.note("a commit that fails is a warning");
    t.program(".git/hooks/pre-commit", "echo not today; exit 1");
    t.write("specs/1_a/r.md", "report\n");
    t.call("task postflight 1 --to=researched --force --artifact=research:specs/1_a/r.md");
    t.note("what could not be renamed");
    t.with("IC_TEST_TASK_FAIL", "rename:1,2,3", "task set 2 --to=planning --force");
    t.calls(&["task errors", "task set 2 --to=planning --force"]);
    t.note("files that disagree");
    let state = std::fs::read_to_string(t.path("specs/state.json")).unwrap();
    t.write("specs/state.json", &state.replace("planning", "planned"));
    t.calls(&[
        "task audit",
        "task show 2",
        "task set 2 --to=implementing --strict",
        "task set 2 --to=implementing",
    ]);
    t.note("files that cannot be used");
    t.write("specs/state.json", "{");
    t.calls(&[
        "task audit",
        "task list",
        "task show 1",
        "task preflight 3 --to=planning",
        "task postflight 3 --to=planned",
    ]);
    t.calls(&["task verify 1 --status=planned"]);
    t.remove("specs/TODO.md");
    t.calls(&["task audit", "task list", "task set 3 --to=planning"]);

    t.bare("without a database, and without a repository");
    t.calls(&["task list", "task audit"]);
    files(t);
    t.write("specs/1_a/r.md", "report\n");
    t.calls(&[
        "task list",
        "task show 1",
        "task audit",
        "task verify 1 --status=not_started",
        "task errors",
        "task preflight 1 --to=researching",
        "task postflight 1 --to=researched --artifact=research:specs/1_a/r.md",
    ]);
}
