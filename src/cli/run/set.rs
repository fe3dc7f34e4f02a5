//! `ic run set`

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::app::Error;
use crate::cli::output::View;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx, args};
use crate::domain::ids::RunId;
use crate::ops::settings::{self, Request};

/// Change the settings of a run
///
/// On a run that is over, only its metadata can be changed.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic run set \"$run\" --metadata-merge='{\"ticket\":\"T-12\"}'")]
pub(in crate::cli) struct Set {
    /// The run
    id: RunId,
    /// Size of the work, 1 to 5
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..=5))]
    complexity: Option<i64>,
    /// Whether advance moves the run without a skip reason
    #[arg(long, value_name = "BOOL", value_parser = args::truth)]
    auto_advance: Option<bool>,
    /// Whether automatic skips are off
    #[arg(long, value_name = "BOOL", value_parser = args::truth)]
    force_full: Option<bool>,
    /// Most dispatches at a time, 0 for no limit
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    max_dispatches: Option<i64>,
    /// Members to merge into the metadata: objects member by member, everything else replaces
    #[arg(long, value_name = "JSON", value_parser = args::metadata)]
    metadata_merge: Option<Map<String, Value>>,
}

impl Verb for Set {
    const KEPT: &'static [&'static str] = &["metadata_merge"];

    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let Self { id, complexity, auto_advance, force_full, max_dispatches, metadata_merge } = self;
        let metadata = metadata_merge.filter(|map| !map.is_empty());
        let request = Request { complexity, auto_advance, force_full, max_dispatches, metadata };
        let nothing = request.complexity.is_none()
            && request.auto_advance.is_none()
            && request.force_full.is_none()
            && request.max_dispatches.is_none()
            && request.metadata.is_none();
        if nothing {
            return Err(Error::Usage {
                message: "run set: no settings to update".to_owned(),
                hint: Some(
                    "give --complexity, --auto-advance, --force-full, --max-dispatches or --metadata-merge"
                        .to_owned(),
                ),
            });
        }
        let stamp = cx.stamp.clone();
        let overridden = cx.write(|tx| settings::set(tx, &id, &request, &stamp))?;
        if let Some(settings::Overridden { level, auto_advance }) = overridden {
            cx.out.remark(format_args!(
                "delegation level L{} ({}) implies auto_advance={}, this run now has {auto_advance}",
                level.number(),
                level.name(),
                level.auto_advance()
            ));
            cx.out.remark("recorded in the run's metadata as autonomy_override");
        }
        cx.out.show(&Shown { id, status: "updated" })?;
        Ok(Answer::Yes)
    }
}

#[derive(Serialize)]
struct Shown {
    id: RunId,
    status: &'static str,
}

impl View for Shown {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{}", self.status)
    }
}
