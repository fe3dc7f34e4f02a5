//! Arguments that several commands share.

use std::ffi::OsString;
use std::fmt::Display;
use std::time::Duration;

use clap::error::ContextKind;
use clap::{Arg, Command};
use serde_json::{Map, Value};

use crate::app::coordination::reserve::MAX_LEASE_SECONDS;
use crate::app::{CommandContext, Error};
use crate::domain::ids::RunId;
use crate::domain::metadata;
use crate::domain::stored::{Stored, StoredError};
use crate::domain::{secret, state};

/// Reads the value of a boolean flag.
pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err("want true, 1, false or 0".to_owned()),
    }
}

/// Reads a truth value that has to be said.
pub(super) fn truth(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err("want true or false".to_owned()),
    }
}

/// Reads a key of at most 200 characters.
pub(super) fn key(text: &str) -> Result<String, String> {
    match text.len() {
        0 => Err("must not be empty".to_owned()),
        1..=200 => Ok(text.to_owned()),
        _ => Err("must have at most 200 bytes".to_owned()),
    }
}

/// Reads a metadata object; empty text means none.
pub(super) fn metadata(text: &str) -> Result<Map<String, Value>, String> {
    if text.trim().is_empty() { Ok(Map::new()) } else { metadata::parse(text).map_err(|err| err.to_string()) }
}

/// Reads a duration as whole seconds, rounded up: nothing lasts for less than was asked.
pub(super) fn duration_seconds(text: &str) -> Result<i64, String> {
    let duration =
        humantime::parse_duration(text).map_err(|_| "want a duration such as 90s or 1h30m".to_owned())?;
    whole_seconds(duration)
}

fn whole_seconds(duration: Duration) -> Result<i64, String> {
    let more = u64::from(duration.subsec_nanos() > 0);
    duration
        .as_secs()
        .checked_add(more)
        .and_then(|secs| i64::try_from(secs).ok())
        .ok_or_else(|| "is too long".to_owned())
}

/// Reads whole seconds, as a number or a duration.
pub(super) fn seconds(text: &str) -> Result<i64, String> {
    match text.parse::<i64>() {
        Ok(secs) if secs >= 0 => Ok(secs),
        Ok(_) => Err("must not be negative".to_owned()),
        Err(_) => duration_seconds(text),
    }
}

/// Reads for how long a lock is held on to: a second or more.
pub(super) fn lease(text: &str) -> Result<i64, String> {
    match seconds(text)? {
        secs @ 1..=MAX_LEASE_SECONDS => Ok(secs),
        0 => Err("must be at least one second".to_owned()),
        _ => Err("is too long".to_owned()),
    }
}

/// The longest wait: a year.
const LONGEST_WAIT: Duration = Duration::from_hours(365 * 24);

/// Reads how long to wait: whole seconds as a number, or a duration.
pub(super) fn timeout(text: &str) -> Result<Duration, String> {
    let want = |_| "want a duration such as 90s or 300ms".to_owned();
    let read = match text.parse() {
        Ok(secs) => Duration::from_secs(secs),
        Err(_) => humantime::parse_duration(text).map_err(want)?,
    };
    if read > LONGEST_WAIT { Err("is too long".to_owned()) } else { Ok(read) }
}

/// Reads how long a place in line is kept, in seconds: not for long, because others wait behind it.
pub(super) fn grace(text: &str) -> Result<i64, String> {
    match seconds(text)? {
        secs @ 0..=600 => Ok(secs),
        _ => Err("must be at most ten minutes".to_owned()),
    }
}

/// Reads how long something is kept: a duration of a second or more, or 0 for ever.
pub(super) fn ttl(text: &str) -> Result<i64, String> {
    let duration =
        humantime::parse_duration(text).map_err(|_| "want a duration such as 90s or 1h30m".to_owned())?;
    if !duration.is_zero() && duration.as_secs() == 0 {
        return Err(format!("TTL must be at least 1 second (got {text})"));
    }
    whole_seconds(duration)
}

/// Returns a value parser that refuses likely secrets before `parse` reads the text.
pub(super) fn stored<T, E: Display>(
    parse: impl Fn(&str) -> Result<T, E> + Clone + Send + Sync + 'static,
) -> impl Fn(&str) -> Result<Stored<T>, StoredError> + Clone + Send + Sync + 'static {
    move |text| Stored::read(text, &parse)
}

