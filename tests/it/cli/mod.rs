//! The command line, command by command.

mod action;
mod agent;
mod arguments;
mod artifact;
mod budget;
mod callers;
mod compat;
mod completions;
mod config;
mod coordination;
mod events;
mod evidence;
mod external;
mod help;
mod hooks;
mod hostile;
mod idempotency;
mod lock;
mod paths;
mod phase;
mod rollback;
mod run;
mod state;
mod surroundings;
mod usage;
mod verdicts;
