//! `ic` (intercore): the orchestration kernel under coding agents.
//!
//! One short process per call: parse, open, one transaction, print, exit. The layers depend one way,
//! `cli -> app -> ops -> store -> db`; [`domain`] is pure and may be used by all of them, [`os`] holds the primitives for the
//! world outside the database. `tests/it/tidy.rs` holds the rule.

pub(crate) mod app;
pub mod cli;
pub mod db;
pub mod domain;
pub mod ops;
pub mod os;
pub mod store;
