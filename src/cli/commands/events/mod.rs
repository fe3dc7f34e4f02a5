//! `ic events`: the one append-only log of everything that happened.

pub(in crate::cli) mod form;
pub(in crate::cli) mod tail;
