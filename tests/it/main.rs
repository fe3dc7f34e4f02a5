//! The one integration binary: real processes against real files. Requirement ids in the doc comments name the statement
//! that a test holds.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "what was skipped is said where it can be seen")]
#![expect(clippy::similar_names, reason = "rules and ruled, stdout and stdin")]

mod answers;
mod backup;
mod children;
mod cli;
mod crash;
mod damage;
mod dispatch;
mod faults;
mod fold;
mod follow;
mod git_place;
mod hook;
mod hook_life;
mod import;
mod interspect;
mod lease;
mod memory;
mod mirror;
mod namespace;
mod older;
mod race;
mod readme;
mod schema;
mod scripts;
mod storm;
mod support;
mod task;
mod tidy;
mod unreadable;
mod waiting;
