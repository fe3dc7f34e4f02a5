//! The `ic` binary: hands the command line to [`intercore::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    intercore::cli::main(std::env::args_os().skip(1).collect())
}
