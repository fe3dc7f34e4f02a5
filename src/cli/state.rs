//! `ic state …`: what scripts keep between calls.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::output::View;
use super::verb::Verb;
use super::{Answer, Cx, args};
use crate::app::Error;
use crate::domain::state::{self, Key, MAX_PAYLOAD, PayloadError, Scope};
use crate::domain::text::one_line;
use crate::os::paths;
use crate::store;

/// Store a value under a key and a scope
///
/// The payload comes from stdin or from a file. JSON is stored without the space around it; any other text is stored as it
/// is, byte for byte, unless --strict-json refuses it. Storing a value again replaces its payload and its expiry. Without a
/// scope the scope is `global`.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: echo '{\"step\":3}' | ic state set sprint.checkpoint s42 --ttl=24h")]
pub(super) struct Set {
    /// The key
    key: Key,
    /// The scope, or @FILE
    scope: Option<String>,
    /// A file below the working directory that holds the payload; - for stdin, whatever the scope looks like
    #[arg(value_name = "@FILE")]
    file: Option<String>,
    /// How long the value is kept, at least a second; 0 for ever
    #[arg(long, value_name = "DURATION", value_parser = args::ttl)]
    ttl: Option<i64>,
    /// Store the text as it is, also if it is JSON
    #[arg(long)]
    raw: bool,
    /// Refuse text that is not JSON
    #[arg(long)]
    strict_json: bool,
}

impl Verb for Set {
    const KEPT: &'static [&'static str] = &["key", "scope"];

    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        if self.raw && self.strict_json {
            return Err(Error::usage("state set: want --raw or --strict-json, not both"));
        }
        // A second word that starts with @ is the file, and the scope is `global`.
        let (scope, file) = match (self.scope, self.file) {
            (Some(word), None) if word.starts_with('@') => (None, Some(word)),
            other => other,
        };
        let scope = scope
            .map_or(Ok(Scope::global()), |scope| scope.parse())
            .map_err(|err| Error::usage(format!("state set: scope {err}")))?;
        let payload = match file {
            None => from_stdin()?,
            Some(word) if word == "-" => from_stdin()?,
            Some(word) => match word.strip_prefix('@') {
                Some(path) if !path.is_empty() => from_file(Path::new(path))?,
                _ => {
                    return Err(Error::usage(format!(
                        "state set: expected @FILE or -, got {}",
                        one_line(&word)
                    )));
                }
            },
        };
        let payload =
            String::from_utf8(payload).map_err(|_| Error::Input("state set: payload is not UTF-8".into()))?;
        let (payload, checked) = if self.raw {
            (payload.as_str(), state::check_raw(&payload))
        } else {
            match state::check_json(payload.trim()) {
                Err(PayloadError::NotJson) if !self.strict_json && !payload.trim().is_empty() => {
                    (payload.as_str(), state::check_text(&payload))
                }
                checked => (payload.trim(), checked),
            }
        };
        checked.map_err(|err| Error::Input(format!("state set: {err}")))?;
        let (clock, ttl) = (cx.clock(), self.ttl.filter(|secs| *secs > 0));
        let expires_at = cx.write(|tx| store::state::set(tx, &self.key, &scope, payload, ttl, &clock()))?;
        cx.out.show(&Stored { status: "stored", expires_at })?;
        Ok(Answer::Yes)
    }
}

/// Reads at most a little more than may be stored: the check says the rest.
fn limited(source: impl Read, what: &str) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let most = u64::try_from(MAX_PAYLOAD).unwrap_or(u64::MAX).saturating_mul(2);
    let read = source.take(most).read_to_end(&mut bytes);
    read.map_err(|source| Error::File { what: "reading", path: PathBuf::from(what), source })?;
    Ok(bytes)
}

fn from_stdin() -> Result<Vec<u8>, Error> {
    limited(io::stdin().lock(), "stdin")
}

