//! `ic run …`, and the same commands as `ic phase …`.

pub(super) mod advance;
pub(super) mod budget;
pub(super) mod cancel;
pub(super) mod create;
pub(super) mod current;
pub(super) mod events;
pub(super) mod list;
pub(super) mod phase;
pub(super) mod rollback;
pub(super) mod set;
pub(super) mod skip;
pub(super) mod status;
pub(super) mod tokens;
