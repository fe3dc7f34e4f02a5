//! `ic lock …`: locks made of directories, which need no database.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::error::CliError;
use super::output::View;
use super::verb::Verb;
use super::{Answer, Cx, args};
use crate::domain::lock::{Name, age};
use crate::domain::state::Scope;
use crate::domain::text::one_line;
use crate::os::filelock::{Held, Owner, Record, Released, Root, Taken};

/// Where the locks are unless `INTERCORE_LOCK_DIR` says otherwise.
const ROOT: &str = "/tmp/intercore/locks";

fn root() -> PathBuf {
    std::env::var_os("INTERCORE_LOCK_DIR")
        .filter(|dir| !dir.is_empty())
        .map_or_else(|| PathBuf::from(ROOT), PathBuf::from)
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CliError {
    move |source| CliError::File { what, path: path.to_owned(), source }
}

#[derive(Debug, clap::Args)]
struct Place {
    /// What is locked
    name: Name,
    /// For whom
    scope: Name,
    /// Who holds it: PID:HOST for that process, or a word of your own [default: the calling process]
    #[arg(long)]
    owner: Option<Scope>,
}

impl Place {
    fn owner(&self) -> Owner {
        Owner::new(self.owner.as_ref().map(Scope::as_str))
    }

    fn key(&self) -> (&str, &str) {
        (self.name.as_str(), self.scope.as_str())
    }

    fn path(&self) -> PathBuf {
        Root::new(root()).place(self.name.as_str(), self.scope.as_str())
    }

    fn shown(&self, status: &'static str, record: Option<Record>, told: bool) -> Shown {
        let (name, scope) = (self.name.to_string(), self.scope.to_string());
        Shown { status, name, scope, holder: record, told }
    }
}

/// Take a lock
///
/// Waits up to --timeout for it; if another owner still holds it then, the exit code is 1. The lock belongs
/// to the calling process: once that has ended, and the lock is five seconds old, others may take it. A
/// process of another machine, or of a container with pids of its own, never counts as ended; --ttl bounds
/// the time in any case.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic lock acquire deploy \"$project\" --timeout=10s || exit 1")]
pub(super) struct Acquire {
    #[command(flatten)]
    place: Place,
    /// How long to wait for it
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = wait)]
    timeout: Duration,
    /// How long the lock lasts at most; 0 for as long as its owner lives
    #[arg(long, value_name = "DURATION", value_parser = args::ttl)]
    ttl: Option<i64>,
}

fn wait(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "want a duration such as 500ms, 10s or 0".to_owned())
}

impl Verb for Acquire {
    fn run(self, cx: &mut Cx) -> Result<Answer, CliError> {
        let (place, ttl) = (&self.place, self.ttl.filter(|secs| *secs > 0));
        let taken = Root::new(root())
            .acquire(place.key(), &place.owner(), ttl, cx.stamp.millis(), self.timeout)
            .map_err(failed("taking the lock", &place.path()))?;
        match taken {
            Taken::Yes(record) => {
                cx.out.show(&place.shown("acquired", Some(record), cx.out.is_verbose()))?;
                Ok(Answer::Yes)
            }
            Taken::No(holder) => {
                let who = holder.as_ref().map_or("nobody knows whom", |holder| &holder.owner);
                cx.out.info(format_args!("lock acquire: timed out; held by {}", one_line(who)));
                cx.out.show(&place.shown("timed_out", holder, false))?;
                Ok(Answer::No)
            }
        }
    }
}

/// Release a lock
///
/// Without --owner it has to be the calling process's. If nobody holds it, or somebody else does, the exit code is 1 and
/// nothing changes.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic lock release deploy \"$project\"")]
pub(super) struct Release {
    #[command(flatten)]
    place: Place,
}

impl Verb for Release {
    fn run(self, cx: &mut Cx) -> Result<Answer, CliError> {
        let place = &self.place;
        let released = Root::new(root())
            .release(place.key(), &place.owner())
            .map_err(failed("releasing the lock", &place.path()))?;
        let (answer, shown) = match released {
            Released::Yes => (Answer::Yes, place.shown("released", None, cx.out.is_verbose())),
            Released::NotHeld => {
                cx.out.info("lock release: not found");
                (Answer::No, place.shown("not_found", None, false))
            }
            Released::NotOwner(holder) => {
                let who = holder.as_ref().map_or("nobody knows whom", |holder| &holder.owner);
                cx.out.info(format_args!("lock release: not owner; held by {}", one_line(who)));
                (Answer::No, place.shown("not_owner", holder, false))
            }
        };
        cx.out.show(&shown)?;
        Ok(answer)
    }
}

