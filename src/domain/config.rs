//! The settings of a project: the known keys and their values.

use serde_json::Value;

use super::autonomy::Level;

/// A setting that the kernel itself reads.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    pub key: &'static str,
    pub description: &'static str,
    read: fn(&str) -> Result<i64, String>,
}

/// The key of the level that says how much the project leaves to its agents.
pub const DELEGATION_LEVEL: &str = "autonomy.delegation_level";

/// The settings that the kernel reads, by key.
pub const KNOWN: [Known; 3] = [
    Known {
        key: DELEGATION_LEVEL,
        description: "how much is left to agents, 0 to 5 (L2 when not set): from 2 on new runs advance by themselves",
        read: |text| text.parse::<Level>().map(|level| level.number().into()),
    },
    Known {
        key: "global_max_dispatches",
        description: "most dispatches at a time over all runs, 0 for no limit",
        read: count,
    },
    Known {
        key: "max_spawn_depth",
        description: "how deep dispatches may start dispatches, 0 for no limit",
        read: count,
    },
];

fn count(text: &str) -> Result<i64, String> {
    // As JSON writes it: no sign and no leading zero.
    match serde_json::from_str::<i64>(text) {
        Ok(number) if number >= 0 => Ok(number),
        Ok(_) => Err("must not be negative".to_owned()),
        Err(_) => Err("value must be an integer".to_owned()),
    }
}

/// Parses the value of a setting: in the form that its key requires, or as any JSON if the kernel does not
/// know the key.
///
/// # Errors
/// A message if the value is invalid.
pub fn parse(key: &str, text: &str) -> Result<Value, String> {
    match KNOWN.iter().find(|known| known.key == key) {
        Some(known) => (known.read)(text).map(Value::from),
        None => serde_json::from_str(text).map_err(|_| "value must be JSON".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_settings_have_their_ranges_and_others_are_json() {
        assert_eq!(parse(DELEGATION_LEVEL, "L3"), Ok(3.into()));
        assert_eq!(parse(DELEGATION_LEVEL, "l0"), Ok(0.into()));
        assert_eq!(parse("max_spawn_depth", "4"), Ok(4.into()));
        assert_eq!(parse("mine", "{\"a\":1}"), Ok(serde_json::json!({"a": 1})));
        for (key, bad) in [
            (DELEGATION_LEVEL, "6"),
            (DELEGATION_LEVEL, "-1"),
            (DELEGATION_LEVEL, "LL1"),
            ("global_max_dispatches", "-1"),
            ("global_max_dispatches", "1.5"),
            ("max_spawn_depth", ""),
            ("mine", "bar"),
            ("mine", "007"),
        ] {
            assert!(parse(key, bad).is_err(), "{key} {bad}");
        }
    }
}
