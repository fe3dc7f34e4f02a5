//! `ic events record`, `emit`, `add`, `ic interspect record`: events that callers tell of (EV-05, CL-09).

use std::io::{self, Read, Write};
use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::app::Error;
use crate::app::caller;
use crate::cli::args::{self, RunRef};
use crate::cli::output::View;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx};
use crate::domain::event::Source;
use crate::domain::ids::RunId;
use crate::domain::record::{self, Content};
use crate::domain::state::MAX_PAYLOAD;
use crate::ops::record::{Request, check, record};

/// The source of an event whose caller names none.
const UNNAMED: &str = "external";

/// Record an event of your own
///
/// A source of your own takes any JSON. The sources review, interspect, coordination, intent and agency have a form, which
/// is checked. The sources of the kernel (phase, run, agent, artifact, action, dispatch, discovery, log, state, import, task) are
/// not for callers. Prints the event's number; for coordination and intent, `ok`.
#[derive(Debug, clap::Parser)]
#[command(
    after_help = "Example: ic events record --source=my-ci --type=built --run=\"$run\" --payload='{\"ok\":true}'\n         \
                        ic events record --source=my-ci --type=log --payload=@build.json"
)]
pub(in crate::cli) struct Record {
    /// Whose event: a name of your own, or review, interspect, coordination, intent, agency
    #[arg(long)]
    source: Source,
    /// What happened
    #[arg(long = "type", value_name = "TYPE")]
    kind: String,
    #[command(flatten)]
    about: About,
}

/// What the recording commands share.
#[derive(Clone, Debug, clap::Args)]
struct About {
    /// What there is to say: JSON, @FILE that holds it, or - for stdin
    #[arg(long, value_name = "JSON")]
    payload: Option<String>,
    /// The run that it belongs to
    #[arg(long, value_name = "ID")]
    run: Option<RunId>,
    /// Your session [default: `CLAUDE_CODE_SESSION_ID`, else `CLAUDE_SESSION_ID`, else `INTERMUTE_AGENT_ID`]
    #[arg(long)]
    session: Option<String>,
    /// Your project's directory [default: the working directory]
    #[arg(long, value_name = "DIR")]
    project: Option<String>,
    /// Do this once per key: a repeat answers the same
    #[arg(long, value_name = "KEY", value_parser = args::key)]
    idempotency_key: Option<String>,
}

impl Verb for Record {
    const KEPT: &'static [&'static str] =
        &["source", "kind", "payload", "run", "session", "project", "idempotency_key"];

    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let answers_ok = ["coordination", "intent"].contains(&self.source.as_str());
        let request = self.about.request("events record", "--payload", self.source, self.kind)?;
        tell(cx, &request, answers_ok)
    }
}

impl About {
    /// The event to record; `flag` is what the caller gave the payload with.
    fn request(self, command: &str, flag: &str, source: Source, kind: String) -> Result<Request, Error> {
        let payload = self.payload.as_deref().map(|text| read(command, flag, text)).transpose()?;
        let content = content(command, &source, &kind, payload.as_deref())
            .map_err(|err| Error::usage(err.to_string().replace("--payload", flag)))?;
        // Evidence is counted by sessions: the name of an agent, which outlives them, is the last resort.
        let session = args::given(self.session)
            .or_else(|| caller::session(&crate::app::Environment::Process))
            .or_else(|| caller::owner(&crate::app::Environment::Process, None));
        let project = args::project(self.project.as_deref())?;
        Ok(Request {
            source,
            kind,
            run_id: self.run,
            session,
            project: Some(project.dir),
            content,
            key: self.idempotency_key,
        })
    }
}

/// The payload as given, or what is in the file or comes from stdin.
fn read(command: &str, flag: &str, given: &str) -> Result<String, Error> {
    let most = u64::try_from(MAX_PAYLOAD).unwrap_or(u64::MAX).saturating_add(1);
    let mut text = String::new();
    let (what, done) = match given.strip_prefix('@') {
        Some(path) => {
            (path, std::fs::File::open(path).and_then(|file| file.take(most).read_to_string(&mut text)))
        }
        None if given == "-" => ("stdin", io::stdin().lock().take(most).read_to_string(&mut text)),
        None => return Ok(given.to_owned()),
    };
    match done {
        Ok(_) => Ok(text),
        Err(err) if err.kind() == io::ErrorKind::InvalidData => {
            Err(Error::usage(format!("{command}: {flag} must be UTF-8")))
        }
        Err(source) => {
            let what = format!("the {flag} {what}");
            Err(Error::File { what: "reading", path: PathBuf::from(what), source })
        }
    }
}

fn content(command: &str, source: &Source, kind: &str, payload: Option<&str>) -> Result<Content, Error> {
    record::read(source, kind, payload).map_err(|err| Error::usage(format!("{command}: {err}")))
}

/// Records the event and prints its number.
fn tell(cx: &mut Cx, request: &Request, answers_ok: bool) -> Result<Answer, Error> {
    check(request).map_err(|err| Error::usage(format!("events record: {err}")))?;
    let stamp = cx.stamp.clone();
    let id = cx.write(|tx| record(tx, request, &stamp))?;
    cx.out.show(&Recorded { id, answers_ok })?;
    Ok(Answer::Yes)
}

