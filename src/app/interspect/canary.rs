//! Canaries: judging the overrides whose window is over.

use schemars::JsonSchema;
use serde::Serialize;

use super::repo::{OverrideRepo, RepoOptions};
use crate::app::{CommandContext, Error, Reply};
use crate::domain::interspect::watch::CanaryState;
use crate::ops::interspect::canary;

/// The canaries of a file, oldest first.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct Canaries(pub Vec<CanaryState>);

/// Judges the canaries whose window is over. Returns all canaries; the negative if there is an alert for an
/// override that is in force.
///
/// # Errors
/// As [`OverrideRepo::find`].
pub(crate) fn check(cx: &mut CommandContext, options: &RepoOptions) -> Result<Reply<Canaries>, Error> {
    let repo = OverrideRepo::find(cx, options)?;
    let stamp = cx.stamp.clone();
    let canaries = cx.write(|tx| canary::check(tx, &repo.top, &repo.path, &repo.thresholds, &stamp))?;
    let is_alert = canaries.iter().any(CanaryState::is_alert);
    let answer = Canaries(canaries);
    Ok(if is_alert { Reply::no_list(answer) } else { Reply::yes(answer) })
}
