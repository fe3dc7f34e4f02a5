//! Dispatch operations that the commands of other nouns call.

pub(in crate::cli) use crate::app::dispatch::auto;
pub(in crate::cli) use crate::app::dispatch::settle::stop_processes;
