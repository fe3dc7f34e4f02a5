//! The hooks that agents and git call.

use super::tape::Tape;

/// An agent's call as a hook gets it.
fn call(session: &str, tool: &str, path: &str) -> String {
    format!(
        "{{\"session_id\":\"{session}\",\"cwd\":\"$dir\",\"hook_event_name\":\"PreToolUse\",\"tool_name\":\"{tool}\",\
         \"tool_input\":{{\"file_path\":\"{path}\"}}}}"
    )
}

pub fn hook(t: &mut Tape) {
    t.repository("edits");
    t.write("src/a.rs", "");
    t.feed("hook pre-edit", &call("s1", "Edit", "src/a.rs"));
    t.feed("hook pre-edit", &call("s2", "Edit", "src/a.rs"));
    t.feed("hook pre-edit --strict", &call("s2", "Write", "$dir/src/a.rs"));
    t.feed("hook pre-edit", &call("s2", "Read", "src/a.rs"));
    t.feed("hook pre-edit", &call("s2", "Edit", "/etc/hosts"));
    t.feed("hook post-edit", &call("s1", "Edit", "src/a.rs"));
    t.feed("hook post-edit", &call("s2", "Edit", "src/a.rs"));
    t.feed("hook pre-edit", "nonsense");
    t.feed("hook pre-edit --strict", "nonsense");
    t.feed("hook post-edit", "nonsense");
    t.feed("hook stop", "nonsense");
    t.feed("hook pre-edit --nonsense", "");
    t.feed("hook post-edit --nonsense", "");
    t.feed("hook stop --nonsense", "");
    t.env("INTERMUTE_AGENT_ID", "agent-1");
    t.feed("hook pre-edit", &call("s1", "Edit", "src/a.rs"));
    t.feed("hook pre-edit", &call("s1", "Edit", "src/b.rs"));
    t.no_env();
    t.call("coordination list --active");
    t.note("under a lock");
    t.get("lock", "coordination reserve --owner=s3 --scope=s --pattern=p");
    let fence = t.count("SELECT max(fence) FROM coordination_locks");
    t.env("INTERCORE_FENCE", &format!("$lock:{fence}"));
    t.feed("hook pre-edit", &call("s3", "Edit", "src/c.rs"));
    t.no_env();
    t.env("INTERCORE_FENCE", "$lock:1");
    t.feed("hook pre-edit", &call("s3", "Edit", "src/d.rs"));
    t.no_env();
    t.env("INTERCORE_FENCE", "nonsense");
    t.feed("hook pre-edit", &call("s3", "Edit", "src/d.rs"));
    t.no_env();
    t.feed("hook stop", r#"{"session_id":"s1","cwd":"$dir","hook_event_name":"Stop"}"#);
    t.feed("hook stop", r#"{"session_id":"s1","cwd":"$dir","hook_event_name":"Stop"}"#);
    t.calls(&["coordination list --active", "events tail --all --source=coordination --format=text"]);

    t.repository("commits");
    t.call("hook pre-commit");
    t.write("src/a.rs", "a\n");
    t.write("src/b.rs", "b\n");
    t.git("add src");
    t.call("hook pre-commit");
    t.with("CLAUDE_SESSION_ID", "s1", "hook pre-commit --strict");
    t.quiet("coordination release --owner=git:ada@example.org --scope=.");
    t.quiet("coordination release --owner=s1 --scope=.");
    t.quiet("coordination reserve --owner=bob --scope=. --pattern=src/b.rs");
    t.with("INTERMUTE_AGENT_ID", "agent-1", "hook pre-commit");
    t.calls(&["hook pre-commit", "hook pre-commit --nonsense"]);
    t.env("INTERCORE_FENCE", "none:1");
    t.call("hook pre-commit");
    t.env("INTERCORE_FENCE", "nonsense");
    t.call("hook pre-commit");
    t.no_env();
    t.calls(&["coordination list --active"]);

    t.repository("a commit of the database");
    t.git("add -f .clavain/intercore.db");
    t.calls(&["hook pre-commit", "health", "init"]);

    t.repository("installed and taken out");
    t.calls(&["hook install --dry-run", "hook install", "hook install", "hook install --claude --nonsense"]);
    t.show(".claude/settings.json");
    t.show(".git/hooks/pre-commit");
    t.calls(&[
        "hook uninstall --dry-run",
        "hook uninstall --claude",
        "hook uninstall",
        "hook uninstall",
        "hook uninstall x",
    ]);
    t.show(".claude/settings.json");
    t.write(".claude/settings.json", "nonsense");
    t.calls(&["hook install --claude", "hook uninstall --claude", "hook install --git"]);
    t.program(".git/hooks/pre-commit", "echo mine");
    t.calls(&["hook install --git", "hook uninstall --git"]);
    t.show(".git/hooks/pre-commit");

    t.stage("outside of a repository");
    t.calls(&["hook install", "hook uninstall", "hook pre-commit", "hook pre-commit --strict"]);
    t.feed("hook pre-edit", &call("s1", "Edit", "a.rs"));

    t.bare("without a database");
    t.feed("hook pre-edit", &call("s1", "Edit", "a.rs"));
    t.feed("hook pre-edit --strict", &call("s1", "Edit", "a.rs"));
    t.feed("hook post-edit", &call("s1", "Edit", "a.rs"));
    t.feed("hook stop", r#"{"session_id":"s1","cwd":"$dir","hook_event_name":"Stop"}"#);
}
