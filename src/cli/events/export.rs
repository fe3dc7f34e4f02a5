//! `ic events export`, `ic events import`: the log as a file of its own, chain and all.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::app::Error;
use crate::app::events::reader::{Admit, EventReader};
use crate::cli::commands::events::form::json_line;
use crate::cli::output::View;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx};
use crate::db::DbError;
use crate::domain::event::{Event, Origin};
use crate::domain::ids::RunId;
use crate::ops::import_log::Import as Taking;
use crate::os::files::{self, Unfinished};
use crate::os::paths;
use crate::store::event::{Break, Filter, Head};
use crate::store::{self, StoreError};

/// The first line of an export names its form.
const FORM: &str = "ic-events/1";
/// Most bytes of a line: an event's data is at most a megabyte, escaped twice.
const LONGEST: u64 = 16 << 20;

/// The first line: what follows, and where it ends.
#[derive(Serialize, Deserialize)]
struct Header {
    format: String,
    head: String,
}

/// An event as stored: `data` and `envelope` are text, because it is their text that the chain covers.
#[derive(Serialize, Deserialize)]
struct Stored {
    id: i64,
    at_ms: i64,
    origin: String,
    run_id: Option<String>,
    source: String,
    #[serde(rename = "type")]
    kind: String,
    subject: String,
    from_state: String,
    to_state: String,
    reason: Option<String>,
    data: Option<String>,
    envelope: Option<String>,
    hash: String,
}

impl From<Event> for Stored {
    fn from(event: Event) -> Self {
        Self {
            id: event.id,
            at_ms: event.at_ms,
            origin: event.origin.as_str().to_owned(),
            run_id: event.run_id.map(|run| run.as_str().to_owned()),
            source: event.source.to_string(),
            kind: event.kind,
            subject: event.subject,
            from_state: event.from,
            to_state: event.to,
            reason: event.reason,
            data: event.data,
            envelope: event.envelope,
            hash: event.hash,
        }
    }
}

impl Stored {
    fn into_event(self) -> Result<Event, String> {
        let run_id: Option<RunId> =
            self.run_id.map(|run| run.parse()).transpose().map_err(|_| "run_id is empty")?;
        let origin: Origin = self.origin.parse().map_err(|_| "origin is not known")?;
        Ok(Event {
            id: self.id,
            at_ms: self.at_ms,
            origin,
            run_id,
            source: self.source.parse()?,
            kind: self.kind,
            subject: self.subject,
            from: self.from_state,
            to: self.to_state,
            reason: self.reason,
            data: self.data,
            envelope: self.envelope,
            hash: self.hash,
        })
    }
}

/// Write the whole log to a file
///
/// Lines of JSON, the first of which names the head; each event with its hash, and its data as the text that was hashed. The
/// chain is checked on the way: a log that does not verify is not exported. A file that is there already is not
/// overwritten; - writes to stdout.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic events export log-$(date +%F).jsonl")]
pub(in crate::cli) struct Export {
    /// The file to make, or -
    file: PathBuf,
}

#[derive(Serialize)]
struct Done {
    events: i64,
    head: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    new: Option<i64>,
}

impl View for Done {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        match self.new {
            Some(new) => writeln!(w, "{new} events imported of {}, head {}", self.events, self.head),
            None => writeln!(w, "{} events exported, head {}", self.events, self.head),
        }
    }
}

impl Verb for Export {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        if self.file == Path::new("-") {
            let out = cx.out;
            write_log(cx, |bytes| out.raw(bytes))?;
            return Ok(Answer::Yes);
        }
        let path = paths::clean(&self.file, &cx.cwd()?);
        if path.symlink_metadata().is_ok() {
            return Err(DbError::Exists(path).into());
        }
        let failed = |source| Error::File { what: "writing", path: path.clone(), source };
        let file = Unfinished::beside(&path).map_err(failed)?;
        let mut writer = file.writer();
        let head = write_log(cx, |bytes| writer.write_all(bytes).map_err(failed))?;
        writer.flush().map_err(failed)?;
        drop(writer);
        if !file.finish().map_err(failed)? {
            return Err(DbError::Exists(path).into());
        }
        cx.out.show(&Done { events: head.id, head: head.to_string(), new: None })?;
        Ok(Answer::Yes)
    }
}

