//! What reaches the terminal: results on stdout, everything else on stderr.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use serde::Serialize;

use super::command::Rendered;
use super::globals::Verbosity;
use crate::app::Error;
use crate::app::context::{NoteKind, Notes};
use crate::app::reply::Style;
use crate::domain::secret::redact_message;
use crate::domain::text::{escaped_json, one_line};
use crate::os::{child, stream};

/// How a call writes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    json: bool,
    verbosity: Verbosity,
}

impl Output {
    pub(super) fn new(json: bool, verbosity: Verbosity) -> Self {
        Self { json, verbosity }
    }

    /// Whether the caller wants JSON.
    pub(super) fn is_json(self) -> bool {
        self.json
    }

    /// Whether the caller wants to see more than the result.
    pub(super) fn is_verbose(self) -> bool {
        self.verbosity >= Verbosity::Info
    }

    /// Shows a result as one line of JSON, whatever the caller asked for.
    pub(super) fn document(self, value: &impl Serialize) -> Result<(), Error> {
        let mut text = serde_json::to_string(value).map_err(|err| Error::Unexpected(err.into()))?;
        text.push('\n');
        self.raw(escaped_json(&text).as_bytes())
    }

    /// Writes bytes to stdout.
    #[expect(clippy::unused_self, reason = "output goes through the call's own `Output`, not past it")]
    pub(super) fn raw(self, bytes: &[u8]) -> Result<(), Error> {
        stream::write_patiently(io::stdout(), bytes).map_err(Error::Output)
    }

    /// Writes bytes to stdout, unless its reader stalls and `stop` is raised: then `false`.
    #[expect(clippy::unused_self, reason = "output goes through the call's own `Output`, not past it")]
    pub(super) fn stream(self, bytes: &[u8], stop: &AtomicBool) -> Result<bool, Error> {
        stream::write_all(io::stdout(), bytes, stop).map_err(Error::Output)
    }

    /// Waits until the reader of stdout has taken everything. `false` if it is gone, or stalls and `stop` is raised.
    #[expect(clippy::unused_self, reason = "output goes through the call's own `Output`, not past it")]
    pub(super) fn wait_drained(self, stop: &AtomicBool) -> Result<bool, Error> {
        stream::wait_drained(io::stdout(), stop).map_err(Error::Output)
    }

    /// Closes stdout for its reader, and sends what is written from then on to nowhere.
    #[expect(clippy::unused_self, reason = "output goes through the call's own `Output`, not past it")]
    pub(super) fn release(self) -> Result<(), Error> {
        child::let_go_of_stdout().map_err(Error::Output)
    }

    /// Whether nobody reads stdout any more.
    #[expect(clippy::unused_self, reason = "output goes through the call's own `Output`, not past it")]
    pub(super) fn is_abandoned(self) -> bool {
        stream::is_abandoned(io::stdout())
    }

    /// Whether a person is looking.
    #[expect(clippy::unused_self, reason = "output goes through the call's own `Output`, not past it")]
    pub(super) fn is_terminal(self) -> bool {
        io::stdout().is_terminal()
    }

    /// Shows on one line of the terminal how far things have come; nothing elsewhere. Empty text takes it away.
    pub(super) fn progress(self, text: &str) {
        if !self.json && io::stderr().is_terminal() {
            // Nothing can be done about a closed stderr.
            let _ = write!(io::stderr(), "\r\u{1b}[K{text}");
        }
    }

    /// A warning: shown unless only errors are wanted.
    pub(super) fn warn(self, message: impl Display) {
        self.note(Verbosity::Warn, "warning", message);
    }

    /// Something that the caller should know about a change that was made; as a warning, but nothing is wrong.
    pub(super) fn remark(self, message: impl Display) {
        self.note(Verbosity::Warn, "note", message);
    }

    /// What happens besides the result: shown with `--verbose`.
    pub(super) fn info(self, message: impl Display) {
        self.note(Verbosity::Info, "info", message);
    }

    fn note(self, level: Verbosity, word: &str, message: impl Display) {
        if self.verbosity >= level {
            // What a caller typed may be part of it. Nothing can be done about a closed stderr.
            let message = message.to_string();
            let _ = writeln!(io::stderr(), "ic: {word}: {}", one_line(&redact_message(&message)));
        }
    }

    /// Shows an answer: the one place where a command's result becomes text or JSON.
    pub(super) fn reply(self, reply: &dyn Rendered) -> Result<(), Error> {
        let unexpected = |err: serde_json::Error| Error::Unexpected(err.into());
        let style = match reply.style() {
            Style::Silent => Style::Silent,
            _ if self.json => Style::Json,
            style => style,
        };
        match style {
            Style::Silent => {}
            Style::Json => self.line(reply.json().map_err(unexpected)?)?,
            Style::PrettyJson => self.line(reply.pretty_json().map_err(unexpected)?)?,
            Style::Text => {
                let mut text = Vec::new();
                reply.text(&mut text).map_err(Error::Output)?;
                if !text.is_empty() {
                    self.raw(&text)?;
                }
                for remark in reply.remarks() {
                    self.remark(remark);
                }
            }
        }
        // With JSON the answer has the code of the refusal as a member.
        if let Some(why) = reply.refusal().filter(|_| !self.json) {
            // Nothing can be done about a closed stderr.
            let _ = why.human(&mut io::stderr());
        }
        Ok(())
    }

    fn line(self, mut json: String) -> Result<(), Error> {
        json.push('\n');
        self.raw(escaped_json(&json).as_bytes())
    }

    /// Shows a failure, and returns the exit code that goes with it.
    pub(super) fn fail(self, err: &Error) -> ExitCode {
        let mut stderr = io::stderr();
        let _ = if self.json {
            writeln!(stderr, "{}", escaped_json(&err.to_json().to_string()))
        } else {
            err.human(&mut stderr)
        };
        ExitCode::from(err.exit())
    }
}

impl Notes for Output {
    fn take(&self, kind: NoteKind, text: &str) {
        match kind {
            NoteKind::Warning => self.warn(text),
            NoteKind::Remark => self.remark(text),
            NoteKind::Info => self.info(text),
            NoteKind::Progress => self.progress(text),
        }
    }

    fn wants(&self, kind: NoteKind) -> bool {
        match kind {
            NoteKind::Warning | NoteKind::Remark => self.verbosity >= Verbosity::Warn,
            NoteKind::Info => self.is_verbose(),
            NoteKind::Progress => !self.json,
        }
    }
}
