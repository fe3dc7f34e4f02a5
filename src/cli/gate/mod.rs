//! `ic gate`: what must be true before a run leaves a phase.

pub(super) mod check;
pub(super) mod evidence;
pub(super) mod over;
pub(super) mod rules;
pub(super) mod signals;
