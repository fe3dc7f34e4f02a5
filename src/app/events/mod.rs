//! The event log: recording, reading it in pieces, following it, consumers, checking and copying it.

pub(crate) mod cursor;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod json_lines;
mod log_file;
pub(crate) mod query;
pub(crate) mod reader;
pub(crate) mod record;
pub(crate) mod stats;
pub(crate) mod tail;
pub(crate) mod verify;
