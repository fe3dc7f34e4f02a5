//! Checks that the database can be used.

use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::coordination::Surroundings;
use super::git_exclude::{Effort, warn_if_tracked};
use super::{CommandContext, Error, Reply, restore};
use crate::db::newest;
use crate::domain::text::one_line;
use crate::ops::coordination;
use crate::os::files;
use crate::store::event::Head;

/// Free space that a database needs beside it, in bytes: 10 MiB.
const MIN_FREE_BYTES: u64 = 10 * 1024 * 1024;

/// The health of a database that can be used.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DatabaseHealth {
    pub status: HealthStatus,
    /// The version of the schema. Absent if it is the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<i64>,
    /// The version that the next command that writes migrates the database to. Absent if there is nothing to migrate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub migrates_to: Option<i64>,
    /// The number and the hash of the last event. Absent without a deep check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// Ids of the locks that cannot be understood. Absent without any, and without a deep check.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unreadable_locks: Vec<String>,
}

/// The state of a database that passed the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HealthStatus {
    Ok,
}

/// Checks the database, and with `deep` everything in it.
///
/// # Errors
/// [`Error::DiskNearlyFull`] if there is too little space beside it, [`Error::Ops`] if it cannot be used or is damaged.
pub(crate) fn health(cx: &mut CommandContext, deep: bool) -> Result<Reply<DatabaseHealth>, Error> {
    let path = cx.existing()?.path().to_owned();
    let dir = path.parent().unwrap_or(&path);
    let free = files::free_bytes(dir).map_err(|source| Error::File {
        what: "asking for the free space of",
        path: dir.to_owned(),
        source,
    })?;
    if free < MIN_FREE_BYTES {
        return Err(Error::DiskNearlyFull(free, MIN_FREE_BYTES));
    }
    // A check of the schema costs six times as much as all of the above.
    let head = if deep { Some(check_all(cx, &path)?.to_string()) } else { None };
    let unreadable_locks = if deep { unreadable_locks(cx)? } else { Vec::new() };
    warn_if_tracked(cx, &path, if deep { Effort::All } else { Effort::Some });
    let schema = Some(cx.existing()?.schema()).filter(|schema| *schema < newest());
    let migrates_to = schema.map(|_| newest());
    Ok(Reply::yes(DatabaseHealth { status: HealthStatus::Ok, schema, migrates_to, head, unreadable_locks }))
}

/// Returns the ids of the locks that cannot be understood, and warns of each. Another program may have written them.
fn unreadable_locks(cx: &mut CommandContext) -> Result<Vec<String>, Error> {
    let is_named = cx.env.var_os("INTERMUTE_DB").is_some();
    let surroundings = match is_named.then(|| Surroundings::with_foreign_locks(cx)).transpose() {
        Ok(surroundings) => surroundings,
        // The project's own database can be used all the same.
        Err(err) => {
            cx.warn(format_args!("INTERMUTE_DB: {}", one_line(&err.to_string())));
            None
        }
    };
    let locks = match surroundings {
        Some(surroundings) => {
            surroundings.with(|outside| cx.read(|tx| coordination::odd(tx, outside.theirs)))?
        }
        None => cx.read(|tx| coordination::odd(tx, &[]))?,
    };
    for lock in &locks {
        let columns: Vec<_> = lock.unreadable.iter().map(|one| one.column).collect();
        let (id, columns) = (one_line(&lock.id), columns.join(", "));
        cx.warn(format_args!(
            "lock {id} cannot be understood ({columns}) and holds all that it may mean; \
             `ic coordination release '{id}'` ends it"
        ));
    }
    Ok(locks.into_iter().map(|lock| lock.id).collect())
}

/// Reads the whole database, and returns the head of its log.
fn check_all(cx: &mut CommandContext, path: &Path) -> Result<Head, Error> {
    let open = files::open_to_others(path).map_err(|source| Error::File {
        what: "looking at",
        path: path.to_owned(),
        source,
    })?;
    for (file, mode) in open {
        cx.warn(format_args!("{} is open to other users (mode {mode:04o})", file.display()));
    }
    let db = cx.existing()?;
    db.check()?;
    restore::verify_log(db)
}
