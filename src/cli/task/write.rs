//! Several files that change together or not at all.
//!
//! Outside the write transaction: the intent, the new contents beside the files, all waiting. Inside it, once: whether
//! anybody died at it, whether the files are still what was read, the renames, a look at the result. No lock is held on any
//! of the files; the write lock of the database keeps their writers apart for these few milliseconds, and is gone with a
//! process that dies.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::place::{Directory, Held, Place};
use super::probe;
use crate::cli::Cx;
use crate::cli::error::CliError;
use crate::db::{DbError, WriteTx};
use crate::domain::process::ProcessKey;
use crate::domain::task::change::Change;
use crate::domain::task::request::Request;
use crate::ops::OpsError;
use crate::os::process::{Identity, Liveness};
use crate::os::{process, swap};
use crate::store::StoreError;
use crate::store::intent::{self, Intent};

/// The kind of the intents.
pub(super) const KIND: &str = "task";

/// How long somebody sleeps for each one ahead, before looking again.
const PER_PLACE: Duration = Duration::from_millis(3);
const LONGEST_NAP: Duration = Duration::from_millis(60);

/// A file with its content before and after.
#[derive(Clone, Debug)]
pub(super) struct File {
    /// Which.
    pub place: Place,
    /// What was read.
    pub old: String,
    /// What is to be there.
    pub new: String,
}

/// What the intent says of a file: enough to see whether it was changed.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub shown: String,
    pub path: PathBuf,
    pub old: String,
    pub new: String,
}

/// What the intent says: the change, and what it does to which files.
#[derive(Clone, Debug)]
pub(super) struct Detail {
    pub request: Request,
    pub from: String,
    pub to: String,
    pub plan: Option<String>,
    pub files: Vec<Mark>,
}

impl Detail {
    fn to_json(&self) -> String {
        let file = |mark: &Mark| json!([mark.shown, mark.path.to_string_lossy(), mark.old, mark.new]);
        let files: Vec<Value> = self.files.iter().map(file).collect();
        let Self { from, to, plan, .. } = self;
        json!({ "request": self.request.to_json(), "from": from, "to": to, "plan": plan, "files": files })
            .to_string()
    }

    /// Reads what is in an intent.
    pub(super) fn read(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let word = |value: &Value| value.as_str().map(ToOwned::to_owned);
        let file = |file: &Value| {
            Some(Mark {
                shown: word(&file[0])?,
                path: PathBuf::from(word(&file[1])?),
                old: word(&file[2])?,
                new: word(&file[3])?,
            })
        };
        Some(Self {
            request: Request::from_json(&value["request"])?,
            from: word(&value["from"])?,
            to: word(&value["to"])?,
            plan: word(&value["plan"]),
            files: value["files"].as_array()?.iter().map(file).collect::<Option<_>>()?,
        })
    }
}

/// Why the files were not changed.
pub(super) enum Failed {
    /// A file could not be written; those before it are as they were. It may be tried again.
    Write(String),
    /// As `Write`, but those before it could not be put back: the next attempt, or the next call, has to finish it.
    Split(String),
    /// The database, or something else that is not tried again.
    Other(CliError),
}

impl From<CliError> for Failed {
    fn from(err: CliError) -> Self {
        Self::Other(err)
    }
}

impl From<DbError> for Failed {
    fn from(err: DbError) -> Self {
        Self::Other(err.into())
    }
}

impl From<StoreError> for Failed {
    fn from(err: StoreError) -> Self {
        Self::Other(err.into())
    }
}

impl From<OpsError> for Failed {
    fn from(err: OpsError) -> Self {
        Self::Other(err.into())
    }
}

/// What a file's content is known by.
pub(super) fn digest(content: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(content) {
        let _ = write!(text, "{byte:02x}"); // writing to a `String` cannot fail
    }
    text
}

/// The files that a change changes, in the order in which they do.
pub(super) fn files(place: &Directory, plan: Option<&Place>, held: &Held, made: &Change) -> Vec<File> {
    let mut out = Vec::new();
    let mut add = |place: Place, old: &str, new: &str| {
        if old != new {
            out.push(File { place, old: old.to_owned(), new: new.to_owned() });
        }
    };
    add(place.state(), &held.state, &made.state);
    add(place.todo(), &held.todo, &made.todo);
    if let (Some(place), Some(old), Some(new)) = (plan, &held.plan, &made.plan) {
        add(place.clone(), old, new);
    }
    out
}

/// A change that is under way, as others see it.
pub(super) struct Work {
    intent: Intent,
}

impl Work {
    /// Writes down what is about to be done, before anything is.
    pub(super) fn begin(cx: &mut Cx, place: &Directory, detail: &Detail) -> Result<Self, CliError> {
        let process = process::myself().map_err(|err| CliError::Unexpected(err.into()))?;
        let (resource, stamp) = (place.resource(), cx.stamp.clone());
        let (detail, process) = (detail.to_json(), ProcessKey::from(process));
        let intent = cx.write(|tx| intent::begin(tx, KIND, &resource, &detail, &process, &stamp))?;
        Ok(Self { intent })
    }

    /// Work that somebody else began.
    pub(super) fn of(intent: Intent) -> Self {
        Self { intent }
    }

