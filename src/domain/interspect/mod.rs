//! Overrides: which reviewers an orchestrator excludes, why, and how that turns out.
//!
//! The file that other programs read is in [`file`], the evidence about agents in [`evidence`], the outcome
//! of an override in [`canary`], and the rules of a project in [`policy`].

pub mod canary;
pub mod evidence;
pub mod file;
pub mod json;
pub mod limits;
pub mod modification;
pub mod policy;
pub mod watch;

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::glob::Pattern;

/// The default path of the overrides, relative to the top of the repository.
pub const DEFAULT_PATH: &str = ".claude/routing-overrides.json";

/// Agents that review all work. To exclude one deserves a warning.
const CROSS_CUTTING: [&str; 4] = ["fd-architecture", "fd-quality", "fd-safety", "fd-correctness"];

/// The name of an agent that can be excluded: `fd-`, then lowercase letters, digits or hyphens, a letter
/// first.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct AgentName(String);

impl AgentName {
    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Checks whether the agent reviews all work.
    pub fn is_cross_cutting(&self) -> bool {
        CROSS_CUTTING.contains(&self.0.as_str())
    }
}

impl FromStr for AgentName {
    type Err = String;

    /// Reads a name. The name of its plugin may stand before it (`interflux:fd-x`, `interflux:review:fd-x`).
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

impl crate::domain::TextColumn for AgentName {}

impl fmt::Display for AgentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns an agent's name without the name of its plugin.
pub fn bare(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

words!(
    /// The effect of an entry.
    Action, "action" {
        /// The agent is excluded.
        Exclude = "exclude",
        /// The exclusion is proposed.
        Propose = "propose",
    }
);

words!(
    /// A change of an override.
    OverrideAction, "change of an override" {
        /// An exclusion is proposed.
        Propose = "propose",
        /// A proposal is approved.
        Approve = "approve",
        /// An exclusion is applied, with or without a proposal.
        Apply = "apply",
        /// The reason, the evidence or the scope of an exclusion is changed.
        Amend = "amend",
        /// An exclusion or a proposal is reverted.
        Revert = "revert",
    }
);

/// The work that an override applies to. An empty scope applies to all work.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Scope {
    /// Kinds of project.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<String>,
    /// Patterns of paths, relative to the repository.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub file_patterns: Vec<String>,
}

impl Scope {
    /// Checks whether the scope applies to all work.
    pub fn is_empty(&self) -> bool {
        self.domains.is_empty() && self.file_patterns.is_empty()
    }

    /// Checks whether the scope applies to this work. Where domains and patterns are set, both have to match.
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
/// A pattern that is absolute, leads upwards, or cannot be read.
pub fn file_pattern(text: &str) -> Result<Pattern, String> {
    if text.starts_with('/') || text.split('/').any(|part| part == "..") {
        return Err("a pattern has to be relative, without `..`".to_owned());
    }
    Pattern::parse(text).map_err(|err| err.to_string())
}

/// Reads the path of the overrides.
///
/// # Errors
/// A path that is absolute, has `..` in it, or names no file.
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
