//! The blacklist: patterns, usually agents, that may not be proposed.

use schemars::JsonSchema;
use serde::Serialize;

use super::refused;
use crate::app::{CommandContext, Error, Reply};
use crate::domain::interspect::bare;
use crate::domain::interspect::modification::BlacklistEntry;
use crate::ops::interspect::Refusal;
use crate::store::interspect as store;

/// The reason of an entry without one.
const DEFAULT_REASON: &str = "blacklisted";

/// The blacklist, or a change of it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum BlacklistAnswer {
    Entries(Vec<BlacklistEntry>),
    Change(BlacklistChange),
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct BlacklistChange {
    pub pattern_key: String,
    pub blacklisted: bool,
    pub changed: bool,
}

/// Returns the blacklist, sorted by name.
///
/// # Errors
/// [`Error::Ops`] if the database cannot be read.
pub(crate) fn list(cx: &mut CommandContext) -> Result<Reply<BlacklistAnswer>, Error> {
    Ok(Reply::yes(BlacklistAnswer::Entries(cx.read(store::blacklist)?)))
}

/// Puts a pattern on the blacklist.
///
/// # Errors
/// [`Error::Ops`] if the database cannot be written.
pub(crate) fn add(
    cx: &mut CommandContext,
    pattern: &str,
    reason: Option<&str>,
) -> Result<Reply<BlacklistAnswer>, Error> {
    let key = key(pattern);
    let reason = reason.unwrap_or(DEFAULT_REASON);
    let stamp = cx.stamp.clone();
    let changed = cx.write(|tx| store::put_blacklisted(tx, &key, reason, &stamp))?;
    Ok(Reply::yes(BlacklistAnswer::Change(BlacklistChange { pattern_key: key, blacklisted: true, changed })))
}

/// Removes a pattern from the blacklist.
///
/// # Errors
/// [`Refusal::NotBlacklisted`].
pub(crate) fn remove(cx: &mut CommandContext, pattern: &str) -> Result<Reply<BlacklistChange>, Error> {
    let key = key(pattern);
    let stamp = cx.stamp.clone();
    if !cx.write(|tx| store::remove_blacklisted(tx, &key, &stamp))? {
        return Err(refused(Refusal::NotBlacklisted(key)));
    }
    Ok(Reply::yes(BlacklistChange { pattern_key: key, blacklisted: false, changed: true }))
}

/// Returns the key of a pattern: all names of an agent have the same key.
fn key(pattern: &str) -> String {
    let name = bare(pattern);
    if name.starts_with("fd-") { name.to_owned() } else { pattern.to_owned() }
}
