//! A line for every command of the tree, and a stage on which each argument can be given any text. What there is, is read
//! off the tree: a new command or argument is tested too, and fails here until it has its line in [`LINES`].

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};
use std::process::Output;
use std::thread;

use intercore::cli::{Argument, arguments};
use serde_json::Value;

use crate::support::Sandbox;

/// Arguments with their values.
type Line = &'static [(&'static str, &'static str)];

/// The reviewers of these lines are in no roster.
const UNKNOWN: (&str, &str) = ("--allow-unknown", "true");

/// What each command needs besides the argument that is tested. `{run}` is a run, `{fresh}` one of its own, `{skipped}` one
/// in which phase c is skipped, `{acted}` one with an action, `{moved}` one that was advanced, `{agent}`, `{dispatch}` and `{lock}` are what they say,
/// `{reviewer}` is one that nobody has left out.
/// in which phase c is skipped, `{acted}` one with an action, `{moved}` one that was advanced, `{agent}`, `{dispatch}` and `{lock}` are what they say;
/// `{task}` is a task that nobody has begun.
const LINES: &[(&str, Line)] = &[
    ("ic init", &[]),
    ("ic health", &[]),
    ("ic backup", &[("<FILE>", "b.db")]),
    ("ic restore", &[("<FILE>", "b.db")]),
    ("ic version", &[]),
    ("ic run create", &[("--goal", "g")]),
    ("ic run status", &[]),
    ("ic run phase", &[]),
    ("ic run list", &[]),
    ("ic run current", &[]),
    ("ic run advance", &[("<ID>", "{fresh}")]),
    ("ic run skip", &[("<ID>", "{fresh}"), ("<PHASE>", "c"), ("--reason", "r")]),
    ("ic run unskip", &[("<ID>", "{skipped}"), ("<PHASE>", "c"), ("--reason", "r")]),
    ("ic run rollback", &[("<ID>", "{moved}"), ("--to-phase", "a")]),
    ("ic run events", &[]),
    ("ic run cancel", &[("<ID>", "{fresh}")]),
    ("ic run tokens", &[]),
    ("ic run budget", &[("<ID>", "{run}")]),
    ("ic run set", &[("<ID>", "{fresh}"), ("--complexity", "2")]),
    ("ic run action add", &[("<RUN>", "{fresh}"), ("--phase", "b"), ("--command", "c")]),
    ("ic run action list", &[("<RUN>", "{run}")]),
    ("ic run action update", &[("<RUN>", "{acted}"), ("--phase", "b"), ("--command", "known")]),
    ("ic run action delete", &[("<RUN>", "{run}"), ("--phase", "b"), ("--command", "unknown")]),
    ("ic gate check", &[("<RUN>", "{run}")]),
    ("ic gate override", &[("<RUN>", "{fresh}"), ("--reason", "r")]),
    ("ic gate rules", &[]),
    ("ic gate signals", &[]),
    ("ic agent add", &[("<RUN>", "{run}")]),
    ("ic agent list", &[]),
    ("ic agent update", &[("<AGENT>", "{agent}"), ("--status", "completed")]),
    ("ic artifact add", &[("<RUN>", "{run}"), ("--phase", "b"), ("--path", "p")]),
    ("ic artifact get", &[("<ID>", "{artifact}")]),
    ("ic artifact list", &[]),
    ("ic dispatch spawn", &[("<PROGRAM>", "true")]),
    ("ic dispatch record", &[]),
    ("ic dispatch status", &[("<ID>", "{dispatch}")]),
    ("ic dispatch list", &[]),
    ("ic dispatch poll", &[("<ID>", "{dispatch}")]),
    ("ic dispatch wait", &[("<IDS>", "{dispatch}"), ("--timeout", "0s")]),
    ("ic dispatch kill", &[("<ID>", "{dispatch}")]),
    ("ic dispatch logs", &[("<ID>", "{dispatch}")]),
    ("ic dispatch retry", &[("<ID>", "{dispatch}")]),
    ("ic dispatch prune", &[("--older-than", "1h")]),
    ("ic dispatch tokens", &[("<ID>", "{dispatch}"), ("--in", "1")]),
    ("ic events tail", &[("<RUN>", "{run}")]),
    ("ic events record", &[("--source", "mine"), ("--type", "t")]),
    ("ic events emit", &[("<RUN>", "{run}"), ("<TYPE>", "t")]),
    ("ic events add", &[("<ID>", "{run}"), ("--type", "t")]),
    ("ic events cursor list", &[]),
    ("ic events cursor get", &[("<CONSUMER>", "c")]),
    ("ic events cursor set", &[("<CONSUMER>", "c"), ("<POSITION>", "1")]),
    ("ic events cursor register", &[("<CONSUMER>", "c")]),
    ("ic events cursor reset", &[("<CONSUMER>", "c")]),
    ("ic events list-review", &[]),
    ("ic events list-agency", &[]),
    ("ic events stats", &[]),
    ("ic events verify", &[]),
    ("ic events export", &[("<FILE>", "-")]),
    ("ic events import", &[("<FILE>", "log.jsonl")]),
    ("ic coordination reserve", &[("--owner", "o"), ("--scope", "s"), ("--pattern", "p")]),
    ("ic coordination release", &[("<ID>", "{lock}")]),
    ("ic coordination renew", &[("<ID>", "{lock}")]),
    ("ic coordination check", &[("--scope", "s"), ("--pattern", "p")]),
    ("ic coordination list", &[]),
    ("ic coordination sweep", &[]),
    ("ic coordination transfer", &[("--from", "nobody"), ("--to", "t"), ("--scope", "s")]),
    ("ic coordination verify", &[("<ID>", "{lock}"), ("--token", "1")]),
    ("ic coordination explain", &[("<A>", "a"), ("<B>", "b")]),
    ("ic coordination mirror", &[("--from", "none.db")]),
    ("ic hook pre-edit", &[]),
    ("ic hook post-edit", &[]),
    ("ic hook stop", &[]),
    ("ic hook pre-commit", &[]),
    ("ic hook install", &[]),
    ("ic hook uninstall", &[]),
    ("ic interspect record", &[("--agent", "a"), ("--type", "t")]),
    ("ic interspect query", &[]),
    ("ic interspect import", &[]),
    ("ic interspect eligible", &[]),
    ("ic interspect triage", &[]),
    ("ic interspect list", &[]),
    ("ic interspect status", &[]),
    ("ic interspect propose", &[("<AGENT>", "{reviewer}"), ("--reason", "r"), UNKNOWN]),
    ("ic interspect approve", &[("<AGENT>", "fd-a")]),
    ("ic interspect apply", &[("<AGENT>", "{reviewer}"), ("--reason", "r"), UNKNOWN]),
    ("ic interspect revert", &[("<AGENT>", "fd-c"), ("--blacklist", "true")]),
    ("ic interspect blacklist", &[("<PATTERN>", "p")]),
    ("ic interspect unblock", &[("<PATTERN>", "known")]),
    ("ic interspect canary check", &[]),
    ("ic task preflight", &[("<TASK>", "{task}"), ("--to", "researching")]),
    (
        "ic task postflight",
        &[
            ("<TASK>", "{task}"),
            ("--to", "researched"),
            ("--artifact", "research:one.json"),
            ("--no-commit", "true"),
            ("--force", "true"),
        ],
    ),
    (
        "ic task set",
        &[("<TASK>", "{task}"), ("--to", "blocked"), ("--reason", "r"), ("--artifact", "research:one.json")],
    ),
    ("ic task show", &[("<TASK>", "{task}")]),
    ("ic task list", &[]),
    ("ic task verify", &[("<TASK>", "{task}"), ("--status", "not_started")]),
    ("ic task audit", &[]),
    ("ic task errors", &[]),
    ("ic task transitions", &[]),
    ("ic state set", &[("<KEY>", "k"), ("<SCOPE>", "s"), ("<@FILE>", "@one.json")]),
    ("ic state get", &[("<KEY>", "k")]),
    ("ic state delete", &[("<KEY>", "k")]),
    ("ic state list", &[("<KEY>", "k")]),
    ("ic state prune", &[]),
    ("ic sentinel check", &[("<NAME>", "n"), ("<SCOPE>", "s"), ("--interval", "0")]),
    ("ic sentinel reset", &[("<NAME>", "n"), ("<SCOPE>", "s")]),
    ("ic sentinel list", &[]),
    ("ic sentinel prune", &[("--older-than", "1h")]),
    ("ic config set", &[("<KEY>", "mine"), ("<VALUE>", "1")]),
    ("ic config get", &[("<KEY>", "mine")]),
    ("ic config list", &[]),
    ("ic lock acquire", &[("<NAME>", "n"), ("<SCOPE>", "s"), ("--timeout", "0s")]),
    ("ic lock release", &[("<NAME>", "n"), ("<SCOPE>", "s")]),
    ("ic lock list", &[]),
    ("ic lock stale", &[]),
    ("ic lock clean", &[]),
    ("ic compat status", &[]),
    ("ic compat check", &[("<KEY>", "k")]),
    ("ic import", &[]),
    ("ic demo", &[]),
    ("ic help", &[]),
    ("ic schema", &[]),
    ("ic completions", &[("<SHELL>", "bash")]),
    ("ic man", &[("<DIR>", "pages")]),
];

