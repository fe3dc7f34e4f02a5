//! Files that older hooks left in `/tmp`, and their keys in the database.

use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Code, CommandContext, Error, Reply};
use crate::domain::state::Key;
use crate::store;

/// The directory of the older hooks' files.
const DIRECTORY: &str = "/tmp";

/// Keys with the prefix and the suffix of their files' names.
const LEGACY_FILES: [(&str, &str, &str); 8] = [
    ("dispatch", "clavain-dispatch-", ".json"),
    ("stop", "clavain-stop-", ""),
    ("compound_throttle", "clavain-compound-last-", ""),
    ("drift_throttle", "clavain-drift-last-", ""),
    ("handoff", "clavain-handoff-", ""),
    ("autopub", "clavain-autopub", ".lock"),
    ("catalog_remind", "clavain-catalog-remind-", ".lock"),
    ("discovery_brief", "clavain-discovery-brief-", ".cache"),
];

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct KeyStatus {
    pub key: &'static str,
    /// Whether a file of the older hooks exists.
    pub legacy: bool,
    /// Whether the database has a value. Null if the database cannot be read.
    pub db: Option<bool>,
}

/// The keys of the older hooks in a fixed order.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct KeyStatuses(pub Vec<KeyStatus>);

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct KeyCheck {
    pub key: String,
    /// The number of scopes in which the key has a value.
    pub scopes: usize,
}

/// Returns which files of older hooks exist, and which of their keys the database has. The state of the
/// database is no error.
#[expect(clippy::unnecessary_wraps, reason = "every command returns a result")]
pub(crate) fn status(cx: &mut CommandContext) -> Result<Reply<KeyStatuses>, Error> {
    let files = file_names(Path::new(DIRECTORY));
    let has_database = cx.existing().is_ok();
    let statuses = LEGACY_FILES.map(|(key, prefix, suffix)| {
        let legacy = files.iter().any(|file| is_legacy_file(file, prefix, suffix));
        let scopes = has_database.then(|| count_scopes(cx, key).ok()).flatten();
        KeyStatus { key, legacy, db: scopes.map(|scopes| scopes > 0) }
    });
    Ok(Reply::yes(KeyStatuses(statuses.into())))
}

/// Counts the scopes in which the database has a value of a key; the negative if there are none.
///
/// # Errors
/// [`Error::Ops`] if the database cannot be read.
pub(crate) fn check(cx: &mut CommandContext, key: String) -> Result<Reply<KeyCheck>, Error> {
    let scopes = count_scopes(cx, &key)?;
    Ok(Reply::of(KeyCheck { key, scopes }, scopes > 0, Code::StateNotFound))
}

/// Returns the names of the files in a directory; none if it cannot be read.
fn file_names(directory: &Path) -> Vec<String> {
    let Ok(entries) = directory.read_dir() else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
}

/// Checks whether a name has a prefix and a suffix that do not overlap.
fn is_legacy_file(file: &str, prefix: &str, suffix: &str) -> bool {
    file.strip_prefix(prefix).is_some_and(|rest| rest.ends_with(suffix))
}

fn count_scopes(cx: &mut CommandContext, key: &str) -> Result<usize, Error> {
    // Text that is not a valid key has no values.
    let key = key.parse::<Key>().ok();
    let stamp = cx.stamp.clone();
    let scopes = cx.read(|tx| key.map_or(Ok(Vec::new()), |key| store::state::scopes(tx, &key, &stamp)))?;
    Ok(scopes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_recognised_by_prefix_and_suffix() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["clavain-dispatch-1.json", "clavain-autopub.lock", "clavain-stop-"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let files = file_names(dir.path());
        let has_file = |key: &str| {
            let (_, prefix, suffix) = LEGACY_FILES.into_iter().find(|(known, ..)| *known == key).unwrap();
            files.iter().any(|file| is_legacy_file(file, prefix, suffix))
        };
        assert!(has_file("dispatch") && has_file("autopub") && has_file("stop"));
        assert!(!has_file("handoff") && !has_file("catalog_remind"));
        assert!(!is_legacy_file("clavain-dispatch-1.txt", "clavain-dispatch-", ".json"));
        assert!(file_names(&dir.path().join("none")).is_empty());
    }
}
