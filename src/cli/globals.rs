//! Global flags: `--db`, `--timeout`, `--json`, `--verbose`, `-vv`, accepted anywhere before `--`.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgAction, ValueHint};

use crate::app::Error;

/// Time that a command waits for the write lock unless --timeout is given.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Commands whose `--timeout` is their own, once both words have been seen.
const OWN_TIMEOUT: [[&str; 2]; 3] = [["lock", "acquire"], ["dispatch", "wait"], ["dispatch", "spawn"]];

/// How much goes to stderr besides errors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verbosity {
    /// Errors only.
    Error,
    /// And warnings.
    #[default]
    Warn,
    /// And what happens.
    Info,
    /// And everything else.
    Debug,
}

/// The global flags of a call.
#[derive(Clone, Debug)]
pub(super) struct Globals {
    /// `--db`, as given.
    pub db: Option<PathBuf>,
    /// Busy timeout.
    pub timeout: Duration,
    /// One JSON document instead of text.
    pub json: bool,
    /// How much to say.
    pub verbosity: Verbosity,
}

impl Default for Globals {
    fn default() -> Self {
        let level = std::env::var("IC_LOG_LEVEL").ok();
        let verbosity = match level.as_deref() {
            Some("error") => Verbosity::Error,
            Some("info") => Verbosity::Info,
            Some("debug") => Verbosity::Debug,
            _ => Verbosity::Warn,
        };
        Self { db: None, timeout: TIMEOUT, json: false, verbosity }
    }
}

/// Takes the global flags out of the arguments; what is left are the command's words.
///
/// What follows a first word that is no noun of this program is left as it is: it belongs to an external command.
///
/// # Errors
/// The error together with the flags seen so far, because `--json` decides how the error is shown.
pub(super) fn scan(
    args: Vec<OsString>,
    is_noun: fn(&OsStr) -> bool,
) -> Result<(Globals, Vec<OsString>), (Globals, Error)> {
    // An error is shown as the caller asked, wherever in the line that was.
    let json = args.iter().take_while(|arg| *arg != "--").any(|arg| arg == "--json");
    let mut globals = Globals { json, ..Globals::default() };
    let mut words: Vec<OsString> = Vec::new();
    let mut args = args.into_iter();
    let explicit_level = std::env::var_os("IC_LOG_LEVEL").is_some_and(|level| !level.is_empty());
    while let Some(arg) = args.next() {
        let mut raise = |to| globals.verbosity = if explicit_level { globals.verbosity } else { to };
        match arg.to_str() {
            Some("--") => {
                words.push(arg);
                words.extend(args.by_ref());
            }
            Some("--json") => {}
            Some("--verbose") => raise(Verbosity::Info),
            Some("-vv") => raise(Verbosity::Debug),
            Some(flag) if flag == "--db" || flag.starts_with("--db=") => match value(&arg, "--db", &mut args)
            {
                Ok(path) if path.is_empty() => globals.db = None,
                Ok(path) => globals.db = Some(PathBuf::from(path)),
                Err(err) => return Err((globals, err)),
            },
            Some(flag)
                if (flag == "--timeout" || flag.starts_with("--timeout=")) && !owns_timeout(&words) =>
            {
                let timeout = value(&arg, "--timeout", &mut args).and_then(|text| duration(&text));
                match timeout {
                    Ok(timeout) => globals.timeout = timeout,
                    Err(err) => return Err((globals, err)),
                }
            }
            // The path of `--db` need not be text.
            None if arg.as_encoded_bytes().starts_with(b"--db=") => match value(&arg, "--db", &mut args) {
                Ok(path) => globals.db = Some(PathBuf::from(path)),
                Err(err) => return Err((globals, err)),
            },
            _ => {
                let is_external =
                    words.is_empty() && !arg.as_encoded_bytes().starts_with(b"-") && !is_noun(&arg);
                words.push(arg);
                if is_external {
                    words.extend(args.by_ref());
                }
            }
        }
    }
    Ok((globals, words))
}

/// The global flags as a parser would have them, to be shown: [`scan`] is what takes them.
pub(super) fn described() -> Vec<Arg> {
    let valued = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let plain = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    let flags = vec![
        valued("db", "PATH", "The database, below the working directory").value_hint(ValueHint::FilePath),
        valued("timeout", "DURATION", "How long to wait for other writers [default: 5s]"),
        plain("json", "One JSON document instead of text"),
        plain("verbose", "Say on stderr what happens; -vv says everything"),
    ];
    flags.into_iter().map(|arg| arg.help_heading("Global options")).collect()
}

/// The value of `--flag=value` or `--flag value`.
fn value(arg: &OsStr, flag: &str, rest: &mut impl Iterator<Item = OsString>) -> Result<OsString, Error> {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    match arg.as_bytes().get(flag.len()..) {
        Some([b'=', value @ ..]) => Ok(OsString::from_vec(value.to_vec())),
        _ => rest.next().ok_or_else(|| Error::usage(format!("{flag} needs a value"))),
    }
}

fn duration(text: &OsStr) -> Result<Duration, Error> {
    let shown = text.to_string_lossy();
    humantime::parse_duration(&shown).map_err(|_| {
        Error::usage(format!("invalid timeout: {shown} (want a duration such as 500ms, 5s or 0)"))
    })
}

fn owns_timeout(words: &[OsString]) -> bool {
    OWN_TIMEOUT.iter().any(|[noun, verb]| {
        words.first().is_some_and(|w| w == noun) && words.get(1).is_some_and(|w| w == verb)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> (Globals, Vec<String>) {
        let args = line.split(' ').map(OsString::from).collect();
        let (globals, words) = scan(args, |word| word != "extra").map_err(|(_, err)| err).unwrap();
        (globals, words.into_iter().map(|w| w.into_string().unwrap()).collect())
    }

    /// K-07
    #[test]
    fn globals_are_taken_from_anywhere_before_the_dashes() {
        let (globals, left) = words("run --db x.db create --json --goal=--json --timeout=2s -- --json");
        assert_eq!(left, ["run", "create", "--goal=--json", "--", "--json"]);
        assert_eq!(globals.db, Some(PathBuf::from("x.db")));
        assert_eq!(globals.timeout, Duration::from_secs(2));
        assert!(globals.json);
    }

    #[test]
    fn a_waiting_command_keeps_its_own_timeout() {
        let (globals, left) = words("dispatch wait --timeout=9s x");
        assert_eq!(left, ["dispatch", "wait", "--timeout=9s", "x"]);
        assert_eq!(globals.timeout, TIMEOUT);
        assert_eq!(words("--timeout 0 dispatch wait").0.timeout, Duration::ZERO);
    }

    #[test]
    fn the_words_of_external_commands_are_left_alone() {
        let (globals, left) = words("--timeout=2s extra --timeout=soon --db x run");
        assert_eq!(left, ["extra", "--timeout=soon", "--db", "x", "run"]);
        assert_eq!((globals.timeout, globals.db), (Duration::from_secs(2), None));
    }

    #[test]
    fn bad_values_are_usage_errors() {
        for line in ["--db", "--timeout", "--timeout=-1s", "--timeout=x"] {
            assert!(scan(line.split(' ').map(OsString::from).collect(), |_| true).is_err(), "{line}");
        }
    }
}
