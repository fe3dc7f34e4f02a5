//! Gates: what must be true before a run leaves a phase.

pub(crate) mod calibration;
pub(crate) mod check;
pub(crate) mod evidence;
pub(crate) mod override_;
pub(crate) mod rules;
pub(crate) mod signals;
