//! Events: the append-only log of all changes.

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};

use super::ids::RunId;

words!(
    /// The writer of an event.
    Origin, "event origin" {
        /// The kernel itself, in the transaction of the change that it records.
        Kernel = "kernel",
        /// A caller that recorded it.
        External = "external",
    }
);

/// The part of the kernel that an event is about: a word of `[a-z][a-z0-9_-]*`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct Source(std::borrow::Cow<'static, str>);

impl Source {
    /// Phase changes and settings of a run.
    pub const PHASE: Self = Self::kernel("phase");
    /// Creation of runs.
    pub const RUN: Self = Self::kernel("run");
    /// Agents of a run.
    pub const AGENT: Self = Self::kernel("agent");
    /// Artifacts of a run.
    pub const ARTIFACT: Self = Self::kernel("artifact");
    /// Actions of a run.
    pub const ACTION: Self = Self::kernel("action");
    /// Dispatches.
    pub const DISPATCH: Self = Self::kernel("dispatch");
    /// Tasks in files of the project.
    pub const TASK: Self = Self::kernel("task");

    /// The log itself.
    pub const LOG: Self = Self::kernel("log");
    /// Locks on files.
    pub const COORDINATION: Self = Self::kernel("coordination");
    /// Overrides. Evidence that callers record about agents has this source, too, with an external origin.
    pub const INTERSPECT: Self = Self::kernel("interspect");
    /// Data from a database of the Go program that has no table here.
    pub const IMPORT: Self = Self::kernel("import");

    const fn kernel(word: &'static str) -> Self {
        Self(std::borrow::Cow::Borrowed(word))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The maximum length of a source's name in bytes.
const MAX_SOURCE: usize = 100;

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = text.bytes().enumerate().all(|(at, b)| {
            b.is_ascii_lowercase() || (at > 0 && (b.is_ascii_digit() || b == b'_' || b == b'-'))
        });
        if plain && (1..=MAX_SOURCE).contains(&text.len()) {
            Ok(Self(std::borrow::Cow::Owned(text.to_owned())))
        } else {
            Err(format!(
                "invalid event source \"{text}\" (must match [a-z][a-z0-9_-]*, at most {MAX_SOURCE} bytes)"
            ))
        }
    }
}

impl crate::domain::TextColumn for Source {}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An event before it has a number.
///
/// `data` holds what a consumer needs without reading tables. Of a kernel event that changed a row,
/// `data.new` is the row's columns after the change (all of them for a new row, `null` for a removed one) and
/// `data.old` the same columns before it: folding the kernel's events gives the tables.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// The run that it belongs to, if any.
    pub run_id: Option<RunId>,
    pub source: Source,
    /// The type of the event, one word.
    pub kind: String,
    /// The id of the run, agent, artifact, action or dispatch that changed.
    pub subject: String,
    /// The state before; for phase events, the phase.
    pub from: String,
    pub to: String,
    /// The reason, in the caller's words or as evidence.
    pub reason: Option<String>,
    pub data: Map<String, Value>,
    /// The caller, the policy and the trace.
    pub envelope: Map<String, Value>,
}

/// An event as stored.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its number: one gapless sequence over all sources, in commit order.
    pub id: i64,
    /// Unix milliseconds.
    pub at_ms: i64,
    pub origin: Origin,
    /// The run that it belongs to, if any.
    pub run_id: Option<RunId>,
    pub source: Source,
    pub kind: String,
    pub subject: String,
    pub from: String,
    pub to: String,
    pub reason: Option<String>,
    /// JSON text as stored.
    pub data: Option<String>,
    /// The caller, the policy and the trace, JSON text as stored.
    pub envelope: Option<String>,
    /// The chain's digest up to and including this event.
    pub hash: String,
}

impl Event {
    /// Returns Unix seconds.
    pub fn secs(&self) -> i64 {
        self.at_ms.div_euclid(1000)
    }

    /// Returns `data`, decoded; an empty object if there is none or it is not an object.
    pub fn data(&self) -> Map<String, Value> {
        self.data.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }
}

/// The phase events that move a run.
pub const MOVING: [&str; 4] = ["advance", "override", "rollback", "undo"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_plain_words() {
        for good in ["phase", "a", "my-tool_2"] {
            assert_eq!(good.parse::<Source>().unwrap().as_str(), good);
        }
        for bad in ["", "A", "1a", "-a", "a b", "é"] {
            assert!(bad.parse::<Source>().is_err(), "{bad}");
        }
    }
}
