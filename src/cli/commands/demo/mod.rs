//! `ic demo`: a real run in a scratch directory, from its creation to the end of its log.

mod locks;
mod routing;
mod script;
mod tasks;

use std::path::PathBuf;

use serde_json::Value;

use crate::app::{CommandContext, Error};
use crate::cli::command::{Access, Page, PageCommand};
use crate::domain::text::Required;
use script::DemoScript;

/// Drive a real run through its phases in a scratch directory, and show every step
///
/// Each step is a real call of this program, printed as it would be typed, with its real output. The exit code is 2 if a
/// step does not end as expected.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic demo --keep=/tmp/ic-demo")]
pub(in crate::cli) struct Demo {
    /// Work in this new directory, and leave it there
    #[arg(long, value_name = "DIR")]
    keep: Option<Required>,
}

impl PageCommand for Demo {
    const ACCESS: Access = Access::Process;

    fn run(self, cx: &mut CommandContext, page: &mut Page<'_>) -> Result<(), Error> {
        let keep = self.keep.map(|dir| PathBuf::from(dir.as_str()));
        let mut demo = DemoScript::set_up(page, &cx.env, keep)?;
        let run = gates(&mut demo)?;
        consumer(&mut demo, &run)?;
        people_and_skips(&mut demo, &run)?;
        let event = rollback(&mut demo, &run)?;
        undo(&mut demo, &run, &event)?;
        tasks::tasks(&mut demo)?;
        children(&mut demo, &run)?;
        locks::files(&mut demo)?;
        routing::routing(&mut demo)?;
        log(&mut demo, &run)?;
        demo.close()
    }
}

fn gates(demo: &mut DemoScript<'_>) -> Result<String, Error> {
    demo.chapter("A run, and a gate that stays shut")?;
    demo.ic(&["init"])?;
    let run = demo.ic(&["run", "create", "--goal=Ship the parser"])?;
    let run = String::from(run);
    demo.ic(&["run", "current"])?.expect_same(&run)?;
    demo.explain(
        "No artifact of the brainstorm is registered, so the run may not leave that phase: exit code 1.",
    )?;
    demo.ic_exit(1, &["gate", "check", &run])?;
    demo.ic_exit(1, &["run", "advance", &run])?;
    demo.chapter("A real file opens it")?;
    demo.file("docs/brainstorm.md", "Recursive descent, errors as values.\n")?;
    demo.ic(&["artifact", "add", &run, "--phase=brainstorm", "--path=docs/brainstorm.md"])?;
    let filed = demo.json(&["artifact", "list", &run])?;
    let hash = filed[0]["content_hash"].as_str().unwrap_or("");
    demo.check("the artifact carries the file's SHA-256", hash.starts_with("sha256:") && hash.len() == 71)?;
    demo.ic(&["run", "advance", &run, "--expect-phase=brainstorm"])?;
    demo.explain("A second caller with the same expectation is too late, and gets exit code 1.")?;
    demo.ic_exit(1, &["run", "advance", &run, "--expect-phase=brainstorm"])?;
    Ok(run)
}

