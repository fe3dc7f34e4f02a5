//! The rules of a project: thresholds (`confidence.json`) and paths (`protected-paths.json`). The program
//! only reads these files.

use serde_json::Value;

use super::super::glob::Pattern;

/// The thresholds of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// The least number of sessions that a pattern has to come from.
    pub min_sessions: i64,
    /// The least number of projects that a pattern has to come from.
    pub min_diversity: i64,
    /// The least number of rows.
    pub min_events: i64,
    /// The least share of overrides that say that the agent was wrong, in percent.
    pub min_agent_wrong_pct: i64,
    /// The number of sessions after which a canary is judged.
    pub canary_window_uses: i64,
    /// The number of days after which a canary is judged at the latest.
    pub canary_window_days: i64,
    /// The least number of sessions that make a baseline.
    pub canary_min_baseline: i64,
    /// The change for the worse that causes an alert, in percent.
    pub canary_alert_pct: i64,
    /// The least change for the worse that causes an alert, in thousandths.
    pub canary_noise: i64,
    /// Whether agents may apply overrides by themselves.
    pub autonomy: bool,
    /// The number of reverted overrides of an agent that trips the circuit breaker.
    pub circuit_breaker_max: i64,
    /// The days in which reverted overrides count.
    pub circuit_breaker_days: i64,
    /// The number of overrides that agents may apply by themselves.
    pub rate_limit_max: i64,
    /// The hours in which applied overrides count.
    pub rate_limit_hours: i64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            min_sessions: 3,
            min_diversity: 2,
            min_events: 5,
            min_agent_wrong_pct: 80,
            canary_window_uses: 20,
            canary_window_days: 14,
            canary_min_baseline: 15,
            canary_alert_pct: 20,
            canary_noise: 100,
            autonomy: false,
            circuit_breaker_max: 3,
            circuit_breaker_days: 30,
            rate_limit_max: 5,
            rate_limit_hours: 24,
        }
    }
}

impl Thresholds {
    /// Reads `confidence.json`. A missing value has its default, and a value out of bounds has the nearest
    /// bound. Returns a warning for each value that was not taken as it is.
    ///
    /// # Errors
    /// A description of the fault, if the file is not an object.
    pub fn parse(text: &str) -> Result<(Self, Vec<String>), String> {
        let value: Value = serde_json::from_str(text).map_err(|err| err.to_string())?;
        let Value::Object(map) = value else { return Err("it is not an object".to_owned()) };
        let mut found = Self::default();
        let mut odd = Vec::new();
        let fields = [
            ("min_sessions", &mut found.min_sessions, 1, 1000),
            ("min_diversity", &mut found.min_diversity, 1, 1000),
            ("min_events", &mut found.min_events, 1, 10_000),
            ("min_agent_wrong_pct", &mut found.min_agent_wrong_pct, 1, 100),
            ("canary_window_uses", &mut found.canary_window_uses, 1, 1000),
            ("canary_window_days", &mut found.canary_window_days, 1, 365),
            ("canary_min_baseline", &mut found.canary_min_baseline, 1, 1000),
            ("canary_alert_pct", &mut found.canary_alert_pct, 1, 100),
            ("circuit_breaker_max", &mut found.circuit_breaker_max, 1, 100),
            ("circuit_breaker_days", &mut found.circuit_breaker_days, 1, 365),
            ("rate_limit_max", &mut found.rate_limit_max, 1, 50),
            ("rate_limit_hours", &mut found.rate_limit_hours, 1, 168),
        ];
        for (key, field, least, most) in fields {
            match map.get(key).map(Value::as_i64) {
                None => {}
                Some(Some(number)) => {
                    *field = number.clamp(least, most);
                    if *field != number {
                        odd.push(format!("{key} is {number}, taken as {field}"));
                    }
                }
                Some(None) => odd.push(format!("{key} is not a whole number, taken as {field}")),
            }
        }
        match map.get("canary_noise_floor") {
            None => {}
            Some(noise) => match thousandths(noise) {
                Some(noise) if (0..=10_000).contains(&noise) => found.canary_noise = noise,
                _ => odd.push("canary_noise_floor is not a number from 0 to 10, taken as 0.1".to_owned()),
            },
        }
        match map.get("autonomy") {
            None => {}
            Some(Value::Bool(autonomy)) => found.autonomy = *autonomy,
            Some(_) => odd.push("autonomy is neither true nor false, taken as false".to_owned()),
        }
        Ok((found, odd))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "bounded before")]
