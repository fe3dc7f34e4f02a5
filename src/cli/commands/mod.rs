//! The commands: one folder for each noun, one file for each verb.

pub(super) mod action;
pub(super) mod agent;
pub(super) mod artifact;
pub(super) mod compat;
pub(super) mod config;
pub(super) mod coordination;
pub(super) mod events;
pub(super) mod lock;
pub(super) mod schema;
pub(super) mod sentinel;
pub(super) mod state;
