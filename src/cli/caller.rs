//! Who calls: the agent or the session that the environment, or the call of a hook, names.

use super::coordination::word;

/// Returns the owner of what the caller does: `INTERMUTE_AGENT_ID`, else the session. `told` is the session
/// that the call of a hook carries, which comes before the environment's. `None` where no agent calls.
pub(super) fn owner(told: Option<&str>) -> Option<String> {
    let told = || told.and_then(|name| word(name).ok());
    read("INTERMUTE_AGENT_ID").or_else(told).or_else(session)
}

/// Returns the session that the environment names.
pub(super) fn session() -> Option<String> {
    // Claude Code sets the first one for the commands that it runs; the second one is older.
    read("CLAUDE_CODE_SESSION_ID").or_else(|| read("CLAUDE_SESSION_ID"))
}

fn read(name: &str) -> Option<String> {
    std::env::var(name).ok().and_then(|value| word(&value).ok())
}
