//! Skipping phases, and taking a skip back.

use schemars::JsonSchema;
use serde::Serialize;

use crate::app::{CommandContext, Error, Reply};
use crate::domain::ids::RunId;
use crate::domain::phase::Phase;
use crate::ops::skip::{self, Request};
use crate::store::phase::Skip;

#[derive(Debug)]
pub(crate) struct SkipRequest {
    pub run: RunId,
    pub phase: Phase,
    pub reason: String,
    pub actor: Option<String>,
    pub expect_phase: Option<Phase>,
}

impl From<SkipRequest> for Request {
    fn from(request: SkipRequest) -> Self {
        Self {
            id: request.run,
            phase: request.phase,
            skip: Skip { reason: request.reason, actor: request.actor },
            expect: request.expect_phase,
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SkipAnswer {
    pub phase: Phase,
    /// `skipped` or `unskipped`.
    pub status: &'static str,
}

/// Skips a phase that is ahead of a run.
///
/// # Errors
/// [`Error::Ops`] if the run does not exist, has ended or is in another phase than expected, or if the phase
/// cannot be skipped.
pub(crate) fn skip(cx: &mut CommandContext, request: SkipRequest) -> Result<Reply<SkipAnswer>, Error> {
    let (request, stamp) = (Request::from(request), cx.stamp.clone());
    cx.write(|tx| skip::skip(tx, &request, &stamp))?;
    Ok(Reply::yes(SkipAnswer { phase: request.phase, status: "skipped" }))
}

/// Takes a skip back.
///
/// # Errors
/// As [`skip`], and [`Error::Ops`] if the phase is not skipped.
pub(crate) fn unskip(cx: &mut CommandContext, request: SkipRequest) -> Result<Reply<SkipAnswer>, Error> {
    let (request, stamp) = (Request::from(request), cx.stamp.clone());
    cx.write(|tx| skip::unskip(tx, &request, &stamp))?;
    Ok(Reply::yes(SkipAnswer { phase: request.phase, status: "unskipped" }))
}
