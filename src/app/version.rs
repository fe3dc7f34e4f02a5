//! The version of the program and of the local database.

use std::env::consts;

use schemars::JsonSchema;
use serde::Serialize;

use super::{CommandContext, Reply};

/// The commit that this program was built from, if the build set `IC_COMMIT`.
const COMMIT: Option<&str> = option_env!("IC_COMMIT");

/// The versions of the program and of the local database.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Versions {
    pub arch: &'static str,
    /// `unstamped` if the build named no commit.
    pub commit: &'static str,
    pub os: &'static str,
    /// The version of the local database's schema. Absent if there is no database that can be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<i64>,
    pub source: CommitSource,
    pub version: &'static str,
}

/// Where the commit is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CommitSource {
    Build,
    Unknown,
}

/// Returns the versions.
pub(crate) fn version(cx: &mut CommandContext) -> Reply<Versions> {
    Reply::yes(Versions {
        arch: consts::ARCH,
        commit: COMMIT.unwrap_or("unstamped"),
        os: consts::OS,
        // A database that is missing or cannot be used is no reason to hide the program's version.
        schema: cx.existing().ok().map(|db| db.schema()),
        source: if COMMIT.is_some() { CommitSource::Build } else { CommitSource::Unknown },
        version: env!("CARGO_PKG_VERSION"),
    })
}
