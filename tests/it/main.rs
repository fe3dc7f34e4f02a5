//! The one integration binary: real processes against real files. Requirement ids in the doc comments name the statement
//! that a test holds.

#![allow(clippy::must_use_candidate, clippy::missing_panics_doc, reason = "helpers of tests")]

mod cli;
mod crash;
mod damage;
mod fold;
mod race;
mod schema;
mod support;
mod tidy;
