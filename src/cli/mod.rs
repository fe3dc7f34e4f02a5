//! The command line: from arguments to a command, from its answer to text or JSON, and to an exit code.
//!
//! The only code that prints or exits. A command is one struct whose doc comment is its help, one
//! [`command::Command::run`], and the text form of its answer; `tree::ROOT` lists them all.

mod action;
mod agent;
mod args;
mod artifact;
mod command;
mod commands;
mod compat;
mod dispatch;
mod events;
mod gate;
mod globals;
mod hook;
mod hook_watch;
mod interspect;
mod listing;
mod lock;
mod output;
mod run;
mod sentinel;
mod state;
mod task;
mod tree;
mod verb;

use std::ffi::OsString;
use std::ops::{Deref, DerefMut};
use std::process::ExitCode;

use crate::app::context::DatabaseOptions;
use crate::app::{CommandContext, Environment, Error};
use crate::os::limits;
use output::Output;

pub use crate::app::Code;
pub use listing::{Argument, arguments, command_types, listing, readers};

/// How a command ended, when it ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// Done, found, allowed.
    Yes,
    /// The expected negative: its result is on stdout, the exit code is 1.
    No,
}

impl From<Answer> for ExitCode {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Yes => Self::SUCCESS,
            Answer::No => Self::from(1),
        }
    }
}

/// The context of a command that writes its own output.
struct Cx {
    out: Output,
    context: CommandContext,
}

impl Deref for Cx {
    type Target = CommandContext;

    fn deref(&self) -> &CommandContext {
        &self.context
    }
}

impl DerefMut for Cx {
    fn deref_mut(&mut self) -> &mut CommandContext {
        &mut self.context
    }
}

/// Runs `ic` with the given arguments, the program's name left out.
pub fn main(args: Vec<OsString>) -> ExitCode {
    limits::fail_beyond_file_size();
    let (globals, words) = match globals::scan(args, tree::is_noun) {
        Ok(scanned) => scanned,
        Err((globals, err)) => return Output::new(globals.json, globals.verbosity).fail(&err),
    };
    let out = Output::new(globals.json, globals.verbosity);
    let options = DatabaseOptions { path: globals.db, timeout: globals.timeout };
    let mut cx = Cx { out, context: CommandContext::new(Environment::Process, options, Box::new(out)) };
    match tree::dispatch(&words, &mut cx) {
        Ok(code) => code,
        Err(Error::Output(err)) if err.kind() == std::io::ErrorKind::BrokenPipe => {
            if !cx.has_committed() {
                // A program whose reader is gone ends by SIGPIPE, as its callers expect.
                let _ = signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGPIPE);
            }
            ExitCode::SUCCESS
        }
        Err(err) => out.fail(&err),
    }
}
