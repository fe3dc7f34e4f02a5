//! Recording events beside the kernel's own.

use std::io::{self, Read};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::app::run::find::{self, RunSelector};
use crate::app::{CommandContext, Error, Reply, caller};
use crate::domain::event::Source;
use crate::domain::ids::RunId;
use crate::domain::record::{self, Content};
use crate::domain::state::MAX_PAYLOAD;
use crate::ops;
use crate::ops::record::Request;

/// The source of an event whose caller names none.
pub(crate) const DEFAULT_SOURCE: &str = "external";

/// An event to record.
#[derive(Debug)]
pub(crate) struct RecordRequest {
    /// The command, for messages.
    pub command: &'static str,
    pub source: Source,
    pub kind: String,
    /// JSON, `@FILE` for a file that holds it, or `-` for stdin.
    pub payload: Option<String>,
    /// The argument that gave the payload, for messages.
    pub payload_flag: &'static str,
    pub run_id: Option<RunId>,
    /// `None` for the session that the environment names.
    pub session: Option<String>,
    /// `None` for the working directory.
    pub project_dir: Option<String>,
    pub idempotency_key: Option<String>,
}

/// A note in the history of a run.
#[derive(Debug)]
pub(crate) struct NoteRequest {
    pub kind: String,
    pub detail: Option<String>,
    pub idempotency_key: Option<String>,
}

/// Evidence about an agent.
#[derive(Debug)]
pub(crate) struct EvidenceRequest {
    pub agent: String,
    pub kind: String,
    pub reason: Option<String>,
    /// A JSON object, or text.
    pub context: Option<String>,
    pub session: Option<String>,
    pub project_dir: Option<String>,
    pub run_id: Option<RunId>,
    pub idempotency_key: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct EventRecorded {
    /// The event's number.
    pub id: i64,
    /// Whether the text form says `ok` and no number, as the callers of some sources expect.
    #[serde(skip)]
    pub prints_ok: bool,
}

/// Records an event, once per key. `stdin` is read only for a payload of `-`.
///
/// # Errors
/// * [`Error::Usage`] if the source is the kernel's, or the payload is not as the source requires.
/// * [`Error::File`] if the payload cannot be read.
/// * [`Error::Ops`] if the run does not exist, or the key was used for another event.
pub(crate) fn record(
    cx: &mut CommandContext,
    request: RecordRequest,
    stdin: &mut dyn Read,
) -> Result<Reply<EventRecorded>, Error> {
    let RecordRequest { command, source, kind, payload, payload_flag: flag, .. } = request;
    let payload = payload.map(|given| read_payload(command, flag, given, stdin)).transpose()?;
    let content = content(command, flag, &source, &kind, payload.as_deref())?;
    // Evidence is counted by sessions. The name of an agent, which outlives them, is the last resort.
    let session =
        request.session.or_else(|| caller::session(&cx.env)).or_else(|| caller::owner(&cx.env, None));
    let project = find::project_dir(request.project_dir.as_deref(), &cx.env)?;
    let request = Request {
        source,
        kind,
        run_id: request.run_id,
        session,
        project: Some(project),
        content,
        key: request.idempotency_key,
    };
    append(cx, &request)
}

/// Records a note in the history of a run.
///
/// # Errors
/// As [`record`] and [`RunTarget::find`](crate::app::run::find::RunTarget::find).
pub(crate) fn add_note(
    cx: &mut CommandContext,
    request: NoteRequest,
    run: RunSelector,
) -> Result<Reply<EventRecorded>, Error> {
    let source: Source = DEFAULT_SOURCE.parse().map_err(Error::usage)?;
    let content = content("events add", "--payload", &source, &request.kind, None)?;
    let target = run.resolve(&cx.env)?;
    let run = cx.read(|tx| target.find(tx))?;
    let request = Request {
        source,
        kind: request.kind,
        run_id: Some(run.id),
        session: None,
        project: None,
        content: Content { reason: request.detail, ..content },
        key: request.idempotency_key,
    };
    append(cx, &request)
}

/// Records evidence about an agent.
///
/// # Errors
/// As [`record`].
pub(crate) fn record_evidence(
    cx: &mut CommandContext,
    request: EvidenceRequest,
) -> Result<Reply<EventRecorded>, Error> {
    let source: Source = "interspect".parse().map_err(Error::usage)?;
    let mut payload = Map::new();
    payload.insert("agent_name".to_owned(), request.agent.into());
    if let Some(reason) = request.reason {
        payload.insert("override_reason".to_owned(), reason.into());
    }
    if let Some(context) = request.context {
        let object = serde_json::from_str(&context).ok().filter(Value::is_object);
        payload.insert("context".to_owned(), object.unwrap_or_else(|| context.into()));
    }
    let payload = Value::from(payload).to_string();
    let flags = "--agent, --reason or --context";
    let content = content("interspect record", flags, &source, &request.kind, Some(&payload))?;
    let request = Request {
        source,
        kind: request.kind,
        run_id: request.run_id,
        session: request.session,
        project: request.project_dir,
        content,
        key: request.idempotency_key,
    };
    append(cx, &request)
}

fn append(cx: &mut CommandContext, request: &Request) -> Result<Reply<EventRecorded>, Error> {
    ops::record::check(request).map_err(|err| Error::usage(format!("events record: {err}")))?;
    let stamp = cx.stamp.clone();
    let id = cx.write(|tx| ops::record::record(tx, request, &stamp))?;
    Ok(Reply::yes(EventRecorded { id, prints_ok: false }))
}

/// Returns the payload as given, or the content of the file or of stdin.
fn read_payload(command: &str, flag: &str, given: String, stdin: &mut dyn Read) -> Result<String, Error> {
    // One byte more than allowed, so that what is too large is refused and not cut.
    let limit = u64::try_from(MAX_PAYLOAD).unwrap_or(u64::MAX).saturating_add(1);
    let mut text = String::new();
    let (place, done) = match given.strip_prefix('@') {
        Some(path) => {
            let file = std::fs::File::open(path);
            (path, file.and_then(|file| file.take(limit).read_to_string(&mut text)))
        }
        None if given == "-" => ("stdin", stdin.take(limit).read_to_string(&mut text)),
        None => return Ok(given),
    };
    match done {
        Ok(_) => Ok(text),
        Err(err) if err.kind() == io::ErrorKind::InvalidData => {
            Err(Error::usage(format!("{command}: {flag} must be UTF-8")))
        }
        Err(source) => {
            let path = PathBuf::from(format!("the {flag} {place}"));
            Err(Error::File { what: "reading", path, source })
        }
    }
}

/// Reads a payload as its source requires. Messages name the flags that the caller gave it with.
fn content(
    command: &str,
    flags: &str,
    source: &Source,
    kind: &str,
    payload: Option<&str>,
) -> Result<Content, Error> {
    record::read(source, kind, payload).map_err(|err| {
        let message = format!("{command}: {err}");
        Error::usage(message.replace("--payload", flags))
    })
}
