//! Tasks in files that people and other programs edit too: `TODO.md`, `state.json`, and the plan of a task.
//!
//! Everything here takes texts and returns texts. A change edits the entry and the object of its task and
//! leaves every other byte as it is; the checks before and after it look at the entry and the object of the
//! task as well.

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
