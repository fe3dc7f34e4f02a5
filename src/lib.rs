//! `ic` (intercore): the orchestration kernel under coding agents.
//!
//! One short process per call: parse, open, one transaction, print, exit. The layers depend one way,
//! `cli -> app -> ops -> store -> db -> os`. `domain` is pure and may be used by all of them. `tests/it/tidy.rs` checks this.

mod app;
pub mod cli;
mod db;
mod domain;
mod ops;
mod os;
mod store;

// For the integration tests, which create databases of earlier versions.
pub use db::{MIGRATIONS, Migration, newest};
// For the fuzz targets.
pub use domain::glob;
