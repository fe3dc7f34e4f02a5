//! The command line, command by command.

mod budget;
mod compat;
mod completions;
mod config;
mod hooks;
mod lock;
mod paths;
mod phase;
mod rollback;
mod run;
mod state;
mod usage;
