//! Commands that only read: whatever is recorded of them, they change no row and append no event.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};

use super::{NAMES, leaf_of, recorded, recording, tape};
use crate::support::Sandbox;

static READERS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    intercore::cli::readers().into_iter().filter_map(|(command, reads)| reads.then_some(command)).collect()
});

/// The rows of every table, and of the schema.
pub type Content = BTreeMap<String, Vec<String>>;

/// Checks whether the line calls a command that only reads.
pub fn is_read(line: &str) -> bool {
    leaf_of(line).is_some_and(|leaf| READERS.contains(&leaf))
}

/// Returns the rows of every table of a database; `None` if there is none, or it cannot be read.
pub fn content(db: &Path) -> Option<Content> {
    if !db.is_file() {
        return None;
    }
    // The same flags as for the masks: what an observer leaves behind is the same with and without it.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(db, flags).ok()?;
    let rows = |sql: &str| -> rusqlite::Result<Vec<String>> {
        let mut statement = conn.prepare(sql)?;
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            let cells: Vec<Value> = (0..columns).map(|n| row.get(n)).collect::<Result<_, _>>()?;
            Ok(format!("{cells:?}"))
        })?;
        let mut rows: Vec<String> = rows.collect::<Result<_, _>>()?;
        rows.sort();
        Ok(rows)
    };
    let mut content = BTreeMap::new();
    for pragma in
        ["PRAGMA user_version", "PRAGMA application_id", "SELECT type, name, sql FROM sqlite_schema"]
    {
        content.insert(pragma.to_owned(), rows(pragma).ok()?);
    }
    let mut statement = conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").ok()?;
    let tables: Vec<String> =
        statement.query_map([], |row| row.get(0)).ok()?.collect::<Result<_, _>>().ok()?;
    for table in tables {
        let found = rows(&format!("SELECT * FROM \"{table}\"")).ok()?;
        content.insert(table, found);
    }
    Some(content)
}

/// Fails naming the tables that differ.
pub fn assert_same(line: &str, before: Option<&Content>, after: Option<&Content>) {
    if before == after {
        return;
    }
    let empty = Content::new();
    let (old, new) = (before.unwrap_or(&empty), after.unwrap_or(&empty));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let changed: Vec<_> = names
        .into_iter()
        .filter(|name| old.get(*name) != new.get(*name))
        .map(|name| (name, old.get(name), new.get(name)))
        .collect();
    panic!("`ic {line}` is declared to read only, and changed {changed:#?}");
}

/// K-22: every command that only reads is recorded, and every recorded call of it is checked to change nothing while it is
/// played (`Tape::checked`).
#[test]
fn commands_that_read_are_recorded_and_change_nothing() {
    if recording() {
        return;
    }
    assert!(READERS.contains("ic config get") && !READERS.contains("ic config set"), "{READERS:?}");
    let calls: BTreeSet<String> = recorded(true).iter().filter_map(|(words, _)| leaf_of(words)).collect();
    let missing: Vec<_> = READERS.iter().filter(|reader| !calls.contains(*reader)).collect();
    assert!(missing.is_empty(), "in none of {NAMES:?}: {missing:?}");
    let mut tape = tape::Tape::new(true);
    tape.stage("what is read is not changed");
    super::small::config(&mut tape);
    super::base::start(&mut tape);
}

/// A change is noticed: otherwise the check above would hold whatever the commands do.
#[test]
fn a_change_by_a_command_that_reads_would_be_noticed() {
    let sandbox = Sandbox::new();
    let before = content(&sandbox.db_path()).unwrap();
    sandbox.ok(["health"]);
    assert_same("health", Some(&before), content(&sandbox.db_path()).as_ref());
    sandbox.ok(["config", "set", "mine", "1"]);
    let after = content(&sandbox.db_path()).unwrap();
    assert_ne!(before["state"], after["state"]);
    let noticed = std::panic::catch_unwind(|| assert_same("x", Some(&before), Some(&after)));
    assert!(noticed.is_err());
}
