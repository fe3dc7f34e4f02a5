//! Changing the settings of a run.

use schemars::JsonSchema;
use serde::Serialize;

use crate::app::{CommandContext, Error, Reply};
use crate::domain::ids::RunId;
use crate::ops::settings::{self, Overridden};

pub(crate) use crate::ops::settings::Request as RunSettings;

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SetAnswer {
    pub id: RunId,
    /// `updated`.
    pub status: &'static str,
}

/// Changes the settings of a run.
///
/// # Errors
/// [`Error::Usage`] if the request changes nothing; [`Error::Ops`] if the run does not exist, or has ended
/// and more than its metadata would change.
pub(crate) fn set(
    cx: &mut CommandContext,
    id: RunId,
    request: &RunSettings,
) -> Result<Reply<SetAnswer>, Error> {
    let RunSettings { complexity, auto_advance, force_full, max_dispatches, metadata } = request;
    let is_empty = complexity.is_none()
        && auto_advance.is_none()
        && force_full.is_none()
        && max_dispatches.is_none()
        && metadata.is_none();
    if is_empty {
        return Err(Error::Usage {
            message: "run set: no settings to update".to_owned(),
            hint: Some(
                "give --complexity, --auto-advance, --force-full, --max-dispatches or --metadata-merge"
                    .to_owned(),
            ),
        });
    }
    let stamp = cx.stamp.clone();
    let overridden = cx.write(|tx| settings::set(tx, &id, request, &stamp))?;
    if let Some(Overridden { level, auto_advance }) = overridden {
        cx.remark(format_args!(
            "delegation level L{} ({}) implies auto_advance={}, this run now has {auto_advance}",
            level.number(),
            level.name(),
            level.auto_advance()
        ));
        cx.remark("recorded in the run's metadata as autonomy_override");
    }
    Ok(Reply::yes(SetAnswer { id, status: "updated" }))
}
