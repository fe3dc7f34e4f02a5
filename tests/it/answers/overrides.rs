//! Overrides in real repositories.

use std::fs;
use std::os::unix::fs::symlink;

use rusqlite::Connection;

use super::tape::Tape;

const FILE: &str = ".claude/routing-overrides.json";
const RULES: &str = ".clavain/interspect/protected-paths.json";
const LIMITS: &str = ".clavain/interspect/confidence.json";

/// A repository in which overrides may be changed, and four reviewers.
fn project(t: &mut Tape, title: &str) {
    t.repository(title);
    t.write(RULES, r#"{"modification_allow_list":[".claude/*.json","config/*.json"]}"#);
    for agent in ["fd-a", "fd-b", "fd-c", "fd-safety"] {
        t.write(&format!("agents/review/{agent}.md"), "# An agent\n");
    }
    t.write(".git/info/exclude", ".clavain/\nagents/\n");
}

/// So many records that an agent was wrong, long ago, so that they count.
fn noticed(t: &mut Tape, agent: &str, times: i64, wrong: i64) {
    for n in 0..times {
        let reason = if n < wrong { "agent_wrong" } else { "deprioritized" };
        t.quiet(&format!(
            "interspect record --agent={agent} --type=override --reason={reason} --session=s{n} --project=p{}",
            n % 2
        ));
    }
}

pub fn life(t: &mut Tape) {
    project(t, "from proposal to blacklist");
    t.calls(&[
        "interspect list",
        "interspect status",
        "interspect triage",
        "interspect blacklist",
        "interspect propose fd-a --reason='wrong 5 of 5' --evidence=1,2 --by=s1",
        "interspect propose fd-a --reason=other",
        "interspect list",
    ]);
    t.show(FILE);
    t.calls(&[
        "interspect approve fd-a --by=s1",
        "interspect approve fd-a",
        "interspect approve fd-b",
        "interspect approve none;",
        "interspect apply fd-a --reason=again",
        "interspect propose fd-a --reason=again",
        "interspect apply fd-a --reason=slower --evidence=3 --domain=tui-app --update",
        "interspect apply fd-a --reason=slower --evidence=3 --domain=tui-app --update",
        "interspect apply fd-b --reason=slow --domain=tui-app --file-pattern='src/**' --by=s2",
        "interspect apply fd-none --reason=r",
        "interspect apply fd-none --reason=r --allow-unknown",
        "interspect list",
        "interspect status",
        "interspect triage",
        "interspect triage --domain=tui-app --file=src/x.rs",
        "interspect triage --path=../x",
        "interspect canary check",
        "interspect canary check extra",
        "interspect revert fd-a --reason='it was right' --blacklist",
        "interspect revert fd-a",
        "interspect revert",
        "interspect apply fd-a --reason=r",
        "interspect propose fd-a --reason=r",
        "interspect blacklist",
        "interspect blacklist some|pattern --reason=why",
        "interspect blacklist some|pattern --reason=why",
        "interspect blacklist ''",
        "interspect unblock fd-a",
        "interspect unblock fd-a",
        "interspect unblock",
        "interspect list extra",
        "interspect status --path=/etc/x",
        "events tail --all --source=interspect --format=text",
    ]);
    t.show(FILE);
    let log = t.git("log --format=%s%n%b%an --no-decorate");
    t.write("log", &log);
    t.show("log");
    fs::remove_file(t.path("agents/review/fd-b.md")).unwrap();
    t.calls(&["interspect status", "interspect triage"]);
    t.note("the file has an edit that is not committed");
    t.write(FILE, "{\"version\":1,\"overrides\":[]}\n");
    t.call("interspect apply fd-c --reason=r");
}

pub fn evidence(t: &mut Tape) {
    project(t, "recorded and counted");
    t.calls(&[
        "interspect query",
        "interspect record --agent=fd-a --type=override --reason=agent_wrong --session=s0 --project=p",
        "interspect record --agent=fd-a --type=override --context='{\"a\":1}' --idempotency-key=k",
        "interspect record --agent=fd-a --type=override --context='{\"a\":1}' --idempotency-key=k",
        "interspect record --agent=fd-b --type=override --context='{\"a\":1}' --idempotency-key=k",
        "interspect record --agent=fd-a --type=override --run=none",
        "interspect record --agent=fd-a",
        "interspect record --type=override",
        "interspect query",
        "interspect query --agent=fd-a --limit=1",
        "interspect query --agent=none",
        "interspect query --since=x",
        "interspect query --since=1",
    ]);
    noticed(t, "fd-a", 6, 6);
    noticed(t, "fd-b", 6, 3);
    t.calls(&["interspect eligible", "interspect eligible fd-a"]);
    t.with("INTERSPECT_QUARANTINE_HOURS", "0", "interspect eligible");
    t.with("INTERSPECT_QUARANTINE_HOURS", "x", "interspect eligible");
    t.env("INTERSPECT_QUARANTINE_HOURS", "0");
    t.calls(&[
        "interspect eligible fd-a",
        "interspect eligible fd-b",
        "interspect eligible fd-safety",
        "interspect eligible --patterns",
        "interspect eligible --path=/etc/x",
        "interspect apply fd-b --reason=r",
        "interspect propose fd-b --reason=r",
        "interspect propose fd-b --reason=r --force",
        "interspect apply fd-a --reason=r --auto",
    ]);
    t.write(LIMITS, r#"{"autonomy":true,"rate_limit_max":2,"circuit_breaker_max":1}"#);
    t.calls(&[
        "interspect apply fd-a --reason=r --auto",
        "interspect apply fd-c --reason=r --auto",
        "interspect revert fd-a",
        "interspect apply fd-a --reason=r --auto",
        "interspect apply fd-c --reason=r",
    ]);
    noticed(t, "fd-safety", 6, 6);
    t.calls(&["interspect apply fd-safety --reason=r --auto", "interspect status"]);
    t.note("an override that is taken back and applied again while it is watched");
    t.calls(&["interspect revert fd-c", "interspect apply fd-c --reason=r"]);
    t.write(LIMITS, r#"{"canary_window_days":400}"#);
    t.call("interspect eligible");
    t.write(LIMITS, "[]");
    t.call("interspect eligible");

    project(t, "watched");
    t.env("INTERSPECT_QUARANTINE_HOURS", "0");
    t.write(LIMITS, r#"{"canary_min_baseline":2,"canary_window_uses":2}"#);
    for session in ["b1", "b2"] {
        t.quiet(&format!(
            "interspect record --agent=fd-a --type=override --reason=stale --session={session}"
        ));
    }
    t.call("interspect apply fd-a --reason=r --force");
    for session in ["a1", "a1", "a2", "a2"] {
        t.quiet(&format!(
            "interspect record --agent=fd-a --type=override --reason=agent_wrong --session={session}"
        ));
    }
    t.calls(&[
        "interspect canary check",
        "interspect canary check",
        "interspect status",
        "interspect revert fd-a",
    ]);
    t.calls(&["interspect canary check", "interspect apply fd-b --reason=r"]);
    t.later(15 * 86_400, "interspect status");
    t.calls(&["interspect canary check", "interspect status"]);

    project(t, "taken over");
    t.write(".clavain/interspect/x", "");
    let peer = Connection::open(t.path(".clavain/interspect/interspect.db")).unwrap();
    peer.execute_batch(
        "CREATE TABLE evidence (id INTEGER PRIMARY KEY, ts TEXT, session_id TEXT, seq INTEGER, source TEXT, \
         source_version TEXT, event TEXT, override_reason TEXT, context TEXT, project TEXT, project_lang TEXT, \
         source_kind TEXT DEFAULT 'agent', quarantine_until INTEGER DEFAULT 0); \
         INSERT INTO evidence (id, ts, session_id, seq, source, event, override_reason, context, project) VALUES \
         (1, '2023-11-14T00:00:00Z', 's1', 1, 'interflux:fd-a', 'override', 'agent_wrong', '{}', 'p'), \
         (2, 'yesterday', 's1', 1, 'fd-a', 'override', 'agent_wrong', '{}', 'p')",
    )
    .unwrap();
    t.calls(&[
        "interspect import",
        "interspect import",
        "interspect import --from=none.db",
        "interspect query",
    ]);
    t.write("text.db", "no database, and long enough not to be taken for an empty file");
    t.calls(&["interspect import --from=text.db", "interspect import extra"]);
}

pub fn refusals(t: &mut Tape) {
    const APPLY: &str = "interspect apply fd-a --reason=r";
    project(t, "what has to be said");
    t.calls(&[
        "interspect apply fd-a",
        "interspect apply fd-a --reason=' '",
        "interspect apply fd-a --reason=r --evidence=1,x",
        "interspect apply fd-a --reason=r --file-pattern=/etc/*",
        "interspect apply fd-a --reason=r --wait=soon",
        "interspect apply fd-a --reason=r --verify --no-verify",
        "interspect apply fd-a --reason=r --path=../x.json",
        "interspect propose fd-a",
        "interspect propose",
        "interspect approve",
    ]);
    t.with("FLUX_ROUTING_OVERRIDES_PATH", "/etc/x.json", APPLY);
    project(t, "a hook that refuses");
    t.program(".git/hooks/pre-commit", "echo not today; exit 1");
    t.calls(&[
        "interspect apply fd-a --reason=r --verify",
        "interspect propose fd-a --reason=r --verify",
        "interspect status",
    ]);
    project(t, "a repository that is not ready");
    let head = t.git("rev-parse HEAD");
    t.write(".git/MERGE_HEAD", &head);
    t.call(APPLY);
    t.remove(".git/MERGE_HEAD");
    t.git("checkout --quiet --detach");
    t.call(APPLY);
    t.git("checkout --quiet main");
    t.git("config --unset user.email");
    t.git("config --unset user.name");
    t.git("config user.useConfigOnly true");
    t.call(APPLY);
    t.git("config user.email ada@example.org");
    t.git("config user.name Ada");
    t.write(".git/info/exclude", ".clavain/\nagents/\n.claude/\n");
    t.call(APPLY);
    t.write(".git/info/exclude", ".clavain/\nagents/\n");
    t.with("PATH", "/nonexistent", APPLY);
    t.write(".git/index.lock", "");
    t.call(APPLY);
    t.remove(".git/index.lock");
    t.call("interspect status");
    project(t, "paths that lead out, or are not allowed");
    fs::create_dir(t.path("../outside")).unwrap();
    symlink("../outside", t.path(".claude")).unwrap();
    t.call(APPLY);
    fs::remove_file(t.path(".claude")).unwrap();
    t.write(RULES, "{}");
    t.call(APPLY);
    t.write(RULES, r#"{"modification_allow_list":["**"],"always_propose":[".claude/*"]}"#);
    t.calls(&[APPLY, "interspect propose fd-a --reason=r"]);
    t.remove(RULES);
    t.calls(&[APPLY, "interspect approve fd-a", "interspect revert fd-a"]);
    project(t, "a file that cannot be read");
    for text in ["{", "[]", "{\"version\":2,\"overrides\":[]}"] {
        t.write(FILE, text);
        t.calls(&[
            APPLY,
            "interspect list",
            "interspect status",
            "interspect triage",
            "interspect revert fd-a",
        ]);
    }
    t.calls(&[
        "interspect propose fd-a --reason=r",
        "interspect approve fd-a",
        "interspect eligible",
        "interspect canary check",
    ]);
    project(t, "changed by another process");
    t.get(
        "lock",
        "coordination reserve --owner=other --scope=. --type=named_lock --pattern=interspect:.claude/routing-overrides.json",
    );
    t.calls(&[
        "interspect apply fd-a --reason=r --wait=20ms",
        "interspect propose fd-a --reason=r --wait=20ms",
        "interspect approve fd-a --wait=20ms",
        "interspect revert fd-a --wait=20ms",
    ]);
    t.quiet("coordination release $lock");
    t.note("taken away by hand");
    t.quiet(APPLY);
    t.write(FILE, "{\"version\":1,\"overrides\":[]}\n");
    t.git("commit --quiet -a -m 'by hand'");
    t.calls(&[APPLY, "interspect status"]);
    project(t, "a git that fails");
    t.program(
        "../bin/git",
        "case \"$*\" in *commit-tree*) echo broken >&2; exit 1;; *) exec /usr/bin/git \"$@\";; esac",
    );
    let path = format!("{}/../bin:/usr/bin:/bin", t.path("").display());
    t.with("PATH", &path, APPLY);
    t.stage("outside of a repository");
    t.calls(&[
        APPLY,
        "interspect list",
        "interspect status",
        "interspect triage",
        "interspect eligible",
        "interspect revert fd-a",
    ]);
    t.calls(&["interspect import", "interspect canary check", "interspect blacklist", "interspect query"]);
}
