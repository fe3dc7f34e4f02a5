//! `ic events`: the one append-only log of everything that happened.

pub(super) mod tail;
pub(super) mod verify;