#[derive(Serialize)]
struct Recorded {
    id: i64,
    #[serde(skip)]
    answers_ok: bool,
}

impl View for Recorded {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        if self.answers_ok { writeln!(w, "ok") } else { writeln!(w, "{}", self.id) }
    }
}

/// Record an event of a run, in short
///
/// As `ic events record`, with the run and the type as words.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic events emit \"$run\" built --payload='{\"ok\":true}'")]
pub(in crate::cli) struct Emit {
    /// The run that it belongs to
    #[arg(value_name = "RUN")]
    of: Option<RunId>,
    /// What happened
    #[arg(value_name = "TYPE", requires = "of")]
    what: Option<String>,
    /// Whose event
    #[arg(long, default_value = UNNAMED)]
    source: Source,
    /// What happened, in the place of the word
    #[arg(long = "type", value_name = "TYPE", conflicts_with = "what")]
    kind: Option<String>,
    /// Another name of --payload
    #[arg(long, value_name = "JSON", conflicts_with = "payload")]
    context: Option<String>,
    #[command(flatten)]
    about: About,
}

impl Verb for Emit {
    const KEPT: &'static [&'static str] = &[
        "of",
        "what",
        "source",
        "kind",
        "context",
        "payload",
        "run",
        "session",
        "project",
        "idempotency_key",
    ];

    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let Some(kind) = self.what.or(self.kind) else {
            return Err(Error::usage("events emit: --type is required"));
        };
        let mut about = self.about;
        let flag = if self.context.is_some() { "--context" } else { "--payload" };
        about.payload = about.payload.or(self.context);
        if let Some(run) = self.of {
            if about.run.as_ref().is_some_and(|other| *other != run) {
                return Err(Error::usage("events emit: --run names another run"));
            }
            about.run = Some(run);
        }
        tell(cx, &about.request("events emit", flag, self.source, kind)?, false)
    }
}

/// Note something in the history of a run
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic events add --type=note --detail='waiting for review'")]
pub(in crate::cli) struct Add {
    #[command(flatten)]
    run: RunRef,
    /// What happened
    #[arg(long = "type", value_name = "TYPE")]
    kind: String,
    /// In your own words
    #[arg(long, value_name = "TEXT")]
    detail: Option<String>,
    /// Do this once per key: a repeat answers the same
    #[arg(long, value_name = "KEY", value_parser = args::key)]
    idempotency_key: Option<String>,
}

impl Verb for Add {
    const KEPT: &'static [&'static str] = &["kind", "detail", "idempotency_key"];

    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let source: Source = UNNAMED.parse().map_err(Error::usage)?;
        let detail = args::given(self.detail);
        let content = Content { reason: detail, ..content("events add", &source, &self.kind, None)? };
        let wanted = self.run.wanted()?;
        let run = cx.read(|tx| wanted.find(tx))?;
        let request = Request {
            source,
            kind: self.kind,
            run_id: Some(run.id),
            session: None,
            project: None,
            content,
            key: self.idempotency_key,
        };
        tell(cx, &request, false)
    }
}

/// Record what was noticed about an agent
#[derive(Debug, clap::Parser)]
#[command(
    after_help = "Example: ic interspect record --agent=reviewer --type=override --reason='false alarm'"
)]
pub(in crate::cli) struct Interspect {
    /// The agent
    #[arg(long)]
    agent: String,
    /// What was noticed
    #[arg(long = "type", value_name = "TYPE")]
    kind: String,
    /// Why it was overridden
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Anything else: a JSON object, or text
    #[arg(long, value_name = "TEXT")]
    context: Option<String>,
    /// Your session
    #[arg(long)]
    session: Option<String>,
    /// Your project's directory
    #[arg(long, value_name = "DIR")]
    project: Option<String>,
    /// The run that it belongs to
    #[arg(long, value_name = "ID")]
    run: Option<RunId>,
    /// Do this once per key: a repeat answers the same
    #[arg(long, value_name = "KEY", value_parser = args::key)]
    idempotency_key: Option<String>,
}

impl Verb for Interspect {
    const KEPT: &'static [&'static str] =
        &["agent", "kind", "reason", "context", "session", "project", "run", "idempotency_key"];

    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let source: Source = "interspect".parse().map_err(Error::usage)?;
        let mut payload = Map::new();
        payload.insert("agent_name".to_owned(), self.agent.into());
        if let Some(reason) = args::given(self.reason) {
            payload.insert("override_reason".to_owned(), reason.into());
        }
        if let Some(context) = args::given(self.context) {
            let object = serde_json::from_str(&context).ok().filter(Value::is_object);
            payload.insert("context".to_owned(), object.unwrap_or_else(|| context.into()));
        }
        let payload = Value::from(payload).to_string();
        let content = content("interspect record", &source, &self.kind, Some(&payload)).map_err(|err| {
            Error::usage(err.to_string().replace("--payload", "--agent, --reason or --context"))
        })?;
        let request = Request {
            source,
            kind: self.kind,
            run_id: self.run,
            session: args::given(self.session),
            project: args::given(self.project),
            content,
            key: self.idempotency_key,
        };
        tell(cx, &request, false)
    }
}