/// The same commands under another noun: tested once.
const ALIASES: [(&str, &str); 8] = [
    ("ic run agent", "ic agent"),
    ("ic run artifact", "ic artifact"),
    ("ic phase show", "ic run phase"),
    ("ic phase advance", "ic run advance"),
    ("ic phase skip", "ic run skip"),
    ("ic phase unskip", "ic run unskip"),
    ("ic phase rollback", "ic run rollback"),
    ("ic phase history", "ic run events"),
];

/// Arguments that need another line than their command's.
const APART: &[(&str, &str, Line)] = &[
    ("ic run rollback", "--undo", &[]),
    ("ic run rollback", "--layer", &[("<ID>", "{run}")]),
    ("ic run rollback", "--phase", &[("<ID>", "{run}"), ("--layer", "code")]),
    ("ic run rollback", "--format", &[("<ID>", "{run}"), ("--layer", "code")]),
    ("ic run create", "--projects", &[("--goal", "g")]),
];

/// A project with one of everything, and a text to put somewhere.
pub struct Stage {
    /// The project.
    pub sandbox: Sandbox,
    /// A run.
    pub run: String,
    agent: String,
    dispatch: String,
    lock: String,
    /// The runs of one's own that no call has changed yet.
    unused: RefCell<HashMap<String, String>>,
}

