//! Runs: pieces of work on their way through a chain of phases.

pub(crate) mod advance;
pub(crate) mod budget;
pub(crate) mod cancel;
pub(crate) mod create;
pub(crate) mod events;
pub(crate) mod find;
pub(crate) mod phase;
pub(crate) mod rollback;
pub(crate) mod set;
pub(crate) mod skip;
pub(crate) mod status;
pub(crate) mod tokens;
