//! `ic compat …`: what older hooks left in `/tmp`, and what the database has of it by now.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use serde_json::json;

use super::output::View;
use super::verb::Verb;
use super::{Answer, Cx};
use crate::app::Error;
use crate::domain::state::Key;
use crate::domain::text::one_line;
use crate::store;

/// Where the older hooks kept their files.
const DIR: &str = "/tmp";

/// A key with the beginning and the ending of its files' names.
const LEGACY: [(&str, &str, &str); 8] = [
    ("dispatch", "clavain-dispatch-", ".json"),
    ("stop", "clavain-stop-", ""),
    ("compound_throttle", "clavain-compound-last-", ""),
    ("drift_throttle", "clavain-drift-last-", ""),
    ("handoff", "clavain-handoff-", ""),
    ("autopub", "clavain-autopub", ".lock"),
    ("catalog_remind", "clavain-catalog-remind-", ".lock"),
    ("discovery_brief", "clavain-discovery-brief-", ".cache"),
];

/// Show which files of older hooks are still there, and which of their keys the database has
///
/// The last column is n/a where there is no database.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic compat status")]
pub(super) struct Status {}

impl Verb for Status {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let files = files(Path::new(DIR));
        let database = cx.existing().is_ok();
        let mut rows = Vec::new();
        for (key, start, end) in LEGACY {
            let legacy = files.iter().any(|file| is_of(file, start, end));
            // Shown whatever state the database is in: a failure is as good as none.
            let known = database.then(|| scopes(cx, key).ok()).flatten().map(|scopes| scopes > 0);
            rows.push(Row { key, legacy, db: known });
        }
        cx.out.show(&Rows(rows))?;
        Ok(Answer::Yes)
    }
}

/// The names of the files in a directory; none if it cannot be read.
fn files(dir: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
}

/// Whether a file's name begins and ends like that, with neither part counted twice.
fn is_of(file: &str, start: &str, end: &str) -> bool {
    file.strip_prefix(start).is_some_and(|rest| rest.ends_with(end))
}

/// How many scopes have a value of a key.
fn scopes(cx: &mut Cx, key: &str) -> Result<usize, Error> {
    // What cannot be a key has no values.
    let key = key.parse::<Key>().ok();
    let stamp = cx.stamp.clone();
    let found = cx.read(|tx| key.map_or(Ok(Vec::new()), |key| store::state::scopes(tx, &key, &stamp)))?;
    Ok(found.len())
}

#[derive(Serialize)]
struct Row {
    key: &'static str,
    legacy: bool,
    db: Option<bool>,
}

#[derive(Serialize)]
struct Rows(Vec<Row>);

impl View for Rows {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        let word = |yes| if yes { "yes" } else { "no" };
        writeln!(w, "KEY\t\t\tLEGACY\tDB")?;
        self.0.iter().try_for_each(|row| {
            writeln!(w, "{:<20}\t{}\t{}", row.key, word(row.legacy), row.db.map_or("n/a", word))
        })
    }
}

/// Ask whether the database has a key
///
/// If it has no value that is still kept, the exit code is 1.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic compat check dispatch && rm -f /tmp/clavain-dispatch-*.json")]
pub(super) struct Check {
    /// The key
    key: String,
}

impl Verb for Check {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let scopes = scopes(cx, &self.key)?;
        cx.out.show(&Found { key: self.key, scopes })?;
        Ok(if scopes > 0 { Answer::Yes } else { Answer::No })
    }
}

struct Found {
    key: String,
    scopes: usize,
}

impl Serialize for Found {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        json!({ "key": self.key, "scopes": self.scopes }).serialize(serializer)
    }
}

impl View for Found {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        let key = one_line(&self.key);
        match self.scopes {
            0 => writeln!(w, "{key}: not in DB"),
            n => writeln!(w, "{key}: {n} scope(s) in DB"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_by_both_ends() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["clavain-dispatch-1.json", "clavain-autopub.lock", "clavain-stop-"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let found = files(dir.path());
        let with = |key: &str| {
            let (_, start, end) = LEGACY.into_iter().find(|(known, ..)| *known == key).unwrap();
            found.iter().any(|file| is_of(file, start, end))
        };
        assert!(with("dispatch") && with("autopub") && with("stop"));
        assert!(!with("handoff") && !with("catalog_remind"));
        assert!(!is_of("clavain-dispatch-1.txt", "clavain-dispatch-", ".json"));
        assert!(files(&dir.path().join("none")).is_empty());
    }
}