impl Stage {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let run = sandbox.short_run();
        let agent = sandbox.ok(["agent", "add", &run]);
        let dispatch = sandbox.ok(["dispatch", "record"]);
        let lock = sandbox.ok(["coordination", "reserve", "--owner=me", "--scope=mine", "--pattern=known"]);
        sandbox.ok(["run", "action", "add", &run, "--phase=b", "--command=known"]);
        std::fs::write(sandbox.dir().join("one.json"), "1").unwrap();
        repository(&sandbox);
        Self { sandbox, run, agent, dispatch, lock, unused: RefCell::default() }
    }

    fn fill(&self, value: &str) -> String {
        let run = || self.sandbox.short_run();
        match value {
            "{run}" => self.run.clone(),
            "{agent}" => self.agent.clone(),
            "{dispatch}" => self.dispatch.clone(),
            "{lock}" => self.lock.clone(),
            own if own.starts_with('{') && self.unused.borrow().contains_key(own) => {
                self.unused.borrow()[own].clone()
            }
            "{fresh}" => run(),
            "{skipped}" => {
                let run = run();
                self.sandbox.ok(["run", "skip", &run, "c", "--reason=r"]);
                run
            }
            "{acted}" => {
                let run = run();
                self.sandbox.ok(["run", "action", "add", &run, "--phase=b", "--command=known"]);
                run
            }
            "{moved}" => {
                let run = run();
                self.sandbox.ok(["run", "advance", &run]);
                run
            }
            "{reviewer}" => format!("fd-x{}", self.head()),
            "{task}" => {
                let specs = self.sandbox.dir().join("specs");
                std::fs::create_dir_all(&specs).unwrap();
                std::fs::write(specs.join("TODO.md"), "### 1. a\n- **Status**: [NOT STARTED]\n").unwrap();
                let state = r#"{"active_projects": [{"project_number": 1, "status": "not_started"}]}"#;
                std::fs::write(specs.join("state.json"), state).unwrap();
                "1".to_owned()
            }
            plain => plain.to_owned(),
        }
    }

    /// Calls a command with `text` as one of its arguments.
    pub fn call(&self, command: &str, all: &[Argument], name: &str, text: &OsStr, json: bool) -> Output {
        let apart = APART.iter().find(|(of, arg, _)| *of == command && *arg == name).map(|(.., line)| *line);
        let own = || LINES.iter().find(|(of, _)| *of == command).map(|(_, line)| *line);
        let line = apart.or_else(own).unwrap_or_else(|| panic!("no line for {command}"));
        let mut args: Vec<OsString> = command.split(' ').skip(1).map(OsString::from).collect();
        if json {
            args.push("--json".into());
        }
        let mut words: Vec<OsString> = Vec::new();
        for argument in all {
            let given = if argument.name == name {
                Some(text.to_owned())
            } else {
                let found = line.iter().find(|(of, _)| *of == argument.name);
                found.map(|(_, value)| {
                    let filled = self.fill(value);
                    self.unused.borrow_mut().insert((*value).to_owned(), filled.clone());
                    filled.into()
                })
            };
            match (given, argument.name.starts_with("--")) {
                (None, _) => {}
                (Some(value), false) => words.push(value),
                (Some(value), true) => {
                    let mut flag = OsString::from(format!("{}=", argument.name));
                    flag.push(value);
                    args.push(flag);
                }
            }
        }
        // Those that take no text.
        for (flag, value) in line.iter().filter(|(flag, _)| all.iter().all(|one| one.name != *flag)) {
            args.push(format!("{flag}={value}").into());
        }
        if !words.is_empty() {
            args.push("--".into());
            args.extend(words);
        }
        let output = self.sandbox.command(args).output().unwrap();
        // A step that was refused by the gate is on record as well: only a refused line changes nothing.
        if output.status.code() != Some(3) {
            self.unused.borrow_mut().clear();
        }
        output
    }

    /// Every text in the database that came with events after `since`, or that is kept quietly.
    fn kept(&self, since: i64) -> BTreeSet<String> {
        fn gather(value: Value, out: &mut BTreeSet<String>) {
            match value {
                Value::String(text) => _ = out.insert(text),
                Value::Array(items) => items.into_iter().for_each(|item| gather(item, out)),
                Value::Object(map) => map.into_iter().for_each(|(_, value)| gather(value, out)),
                _ => {}
            }
        }
        let mut out = BTreeSet::new();
        for text in self.texts(&format!(
            "SELECT reason FROM events WHERE id > {since} UNION ALL SELECT subject FROM events WHERE id > {since} \
             UNION ALL SELECT data FROM events WHERE id > {since} \
             UNION ALL SELECT source FROM events WHERE id > {since} UNION ALL SELECT type FROM events WHERE id > {since} \
             UNION ALL SELECT run_id FROM events WHERE id > {since} \
             UNION ALL SELECT owner FROM coordination_locks UNION ALL SELECT scope FROM coordination_locks \
             UNION ALL SELECT reason FROM blacklist UNION ALL SELECT pattern_key FROM blacklist \
             UNION ALL SELECT pattern FROM coordination_locks UNION ALL SELECT to_state FROM events WHERE id > {since} \
             UNION ALL SELECT consumer FROM event_cursors UNION ALL SELECT run_id FROM event_cursors \
             UNION ALL SELECT key FROM state UNION ALL SELECT scope_id FROM state UNION ALL SELECT name FROM sentinels \
             UNION ALL SELECT scope_id FROM sentinels UNION ALL SELECT key FROM idempotency"
        )) {
            if let Ok(value) = serde_json::from_str(&text) {
                gather(value, &mut out);
            }
            out.insert(text);
        }
        out
    }

    /// Whether a text is kept as it was given: alone, as a path, as paths, in the reason of a skip, or in the
    /// name of a lock.
    pub fn has_kept(&self, text: &str, since: i64) -> bool {
        let kept = self.kept(since);
        let whole = |kept: &String| {
            kept == text
                || kept == text.trim()
                || kept.ends_with(&format!(": {text}"))
                || kept.starts_with(&format!("actor={text}: "))
                || kept == &format!("interspect:{text}")
                || is_a_member(kept, text)
        };
        let path = |text: &str| kept.contains(&as_path(self.sandbox.dir(), text));
        kept.iter().any(whole) || path(text) || text.split(',').map(str::trim).all(path)
    }

    pub fn texts(&self, sql: &str) -> Vec<String> {
        let conn = self.sandbox.open();
        let mut statement = conn.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get::<_, Option<String>>(0)).unwrap();
        rows.filter_map(Result::unwrap).collect()
    }

    pub fn head(&self) -> i64 {
        self.sandbox.count("SELECT coalesce(max(id), 0) FROM events")
    }
}

