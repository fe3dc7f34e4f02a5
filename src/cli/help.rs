//! `ic help`

use std::fmt::Write as _;

use super::error::{CliError, ERRORS};
use super::tree;
use super::verb::Verb;
use super::{Answer, Cx};

/// Show the help of a command, or of a topic: errors, exit-codes, environment
#[derive(Debug, clap::Parser)]
#[command(after_help = "Examples:\n  ic help run advance\n  ic help errors")]
pub(super) struct Help {
    /// A command's words, or a topic
    words: Vec<String>,
}

/// What exit codes mean, under a heading.
pub(super) const EXIT_CODES: &str = "\
Exit codes

  0  done, found, allowed
  1  the expected negative: not found, blocked, conflict, stale; nothing is wrong
  2  an error: the database, a file, the system
  3  usage: the command line is wrong, and nothing was touched

A result is on stdout, also when the exit code is 1. Everything else is on stderr; with --json as one object
{\"error\":{\"code\":…,\"message\":…,\"hint\":…,\"causes\":[…]}}. `ic help errors` lists the codes.
";

/// What is read from the environment, under a heading.
pub(super) const ENVIRONMENT: &str = "\
Environment

  INTERCORE_DB         the database, anywhere; --db comes first. For a hook, that of the files of its own
                       repository, and of files that have no database above them
  INTERCORE_LOCK_DIR   where the locks of `ic lock` are, instead of /tmp/intercore/locks
  IC_LOG_LEVEL         error, warn (default), info or debug: what goes to stderr; comes before --verbose and -vv
  IC_TRACE_ID          the trace that the events of this call belong to
  IC_SPAN_ID           the caller's span in it
  IC_PARENT_SPAN_ID    the span above the caller's
  IC_DISPATCH_ID       the dispatch that this call comes from; set for the children of `ic dispatch spawn`
  CLAVAIN_DISPATCH_SH  the script that starts agents
  CLAVAIN_FABLE_AVAILABLE
                       1 if `ic dispatch retry --escalate` may go up to the model fable
  INTERMUTE_AGENT_ID   the caller: who edits and commits, for the hooks, and changes overrides without --by
  CLAUDE_CODE_SESSION_ID
                       the session that calls, set by Claude Code: the caller where INTERMUTE_AGENT_ID is not
                       set, and the session of events that are recorded without --session
  CLAUDE_SESSION_ID    an older name of the same
  INTERMUTE_DB         another program's database, whose reservations count as well
  INTERMUTE_PROJECT    what that program calls this repository, if not by its name
  INTERCORE_FENCE      the lock, and its token, that a session works under: LOCK:TOKEN, for the hooks
  FLUX_ROUTING_OVERRIDES_PATH
                       the file of routing overrides, relative to the repository
  INTERSPECT_ROSTER    directories in which agents are defined, with colons between
  INTERSPECT_QUARANTINE_HOURS
                       how long evidence is kept back before it counts, instead of 48
  NO_COLOR             no colours on a terminal, if it is set to anything
  TERM                 no colours either, if it is dumb
  PWD                  the working directory by the name that the caller knows it under, if that is true
  HOME                 where the agents of installed plugins are looked for, and where a machine's id is kept
                       (.local/state/intercore) if /etc/machine-id has none
  XDG_STATE_HOME       keeps that id instead, in its directory intercore
  TMPDIR               where `ic demo` works, instead of /tmp
  COLUMNS              how wide help is where that cannot be told from the terminal
";

impl Verb for Help {
    fn run(self, cx: &mut Cx) -> Result<Answer, CliError> {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["errors"] => {
                let mut text = "Error codes, with the exit code that goes with each\n\n".to_owned();
                for (code, exit, meaning) in ERRORS {
                    // Writing to a string cannot fail.
                    let _ = writeln!(text, "  {code:<22} {exit}  {meaning}");
                }
                cx.out.raw(text.as_bytes())?;
            }
            ["exit-codes"] => cx.out.raw(EXIT_CODES.as_bytes())?,
            ["environment"] => cx.out.raw(ENVIRONMENT.as_bytes())?,
            path => return tree::show_help(path, cx),
        }
        Ok(Answer::Yes)
    }
}
