//! The command line: from arguments to a command, from its answer to text or JSON, and to an exit code.
//!
//! The only code that prints or exits. A command is one struct whose doc comment is its help, one
//! [`command::Command::run`], and the text form of its answer; `tree::ROOT` lists them all.

mod args;
mod command;
mod commands;
mod globals;
mod listing;
mod output;
mod tree;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::app::context::DatabaseOptions;
use crate::app::{CommandContext, Environment, Error};
use crate::os::limits;
use output::Output;

pub use crate::app::Code;
pub use listing::{Argument, arguments, command_types, listing, readers};

/// Runs `ic` with the given arguments, the program's name left out.
pub fn main(args: Vec<OsString>) -> ExitCode {
    limits::fail_beyond_file_size();
    let (globals, words) = match globals::scan(args, tree::is_noun) {
        Ok(scanned) => scanned,
        Err((globals, err)) => return Output::new(globals.json, globals.verbosity).fail(&err),
    };
    let out = Output::new(globals.json, globals.verbosity);
    let options = DatabaseOptions { path: globals.db, timeout: globals.timeout };
    let mut cx = CommandContext::new(Environment::Process, options, Box::new(out));
    match tree::dispatch(&words, out, &mut cx) {
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