/// What became of a lock. In text it is said only on request.
struct Shown {
    status: &'static str,
    name: String,
    scope: String,
    holder: Option<Record>,
    told: bool,
}

impl Serialize for Shown {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = Map::new();
        map.insert("status".to_owned(), self.status.into());
        map.insert("name".to_owned(), self.name.as_str().into());
        map.insert("scope".to_owned(), self.scope.as_str().into());
        if let Some(holder) = &self.holder {
            map.extend(members(holder));
        }
        map.serialize(serializer)
    }
}

/// What is shown of a holder: what tells processes apart stays in the file.
fn members(record: &Record) -> Map<String, Value> {
    let mut map = Map::new();
    map.insert("owner".to_owned(), record.owner.as_str().into());
    map.insert("pid".to_owned(), record.pid.into());
    map.insert("host".to_owned(), record.host.as_str().into());
    map.insert("created".to_owned(), record.created.into());
    if let Some(ttl) = record.ttl {
        map.insert("expires_at".to_owned(), record.created.saturating_add(ttl).into());
    }
    map
}

impl View for Shown {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        if !self.told {
            return Ok(());
        }
        writeln!(w, "{} {}/{}", self.status, one_line(&self.name), one_line(&self.scope))
    }
}

/// List the locks that are held
///
/// A line for each: name, scope, owner and age, separated by tabs; owner and age are empty where the lock does not say whose
/// it is.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic lock list")]
pub(super) struct List {}

impl Verb for List {
    fn run(self, cx: &mut Cx) -> Result<Answer, CliError> {
        show(cx, 0)
    }
}

/// List the locks that have been held for long
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic lock stale --older-than=10m")]
pub(super) struct Stale {
    /// For how long
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = args::duration_seconds)]
    older_than: i64,
}

impl Verb for Stale {
    fn run(self, cx: &mut Cx) -> Result<Answer, CliError> {
        show(cx, self.older_than)
    }
}

fn show(cx: &Cx, older_than: i64) -> Result<Answer, CliError> {
    let (root, now) = (root(), cx.stamp.secs());
    let mut held = Root::new(&root).list().map_err(failed("listing the locks in", &root))?;
    held.retain(|held| held.age(now) >= older_than);
    cx.out.show(&Locks { held, now })?;
    Ok(Answer::Yes)
}

struct Locks {
    held: Vec<Held>,
    now: i64,
}

impl Serialize for Locks {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let one = |held: &Held| {
            let mut map = Map::new();
            map.insert("name".to_owned(), held.name.as_str().into());
            map.insert("scope".to_owned(), held.scope.as_str().into());
            map.insert("age_seconds".to_owned(), held.age(self.now).into());
            match &held.record {
                Some(record) => {
                    map.extend(members(record));
                    map.insert("stale".to_owned(), record.is_stale(self.now).into());
                }
                None => {
                    map.insert("owner".to_owned(), json!(null));
                }
            }
            map
        };
        self.held.iter().map(one).collect::<Vec<_>>().serialize(serializer)
    }
}

impl View for Locks {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        self.held.iter().try_for_each(|held| {
            let (name, scope) = (one_line(&held.name), one_line(&held.scope));
            match &held.record {
                None => writeln!(w, "{name}\t{scope}\t\t"),
                Some(record) => {
                    writeln!(w, "{name}\t{scope}\t{}\t{}", one_line(&record.owner), age(held.age(self.now)))
                }
            }
        })
    }
}

/// Remove locks whose owner is gone
///
/// Also those that do not name an owner, once they are old enough. What a process of another machine holds
/// stays, and so does what one of a container with pids of its own holds: clean those up there.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic lock clean --older-than=1m")]
pub(super) struct Clean {
    /// How old a lock has to be
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = args::duration_seconds)]
    older_than: i64,
}

impl Verb for Clean {
    fn run(self, cx: &mut Cx) -> Result<Answer, CliError> {
        let root = root();
        let cleaned = Root::new(&root)
            .clean(self.older_than, cx.stamp.secs())
            .map_err(failed("cleaning the locks in", &root))?;
        cx.out.show(&Cleaned { cleaned })?;
        Ok(Answer::Yes)
    }
}

#[derive(Serialize)]
struct Cleaned {
    cleaned: usize,
}

impl View for Cleaned {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{} cleaned", self.cleaned)
    }
}
