//! Watching one run of the project's hook of a phase change, so that its caller need not wait.

use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use crate::app::effects::HOOK_LIMIT;
use crate::app::reply::Style;
use crate::app::{CommandContext, Error, Reply};
use crate::os::hook::{self, WatchEnd};

/// How the hook ended.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "end")]
pub(crate) enum HookEnd {
    Exited { exit_code: i32 },
    Signalled,
    TimedOut,
}

/// Runs the hook, which reads the event from stdin, and ends it when its time is over. The reply is silent:
/// nothing reads it.
///
/// # Errors
/// [`Error::File`] if the hook cannot be started.
pub(crate) fn watch(cx: &CommandContext, hook: &Path, project: &Path) -> Result<Reply<HookEnd>, Error> {
    let end = hook::watch(hook, project, HOOK_LIMIT).map_err(|source| Error::File {
        what: "running hook",
        path: hook.to_owned(),
        source,
    })?;
    cx.info(format_args!("hook: {end:?}"));
    let answer = match end {
        WatchEnd::Exited(exit_code) => HookEnd::Exited { exit_code },
        WatchEnd::Signalled => HookEnd::Signalled,
        WatchEnd::TimedOut => HookEnd::TimedOut,
    };
    Ok(Reply::yes(answer).styled(Style::Silent))
}
