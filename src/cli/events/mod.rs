//! `ic events`: the one append-only log of everything that happened. `ic interspect`: a shape of it.

pub(super) mod cursor;
pub(super) mod export;
pub(super) mod lists;
pub(super) mod record;
pub(super) mod stats;
pub(super) mod verify;
