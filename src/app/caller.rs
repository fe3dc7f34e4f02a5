//! Which agent calls, as the environment or the payload of a hook names it.

use super::Environment;
use crate::domain::coordination::word;

/// Returns the owner of what the caller does: `INTERMUTE_AGENT_ID`, else the session. `session` is the one that the payload
/// of a hook names, which comes before the environment's. `None` where no agent calls.
pub(crate) fn owner(env: &Environment, session: Option<&str>) -> Option<String> {
    let named = env.var("INTERMUTE_AGENT_ID").and_then(|name| word(&name).ok());
    let payload = || session.and_then(|name| word(name).ok());
    named.or_else(payload).or_else(|| self::session(env))
}

/// Returns the session that the environment names.
pub(crate) fn session(env: &Environment) -> Option<String> {
    // Claude Code sets the first one for the commands that it runs; the second one is older.
    let names = [env.var("CLAUDE_CODE_SESSION_ID"), env.var("CLAUDE_SESSION_ID")];
    names.into_iter().flatten().find_map(|name| word(&name).ok())
}
