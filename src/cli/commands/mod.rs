//! The commands: one folder for each noun, one file for each verb.

pub(super) mod config;
pub(super) mod coordination;
pub(super) mod events;
pub(super) mod schema;
pub(super) mod task;
