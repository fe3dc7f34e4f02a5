//! `ic interspect`: evidence about agents, and routing overrides.

pub(in crate::cli) mod query;
pub(in crate::cli) mod record;
