//! Tasks in files that people and other programs edit too: `TODO.md`, `state.json`, and the plan of a task.
//!
//! Everything here is text in, text out. A change touches the task's own entry and object and leaves every other byte as it
//! is; what is checked before and after is checked on the task's own entry as well.

pub mod audit;
pub mod change;
mod edit;
mod entry;
mod filed;
pub mod link;
pub mod plan;
pub mod problem;
pub mod request;
pub mod state;
pub mod status;
pub mod todo;
pub mod verify;

#[cfg(test)]
mod prop_tests;
