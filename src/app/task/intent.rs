//! The intent of a change: recorded before any file is touched, so that another process can finish the
//! change.

use std::path::PathBuf;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::domain::process::ProcessKey;
use crate::domain::task::request::Request;
use crate::domain::text::hex;
use crate::os::process::{Identity, Liveness};

/// The kind under which the intents are stored.
pub(super) const KIND: &str = "task";

/// A file of an intent with the digests of its content before and after.
#[derive(Clone, Debug)]
pub(super) struct FileDigests {
    pub name: String,
    pub path: PathBuf,
    pub old: String,
    pub new: String,
}

/// The stored form of a change.
#[derive(Clone, Debug)]
pub(super) struct IntentDetail {
    pub request: Request,
    pub from: String,
    pub to: String,
    pub plan: Option<String>,
    pub files: Vec<FileDigests>,
}

impl IntentDetail {
    /// Returns the detail as JSON.
    pub(super) fn to_json(&self) -> String {
        let file = |file: &FileDigests| json!([file.name, file.path.to_string_lossy(), file.old, file.new]);
        let files: Vec<Value> = self.files.iter().map(file).collect();
        let Self { from, to, plan, .. } = self;
        json!({ "request": self.request.to_json(), "from": from, "to": to, "plan": plan, "files": files })
            .to_string()
    }

    /// Parses what [`Self::to_json`] returned.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let word = |value: &Value| value.as_str().map(ToOwned::to_owned);
        let file = |file: &Value| {
            Some(FileDigests {
                name: word(&file[0])?,
                path: PathBuf::from(word(&file[1])?),
                old: word(&file[2])?,
                new: word(&file[3])?,
            })
        };
        Some(Self {
            request: Request::from_json(&value["request"])?,
            from: word(&value["from"])?,
            to: word(&value["to"])?,
            plan: word(&value["plan"]),
            files: value["files"].as_array()?.iter().map(file).collect::<Option<_>>()?,
        })
    }
}

/// Returns the SHA-256 digest of a file's content in hexadecimal.
pub(super) fn digest(content: &[u8]) -> String {
    hex(&Sha256::digest(content))
}

/// Checks whether the process of an intent is known to be running.
pub(super) fn is_alive(process: &ProcessKey) -> bool {
    Identity::recorded(process).is_some_and(|process| process.liveness() == Liveness::Alive)
}

/// Checks whether the process of an intent has ended. A process that cannot be judged from here may still be
/// running.
pub(super) fn is_dead(process: &ProcessKey) -> bool {
    Identity::recorded(process).is_none_or(|process| process.liveness() == Liveness::Gone)
}
