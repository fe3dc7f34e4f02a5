//! `ic events stats`

use std::io::{self, Write};

use serde::Serialize;

use crate::app::Error;
use crate::cli::output::View;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx};
use crate::domain::event::{Origin, Source};
use crate::domain::text::one_line;
use crate::domain::time::rfc3339;
use crate::store;

/// Show what is in the log, in numbers
///
/// How many events there are of which source and type, when the first and the last happened, and how much space the
/// database takes. Counts the whole log.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic events stats")]
pub(in crate::cli) struct Stats {}

#[derive(Serialize)]
struct Shown {
    events: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<String>,
    head: String,
    /// Size of the database and its log, in bytes.
    bytes: u64,
    kinds: Vec<Kind>,
}

#[derive(Serialize)]
struct Kind {
    source: Source,
    r#type: String,
    origin: Origin,
    count: i64,
}

impl View for Shown {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{} events, {} bytes", self.events, self.bytes)?;
        if let (Some(first), Some(last)) = (&self.first, &self.last) {
            writeln!(w, "{first} to {last}")?;
        }
        for kind in &self.kinds {
            let origin = if kind.origin == Origin::External { "\texternal" } else { "" };
            writeln!(w, "{}\t{}\t{}{origin}", kind.count, kind.source, one_line(&kind.r#type))?;
        }
        Ok(())
    }
}

impl Verb for Stats {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let stats = cx.read(store::event::stats)?;
        let path = cx.existing()?.path();
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let size = |path: &std::path::Path| path.metadata().map_or(0, |found| found.len());
        let shown = Shown {
            events: stats.head.id,
            first: stats.first_ms.map(rfc3339),
            last: stats.last_ms.map(rfc3339),
            head: stats.head.to_string(),
            bytes: size(path) + size(log.as_ref()),
            kinds: stats
                .counts
                .into_iter()
                .map(|kind| Kind {
                    source: kind.source,
                    r#type: kind.kind,
                    origin: kind.origin,
                    count: kind.number,
                })
                .collect(),
        };
        cx.out.show(&shown)?;
        Ok(Answer::Yes)
    }
}