    /// Writes down what is to be done instead, because the files are not what they were.
    pub(super) fn change(&self, cx: &mut Cx, detail: &Detail) -> Result<(), CliError> {
        let detail = detail.to_json();
        cx.write(|tx| intent::update(tx, &self.intent.id, &detail))?;
        Ok(())
    }

    /// The mark of its temporary files.
    pub(super) fn mark(&self) -> &str {
        self.intent.id.as_str()
    }

    /// Ends it, in the transaction that tells of the outcome.
    pub(super) fn settle(&self, tx: &WriteTx<'_>) -> Result<(), StoreError> {
        intent::settle(tx, &self.intent.id)?;
        Ok(())
    }

    /// Lets those go first who came first and live: a change that is worked out while others are at it has to be worked out
    /// again. Who comes no further for as long as `longest` is not waited for any more: nothing depends on the turns. `true` if
    /// there was anybody: the files are not what they were then.
    pub(super) fn await_turn(&self, cx: &mut Cx, longest: Duration) -> Result<bool, CliError> {
        let (mut stuck, mut first, mut since) = (Vec::new(), None, Instant::now());
        loop {
            let others = cx.read(|tx| intent::on(tx, KIND, &self.intent.resource))?;
            let before = others.iter().take_while(|other| other.id != self.intent.id);
            let ahead: Vec<&Intent> = before.filter(|other| !stuck.contains(&other.id)).collect();
            let Some(next) = ahead.iter().find(|other| is_alive(&other.process)) else {
                return Ok(first.is_some());
            };
            if first.as_ref() != Some(&next.id) {
                (first, since) = (Some(next.id.clone()), Instant::now());
            } else if since.elapsed() > longest {
                stuck.push(next.id.clone());
            }
            // Those at the back have time.
            let places = u32::try_from(ahead.len()).unwrap_or(u32::MAX);
            thread::sleep(PER_PLACE.saturating_mul(places).min(LONGEST_NAP));
        }
    }

    /// Gives up: nothing was changed. The temporary files go first, because the intent is what they are known by.
    pub(super) fn abandon(self, cx: &mut Cx, files: &[File]) -> Result<(), CliError> {
        self.discard(files);
        cx.write(|tx| intent::settle(tx, &self.intent.id))?;
        Ok(())
    }

    /// Removes what was prepared.
    pub(super) fn discard(&self, files: &[File]) {
        for file in files {
            let _ = swap::discard(&self.temp(file)); // what cannot be removed now is by the next call
        }
    }

    /// Writes the new contents beside the files.
    pub(super) fn prepare(&self, files: &[File]) -> Result<(), String> {
        for file in files {
            let written = probe::pass("temp")
                .and_then(|()| swap::prepare(&self.temp(file), file.new.as_bytes(), &file.place.path));
            if let Err(err) = written {
                self.discard(files);
                return Err(format!("{} could not be written: {err}", file.place.shown));
            }
        }
        Ok(())
    }

    /// Puts the new contents in their places. Where that fails, those that are there already are taken back, as far as
    /// nobody has changed them meanwhile.
    pub(super) fn rename(&self, files: &[File], renamed: &mut usize) -> Result<(), Failed> {
        for file in files {
            let done = probe::pass("rename")
                .and_then(|()| swap::replace(&self.temp(file), &file.place.path))
                .map_err(|err| format!("{} could not be replaced: {err}", file.place.shown));
            if let Err(message) = done {
                let restored = self.restore(&files[..*renamed]);
                *renamed = 0;
                self.discard(files);
                return Err(match restored {
                    Ok(()) => Failed::Write(message),
                    Err(err) => Failed::Split(format!("{message}; {err}")),
                });
            }
            *renamed += 1;
            let _ = probe::pass("renamed");
        }
        let mut files: Vec<&File> = files.iter().collect();
        files.dedup_by_key(|file| file.place.path.parent().map(ToOwned::to_owned));
        for file in files {
            let synced = swap::sync_directory(&file.place.path);
            synced.map_err(|err| CliError::File {
                what: "making durable",
                path: file.place.path.clone(),
                source: err,
            })?;
        }
        Ok(())
    }

    /// Puts the old contents back, from memory, where the new ones still are.
    pub(super) fn restore(&self, files: &[File]) -> Result<(), String> {
        let mut failed = Ok(());
        for file in files.iter().rev() {
            let path = &file.place.path;
            let ours = swap::read(path).is_ok_and(|content| content == file.new.as_bytes());
            let temp = self.temp(file);
            let back = || {
                probe::pass("restore")?;
                swap::prepare(&temp, file.old.as_bytes(), path)?;
                swap::replace(&temp, path)
            };
            if ours && let Err(err) = back() {
                failed = Err(format!("{} could not be put back: {err}", file.place.shown));
            }
        }
        failed
    }

    fn temp(&self, file: &File) -> PathBuf {
        swap::beside(&file.place.path, self.mark())
    }
}

/// Returns whether a process is known to be at work.
fn is_alive(process: &ProcessKey) -> bool {
    Identity::recorded(process).is_some_and(|process| process.liveness() == Liveness::Alive)
}

/// Returns whether a process will not go on with what it began. One that cannot be judged from here may.
pub(super) fn is_dead(process: &ProcessKey) -> bool {
    Identity::recorded(process).is_none_or(|process| process.liveness() == Liveness::Gone)
}
