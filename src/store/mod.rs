//! SQL, one module per table family. Functions take the transaction, return domain types, and append the
//! event of what they change through the same transaction. Nothing here opens, commits or prints.

pub mod action;
pub mod agent;
pub mod artifact;
mod cells;
pub mod coordination;
pub mod cursor;
pub mod dispatch;
mod error;
pub mod event;
pub mod idempotency;
pub mod import;
pub mod intent;
pub mod interspect;
pub mod phase;
mod phase_event;
mod quiet;
pub mod run;
pub mod sentinel;
pub mod state;

#[cfg(test)]
mod tests;

pub use error::StoreError;
