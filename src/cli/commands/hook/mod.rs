//! `ic hook`: what agents and git call before and after they change files.

pub(in crate::cli) mod install;
pub(in crate::cli) mod post_edit;
pub(in crate::cli) mod pre_commit;
pub(in crate::cli) mod pre_edit;
pub(in crate::cli) mod stop;
pub(in crate::cli) mod uninstall;

use std::io::{self, Write};

use crate::app::hook::HookAnswer;
use crate::app::hook::install::{FileChange, InstallAnswer, InstallRequest};
use crate::cli::command::Text;
use crate::cli::tree::{Node, command};
use crate::domain::text::one_line;

/// The verbs of `ic hook`.
pub(in crate::cli) const NODES: &[Node] = &[
    command::<pre_edit::PreEdit>("pre-edit"),
    command::<post_edit::PostEdit>("post-edit"),
    command::<stop::Stop>("stop"),
    command::<pre_commit::PreCommit>("pre-commit"),
    command::<install::Install>("install"),
    command::<uninstall::Uninstall>("uninstall"),
];

/// The files that hold the hooks.
#[derive(Clone, Copy, Debug, clap::Args)]
struct TargetArgs {
    /// The agent's settings, `.claude/settings.json` at the top of the repository
    #[arg(long)]
    claude: bool,
    /// Git's pre-commit hook
    #[arg(long)]
    git: bool,
    /// Only print the changes
    #[arg(long)]
    dry_run: bool,
}

impl From<TargetArgs> for InstallRequest {
    fn from(args: TargetArgs) -> Self {
        let TargetArgs { claude, git, dry_run } = args;
        Self { claude, git, dry_run }
    }
}

impl Text for HookAnswer {
    /// Writes nothing: agents read the JSON form, and no output where the answer is empty.
    fn text(&self, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}

impl Text for InstallAnswer {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        for FileChange { file, change, content } in &self.0 {
            writeln!(w, "{}\t{}", change.as_str(), one_line(&file.display().to_string()))?;
            if let Some(content) = content {
                writeln!(w, "{}", content.trim_end())?;
            }
        }
        Ok(())
    }
}
