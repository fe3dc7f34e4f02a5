//! Primitives for the world outside the database: processes and their identity, signals, paths, files,
//! limits, locks made of directories, and the hook of a phase change.
//!
//! Every function does one thing to the operating system and returns the outcome. The layers above decide
//! what to do about it: here is no SQL, no rule, no wall clock (time limits use the monotonic clock) and no
//! printing. Of the other layers, only `domain::text` is used.
//!
//! Linux is the target. On other systems everything compiles and works with weaker guarantees, which are
//! documented in each place.

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
