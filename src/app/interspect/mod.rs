//! Evidence about agents, and the overrides that exclude agents from the work of an orchestrator.

pub(crate) mod blacklist;
pub(crate) mod canary;
pub(crate) mod change;
mod commit;
pub(crate) mod eligible;
pub(crate) mod import;
mod recover;
pub(crate) mod repo;
mod roster;
pub(crate) mod status;
pub(crate) mod triage;

use super::{Environment, Error};
use crate::ops::OpsError;
use crate::ops::interspect::Refusal;

/// The default time before evidence counts.
const QUARANTINE_HOURS: i64 = 48;
/// The longest such time: a year.
const MAX_QUARANTINE_HOURS: i64 = 24 * 365;

/// Returns the time before evidence counts, in seconds. `INTERSPECT_QUARANTINE_HOURS` sets it in hours; a
/// value that is not a number of at most a year has no effect.
fn quarantine(env: &Environment) -> i64 {
    let hours = env.var("INTERSPECT_QUARANTINE_HOURS").and_then(|text| text.parse::<i64>().ok());
    hours.filter(|hours| (0..=MAX_QUARANTINE_HOURS).contains(hours)).unwrap_or(QUARANTINE_HOURS) * 3600
}

/// Converts a refusal to an error.
fn refused(refusal: Refusal) -> Error {
    OpsError::from(refusal).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quarantine_is_set_in_hours() {
        let env = |hours: &str| Environment::Values {
            variables: [("INTERSPECT_QUARANTINE_HOURS".into(), hours.into())].into(),
            cwd: "/".into(),
        };
        assert_eq!(quarantine(&env("0")), 0);
        assert_eq!(quarantine(&env("2")), 7200);
        for odd in ["", "x", "-1", "8761"] {
            assert_eq!(quarantine(&env(odd)), 48 * 3600, "{odd}");
        }
    }
}
