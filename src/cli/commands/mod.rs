//! The commands: one folder for each noun, one file for each verb.

pub(super) mod action;
pub(super) mod agent;
pub(super) mod artifact;
pub(super) mod compat;
pub(super) mod config;
pub(super) mod coordination;
pub(super) mod dispatch;
pub(super) mod events;
pub(super) mod gate;
pub(super) mod hook;
pub(super) mod hook_watch;
pub(super) mod interspect;
pub(super) mod lock;
pub(super) mod run;
pub(super) mod schema;
pub(super) mod sentinel;
pub(super) mod state;
pub(super) mod task;
