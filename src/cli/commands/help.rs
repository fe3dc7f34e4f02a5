//! `ic help`

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;

use crate::app::{Code, CommandContext, Environment, Error, external};
use crate::cli::command::{Access, Page, PageCommand};
use crate::cli::tree;
use crate::domain::text::one_line;

/// Show the help of a command, or of a topic: errors, exit-codes, environment
///
/// Without words, lists all commands, also the external ones: a program on PATH whose name is `ic-` and a word can be
/// called as `ic` and that word. It gets the remaining words unchanged, and in the environment INTERCORE_DB and IC_RUN_ID
/// as far as they are known. Built-in commands come first.
#[derive(Debug, clap::Parser)]
#[expect(clippy::doc_markdown, reason = "shown as help, where back quotes would be seen")]
#[command(after_help = "Examples:\n  ic help run advance\n  ic help errors")]
pub(in crate::cli) struct Help {
    /// A command's words, or a topic
    words: Vec<String>,
}

/// The meaning of the exit codes, under a heading.
pub(in crate::cli) const EXIT_CODES: &str = "\
Exit codes

  0  done, found, allowed
  1  the expected negative: not found, blocked, conflict, stale; nothing is wrong
  2  an error: the database, a file, the system
  3  usage: the command line is wrong, and nothing was touched

A result is on stdout, also when the exit code is 1. Everything else is on stderr; with --json as one object
{\"error\":{\"code\":…,\"message\":…,\"hint\":…,\"causes\":[…]}}. `ic help errors` lists the codes.
";

/// The variables that are read from the environment, under a heading.
pub(in crate::cli) const ENVIRONMENT: &str = "\
Environment

  INTERCORE_DB         the database, anywhere; --db comes first. For a hook, that of the files of its own
                       repository, and of files that have no database above them
  INTERCORE_LOCK_DIR   where the locks of `ic lock` are, instead of /tmp/intercore/locks
  IC_LOG_LEVEL         error, warn (default), info or debug: what goes to stderr; comes before --verbose and -vv
  IC_RUN_ID            the run that the caller works on; external commands (`ic help help`) get the project's newest
                       active run in it where it is not set
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
  PATH                 directories of external commands and of the programs that are started; relative ones
                       hold no external commands
  NO_COLOR             no colours on a terminal, if it is set to anything
  TERM                 no colours either, if it is dumb
  PWD                  the working directory by the name that the caller knows it under, if that is true
  HOME                 where the agents of installed plugins are looked for, and where a machine's id is kept
                       (.local/state/intercore) if /etc/machine-id has none
  XDG_STATE_HOME       keeps that id instead, in its directory intercore
  TMPDIR               where `ic demo` works, instead of /tmp
  COLUMNS              how wide help is where that cannot be told from the terminal
";

impl PageCommand for Help {
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext, page: &mut Page<'_>) -> Result<(), Error> {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["errors"] => {
                let mut text = "Error codes, with the exit code that goes with each\n\n".to_owned();
                for code in Code::ALL {
                    // Writing to a string cannot fail.
                    let _ = writeln!(text, "  {:<22} {}  {}", code.as_str(), code.exit(), code.meaning());
                }
                page(&text)
            }
            ["exit-codes"] => page(EXIT_CODES),
            ["environment"] => page(ENVIRONMENT),
            [noun, rest @ ..] if !tree::is_noun(OsStr::new(noun)) => {
                match external::find(&cx.env, OsStr::new(noun)) {
                    Some(program) => {
                        let args: Vec<_> = rest.iter().chain(&["--help"]).map(OsString::from).collect();
                        match external::exec(cx, &program, &args)? {}
                    }
                    None => page(&command_help(&words, &cx.env)?),
                }
            }
            path => page(&command_help(path, &cx.env)?),
        }
    }
}

/// Returns the help of the command at `path`; the empty path is that of the whole program.
///
/// # Errors
/// [`Error::Usage`] if there is no such command.
pub(in crate::cli) fn command_help(path: &[&str], env: &Environment) -> Result<String, Error> {
    let mut command = tree::whole();
    for word in path {
        command = match command.find_subcommand(word) {
            Some(found) => found.clone(),
            None => {
                return Err(Error::usage(format!(
                    "no help for the words `{}`: no such command",
                    path.join(" ")
                )));
            }
        };
    }
    if path.is_empty() {
        let external = external_commands(env);
        let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        command = command.after_help(external + &after);
    }
    Ok(command.render_long_help().to_string())
}

/// Returns a section that lists the external commands; empty text if there are none.
fn external_commands(env: &Environment) -> String {
    let mut section = String::new();
    for noun in external::nouns(env).iter().filter(|noun| !tree::is_noun(noun)) {
        if section.is_empty() {
            section.push_str("External commands (programs on PATH named ic-…):\n");
        }
        // Writing to a string cannot fail.
        let _ = writeln!(section, "  {}", one_line(&noun.to_string_lossy()));
    }
    if !section.is_empty() {
        section.push('\n');
    }
    section
}
