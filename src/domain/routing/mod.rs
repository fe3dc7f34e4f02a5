//! Routing overrides: which reviewers an orchestrator leaves out, why, and how that turns out.
//!
//! The file that other programs read is in [`file`], what is known of agents in [`evidence`], how an override turns out in
//! [`canary`], what a project allows in [`policy`].

pub mod canary;
pub mod evidence;
pub mod file;
pub mod json;
pub mod modification;
pub mod policy;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::glob::Pattern;

/// Where the overrides are, unless the project says otherwise: relative to the top of the repository.
pub const DEFAULT_PATH: &str = ".claude/routing-overrides.json";

/// Agents that look at everything: leaving one out deserves a second thought.
const CROSS_CUTTING: [&str; 4] = ["fd-architecture", "fd-quality", "fd-safety", "fd-correctness"];

/// The name of an agent that can be left out: `fd-` and small letters, digits or hyphens, a letter first.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AgentName(String);

impl AgentName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it looks at everything, whatever the work.
    pub fn is_cross_cutting(&self) -> bool {
        CROSS_CUTTING.contains(&self.0.as_str())
    }
}

impl FromStr for AgentName {
    type Err = String;

    /// Reads a name, also with the plugin that it comes from before it (`interflux:fd-x`, `interflux:review:fd-x`).
    fn from_str(text: &str) -> Result<Self, String> {
        let name = bare(text);
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let rest = name.strip_prefix("fd-").unwrap_or_default();
        if rest.starts_with(|c: char| c.is_ascii_lowercase()) && rest.bytes().all(plain) && name.len() <= 100
        {
            Ok(Self(name.to_owned()))
        } else {
            Err("want the name of an agent: `fd-` and small letters, digits or hyphens".to_owned())
        }
    }
}

impl fmt::Display for AgentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An agent's name without the plugin that it comes from.
pub fn bare(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

words!(
    /// What an entry does.
    Action, "action" {
        /// The agent is left out.
        Exclude = "exclude",
        /// Somebody proposes to leave it out.
        Propose = "propose",
    }
);

/// For which work an override counts; for all if nothing is named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// Kinds of project.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<String>,
    /// Patterns of paths, relative to the repository.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub file_patterns: Vec<String>,
}

impl Scope {
    /// Whether it counts for everything.
    pub fn is_empty(&self) -> bool {
        self.domains.is_empty() && self.file_patterns.is_empty()
    }

    /// Whether it counts for this work: where domains and patterns are set, both have to match.
    pub fn covers(&self, domain: Option<&str>, files: &[String]) -> bool {
        let by_domain =
            self.domains.is_empty() || domain.is_some_and(|d| self.domains.iter().any(|of| of == d));
        let matches = |pattern: &String| {
            file_pattern(pattern).is_ok_and(|pattern| files.iter().any(|file| pattern.covers(file)))
        };
        by_domain && (self.file_patterns.is_empty() || self.file_patterns.iter().any(matches))
    }
}

/// Reads a pattern of a scope.
///
/// # Errors
/// For one that is absolute, leads upwards, or cannot be read.
pub fn file_pattern(text: &str) -> Result<Pattern, String> {
    if text.starts_with('/') || text.split('/').any(|part| part == "..") {
        return Err("a pattern has to be relative, without `..`".to_owned());
    }
    Pattern::parse(text).map_err(|err| err.to_string())
}

/// Reads the path of the overrides as somebody set it (IS-17).
///
/// # Errors
/// For one that is absolute or has `..` in it.
pub fn override_path(text: &str) -> Result<String, String> {
    let parts: Vec<_> = text.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if text.starts_with('/') || parts.contains(&"..") {
        return Err("has to be relative to the repository, without `..`".to_owned());
    }
    if parts.is_empty() || text.ends_with('/') {
        return Err("has to name a file".to_owned());
    }
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_agents() {
        for good in ["fd-a", "fd-game-design", "fd-x2", "interflux:fd-a", "interflux:review:fd-a"] {
            assert_eq!(good.parse::<AgentName>().unwrap().as_str(), bare(good));
        }
        for bad in [
            "",
            "fd-",
            "fd-2x",
            "fd-A",
            "a",
            "fd-a b",
            "fd-a'; touch x",
            "fd--a",
            "xfd-a",
            &format!("fd-{}", "x".repeat(200)),
        ] {
            assert!(bad.parse::<AgentName>().is_err(), "{bad}");
        }
        assert!("fd-safety".parse::<AgentName>().unwrap().is_cross_cutting());
        assert!(!"fd-game".parse::<AgentName>().unwrap().is_cross_cutting());
    }

    /// IS-17
    #[test]
    fn a_path_that_leads_out_is_refused() {
        assert_eq!(override_path("./a//b.json").unwrap(), "a/b.json");
        for bad in ["", "/", "/a", "../a", "a/../b", "a/..", ".", "a/"] {
            assert!(override_path(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_scope_covers_what_both_its_parts_cover() {
        let files = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let scope = Scope { domains: files(&["tui"]), file_patterns: files(&["src/**", "/etc/*", "../x"]) };
        assert!(scope.covers(Some("tui"), &files(&["a", "src/x/y.rs"])));
        for (domain, names) in [
            (None, &["src/x"][..]),
            (Some("web"), &["src/x"]),
            (Some("tui"), &["lib/x"]),
            (Some("tui"), &[]),
            (Some("tui"), &["etc/passwd"]),
        ] {
            assert!(!scope.covers(domain, &files(names)), "{domain:?} {names:?}");
        }
        assert!(Scope::default().covers(None, &[]));
    }
}
