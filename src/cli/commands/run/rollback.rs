//! `ic run rollback`, `ic phase rollback`

use std::io::{self, Write};

use crate::app::reply::Style;
use crate::app::run::rollback::{self, RollbackAnswer, RollbackRequest, RunFile, UndoRequest};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::args;
use crate::cli::command::{Access, Command, Text};
use crate::domain::ids::RunId;
use crate::domain::phase::Phase;
use crate::domain::text::one_line;
use crate::domain::words;

words!(
    /// A layer that a rollback concerns beside the database.
    Layer, "layer" {
        /// The files that the run produced.
        Code = "code",
    }
);

words!(
    /// The form in which `--layer=code` lists files.
    Format, "format" {
        /// Indented JSON.
        Json = "json",
        /// Text.
        Text = "text",
    }
);

/// Take a run back to an earlier phase, with everything that followed from the later ones
///
/// In one transaction: the run moves back; artifacts of every later phase stop counting; live dispatches of
/// the phases that are undone are cancelled and their processes asked to end; agents of those phases are
/// marked failed; skips of those phases are cleared. Each of these is an event of its own. A completed run
/// becomes active again and its completion time is cleared: nothing else clears it, and the rollback's event
/// keeps the old value. Cancelled and failed runs stay as they are.
///
/// --undo takes a rollback back, as long as nothing has happened to the run since. --layer=code changes
/// nothing: it lists the run's artifacts for a rollback of the files themselves.
#[derive(Debug, clap::Parser)]
#[command(
    after_help = "Examples:\n  ic run rollback \"$run\" --to-phase=planned --reason='wrong design' --dry-run\n  \
                  ic phase rollback --undo=42\n  ic run rollback \"$run\" --layer=code --format=text"
)]
pub(in crate::cli) struct Rollback {
    /// The run
    id: Option<RunId>,
    /// The phase to go back to
    #[arg(long, value_name = "PHASE", conflicts_with_all = ["undo", "layer"])]
    to_phase: Option<Phase>,
    /// The reason
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Show the changes without making them
    #[arg(long)]
    dry_run: bool,
    /// Take back the rollback with this event number
    #[arg(long, value_name = "EVENT", conflicts_with = "layer")]
    undo: Option<i64>,
    /// Do it only if the run is in this phase (exit 1 otherwise)
    #[arg(long, value_name = "PHASE")]
    expect_phase: Option<Phase>,
    /// Leave the processes of cancelled dispatches alone
    #[arg(long)]
    no_signal: bool,
    /// List what a rollback of this layer concerns: code
    #[arg(long)]
    layer: Option<Layer>,
    /// With --layer=code, only artifacts of this phase
    #[arg(long, requires = "layer")]
    phase: Option<Phase>,
    /// With --layer=code, json or text [default: json]
    #[arg(long, requires = "layer")]
    format: Option<Format>,
}

impl Command for Rollback {
    type Answer = RollbackAnswer;
    const ACCESS: Access = Access::Process;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<RollbackAnswer>, Error> {
        let reason = args::given(self.reason).map(|reason| args::redacted("--reason", &reason, cx));
        if let Some(event) = self.undo {
            if self.dry_run {
                return Err(Error::usage("run rollback: --dry-run does not go with --undo"));
            }
            return rollback::undo(
                cx,
                &UndoRequest { event, run: self.id, expect: self.expect_phase, reason },
            );
        }
        let Some(id) = self.id else {
            return Err(Error::Usage {
                message: "run rollback: which run?".to_owned(),
                hint: Some(
                    "ic run rollback <id> --to-phase=<phase> [--reason=…] [--dry-run], ic run rollback \
                     --undo=<event>, or ic run rollback <id> --layer=code [--phase=…] [--format=json|text]"
                        .to_owned(),
                ),
            });
        };
        match (self.to_phase, self.layer) {
            (Some(to), _) => {
                let signal = !self.no_signal;
                let request = RollbackRequest { id, to, expect: self.expect_phase, reason, signal };
                if self.dry_run { rollback::plan(cx, request) } else { rollback::rollback(cx, request) }
            }
            (None, Some(Layer::Code)) => {
                let reply = rollback::files(cx, &id, self.phase.as_ref())?;
                let is_text = self.format == Some(Format::Text);
                Ok(if is_text { reply.styled(Style::Text) } else { reply })
            }
            (None, None) => Err(Error::usage("run rollback: --to-phase, --undo or --layer required")),
        }
    }
}

impl Text for RollbackAnswer {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Changes(changes) => writeln!(w, "{} → {}", changes.from_phase, changes.to_phase),
            Self::Undone(undone) => writeln!(w, "{} → {}", undone.from_phase, undone.to_phase),
            Self::Files(files) => files.iter().try_for_each(|file| write_file(file, w)),
        }
    }
}

fn write_file(file: &RunFile, w: &mut dyn Write) -> io::Result<()> {
    let short = |hash: &String| format!("{}...", hash.chars().take(12).collect::<String>());
    let hash = file.content_hash.as_ref().map_or_else(|| "<none>".to_owned(), short);
    let name = one_line(file.dispatch_name.as_deref().unwrap_or("<unknown>"));
    let (phase, status, path) = (one_line(file.phase.as_str()), file.status, one_line(&file.path));
    writeln!(w, "{phase:<20} {status:<12} {name:<20} {path:<40} {hash}")
}
