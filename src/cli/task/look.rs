//! `ic task show`, `list`, `audit`, `errors`, `transitions`

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

use super::place::{Directory, text};
use super::{Which, directory, status};
use crate::app::Error;
use crate::cli::output::View;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx};
use crate::domain::event::Event;
use crate::domain::task::audit::{self, Finding, Task};
use crate::domain::task::state::State;
use crate::domain::task::status::{self as words, Status};
use crate::domain::task::todo::Todo;
use crate::domain::text::one_line;
use crate::domain::time::rfc3339;
use crate::ops;

impl View for Task {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        let word = |text: &Option<String>| one_line(text.as_deref().unwrap_or("-")).into_owned();
        let differs = if self.agree { "" } else { "\tdisagree" };
        let (status, marker) = (word(&self.status), word(&self.marker));
        writeln!(w, "{}\t{status}\t{marker}\t{}{differs}", self.number, one_line(&self.title))
    }
}

/// Both files, which have to be there and sound.
fn tasks(place: &Directory) -> Result<Vec<Task>, Error> {
    let unusable = |problem: crate::domain::task::problem::Problem| Error::Input(problem.message);
    let todo = text(&place.todo()).map_err(unusable)?;
    let state = text(&place.state()).map_err(unusable)?;
    let state = State::scan(&state).map_err(|err| Error::Input(format!("state.json: {err}")))?;
    Ok(audit::tasks(&Todo::scan(&todo), Some(&state)))
}

/// Show a task as both files have it
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic task show 320 --json")]
pub(in crate::cli) struct Show {
    #[command(flatten)]
    which: Which,
}

#[derive(Serialize)]
#[serde(transparent)]
struct Shown(Task);

impl View for Shown {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        self.0.human(w)?;
        self.0.paths.iter().try_for_each(|path| writeln!(w, "  {}", one_line(path)))
    }
}

impl Verb for Show {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let place = Directory::find(self.which.dir.as_deref())?;
        let number = self.which.task;
        let found = tasks(&place)?.into_iter().find(|task| task.number == number);
        let task = found.ok_or(Error::NoTask(number))?;
        cx.out.show(&Shown(task))?;
        Ok(Answer::Yes)
    }
}

/// List the tasks of both files, by number
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic task list --status=planned")]
pub(in crate::cli) struct List {
    /// Where TODO.md and state.json are [default: specs, .claude/specs or .opencode/specs]
    #[arg(long, value_parser = directory)]
    dir: Option<String>,
    /// Only those of this status
    #[arg(long, value_parser = status)]
    status: Option<Status>,
}

#[derive(Serialize)]
#[serde(transparent)]
struct Tasks(Vec<Task>);

impl View for Tasks {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        self.0.iter().try_for_each(|task| task.human(w))
    }
}

impl Verb for List {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let place = Directory::find(self.dir.as_deref())?;
        let mut tasks = tasks(&place)?;
        let is = |word: &Option<String>| word.as_deref().and_then(Status::read) == self.status;
        tasks.retain(|task| {
            self.status.is_none() || is(if task.status.is_some() { &task.status } else { &task.marker })
        });
        cx.out.show(&Tasks(tasks))?;
        Ok(Answer::Yes)
    }
}

/// Everything on which TODO.md and state.json disagree, and what else is wrong with them
///
/// Changes nothing. Exit code 1 if anything was found, 2 if one of the files cannot be used at all.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic task audit --dir=specs")]
pub(in crate::cli) struct Audit {
    /// Where TODO.md and state.json are [default: specs, .claude/specs or .opencode/specs]
    #[arg(long, value_parser = directory)]
    dir: Option<String>,
}

#[derive(Serialize)]
#[serde(transparent)]
struct Findings(Vec<Finding>);

impl View for Findings {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        for Finding { kind, task, message } in &self.0 {
            let task = task.map_or_else(|| "-".to_owned(), |task| task.to_string());
            writeln!(w, "{task}\t{kind}\t{}", one_line(message))?;
        }
        Ok(())
    }
}

impl Verb for Audit {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let place = Directory::find(self.dir.as_deref())?;
        let mut found = Vec::new();
        let mut read = |place: super::place::Place| {
            text(&place)
                .map_err(|problem| found.push(Finding::general("unusable", problem.message)))
                .unwrap_or_default()
        };
        let (todo, state) = (read(place.todo()), read(place.state()));
        let todo = Todo::scan(&todo);
        let state = if state.is_empty() { None } else { Some(State::scan(&state)) };
        let state = state.and_then(|state| {
            state.map_err(|err| found.push(Finding::general("unusable", format!("state.json: {err}")))).ok()
        });
        let unusable = !found.is_empty();
        found.extend(audit::findings(&todo, state.as_ref()));
        for task in audit::tasks(&todo, state.as_ref()) {
            let gone =
                task.paths.iter().filter(|path| !path.contains("://") && !place.resolve(path).exists());
            found.extend(gone.map(|path| Finding::of("dangling_link", task.number, path.as_str())));
        }
        let none = found.is_empty();
        cx.out.show(&Findings(found))?;
        match (unusable, none) {
            (true, _) => Err(Error::Input("the task files cannot be used as they are".to_owned())),
            (false, true) => Ok(Answer::Yes),
            (false, false) => Ok(Answer::No),
        }
    }
}

/// What went wrong with tasks, and what to do about it
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic task errors 320")]
pub(in crate::cli) struct Errors {
    /// Only of this task
    task: Option<u64>,
    /// At most the last so many
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u16,
}

#[derive(Serialize)]
#[serde(transparent)]
struct Told(Vec<Value>);

impl View for Told {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        for error in &self.0 {
            let word = |key: &str| one_line(error[key].as_str().unwrap_or("-")).into_owned();
            let (task, message, advice) = (&error["task"], word("message"), word("recommendation"));
            let (at, severity, code) = (word("timestamp"), word("severity"), word("code"));
            writeln!(w, "{at}\t{task}\t{severity}\t{code}\t{message}. {advice}.")?;
        }
        Ok(())
    }
}

impl Verb for Errors {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let found = cx.read(|tx| ops::task::errors(tx, self.task, self.limit.into()))?;
        let view = |event: Event| {
            let mut members = event.data();
            members.insert("event_id".to_owned(), event.id.into());
            members.insert("task".to_owned(), event.subject.parse::<u64>().ok().into());
            members.insert("timestamp".to_owned(), rfc3339(event.at_ms).into());
            Value::Object(members)
        };
        cx.out.show(&Told(found.into_iter().map(view).collect()))?;
        Ok(Answer::Yes)
    }
}

/// Which status may follow which
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic task transitions planned")]
pub(in crate::cli) struct Transitions {
    /// Only from this status
    #[arg(value_parser = status)]
    status: Option<Status>,
}

#[derive(Serialize)]
struct From {
    status: Status,
    marker: String,
    next: &'static [Status],
}

#[derive(Serialize)]
#[serde(transparent)]
struct Table(Vec<From>);

impl View for Table {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        for From { status, next, .. } in &self.0 {
            let next: Vec<_> = next.iter().map(|status| status.as_str()).collect();
            writeln!(
                w,
                "{status} → {}",
                if next.is_empty() { "nothing".to_owned() } else { next.join(", ") }
            )?;
        }
        Ok(())
    }
}

impl Verb for Transitions {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let wanted =
            words::ALL.into_iter().filter(|status| self.status.is_none_or(|wanted| wanted == *status));
        let row = |status: Status| From { status, marker: status.marker(), next: status.next() };
        cx.out.show(&Table(wanted.map(row).collect()))?;
        Ok(Answer::Yes)
    }
}
