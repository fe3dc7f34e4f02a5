//! `ic gate signals`: how past gate decisions turned out.

use serde::Serialize;

use crate::app::Error;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx};
use crate::domain::event::Source;
use crate::domain::signals::{Collector, Signal};
use crate::ops::OpsError;
use crate::store;
use crate::store::event::Filter;

/// Tell how past gate decisions turned out, as JSON
///
/// A block that nobody overrode is a true positive (tp), a failure that was passed all the same a false one (fp), a pass
/// a true negative (tn), and a pass that was rolled back later a false one (fn).
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic gate signals --since-id=120")]
pub(in crate::cli) struct Signals {
    /// Only decisions after this event
    #[arg(long, value_name = "ID", default_value_t = 0)]
    since_id: i64,
}

#[derive(Serialize)]
struct Found {
    cursor: i64,
    signals: Vec<Signal>,
}

impl Verb for Signals {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let found = cx.read(|tx| {
            let mut collector = Collector::default();
            // How a decision turned out depends on what came after it, never on what came before.
            let since = self.since_id.max(0);
            let mut cursor = since.min(store::event::head(tx)?.id);
            let filter = Filter { source: Some(Source::PHASE), since, ..Filter::default() };
            store::event::for_each(tx, &filter, |event| {
                cursor = event.id;
                collector.take(&event, |run| {
                    Ok::<_, OpsError>(store::run::find(tx, run)?.map(|run| run.chain()).unwrap_or_default())
                })?;
                Ok::<_, OpsError>(true)
            })?;
            Ok::<_, OpsError>(Found { cursor, signals: collector.into_signals() })
        })?;
        cx.out.document(&found)?;
        Ok(Answer::Yes)
    }
}