fn thousandths(value: &Value) -> Option<i64> {
    let number = value.as_f64().filter(|number| (0.0..=10.0).contains(number))?;
    Some((number * 1000.0).round() as i64)
}

/// The rules about paths that may be changed.
#[derive(Clone, Debug, Default)]
pub struct Protected {
    forbidden: Vec<Pattern>,
    allowed: Vec<Pattern>,
    always_propose: Vec<Pattern>,
}

impl Protected {
    /// Reads `protected-paths.json`.
    ///
    /// # Errors
    /// A description of the fault. A rule that cannot be read must not be taken for no rule.
    pub fn parse(text: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(text).map_err(|err| err.to_string())?;
        let list = |key: &str| match value.get(key) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(items)) => {
                let read = |item: &Value| {
                    let text =
                        item.as_str().ok_or_else(|| format!("`{key}` holds something that is no text"))?;
                    Pattern::parse(text).map_err(|err| format!("`{key}`: {err}"))
                };
                items.iter().map(read).collect()
            }
            Some(_) => Err(format!("`{key}` is not a list")),
        };
        if !value.is_object() {
            return Err("it is not an object".to_owned());
        }
        Ok(Self {
            forbidden: list("protected_paths")?,
            allowed: list("modification_allow_list")?,
            always_propose: list("always_propose")?,
        })
    }

    /// Returns why a path may not be changed, or `None` if it may.
    pub fn forbids(&self, path: &str) -> Option<&'static str> {
        let any = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.covers(path));
        if any(&self.forbidden) {
            Some("it is among its protected_paths")
        } else if !any(&self.allowed) {
            Some("it is not in its modification_allow_list")
        } else {
            None
        }
    }

    /// Checks whether a change of the path has to be proposed first.
    pub fn needs_proposal(&self, path: &str) -> bool {
        self.always_propose.iter().any(|pattern| pattern.covers(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_have_defaults_and_bounds() {
        let default = Thresholds::default();
        assert_eq!(Thresholds::parse("{}").unwrap(), (default.clone(), Vec::new()));
        let text = r#"{"min_sessions":4,"canary_window_uses":0,"rate_limit_hours":1000,"min_events":"x",
            "canary_noise_floor":0.25,"autonomy":true,"else":1}"#;
        let (found, odd) = Thresholds::parse(text).unwrap();
        assert_eq!((found.min_sessions, found.canary_window_uses, found.rate_limit_hours), (4, 1, 168));
        assert_eq!((found.min_events, found.canary_noise, found.autonomy), (5, 250, true));
        assert_eq!(odd.len(), 3, "{odd:?}");
        let (found, odd) = Thresholds::parse(r#"{"canary_noise_floor":11,"autonomy":1}"#).unwrap();
        assert_eq!((found, odd.len()), (default, 2));
        assert!(Thresholds::parse("[]").is_err() && Thresholds::parse("").is_err());
    }

    #[test]
    fn a_path_has_to_be_allowed_and_not_protected() {
        let text = r#"{"protected_paths":["hooks/**"],"modification_allow_list":[".claude/*.json","hooks/*"],
            "always_propose":[".claude/b.json"]}"#;
        let rules = Protected::parse(text).unwrap();
        assert_eq!(rules.forbids(".claude/a.json"), None);
        assert!(rules.forbids("hooks/x").unwrap().contains("protected"));
        assert!(rules.forbids("src/x").unwrap().contains("allow_list"));
        assert!(rules.needs_proposal(".claude/b.json") && !rules.needs_proposal(".claude/a.json"));
        assert!(Protected::parse("{}").unwrap().forbids("x").is_some(), "nothing is allowed by itself");
        for bad in [
            "",
            "[]",
            r#"{"protected_paths":"x"}"#,
            r#"{"always_propose":[1]}"#,
            r#"{"protected_paths":["["]}"#,
        ] {
            assert!(Protected::parse(bad).is_err(), "{bad}");
        }
    }
}
