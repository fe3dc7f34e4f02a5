//! What every command answers, recorded: exit code, stdout and stderr of successes, expected negatives and errors,
//! as text and with `--json`. The recordings are files in `tests/snapshots/answers`, and are made anew by
//! `INSTA_UPDATE=always cargo test answers`.

mod base;
mod child;
mod hooks;
mod locks;
mod log;
mod mask;
mod overrides;
mod readers;
mod runs;
mod schemas;
mod small;
mod sweep;
mod tape;
mod tasks;
mod whole;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use tape::Tape;

/// Names of the recordings, each with what is played.
macro_rules! recordings {
    ($($name:ident: $play:path,)*) => {
        const NAMES: &[&str] = &[$(stringify!($name)),*];
        $(
            mod $name {
                #[test]
                fn text() {
                    super::play(stringify!($name), $play, false);
                }

                #[test]
                fn json() {
                    super::play(stringify!($name), $play, true);
                }
            }
        )*
    };
}

recordings! {
    start: crate::answers::base::start,
    damage: crate::answers::base::damage,
    copies: crate::answers::base::copies,
    run: crate::answers::runs::run,
    run_advance: crate::answers::runs::advance,
    run_settings: crate::answers::runs::settings,
    run_rollback: crate::answers::runs::rollback,
    phase: crate::answers::runs::phase,
    gate: crate::answers::runs::gate,
    agent_and_artifact: crate::answers::runs::members,
    run_action: crate::answers::runs::actions,
    run_evidence: crate::answers::runs::evidence,
    portfolio: crate::answers::runs::portfolio,
    dispatch: crate::answers::child::records,
    dispatch_children: crate::answers::child::children,
    events: crate::answers::log::events,
    events_tail: crate::answers::log::tail,
    events_cursor: crate::answers::log::cursors,
    events_copies: crate::answers::log::copies,
    coordination: crate::answers::locks::coordination,
    coordination_wait: crate::answers::locks::wait,
    coordination_mirror: crate::answers::locks::mirror,
    lock: crate::answers::locks::lock,
    hook: crate::answers::hooks::hook,
    interspect: crate::answers::overrides::life,
    interspect_evidence: crate::answers::overrides::evidence,
    interspect_refusals: crate::answers::overrides::refusals,
    task: crate::answers::tasks::life,
    task_refusals: crate::answers::tasks::refusals,
    state: crate::answers::small::state,
    sentinel: crate::answers::small::sentinel,
    config: crate::answers::small::config,
    compat: crate::answers::small::compat,
    import: crate::answers::whole::import,
    demo: crate::answers::whole::demo,
    pages: crate::answers::whole::pages,
    without_database: crate::answers::sweep::without_database,
    wrong_usage: crate::answers::sweep::wrong_usage,
    busy: crate::answers::sweep::busy,
}

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots/answers")
}

fn file(name: &str, json: bool) -> String {
    format!("{name}.{}", if json { "json" } else { "text" })
}

fn play(name: &str, play: impl Fn(&mut Tape), json: bool) {
    let mut tape = Tape::new(json);
    play(&mut tape);
    let text = tape.into_text();
    let mut settings = insta::Settings::new();
    settings.set_snapshot_path(directory());
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(file(name, json), text));
}

/// The recorded calls of a mode: the words behind `ic`, and the exit code.
fn recorded(json: bool) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for name in NAMES {
        let path = directory().join(format!("{}.snap", file(name, json)));
        let text = fs::read_to_string(&path).unwrap_or_else(|err| panic!("{}: {err}", path.display()));
        for call in text.replace("\n\n", "\n\0").split('\0') {
            let mut lines = call.lines();
            let (Some(header), Some(code)) = (lines.next(), lines.next()) else { continue };
            let (Some((_, typed)), Some(code)) = (header.split_once("$ "), code.strip_prefix("exit: "))
            else {
                continue;
            };
            let Some(at) = typed.find("ic ") else { continue };
            out.push((typed[at + 3..].to_owned(), code.to_owned()));
        }
    }
    out
}

/// Returns the command that the words name: `ic run create`.
fn leaf_of(words: &str) -> Option<String> {
    let line = format!("ic {words} ");
    let leaves = intercore::cli::listing().into_iter();
    leaves.filter(|leaf| line.starts_with(&format!("{leaf} "))).max_by_key(String::len)
}

/// Whether the recordings are being made: they are incomplete until all of it has run.
fn recording() -> bool {
    let set =
        std::env::var("INSTA_UPDATE").is_ok_and(|update| !["", "no", "auto"].contains(&update.as_str()));
    if set {
        println!("skipped: the recordings are being made");
    }
    set
}

/// Commands that have no negative of their own, or cannot succeed here, each with the reason.
const EXCEPTIONS: &[(&str, &str)] = &[];

/// K-22: every command is recorded with a success and with something else, in both modes.
#[test]
fn every_command_is_recorded() {
    if recording() {
        return;
    }
    let leaves = intercore::cli::listing();
    for json in [false, true] {
        let mut codes: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for (words, code) in recorded(json) {
            let line = format!("ic {words} ");
            let leaf = leaves.iter().filter(|leaf| line.starts_with(&format!("{leaf} ")));
            if let Some(leaf) = leaf.max_by_key(|leaf| leaf.len()) {
                codes.entry(leaf).or_default().insert(code);
            }
        }
        let missing: Vec<_> = leaves
            .iter()
            .filter(|leaf| EXCEPTIONS.iter().all(|(known, _)| known != leaf))
            .filter_map(|leaf| {
                let codes = codes.get(leaf.as_str()).cloned().unwrap_or_default();
                let both = codes.contains("0") && codes.iter().any(|code| code != "0");
                (!both).then(|| format!("{leaf}: {codes:?}"))
            })
            .collect();
        assert!(missing.is_empty(), "json={json}: {missing:#?}");
    }
}

/// Codes of errors that no recording shows, each with the reason.
const UNSEEN: &[(&str, &str)] = &[
    ("db_full", "needs a file system of its own that is full"),
    ("db_in_doubt", "the disk has to fail twice in a row"),
    ("db_moved", "the file has to go while a call is under way"),
    ("db_read_only", "the tests may run as root, whom no mode keeps out"),
    ("import_mismatch", "only a bug brings it about"),
    ("internal", "only a bug brings it about"),
    ("schema_too_old", "every migration so far is additive"),
];

/// K-07: every code of the error table is recorded, but for those that cannot be brought about at will.
#[test]
fn every_error_code_is_recorded() {
    if recording() {
        return;
    }
    let told = crate::support::Sandbox::bare().ok(["help", "errors"]);
    let codes: BTreeSet<&str> =
        told.lines().filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next()).collect();
    let read =
        |name: &&str| fs::read_to_string(directory().join(format!("{}.snap", file(name, true)))).unwrap();
    let all: String = NAMES.iter().map(read).collect();
    let seen = |code: &&&str| all.contains(&format!("\"code\":\"{code}\""));
    let unseen: Vec<_> = codes.iter().filter(|code| !seen(code)).collect();
    let known: Vec<_> = UNSEEN.iter().map(|(code, _)| code).collect();
    assert_eq!(unseen, known, "{} codes", codes.len());
}

/// No recording is left of what is not played any more.
#[test]
fn no_recording_is_left_over() {
    let known: BTreeSet<String> = NAMES
        .iter()
        .flat_map(|name| [false, true].map(|json| format!("{}.snap", file(name, json))))
        .collect();
    let there =
        fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let left: Vec<_> = there.filter(|name| !name.ends_with(".snap.new") && !known.contains(name)).collect();
    assert!(left.is_empty(), "{left:?}");
}
