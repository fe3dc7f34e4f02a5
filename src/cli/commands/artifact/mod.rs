//! `ic artifact`, `ic run artifact`: files that a run produced.

pub(in crate::cli) mod add;
pub(in crate::cli) mod get;
pub(in crate::cli) mod list;

use std::io::{self, Write};

use crate::app::artifact::ArtifactAnswer;
use crate::cli::command::Text;
use crate::cli::tree::{Node, command};
use crate::domain::text::one_line;

/// The verbs of `ic artifact`.
pub(in crate::cli) const NODES: &[Node] =
    &[command::<add::Add>("add"), command::<get::Get>("get"), command::<list::List>("list")];

impl Text for ArtifactAnswer {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        let Self { id, phase, kind, path, .. } = self;
        writeln!(w, "{id}\t{}\t{}\t{}", one_line(phase.as_str()), one_line(kind), one_line(path))
    }
}
