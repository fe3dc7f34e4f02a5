//! The commands: a folder for each noun with a file for each verb, or a file for a noun
//! without verbs.

pub(super) mod backup;
pub(super) mod completions;
pub(super) mod config;
pub(super) mod coordination;
pub(super) mod demo;
pub(super) mod events;
pub(super) mod health;
pub(super) mod help;
pub(super) mod import;
pub(super) mod init;
pub(super) mod man;
pub(super) mod restore;
pub(super) mod schema;
pub(super) mod version;