fn consumer(demo: &mut DemoScript<'_>, run: &str) -> Result<(), Error> {
    demo.chapter("A consumer that remembers what it has read")?;
    demo.ic(&["events", "cursor", "register", "dashboard", "--durable"])?;
    let read = ["events", "tail", "--all", "--consumer=dashboard"];
    let first = demo.events(&read)?;
    demo.check("it got the refused step and the one that was taken", {
        let phases = first.iter().filter(|event| event["source"] == "phase");
        phases.map(|event| &event["type"]).eq(["block", "advance"])
    })?;
    demo.explain("Meanwhile another program records an event of its own.")?;
    let of = format!("--run={run}");
    let recorded =
        demo.ic(&["events", "record", "--source=ci", "--type=built", &of, r#"--payload={"ok":true}"#])?;
    demo.explain("The second time it sees only what is new, the third time nothing.")?;
    let second = demo.events(&read)?;
    demo.check(
        "one event, and it is that one",
        second.len() == 1 && second[0]["source"] == "ci" && second[0]["id"].as_i64() == recorded.parse().ok(),
    )?;
    let third = demo.events(&read)?;
    demo.check("no event is delivered twice", third.is_empty())?;
    demo.ic(&["events", "cursor", "get", "dashboard"])?.expect_same(&recorded)
}

fn people_and_skips(demo: &mut DemoScript<'_>, run: &str) -> Result<(), Error> {
    demo.chapter("A skipped phase, and two agents")?;
    demo.ic(&["phase", "skip", run, "strategized", "--reason=the plan is the strategy", "--actor=demo"])?;
    demo.file("docs/review.md", "Agreed.\n")?;
    demo.ic(&["artifact", "add", run, "--phase=brainstorm-reviewed", "--path=docs/review.md"])?;
    demo.ic(&["run", "advance", run])?;
    demo.ic(&["run", "phase", run])?.expect_same("planned")?;
    demo.file("docs/plan.md", "1. tokens 2. tree 3. errors\n")?;
    demo.ic(&["artifact", "add", run, "--phase=planned", "--path=docs/plan.md", "--type=plan"])?;
    demo.ic(&[
        "run",
        "action",
        "add",
        run,
        "--phase=executing",
        "--command=/work",
        "--args=[\"${artifact:plan}\"]",
    ])?;
    demo.ic(&["run", "advance", run])?;
    let first = demo.ic(&["agent", "add", run, "--type=claude", "--name=tokens"])?;
    let second = demo.ic(&["agent", "add", run, "--type=codex", "--name=tree"])?;
    demo.ic(&["agent", "update", &first, "--status=completed"])?;
    demo.ic(&["agent", "list", run])?;
    demo.explain("One agent is still at work: the gate to review stays shut.")?;
    demo.ic_exit(1, &["run", "advance", run])?;
    let agents = demo.json(&["agent", "list", run])?;
    let working = agents[1]["id"] == *second && agents[1]["status"] == "active";
    demo.check("the second agent is active", working)
}

fn rollback(demo: &mut DemoScript<'_>, run: &str) -> Result<String, Error> {
    demo.chapter("Back to the plan, with everything that followed")?;
    let pid = demo.start_child()?;
    demo.explain("A child process at work on the run, registered by its pid and start time:")?;
    let scope = format!("--scope-id={run}");
    let dispatch = demo.ic(&["dispatch", "record", &format!("--pid={pid}"), &scope, "--name=builder"])?;
    demo.file("src/parser.txt", "half of it\n")?;
    demo.ic(&["artifact", "add", run, "--phase=executing", "--path=src/parser.txt"])?;
    let back = ["run", "rollback", run, "--to-phase=planned", "--reason=wrong grammar"];
    let plan = demo.json(&[&back[..], &["--dry-run"]].concat())?;
    demo.ic(&["run", "phase", run])?.expect_same("executing")?;
    demo.explain("Nothing has changed yet. Now without --dry-run:")?;
    let done = demo.json(&back)?;
    for key in ["rolled_back_phases", "artifacts", "dispatches", "agents"] {
        demo.check(&format!("the dry run agreed about {key}"), plan[key] == done[key])?;
    }
    demo.check("one artifact no longer counts", done["marked_artifacts"] == 1)?;
    demo.check("the agent at work was failed", done["failed_agents"] == 1)?;
    demo.check("the child's process group was signalled", done["signalled"] == 1)?;
    demo.await_child()?;
    demo.ic(&["dispatch", "status", &dispatch])?;
    demo.ic(&["run", "phase", run])?.expect_same("planned")?;
    Ok(done["event_id"].to_string())
}

fn undo(demo: &mut DemoScript<'_>, run: &str, event: &str) -> Result<(), Error> {
    demo.chapter("The rollback was a mistake")?;
    let undone = demo.json(&["phase", "rollback", &format!("--undo={event}")])?;
    let count = |value: &Value| value.as_array().map_or(0, Vec::len);
    demo.check("the artifact counts again", count(&undone["restored_artifacts"]) == 1)?;
    demo.check("the child stays cancelled", count(&undone["still_cancelled_dispatches"]) == 1)?;
    demo.ic(&["run", "phase", run])?.expect_same("executing")?;
    demo.explain("A rollback can be undone once, and only while nothing has happened since.")?;
    demo.ic_exit(1, &["phase", "rollback", &format!("--undo={event}")])?;
    Ok(())
}

fn children(demo: &mut DemoScript<'_>, run: &str) -> Result<(), Error> {
    demo.chapter("Children under supervision")?;
    let of_run = format!("--run={run}");
    let work = "echo parsing; echo 'STATUS: pass' > \"$IC_DISPATCH_VERDICT\"";
    let child = demo.ic(&["dispatch", "spawn", &of_run, "--name=parser", "--", "sh", "-c", work])?;
    demo.ic(&["dispatch", "wait", &child])?;
    demo.ic(&["dispatch", "logs", &child])?.expect_same("parsing")?;
    demo.explain("Another one that would never end, with a child of its own:")?;
    let lazy = "sleep 600 & sleep 600; wait";
    let child = demo.ic(&["dispatch", "spawn", &of_run, "--", "sh", "-c", lazy])?;
    demo.ic(&["dispatch", "kill", &child])?.expect_same("killed")?;
    let killed = demo.json(&["dispatch", "status", &child])?;
    demo.check("it was cancelled", killed["status"] == "cancelled")?;
    let history = demo.ic(&["events", "tail", run, "--source=dispatch", "--limit=1000", "--format=text"])?;
    let ends = ["running → completed", "running → cancelled"];
    demo.check("both ends are in the log", ends.iter().all(|end| history.contains(end)))
}

fn log(demo: &mut DemoScript<'_>, run: &str) -> Result<(), Error> {
    demo.chapter("What happened, in order")?;
    demo.ic(&["phase", "history", run])?;
    let events = demo.events(&["events", "tail", run, "--source=artifact"])?;
    demo.check("every artifact left its events", events.len() >= 6)?;
    let verdict = demo.json(&["events", "verify"])?;
    demo.check("the event log verifies", verdict["ok"] == true)
}
