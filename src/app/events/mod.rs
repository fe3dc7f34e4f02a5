//! The event log: reading it in pieces, following it, consumers.

pub(crate) mod reader;
pub(crate) mod tail;
