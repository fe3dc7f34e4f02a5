//! The application layer: commands as functions that compute typed answers.
//!
//! Everything that needs both the database and the operating system lives here, together with every answer type and the
//! context of one call. Nothing here prints, exits, or knows the argument parser: the front ends render the answers.

pub(crate) mod action;
pub(crate) mod agent;
pub(crate) mod artifact;
pub(crate) mod backup;
pub(crate) mod caller;
pub(crate) mod code;
pub(crate) mod compat;
pub(crate) mod config;
pub(crate) mod context;
pub(crate) mod coordination;
pub(crate) mod dispatch;
pub(crate) mod effects;
pub(crate) mod environment;
pub(crate) mod error;
pub(crate) mod events;
pub(crate) mod external;
pub(crate) mod gate;
pub(crate) mod git_exclude;
pub(crate) mod health;
pub(crate) mod hook;
pub(crate) mod identity;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod interspect;
pub(crate) mod locate;
pub(crate) mod lock;
pub(crate) mod reply;
pub(crate) mod restore;
pub(crate) mod run;
pub(crate) mod sentinel;
pub(crate) mod state;
pub(crate) mod task;
pub(crate) mod version;

pub use code::Code;
pub(crate) use context::CommandContext;
pub(crate) use environment::Environment;
pub(crate) use error::Error;
pub(crate) use reply::{Reply, Verdict};
