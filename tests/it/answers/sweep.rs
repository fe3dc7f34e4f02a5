//! Every command where there is no database, with a wrong line, and while another process writes.

use super::tape::Tape;

/// A line for every command that gets as far as the database.
const LINES: &[&str] = &[
    "health",
    "backup b.db",
    "version",
    "run create --goal=g",
    "run status",
    "run status none",
    "run phase",
    "run list",
    "run current",
    "run advance none",
    "run skip none b --reason=r",
    "run unskip none b --reason=r",
    "run rollback none --to-phase=a",
    "run events",
    "run cancel none",
    "run tokens",
    "run budget",
    "run set none --complexity=2",
    "run agent add none",
    "run agent list",
    "run agent update none --status=active",
    "run artifact add none --phase=a --path=p",
    "run artifact list",
    "run action add none --phase=b --command=c",
    "run action list none",
    "run action update none --phase=b --command=c --mode=both",
    "run action delete none --phase=b --command=c",
    "phase show",
    "phase advance none",
    "phase skip none b --reason=r",
    "phase unskip none b --reason=r",
    "phase rollback none --to-phase=a",
    "phase history",
    "gate check none",
    "gate override none --reason=r",
    "gate rules",
    "gate rules --run=none",
    "gate signals",
    "agent add none",
    "agent list",
    "agent update none --status=active",
    "artifact add none --phase=a --path=p",
    "artifact list",
    "dispatch spawn -- true",
    "dispatch record",
    "dispatch status none",
    "dispatch list",
    "dispatch poll none",
    "dispatch wait none",
    "dispatch kill none",
    "dispatch logs none",
    "dispatch retry none",
    "dispatch tokens none --in=1",
    "dispatch prune --older-than=1h",
    "events tail --all",
    "events record --source=mine --type=t",
    "events emit none t",
    "events add --type=t",
    "events cursor list",
    "events cursor get c",
    "events cursor set c 1",
    "events cursor register c",
    "events cursor reset c",
    "events list-review",
    "events list-agency",
    "events stats",
    "events verify",
    "events export log.jsonl",
    "events import none.jsonl",
    "coordination reserve --owner=o --scope=s --pattern=p",
    "coordination release none",
    "coordination renew none",
    "coordination check --scope=s --pattern=p",
    "coordination list",
    "coordination sweep",
    "coordination transfer --from=a --to=b --scope=s",
    "coordination verify none --token=1",
    "coordination explain a b",
    "coordination mirror --from=none.db",
    "hook pre-edit",
    "hook pre-edit --strict",
    "hook post-edit",
    "hook stop",
    "hook pre-commit",
    "hook pre-commit --strict",
    "hook install --dry-run",
    "hook uninstall --dry-run",
    "interspect record --agent=a --type=t",
    "interspect query",
    "interspect import",
    "interspect eligible",
    "interspect triage",
    "interspect list",
    "interspect status",
    "interspect propose fd-a --reason=r --allow-unknown",
    "interspect approve fd-a",
    "interspect apply fd-a --reason=r --allow-unknown",
    "interspect revert fd-a",
    "interspect blacklist",
    "interspect blacklist p",
    "interspect unblock p",
    "interspect canary check",
    "task preflight 1 --to=planning",
    "task postflight 1 --to=planned --force",
    "task set 1 --to=planning",
    "task show 1",
    "task list",
    "task verify 1 --status=planned",
    "task audit",
    "task errors",
    "task transitions",
    "state set k s @one.json",
    "state get k",
    "state delete k",
    "state list k",
    "state prune",
    "sentinel check n s --interval=0",
    "sentinel reset n s",
    "sentinel list",
    "sentinel prune --older-than=1h",
    "config set mine 1",
    "config get mine",
    "config list",
    "lock list",
    "compat check k",
    "import",
    "restore none.db",
];

pub fn without_database(t: &mut Tape) {
    t.bare("in a directory without a database");
    t.write("one.json", "1");
    t.calls(LINES);
}

pub fn busy(t: &mut Tape) {
    t.stage("while another process writes");
    t.write("one.json", "1");
    let writer = t.open();
    writer.execute_batch("BEGIN IMMEDIATE").unwrap();
    for line in LINES {
        // A child's words go behind the flags.
        let line = match line.split_once(" -- ") {
            Some((before, words)) => format!("{before} --timeout=5ms -- {words}"),
            None => format!("{line} --timeout=5ms"),
        };
        t.call(&line);
    }
    t.call("init --timeout=5ms");
    writer.execute_batch("ROLLBACK").unwrap();
}

pub fn wrong_usage(t: &mut Tape) {
    t.bare("a flag that there is not");
    for command in intercore::cli::listing() {
        let words = command.strip_prefix("ic ").unwrap();
        t.call(&format!("{words} --nonsense"));
    }
    t.calls(&["run list --json=perhaps", "run list --active=perhaps", "run list --db", "run list --timeout"]);
}