/// Reads a file that lies below the working directory, also once symlinks are followed.
fn from_file(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::File { what: "reading", path: path.to_owned(), source };
    let cwd = paths::canonical_key(&crate::app::locate::cwd()?);
    let real = path.canonicalize().map_err(failed)?;
    if !real.starts_with(&cwd) {
        return Err(Error::Input(format!(
            "state set: file path must be under current directory: {}",
            path.display()
        )));
    }
    limited(std::fs::File::open(&real).map_err(failed)?, &path.display().to_string())
}

#[derive(Serialize)]
struct Stored {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

impl View for Stored {
    fn human(&self, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug, clap::Args)]
struct Place {
    /// The key
    key: Key,
    /// The scope [default: global]
    scope: Option<Scope>,
}

impl Place {
    fn split(self) -> (Key, Scope) {
        (self.key, self.scope.unwrap_or_else(Scope::global))
    }
}

/// Print a value
///
/// Without one, or once it has expired, the exit code is 1 and nothing is printed.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: step=$(ic state get sprint.checkpoint s42) || step='{}'")]
pub(super) struct Get {
    #[command(flatten)]
    place: Place,
}

impl Verb for Get {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let (key, scope) = self.place.split();
        let stamp = cx.stamp.clone();
        let Some(payload) = cx.read(|tx| store::state::get(tx, &key, &scope, &stamp))? else {
            return Ok(Answer::No);
        };
        // Text that is no JSON is shown as a JSON string where JSON is wanted.
        if cx.out.is_json() && serde_json::from_str::<serde::de::IgnoredAny>(&payload).is_err() {
            cx.out.document(&Value::from(payload))?;
        } else {
            // Text that ends its last line itself comes back as it was.
            let end = if payload.ends_with('\n') { "" } else { "\n" };
            cx.out.raw(format!("{payload}{end}").as_bytes())?;
        }
        Ok(Answer::Yes)
    }
}

/// Remove a value
///
/// With --all the key's values of every scope, in one step; a line for each.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic state delete sprint.checkpoint s42")]
pub(super) struct Delete {
    #[command(flatten)]
    place: Place,
    /// In every scope
    #[arg(long)]
    all: bool,
}

impl Verb for Delete {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        if self.all && self.place.scope.is_some() {
            return Err(Error::usage("state delete: want a scope or --all, not both"));
        }
        let all = self.all;
        let (key, scope) = self.place.split();
        if all {
            let deleted = cx.write(|tx| store::state::delete_all(tx, &key))?;
            cx.out.show(&DeletedAll { deleted })?;
        } else {
            let deleted = cx.write(|tx| store::state::delete(tx, &key, &scope))?;
            cx.out.show(&Deleted { deleted })?;
        }
        Ok(Answer::Yes)
    }
}

#[derive(Serialize)]
struct DeletedAll {
    deleted: usize,
}

impl View for DeletedAll {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        (0..self.deleted).try_for_each(|_| writeln!(w, "deleted"))
    }
}

#[derive(Serialize)]
struct Deleted {
    deleted: bool,
}

impl View for Deleted {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{}", if self.deleted { "deleted" } else { "not found" })
    }
}

/// List the scopes that have a value of a key
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic state list sprint.checkpoint")]
pub(super) struct List {
    /// The key
    key: Key,
}

impl Verb for List {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let stamp = cx.stamp.clone();
        let scopes = cx.read(|tx| store::state::scopes(tx, &self.key, &stamp))?;
        cx.out.show(&Scopes(scopes))?;
        Ok(Answer::Yes)
    }
}

#[derive(Serialize)]
struct Scopes(Vec<String>);

impl View for Scopes {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        self.0.iter().try_for_each(|scope| writeln!(w, "{}", one_line(scope)))
    }
}

/// Remove values that have expired
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic state prune")]
pub(super) struct Prune {}

impl Verb for Prune {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let stamp = cx.stamp.clone();
        let pruned = cx.write(|tx| store::state::prune(tx, &stamp))?;
        cx.out.show(&Pruned { pruned })?;
        Ok(Answer::Yes)
    }
}

/// How many rows were removed.
#[derive(Serialize)]
pub(super) struct Pruned {
    pub pruned: usize,
}

impl View for Pruned {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{} pruned", self.pruned)
    }
}
