//! The call of an agent, as a hook reads it from stdin.

use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::app::{CommandContext, Error, caller};
use crate::domain::json::ObjectEnd;
use crate::os::{paths, stream};

/// How long a hook waits for its call, which the caller has at hand when it starts the hook.
const READ_TIMEOUT: Duration = Duration::from_millis(1500);
const MAX_BYTES: usize = 64 << 20;

/// The members of a call that hooks read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct HookCall {
    session_id: Option<String>,
    cwd: Option<PathBuf>,
    tool_name: Option<String>,
    tool_input: ToolInput,
    // Any value is read for these: an unexpected one is no reason to ignore the file.
    hook_event_name: Value,
    reason: Value,
    background_tasks: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ToolInput {
    file_path: Option<String>,
    notebook_path: Option<String>,
}

impl HookCall {
    /// Reads a call, and does not wait for the caller to close its end. Invalid UTF-8 is replaced.
    ///
    /// # Errors
    /// [`Error::Input`] if the call is not complete in time, or is not a call.
    pub(super) fn read(stdin: BorrowedFd<'_>) -> Result<Self, Error> {
        let mut end = ObjectEnd::default();
        let read = stream::read_until(stdin, MAX_BYTES, READ_TIMEOUT, |bytes| end.find(bytes));
        let bytes = read.map_err(|err| Error::Input(format!("the call on stdin is not complete: {err}")))?;
        serde_json::from_str(&String::from_utf8_lossy(&bytes))
            .map_err(|err| Error::Input(format!("the call on stdin is not understood: {err}")))
    }

    /// Returns the owner of what the caller does: the agent that the environment names, or the session.
    pub(super) fn owner(&self, cx: &CommandContext) -> Option<String> {
        caller::owner(&cx.env, self.session_id.as_deref())
    }

    /// Checks whether the session ends. At the end of a turn, and for a session that continues under
    /// another name, its files are still half done.
    pub(super) fn ends_session(&self) -> bool {
        self.hook_event_name == "SessionEnd" && self.reason != "clear" && self.reason != "resume"
    }

    /// Checks whether something of the session may still work in the background. A task counts as ended
    /// only if its status says so.
    pub(super) fn is_busy(&self) -> bool {
        let ended =
            ["completed", "failed", "killed", "stopped", "cancelled", "canceled", "error", "timed_out"];
        match &self.background_tasks {
            Value::Null => false,
            Value::Array(tasks) => {
                tasks.iter().any(|task| task["status"].as_str().is_none_or(|status| !ended.contains(&status)))
            }
            _ => true,
        }
    }

    /// Returns the directory of the call.
    pub(super) fn cwd(&self, cx: &CommandContext) -> Result<PathBuf, Error> {
        let cwd = cx.cwd()?;
        Ok(match &self.cwd {
            Some(given) => paths::clean(given, &cwd),
            None => cwd,
        })
    }

    /// Returns the file that the call edits, as written; `None` if it edits none.
    pub(super) fn edited_file(&self) -> Option<&str> {
        let edits = ["Edit", "Write", "MultiEdit", "NotebookEdit"];
        if self.tool_name.as_deref().is_some_and(|tool| !edits.contains(&tool)) {
            return None;
        }
        let ToolInput { file_path, notebook_path } = &self.tool_input;
        file_path.as_deref().or(notebook_path.as_deref()).filter(|path| !path.is_empty())
    }
}

/// Returns the path of a file without symlinks. `..` after a symlink is resolved as the system does it, and
/// as written where the directory does not exist yet.
pub(super) fn resolve(file: &str, cwd: &Path) -> PathBuf {
    let given = cwd.join(file);
    let existing = given.parent().zip(given.file_name());
    let existing = existing.and_then(|(dir, name)| Some(dir.canonicalize().ok()?.join(name)));
    paths::canonical_key(&existing.unwrap_or_else(|| paths::clean(Path::new(file), cwd)))
}
