//! `ic run set`

use std::io::{self, Write};

use serde_json::{Map, Value};

use crate::app::run::set::{self, RunSettings, SetAnswer};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::args;
use crate::cli::command::{Access, Command, Text};
use crate::domain::ids::RunId;
use crate::domain::stored::Stored;

/// Change the settings of a run
///
/// Of a run that has ended, only the metadata can be changed.
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
    /// Maximum number of dispatches at a time, 0 for no limit
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    max_dispatches: Option<i64>,
    /// Members to merge into the metadata: objects member by member, everything else replaces
    #[arg(long, value_name = "JSON", value_parser = args::stored(args::metadata))]
    metadata_merge: Option<Stored<Map<String, Value>>>,
}

impl Command for Set {
    type Answer = SetAnswer;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<SetAnswer>, Error> {
        let Self { id, complexity, auto_advance, force_full, max_dispatches, metadata_merge } = self;
        let metadata = metadata_merge.map(Stored::into_inner).filter(|map| !map.is_empty());
        set::set(cx, id, &RunSettings { complexity, auto_advance, force_full, max_dispatches, metadata })
    }
}

impl Text for SetAnswer {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{}", self.status)
    }
}