/// Checks whether a text is the value of a member of an object that was kept as JSON, as the metadata of a run is.
fn is_a_member(kept: &str, text: &str) -> bool {
    let object: Option<serde_json::Map<String, serde_json::Value>> = serde_json::from_str(kept).ok();
    object.is_some_and(|object| object.values().any(|value| value == text))
}

/// A repository in which overrides may be changed, and agents whom they are about.
fn repository(sandbox: &Sandbox) {
    let git = |args: &[&str]| {
        let mut command = std::process::Command::new("git");
        sandbox.seal(&mut command);
        assert!(command.args(args).status().unwrap().success());
    };
    git(&["init", "--quiet"]);
    git(&["config", "user.name", "Somebody"]);
    git(&["config", "user.email", "somebody@example.org"]);
    let write = |path: &str, text: &str| {
        let path = sandbox.dir().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(".clavain/interspect/protected-paths.json", r#"{"modification_allow_list":["**"]}"#);
    for agent in ["fd-a", "fd-b", "fd-c"] {
        write(&format!("agents/review/{agent}.md"), "");
    }
}

/// The commands with their arguments, aliases left out.
fn tree() -> Vec<(String, Vec<Argument>)> {
    let all = arguments();
    let alias = |command: &str| {
        let found =
            ALIASES.iter().find(|(alias, _)| command == *alias || command.starts_with(&format!("{alias} ")));
        found.map(|(alias, of)| command.replacen(alias, of, 1))
    };
    for (command, own) in &all {
        if let Some(of) = alias(command) {
            let (_, same) = all.iter().find(|(other, _)| *other == of).unwrap();
            assert_eq!(own, same, "{command} is not the same as {of}");
        }
    }
    all.into_iter().filter(|(command, _)| alias(command).is_none()).collect()
}

/// Runs `test` for every argument of the tree, several at a time, each worker on a stage of its own; and `end` on each stage.
pub fn for_each_argument(
    test: impl Fn(&Stage, &str, &[Argument], &Argument) + Sync,
    end: impl Fn(&Stage) + Sync,
) {
    const WORKERS: usize = 3;
    let tree = tree();
    let todo: Vec<_> =
        tree.iter().flat_map(|(command, all)| all.iter().map(move |one| (command, all, one))).collect();
    thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (todo, test, end) = (&todo, &test, &end);
            scope.spawn(move || {
                let stage = Stage::new();
                for (command, all, argument) in todo.iter().skip(worker).step_by(WORKERS) {
                    test(&stage, command, all, argument);
                }
                assert!(!stage.sandbox.dir().join("was-run").exists(), "something was run");
                stage.sandbox.check_integrity();
                end(&stage);
            });
        }
    });
}

/// What a text becomes when it is a path: absolute, without `.` and `..`.
fn as_path(dir: &Path, text: &str) -> String {
    let mut path = PathBuf::new();
    for part in dir.join(text).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => _ = path.pop(),
            part => path.push(part),
        }
    }
    path.into_os_string().into_string().unwrap()
}

/// K-22: every command has its line here, and no line is left over.
#[test]
fn every_command_is_tested_with_hostile_text() {
    let tree: BTreeSet<_> = tree().into_iter().map(|(command, _)| command).collect();
    let lines: BTreeSet<_> = LINES.iter().map(|(command, _)| (*command).to_owned()).collect();
    assert_eq!(tree, lines);
}