/// Hands the export to `put`, piece by piece, and checks the chain as it goes.
fn write_log(cx: &mut Cx, mut put: impl FnMut(&[u8]) -> Result<(), Error>) -> Result<Head, Error> {
    let (mut reader, head) = EventReader::up_to_now(Filter::default(), cx)?;
    put(&line(&Header { format: FORM.to_owned(), head: head.to_string() })?)?;
    let mut at = Head::genesis();
    loop {
        let piece = reader.next(cx, |_| Admit::Take)?;
        let mut lines = Vec::new();
        for event in piece.events {
            at = store::event::follows(&at, &event).map_err(StoreError::ChainBroken)?;
            json_line(&Stored::from(event), &mut lines)?;
        }
        put(&lines)?;
        if !piece.full {
            break;
        }
    }
    if at == head {
        return Ok(at);
    }
    let broken = if at.id < head.id {
        Break { id: at.id + 1, problem: "removed" }
    } else {
        Break { id: head.id, problem: "replaced while the log was exported" }
    };
    Err(StoreError::ChainBroken(broken).into())
}

fn line(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    let mut text = Vec::new();
    json_line(value, &mut text)?;
    Ok(text)
}

/// Take over a log that was exported
///
/// The log only: runs and whatever else it tells of are not made again (`ic restore` brings a whole database back). What is
/// here already has to be the beginning of what is imported. All of it or, if it does not verify, nothing.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: INTERCORE_DB=/tmp/audit/.clavain/intercore.db ic events import log.jsonl")]
pub(in crate::cli) struct Import {
    /// A file that `ic events export` made, or - for stdin
    file: PathBuf,
}

impl Verb for Import {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let failed = |source| Error::File { what: "reading", path: self.file.clone(), source };
        // Nobody is waited for while the write lock is held.
        let mut file = if self.file == Path::new("-") {
            files::spooled(&mut io::stdin().lock()).map_err(failed)?
        } else {
            files::open_spooled(&self.file).map_err(failed)?
        };
        let header = begin(&mut file, failed)?.1;
        let (head, new) = cx.write(|tx| {
            let (mut lines, _) = begin(&mut file, failed)?;
            let mut taking = Taking::new(tx)?;
            while let Some(stored) = lines.next::<Stored>(failed)? {
                let event = stored.into_event().map_err(|problem| bad(lines.number, &problem))?;
                taking.take(&event)?;
            }
            Ok::<_, Error>(taking.finish(&header.head)?)
        })?;
        cx.out.show(&Done { events: head.id, head: head.to_string(), new: Some(new) })?;
        Ok(Answer::Yes)
    }
}

/// The lines behind the header, and the header: from the beginning of the file, wherever it was read up to.
fn begin(file: &mut File, failed: impl Fn(io::Error) -> Error) -> Result<(Lines<&mut File>, Header), Error> {
    file.rewind().map_err(&failed)?;
    let mut lines = Lines { reader: BufReader::new(file), number: 0 };
    let header: Header = lines.next(failed)?.ok_or_else(|| bad(1, "the file is empty"))?;
    if header.format != FORM {
        return Err(bad(1, &format!("format is {}, want {FORM}", header.format)));
    }
    Ok((lines, header))
}

struct Lines<R> {
    reader: BufReader<R>,
    number: u64,
}

impl<R: Read> Lines<R> {
    fn next<T: serde::de::DeserializeOwned>(
        &mut self,
        failed: impl Fn(io::Error) -> Error,
    ) -> Result<Option<T>, Error> {
        let mut line = Vec::new();
        self.number += 1;
        if (&mut self.reader).take(LONGEST).read_until(b'\n', &mut line).map_err(failed)? == 0 {
            return Ok(None);
        }
        serde_json::from_slice(&line).map(Some).map_err(|err| bad(self.number, &err.to_string()))
    }
}

fn bad(line: u64, problem: &str) -> Error {
    Error::Input(format!("events import: line {line} of the file: {problem}"))
}
