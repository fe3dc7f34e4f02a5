//! `ic demo`: the main job, on a real run in a scratch directory.

mod locks;
mod routing;
mod stage;
mod tasks;

use std::path::PathBuf;

use serde_json::Value;

use super::verb::Verb;
use super::{Answer, Cx};
use crate::app::Error;
use crate::domain::text::Required;
use stage::Stage;

/// Drive a real run through its phases in a scratch directory, and show every step
///
/// Each step is a real call of this program, printed as a person would type it, with its real output. The exit code is 2
/// if anything is not as it should be.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic demo --keep=/tmp/ic-demo")]
pub(super) struct Demo {
    /// Work in this new directory, and leave it there
    #[arg(long, value_name = "DIR")]
    keep: Option<Required>,
}

impl Verb for Demo {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let mut stage = Stage::set_up(cx.out, self.keep.map(|dir| PathBuf::from(dir.as_str())))?;
        let run = gates(&mut stage)?;
        consumer(&mut stage, &run)?;
        people_and_skips(&mut stage, &run)?;
        let event = rollback(&mut stage, &run)?;
        undo(&mut stage, &run, &event)?;
        tasks::tasks(&mut stage)?;
        children(&mut stage, &run)?;
        locks::files(&mut stage)?;
        routing::routing(&mut stage)?;
        log(&mut stage, &run)?;
        stage.close()?;
        Ok(Answer::Yes)
    }
}

fn gates(stage: &mut Stage) -> Result<String, Error> {
    stage.chapter("A run, and a gate that stays shut")?;
    stage.ic(&["init"])?;
    let run = stage.ic(&["run", "create", "--goal=Ship the parser"])?;
    let run = String::from(run);
    stage.ic(&["run", "current"])?.expect_same(&run)?;
    stage.say(
        "Nobody has filed what the brainstorm produced, so the run may not leave that phase: exit code 1.",
    )?;
    stage.ic_exit(1, &["gate", "check", &run])?;
    stage.ic_exit(1, &["run", "advance", &run])?;
    stage.chapter("A real file opens it")?;
    stage.file("docs/brainstorm.md", "Recursive descent, errors as values.\n")?;
    stage.ic(&["artifact", "add", &run, "--phase=brainstorm", "--path=docs/brainstorm.md"])?;
    let filed = stage.json(&["artifact", "list", &run])?;
    let hash = filed[0]["content_hash"].as_str().unwrap_or("");
    stage
        .check("the artifact carries the file's SHA-256", hash.starts_with("sha256:") && hash.len() == 71)?;
    stage.ic(&["run", "advance", &run, "--expect-phase=brainstorm"])?;
    stage.say("A second caller with the same expectation comes too late and is told so.")?;
    stage.ic_exit(1, &["run", "advance", &run, "--expect-phase=brainstorm"])?;
    Ok(run)
}

