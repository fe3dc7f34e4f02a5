//! `ic hook pre-commit`

use std::io::{self, Write};

use crate::app::hook::pre_commit::{self, CommitAnswer};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};

/// Refuse a commit of files that others have reserved
///
/// For git's `pre-commit` hook. Only checks, and holds nothing: the exit code is 1 if another owner has
/// reserved one of the staged files, and stderr names that owner. The caller is `INTERMUTE_AGENT_ID`, else
/// the session of the agent that commits (`CLAUDE_CODE_SESSION_ID`, or the older `CLAUDE_SESSION_ID`), else
/// the committer. A session that works under a lock names it in `INTERCORE_FENCE`, as LOCK:TOKEN, and commits
/// nothing once that lock is lost. A commit that would contain the database is refused too.
#[derive(Debug, clap::Parser)]
#[command(
    after_help = "Example: ic hook pre-commit   # in .git/hooks/pre-commit, or by ic hook install --git"
)]
pub(in crate::cli) struct PreCommit {
    /// Refuse also when it cannot be checked who holds the files
    #[arg(long)]
    strict: bool,
}

impl Command for PreCommit {
    type Answer = CommitAnswer;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<CommitAnswer>, Error> {
        pre_commit::pre_commit(cx, self.strict)
    }
}

impl Text for CommitAnswer {
    fn text(&self, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    fn remarks(&self) -> Vec<String> {
        self.messages.clone()
    }
}
