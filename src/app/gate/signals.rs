//! How past gate decisions turned out.

use schemars::JsonSchema;
use serde::Serialize;

use crate::app::reply::Style;
use crate::app::{CommandContext, Error, Reply};
use crate::domain::event::Source;
use crate::domain::signals::{Collector, Signal};
use crate::ops::OpsError;
use crate::store;
use crate::store::event::Filter;

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct GateSignals {
    /// The last event that was read, for the next call.
    pub cursor: i64,
    pub signals: Vec<Signal>,
}

/// Returns how the gate decisions after the event `since` turned out.
///
/// # Errors
/// [`Error::Ops`] if the database cannot be used.
pub(crate) fn signals(cx: &mut CommandContext, since: i64) -> Result<Reply<GateSignals>, Error> {
    let answer = cx.read(|tx| {
        let mut collector = Collector::default();
        // How a decision turned out depends on later events only, so earlier ones need not be read.
        let since = since.max(0);
        let mut cursor = since.min(store::event::head(tx)?.id);
        let filter = Filter { source: Some(Source::PHASE), since, ..Filter::default() };
        store::event::for_each(tx, &filter, |event| {
            cursor = event.id;
            collector.take(&event, |run| {
                Ok::<_, OpsError>(store::run::find(tx, run)?.map(|run| run.chain()).unwrap_or_default())
            })?;
            Ok::<_, OpsError>(true)
        })?;
        Ok::<_, OpsError>(GateSignals { cursor, signals: collector.into_signals() })
    })?;
    Ok(Reply::yes(answer).styled(Style::Json))
}
