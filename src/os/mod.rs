//! Primitives for the world outside the database: processes and their identity, signals, paths, files,
//! limits, locks made of directories, and the hook of a phase change.
//!
//! Every function here does one thing to the operating system and says what happened. What to do about it is
//! decided elsewhere: no SQL, no rules, no wall clock (time limits run on the monotonic clock), no printing,
//! and nothing of `domain`, `db`, `store`, `ops` or `cli`.
//!
//! Linux is the target. Elsewhere everything compiles and works with weaker guarantees; each place that
//! degrades says so.

pub mod atomic;
pub mod child;
pub mod filelock;
pub mod files;
pub mod git;
pub mod hook;
pub mod limits;
pub mod paths;
pub mod process;
pub mod programs;
pub mod rotated;
pub mod signals;
pub mod stream;
#[cfg(debug_assertions)]
pub mod test_points;
pub mod worktree;
