//! Creates or migrates the project's database.

use schemars::JsonSchema;
use serde::Serialize;

use super::git_exclude::{Effort, warn_if_tracked};
use super::locate;
use super::{CommandContext, Error, Reply};
use crate::db::{Prepared, newest};

/// A database that is ready for use.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct InitializedDatabase {
    pub path: String,
    /// The version of the schema.
    pub schema: i64,
    pub status: InitStatus,
    /// The backup that the migration kept. Absent unless the database was migrated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup: Option<String>,
}

/// How the database came to be ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum InitStatus {
    Created,
    Current,
    Migrated,
}

/// Creates the project's database, or migrates it to the newest schema.
///
/// # Errors
/// [`Error::Ops`] if another program's file is in its place, or the file cannot be written.
pub(crate) fn init(cx: &mut CommandContext) -> Result<Reply<InitializedDatabase>, Error> {
    let path = locate::for_init(cx)?;
    let prepared = cx.prepare(&path)?;
    if prepared != Prepared::Current {
        cx.mark_committed();
    }
    warn_if_tracked(cx, &path, Effort::All);
    let (status, backup) = match prepared {
        Prepared::Created => (InitStatus::Created, None),
        Prepared::Current => (InitStatus::Current, None),
        Prepared::Migrated { from, backup } => {
            cx.info(format_args!("migrated from schema v{from}, backup in {}", backup.display()));
            (InitStatus::Migrated, Some(backup.display().to_string()))
        }
    };
    Ok(Reply::yes(InitializedDatabase { path: path.display().to_string(), schema: newest(), status, backup }))
}
