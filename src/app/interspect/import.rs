//! Import of the evidence of an `interspect.db`.

use std::fmt::Display;
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use schemars::JsonSchema;
use serde::Serialize;

use crate::app::{CommandContext, Error, Reply};
use crate::db::Peer;
use crate::os::paths;
use crate::store::StoreError;
use crate::store::interspect::{self as store, ImportCounts};

/// The default file, relative to the top of the repository.
const EVIDENCE: &str = ".clavain/interspect/interspect.db";

/// The counts of an import.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ImportAnswer {
    pub read: i64,
    pub written: i64,
    /// Rows that an earlier import recorded.
    pub known: i64,
    /// Rows that cannot be read, or hold a secret.
    pub left_out: i64,
}

/// Records every row of the file that was not imported before.
///
/// # Errors
/// [`Error::Input`] if the file is not a database with evidence.
pub(crate) fn import(cx: &mut CommandContext, from: Option<PathBuf>) -> Result<Reply<ImportAnswer>, Error> {
    let cwd = cx.cwd()?;
    let top = || paths::git_top_level(&cwd).unwrap_or_else(|| cwd.clone());
    let from = from.unwrap_or_else(|| top().join(EVIDENCE));
    let unusable = |why: &dyn Display| Error::Input(format!("--from {}: {why}", from.display()));
    let other = Peer::open(&paths::clean(&from, &cwd), cx.options.timeout);
    let other = other.map_err(|err| unusable(&err))?;
    if !other.has_table("evidence").map_err(|err| unusable(&err))? {
        return Err(unusable(&"it has no table `evidence`"));
    }
    let stamp = cx.stamp.clone();
    let counts = cx.write(|tx| {
        let counts = store::import(tx, &other, &seconds, &stamp)?;
        other.require_unchanged()?;
        Ok::<_, StoreError>(counts)
    })?;
    let ImportCounts { read, written, known, left_out } = counts;
    Ok(Reply::yes(ImportAnswer { read, written, known, left_out }))
}

/// Reads a time in UTC, as SQLite or the shell version of the program writes it, as Unix seconds.
fn seconds(text: &str) -> Option<i64> {
    let time = humantime::parse_rfc3339_weak(text).ok()?;
    i64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()
}
