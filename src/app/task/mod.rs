//! Tasks in `TODO.md`, `state.json` and plans: a change is made in all of these files or in none.
//!
//! [`sync`] has the order of the steps, [`rewrite`] the replacement of the files under the write lock of the
//! database, [`settle`] the completion of changes whose process died, and [`probe`] the points at which tests
//! interfere.

pub(crate) mod audit;
pub(crate) mod change;
mod commit;
mod files;
mod intent;
mod job;
mod probe;
pub(crate) mod query;
mod report;
mod rewrite;
mod run;
mod settle;
mod sync;
mod turns;
pub(crate) mod verify;

pub(crate) use job::ChangeKind;
pub(crate) use report::TaskChange;
