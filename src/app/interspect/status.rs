//! The overrides in the file, with their records, canaries and limits.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::repo::{OverrideRepo, RepoOptions};
use crate::app::{CommandContext, Error, Reply};
use crate::domain::interspect::Action;
use crate::domain::interspect::file::Entry;
use crate::domain::interspect::limits::Limits;
use crate::domain::interspect::modification::Modification;
use crate::domain::interspect::watch::CanaryState;
use crate::ops::OpsError;
use crate::ops::interspect::{self, INTENT};
use crate::store;
use crate::store::intent;

/// The entries of the file.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct OverrideEntries {
    /// The entries as they are written.
    pub json: Vec<Value>,
    #[serde(skip)]
    pub entries: Vec<Entry>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct StatusAnswer {
    /// The file, relative to the top of the repository.
    pub path: String,
    pub overrides: Vec<OverrideStatus>,
    pub canaries: Vec<CanaryState>,
    pub limits: Limits,
    /// The number of entries of the blacklist.
    pub blacklisted: usize,
    /// The number of changes that are under way, or whose process has exited. The next change recovers the
    /// latter.
    pub unfinished: usize,
    /// The number of entries that cannot be read.
    pub malformed: usize,
}

/// An override together with its record.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct OverrideStatus {
    pub agent: String,
    pub action: Action,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// The commit that applied the override, if that is on record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modification: Option<String>,
    /// Whether the roster no longer has the agent.
    pub orphaned: bool,
}

/// Returns the entries of the file.
///
/// # Errors
/// As [`OverrideRepo::find`] and [`OverrideRepo::overrides`].
pub(crate) fn list(cx: &mut CommandContext, options: &RepoOptions) -> Result<Reply<OverrideEntries>, Error> {
    let repo = OverrideRepo::find(cx, options)?;
    let (entries, malformed) = repo.overrides()?.entries();
    if malformed > 0 {
        cx.warn(format_args!("{}: {malformed} entries make no sense", repo.path));
    }
    let json = entries.iter().map(|entry| entry.json.to_value()).collect();
    Ok(Reply::yes(OverrideEntries { json, entries }))
}

/// Returns the overrides with their records, canaries and limits.
///
/// # Errors
/// As [`list`].
pub(crate) fn status(cx: &mut CommandContext, options: &RepoOptions) -> Result<Reply<StatusAnswer>, Error> {
    let repo = OverrideRepo::find(cx, options)?;
    let (entries, malformed) = repo.overrides()?.entries();
    let resource = interspect::resource(&repo.top, &repo.path);
    let now = cx.stamp.secs();
    let (records, rows, blacklist, unfinished) = cx.read(|tx| {
        Ok::<_, OpsError>((
            store::interspect::of_file(tx, &repo.top, &repo.path, None)?,
            store::interspect::evidence(tx, 0)?,
            store::interspect::blacklist(tx)?,
            intent::on(tx, INTENT, &resource)?,
        ))
    })?;
    let canary = |record| CanaryState::of(record, &rows, &repo.thresholds, now);
    Ok(Reply::yes(StatusAnswer {
        overrides: entries.iter().map(|entry| override_status(entry, &records, &repo)).collect(),
        canaries: records.iter().map(canary).collect(),
        limits: Limits::of(&records, &repo.thresholds, now),
        blacklisted: blacklist.len(),
        unfinished: unfinished.len(),
        malformed,
        path: repo.path,
    }))
}

fn override_status(entry: &Entry, records: &[Modification], repo: &OverrideRepo) -> OverrideStatus {
    let is_of_entry = |one: &&Modification| one.agent.as_str() == entry.agent && one.is_applied();
    let record = records.iter().rev().find(is_of_entry).filter(|_| entry.action == Action::Exclude);
    OverrideStatus {
        agent: entry.agent.clone(),
        action: entry.action,
        reason: entry.reason.clone(),
        created_by: entry.created_by.clone(),
        commit: record.map(|one| one.commit.clone()),
        modification: record.map(|one| one.id.to_string()),
        orphaned: !repo.roster.has(&entry.agent),
    }
}
