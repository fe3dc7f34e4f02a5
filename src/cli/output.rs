//! What reaches the terminal: results on stdout, everything else on stderr (K-06).

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, UNIX_EPOCH};

use serde::Serialize;

use super::error::CliError;
use super::globals::Verbosity;
use crate::domain::secret::redact_message;
use crate::domain::text::{escaped_json, one_line};
use crate::os::stream;

/// A result that can be shown to people and to programs. The JSON form is the value itself.
pub(super) trait View: Serialize {
    /// Writes the text form, each line with its newline.
    fn human(&self, w: &mut dyn Write) -> io::Result<()>;
}

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

    /// Shows a result in the form that the caller asked for.
    pub(super) fn show(self, view: &impl View) -> Result<(), CliError> {
        if self.json {
            return self.document(view);
        }
        let mut text = Vec::new();
        view.human(&mut text).map_err(CliError::Output)?;
        self.raw(&text)
    }

    /// Shows a result as one line of JSON, whatever the caller asked for.
    pub(super) fn document(self, value: &impl Serialize) -> Result<(), CliError> {
        let mut text = serde_json::to_string(value).map_err(|err| CliError::Unexpected(err.into()))?;
        text.push('\n');
        self.raw(escaped_json(&text).as_bytes())
    }

    /// Shows a result as indented JSON, whatever the caller asked for.
    pub(super) fn indented(self, value: &impl Serialize) -> Result<(), CliError> {
        let mut text = serde_json::to_string_pretty(value).map_err(|err| CliError::Unexpected(err.into()))?;
        text.push('\n');
        self.raw(escaped_json(&text).as_bytes())
    }

    /// Writes bytes to stdout.
    #[expect(clippy::unused_self, reason = "output goes through the call's own `Output`, not past it")]
    pub(super) fn raw(self, bytes: &[u8]) -> Result<(), CliError> {
        stream::write_patiently(io::stdout(), bytes).map_err(CliError::Output)
    }

    /// Writes bytes to stdout, unless its reader stalls and `stop` is raised: then `false`.
    #[expect(clippy::unused_self, reason = "output goes through the call's own `Output`, not past it")]
    pub(super) fn stream(self, bytes: &[u8], stop: &AtomicBool) -> Result<bool, CliError> {
        stream::write_all(io::stdout(), bytes, stop).map_err(CliError::Output)
    }

    /// Waits until the reader of stdout has taken everything. `false` if it is gone, or stalls and `stop` is raised.
    #[expect(clippy::unused_self, reason = "output goes through the call's own `Output`, not past it")]
    pub(super) fn wait_drained(self, stop: &AtomicBool) -> Result<bool, CliError> {
        stream::wait_drained(io::stdout(), stop).map_err(CliError::Output)
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

    /// Shows a failure, and answers the exit code that goes with it.
    pub(super) fn fail(self, err: &CliError) -> ExitCode {
        let mut stderr = io::stderr();
        let _ = if self.json {
            writeln!(stderr, "{}", escaped_json(&err.to_json().to_string()))
        } else {
            err.human(&mut stderr)
        };
        ExitCode::from(err.exit())
    }
}

/// The first second of the year 10000, which the format has no room for.
const TOO_LATE: u64 = 253_402_300_800;

/// RFC 3339 in UTC with milliseconds, from Unix milliseconds (K-15). What lies outside the years 1970 to 9999, which no clock
/// of ours has said, is shown as the number that it is.
pub(super) fn rfc3339(millis: i64) -> String {
    match u64::try_from(millis) {
        Ok(since) if since / 1000 < TOO_LATE => {
            humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(since)).to_string()
        }
        _ => format!("{millis}ms"),
    }
}

/// Returns RFC 3339 in UTC from Unix seconds, without a fraction: some readers of dates take none.
pub(super) fn rfc3339_seconds(secs: i64) -> String {
    rfc3339(secs.saturating_mul(1000)).replace(".000Z", "Z")
}

/// A time that can be part of a file's name, from Unix seconds.
pub(super) fn compact_time(secs: i64) -> String {
    let text = rfc3339(secs.saturating_mul(1000));
    match text.split_once('T') {
        Some((date, time)) => format!("{}-{}", date.replace('-', ""), time[..8].replace(':', "")),
        None => secs.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// K-15
    #[test]
    fn times_are_printed_in_utc() {
        assert_eq!(rfc3339(1_700_000_000_042), "2023-11-14T22:13:20.042Z");
        assert_eq!(rfc3339_seconds(1_700_000_000), "2023-11-14T22:13:20Z");
        assert_eq!(compact_time(1_700_000_000), "20231114-221320");
        assert_eq!(rfc3339(253_402_300_799_999), "9999-12-31T23:59:59.999Z");
        for odd in [-1, i64::MIN, 253_402_300_800_000, i64::MAX] {
            assert_eq!(rfc3339(odd), format!("{odd}ms"));
            assert!(!compact_time(odd).is_empty());
        }
    }
}