fn consumer(stage: &mut Stage, run: &str) -> Result<(), Error> {
    stage.chapter("A consumer that remembers what it has read")?;
    stage.ic(&["events", "cursor", "register", "dashboard", "--durable"])?;
    let read = ["events", "tail", "--all", "--consumer=dashboard"];
    let first = stage.events(&read)?;
    stage.check("it was told of the refused step and of the one that was taken", {
        let phases = first.iter().filter(|event| event["source"] == "phase");
        phases.map(|event| &event["type"]).eq(["block", "advance"])
    })?;
    stage.say("In the meantime somebody who is not the kernel records an event of their own.")?;
    let of = format!("--run={run}");
    let told =
        stage.ic(&["events", "record", "--source=ci", "--type=built", &of, r#"--payload={"ok":true}"#])?;
    stage.say("The second time it sees only what is new, the third time nothing.")?;
    let second = stage.events(&read)?;
    stage.check(
        "one event, and it is that one",
        second.len() == 1 && second[0]["source"] == "ci" && second[0]["id"].as_i64() == told.parse().ok(),
    )?;
    let third = stage.events(&read)?;
    stage.check("nothing is told twice", third.is_empty())?;
    stage.ic(&["events", "cursor", "get", "dashboard"])?.expect_same(&told)
}

fn people_and_skips(stage: &mut Stage, run: &str) -> Result<(), Error> {
    stage.chapter("A skipped phase, and two agents")?;
    stage.ic(&["phase", "skip", run, "strategized", "--reason=the plan is the strategy", "--actor=demo"])?;
    stage.file("docs/review.md", "Agreed.\n")?;
    stage.ic(&["artifact", "add", run, "--phase=brainstorm-reviewed", "--path=docs/review.md"])?;
    stage.ic(&["run", "advance", run])?;
    stage.ic(&["run", "phase", run])?.expect_same("planned")?;
    stage.file("docs/plan.md", "1. tokens 2. tree 3. errors\n")?;
    stage.ic(&["artifact", "add", run, "--phase=planned", "--path=docs/plan.md", "--type=plan"])?;
    stage.ic(&[
        "run",
        "action",
        "add",
        run,
        "--phase=executing",
        "--command=/work",
        "--args=[\"${artifact:plan}\"]",
    ])?;
    stage.ic(&["run", "advance", run])?;
    let first = stage.ic(&["agent", "add", run, "--type=claude", "--name=tokens"])?;
    let second = stage.ic(&["agent", "add", run, "--type=codex", "--name=tree"])?;
    stage.ic(&["agent", "update", &first, "--status=completed"])?;
    stage.ic(&["agent", "list", run])?;
    stage.say("One agent is still at work: the gate to review stays shut.")?;
    stage.ic_exit(1, &["run", "advance", run])?;
    let agents = stage.json(&["agent", "list", run])?;
    let working = agents[1]["id"] == *second && agents[1]["status"] == "active";
    stage.check("the second agent is active", working)
}

fn rollback(stage: &mut Stage, run: &str) -> Result<String, Error> {
    stage.chapter("Back to the plan, with everything that followed")?;
    let pid = stage.start_child()?;
    stage.say("A child process at work on the run, registered by its pid and start time:")?;
    let scope = format!("--scope-id={run}");
    let dispatch = stage.ic(&["dispatch", "record", &format!("--pid={pid}"), &scope, "--name=builder"])?;
    stage.file("src/parser.txt", "half of it\n")?;
    stage.ic(&["artifact", "add", run, "--phase=executing", "--path=src/parser.txt"])?;
    let back = ["run", "rollback", run, "--to-phase=planned", "--reason=wrong grammar"];
    let plan = stage.json(&[&back[..], &["--dry-run"]].concat())?;
    stage.ic(&["run", "phase", run])?.expect_same("executing")?;
    stage.say("Nothing has changed yet. Now for real:")?;
    let done = stage.json(&back)?;
    for key in ["rolled_back_phases", "artifacts", "dispatches", "agents"] {
        stage.check(&format!("the dry run told the truth about {key}"), plan[key] == done[key])?;
    }
    stage.check("one artifact no longer counts", done["marked_artifacts"] == 1)?;
    stage.check("the agent at work was failed", done["failed_agents"] == 1)?;
    stage.check("the child's process group was signalled", done["signalled"] == 1)?;
    stage.await_child()?;
    stage.ic(&["dispatch", "status", &dispatch])?;
    stage.ic(&["run", "phase", run])?.expect_same("planned")?;
    Ok(done["event_id"].to_string())
}

fn undo(stage: &mut Stage, run: &str, event: &str) -> Result<(), Error> {
    stage.chapter("The rollback was a mistake")?;
    let undone = stage.json(&["phase", "rollback", &format!("--undo={event}")])?;
    let count = |value: &Value| value.as_array().map_or(0, Vec::len);
    stage.check("the artifact counts again", count(&undone["restored_artifacts"]) == 1)?;
    stage.check("the child stays cancelled", count(&undone["still_cancelled_dispatches"]) == 1)?;
    stage.ic(&["run", "phase", run])?.expect_same("executing")?;
    stage.say("A rollback can be undone once, and only while nothing has happened since.")?;
    stage.ic_exit(1, &["phase", "rollback", &format!("--undo={event}")])?;
    Ok(())
}

fn children(stage: &mut Stage, run: &str) -> Result<(), Error> {
    stage.chapter("Children under supervision")?;
    let of_run = format!("--run={run}");
    let work = "echo parsing; echo 'STATUS: pass' > \"$IC_DISPATCH_VERDICT\"";
    let child = stage.ic(&["dispatch", "spawn", &of_run, "--name=parser", "--", "sh", "-c", work])?;
    stage.ic(&["dispatch", "wait", &child])?;
    stage.ic(&["dispatch", "logs", &child])?.expect_same("parsing")?;
    stage.say("Another one that would never end, with a child of its own:")?;
    let lazy = "sleep 600 & sleep 600; wait";
    let child = stage.ic(&["dispatch", "spawn", &of_run, "--", "sh", "-c", lazy])?;
    stage.ic(&["dispatch", "kill", &child])?.expect_same("killed")?;
    let killed = stage.json(&["dispatch", "status", &child])?;
    stage.check("it was called off", killed["status"] == "cancelled")?;
    let told = stage.ic(&["events", "tail", run, "--source=dispatch", "--limit=1000", "--format=text"])?;
    let ends = ["running → completed", "running → cancelled"];
    stage.check("both ends are in the log", ends.iter().all(|end| told.contains(end)))
}

fn log(stage: &mut Stage, run: &str) -> Result<(), Error> {
    stage.chapter("What happened, in order")?;
    stage.ic(&["phase", "history", run])?;
    let events = stage.events(&["events", "tail", run, "--source=artifact"])?;
    stage.check("every artifact left its events", events.len() >= 6)?;
    let verdict = stage.json(&["events", "verify"])?;
    stage.check("the event log verifies", verdict["ok"] == true)
}