/// Checks whether what is given for an argument is kept: then its parser refuses secrets.
pub(super) fn is_stored(arg: &Arg) -> bool {
    // Shaped like a token of a well-known issuer, so that every parser that looks for secrets finds it.
    let secret = "ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6";
    let alone = Arg::new("value").value_parser(arg.get_value_parser().clone());
    let command = Command::new("ic").no_binary_name(true).arg(alone);
    command.try_get_matches_from([secret]).is_err_and(|err| holds_secret(&err))
}

fn holds_secret(err: &clap::Error) -> bool {
    let source = std::error::Error::source(err);
    source.is_some_and(|source| source.downcast_ref() == Some(&StoredError::Secret))
}

/// Returns the failure of a command line that the parser refuses. The parser does not name the word that is
/// not UTF-8, and its message may repeat a secret.
pub(super) fn refused(err: clap::Error, words: &[OsString]) -> Error {
    if holds_secret(&err) {
        let about = err.get(ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
        let name = about.split(' ').next().unwrap_or_default();
        // An optional word is shown in brackets, and with dots if there may be several.
        let word = name.strip_prefix('[').and_then(|name| name.split(']').next());
        return secret_refused(&word.map_or_else(|| name.to_owned(), |word| format!("<{word}>")));
    }
    let mut flag = None;
    for word in words {
        let shown = word.to_string_lossy();
        let (before, value) = match shown.split_once('=').filter(|(before, _)| before.starts_with("--")) {
            Some((before, value)) => (Some(before.to_owned()), value.to_owned()),
            None => (flag.take(), shown.clone().into_owned()),
        };
        let name = before.as_deref().unwrap_or("a word");
        if word.to_str().is_none() {
            return Error::usage(format!("{name} is not valid UTF-8: {value}"));
        }
        if state::holds_secret(&value) {
            let about = err.get(ContextKind::InvalidArg).map_or_else(|| name.to_owned(), ToString::to_string);
            return Error::usage(format!("{about}: the command line contains a likely secret value"));
        }
        flag = Some(value).filter(|value| value.starts_with("--"));
    }
    err.into()
}

fn secret_refused(argument: &str) -> Error {
    Error::Usage {
        message: format!("{argument} contains a likely secret value"),
        hint: Some("name the variable that holds it: what is stored here is read by many".to_owned()),
    }
}

impl From<clap::Error> for Error {
    fn from(err: clap::Error) -> Self {
        Self::Usage { message: clap_message(&err), hint: clap_hint(&err) }
    }
}

/// Returns the first paragraph of a parser's message, without its prefix.
fn clap_message(err: &clap::Error) -> String {
    let text = err.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let first = text.split("\n\n").next().unwrap_or(text);
    first.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

/// Returns the rest of a parser's message: suggestions and the usage line.
fn clap_hint(err: &clap::Error) -> Option<String> {
    let text = err.render().to_string();
    let rest = text.split("\n\n").skip(1);
    let parts: Vec<String> = rest.map(|part| part.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let parts: Vec<String> =
        parts.into_iter().filter(|part| !part.is_empty() && !part.starts_with("For more")).collect();
    (!parts.is_empty()).then(|| parts.join("; ").trim_start_matches("tip: ").to_owned())
}

/// An argument as it is typed: `--flag`, or `<NAME>` for a word without one.
pub(super) fn typed(arg: &Arg) -> String {
    match (arg.get_long(), arg.get_value_names()) {
        (Some(long), _) => format!("--{long}"),
        (None, Some([name, ..])) => format!("<{name}>"),
        (None, _) => format!("<{}>", arg.get_id().as_str().to_uppercase()),
    }
}

/// Returns text that has to be stored, without the secrets in it.
pub(super) fn redacted(flag: &str, text: &str, cx: &CommandContext) -> String {
    let redacted = secret::redact(text);
    if redacted != text {
        cx.warn(format_args!("{flag} contains a likely secret value: it is kept as [redacted]"));
    }
    redacted.into_owned()
}

/// Checks whether a terminal may be coloured (<https://no-color.org>).
pub(super) fn wants_colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Returns stored text that was given and is not empty.
pub(super) fn given_stored(text: Option<Stored>) -> Option<String> {
    given(text.map(Stored::into_inner))
}

/// Text that was given and is not empty.
pub(super) fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// A run, by id or as the project's current one.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct RunRef {
    /// The run; without one, the project's current run
    pub id: Option<RunId>,
    /// The newest active run of this scope
    #[arg(long, conflicts_with = "id")]
    pub scope: Option<String>,
    /// The project whose current run is meant; ignored if the run is given [default: the working directory]
    #[arg(long, value_name = "DIR")]
    pub project: Option<String>,
}
