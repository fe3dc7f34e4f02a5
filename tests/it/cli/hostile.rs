//! Hostile text and secrets in every argument of every command (K-08, K-16).

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process::Output;

use intercore::cli::Argument;
use serde_json::Value;

use super::arguments::{Stage, for_each_argument};
use crate::support::{Sandbox, render, run};

/// How many texts every argument gets. If it has refused all of them in the same way, the others are spared.
const TELLING: usize = 13;

fn nasty() -> Vec<OsString> {
    let telling = [
        "it's \"quoted\"",
        "line\nINJECTED\r\nINJECTED",
        "\u{1b}]0;title\u{7}\u{9b}31m\u{85}",
        "\u{202e}right to left\u{200f}\u{2066}x\u{2069}\u{61c}",
        "$(touch was-run)",
        "--help",
        "",
        "-",
        "{\"json\":[1,\"\\u0000\"]}",
        "../../../../etc/passwd",
        "zero\u{200b}width\u{feff}joined\u{200d}",
    ];
    let more = [
        "`touch was-run`",
        "'; touch was-run; '",
        "'; DROP TABLE runs;--",
        "\nINJECTED",
        "tab\there\u{b}and\u{c}there",
        "\u{1b}[31mred\u{1b}[0m\u{7}\u{8}",
        "e\u{301}\u{323} combined a\u{30a}",
        "--",
        "   ",
        "%s%n%x \\x00 \\u0000 \\",
        "* ? [a-z] {x,y} ~ !! $HOME",
        "🦀 → ünï \u{2028}INJECTED\u{2029}INJECTED",
        "<script>&amp;</script>",
    ];
    let long = OsString::from("x".repeat(120_000));
    let no_text = OsString::from_vec(b"bad \xff\xfe \xc3( utf-8".to_vec());
    let telling: Vec<_> = telling.into_iter().map(OsString::from).chain([long, no_text]).collect();
    assert_eq!(telling.len(), TELLING);
    telling.into_iter().chain(more.into_iter().map(OsString::from)).collect()
}

/// What is stored by now, shown in text: a line for each record, and no character that steers a terminal.
fn lists_have_a_line_for_each(stage: &Stage) {
    for list in [
        &["run", "list"][..],
        &["agent", "list", &stage.run],
        &["artifact", "list", &stage.run],
        &["run", "action", "list", &stage.run],
        &["run", "events", &stage.run, "--all-sources"],
        &["dispatch", "list"],
        &["lock", "list"],
        &["lock", "stale", "--older-than=0s"],
        &["sentinel", "list"],
        &["task", "errors"],
    ] {
        let records = stage.sandbox.json(list).as_array().unwrap().len();
        let text = stage.sandbox.ok(list);
        assert_eq!(text.lines().count(), records, "{list:?}");
        assert_eq!(steering(&text, false), None, "{list:?}");
    }
}

/// The first character of an output that would steer a terminal or break a line.
fn steering(text: &str, json: bool) -> Option<char> {
    let mark = |c| matches!(c, '\u{2028}' | '\u{2029}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    // What is long is one letter over and over: its ends will do.
    let ends = || Some((text.get(..4096)?, text.get(text.len().checked_sub(4096)?..)?));
    let (head, tail) = ends().filter(|_| text.is_ascii()).unwrap_or((text, ""));
    head.chars()
        .chain(tail.chars())
        .find(|&c| (c.is_control() && c != '\n' && (json || c != '\t')) || (!json && mark(c)))
}

/// The parts of an output that hold whatever was given.
fn check_shape(what: &str, output: &Output, json: bool) {
    let shown = render(output);
    assert!(matches!(output.status.code(), Some(0..=3)), "{what}: {shown}");
    let stdout = std::str::from_utf8(&output.stdout).unwrap_or_else(|_| panic!("{what}: {shown}"));
    let stderr = std::str::from_utf8(&output.stderr).unwrap_or_else(|_| panic!("{what}: {shown}"));
    for text in [stdout, stderr] {
        assert_eq!(steering(text, json), None, "{what}: {shown:?}");
        assert!(json || text.lines().all(|line| !line.starts_with("INJECTED")), "{what}: {shown}");
    }
    let told = |line: &str| ["ic: ", "hint: ", "  because: "].iter().any(|start| line.starts_with(start));
    let object = |line: &str| {
        serde_json::from_str::<Value>(line).is_ok_and(|value| value["error"]["code"].is_string())
    };
    let may_be_json = json || what.starts_with("ic demo");
    assert!(stderr.lines().all(|line| told(line) || (may_be_json && object(line))), "{what}: {shown}");
    if json && !["ic help", "ic completions"].iter().any(|text| what.starts_with(text)) {
        let one = stdout.is_empty() || serde_json::from_str::<Value>(stdout).is_ok();
        let lines = || stdout.lines().all(|line| serde_json::from_str::<Value>(line).is_ok());
        assert!(one || lines(), "{what}: {shown}");
    }
}

/// K-08: in every argument, hostile text is kept to the letter or refused by name; it never breaks a line or a document,
/// steers a terminal, runs, or ends in a panic. The telling texts, where they are accepted, are asked for as text and as JSON;
/// the others, and what is refused, as one of them in turn.
#[test]
fn hostile_text_is_kept_to_the_letter_or_refused() {
    let one = |stage: &Stage, command: &str, all: &[Argument], argument: &Argument| {
        let texts = nasty();
        // The demo is dozens of calls: some will do.
        let every = if command == "ic demo" { texts.len() / 3 } else { 1 };
        let mut codes = BTreeSet::new();
        for (at, text) in texts.iter().enumerate().step_by(every) {
            if at >= TELLING && codes.len() == 1 && !codes.contains(&0) {
                break;
            }
            for json in [at % 2 == 0, at % 2 == 1] {
                let code = check(stage, command, all, argument, text, json);
                codes.insert(code);
                if code != 0 || at >= TELLING {
                    break;
                }
            }
        }
    };
    for_each_argument(one, lists_have_a_line_for_each);
}

fn check(
    stage: &Stage,
    command: &str,
    all: &[Argument],
    argument: &Argument,
    text: &OsStr,
    json: bool,
) -> i32 {
    let head = if argument.kept { stage.head() } else { 0 };
    let short = String::from_utf8_lossy(&text.as_bytes()[..text.len().min(60)]);
    let what = format!("{command} {}={short:?} json={json}", argument.name);
    let output = stage.call(command, all, &argument.name, text, json);
    // The demo tells its story as text.
    let json = json && command != "ic demo";
    check_shape(&what, &output, json);
    let code = output.status.code().unwrap();
    if code >= 2 {
        // A failed change of a task has its result on stdout, and as JSON nothing else (TS-63, TS-72).
        let is_answer = json && command.starts_with("ic task") && !output.stdout.is_empty();
        let stderr = String::from_utf8_lossy(if is_answer { &output.stdout } else { &output.stderr });
        let field = argument.name.trim_matches(['-', '<', '>', '@']).to_lowercase();
        let named = stderr.contains(&argument.name) || stderr.to_lowercase().contains(&field);
        let shown = text.to_str().is_none() && stderr.contains("UTF-8: bad")
            // Not the argument is wrong then, but what comes from stdin.
            || (command, text.to_str()) == ("ic state set", Some("-"));
        let quiet = output.stdout.is_empty() || is_answer;
        assert!(quiet && (named || shown), "{what}: the field is not named: {stderr}");
    }
    if code == 0 && argument.kept {
        let text = text.to_str().unwrap_or_else(|| panic!("{what}: what is no text cannot be kept"));
        // Nothing is as good as not given.
        assert!(
            text.trim().is_empty() || stage.has_kept(text, head),
            "{what}: not kept to the letter: {}",
            render(&output)
        );
    }
    code
}

/// K-16: no argument lets a secret into the database, and none is repeated in an error.
#[test]
fn no_argument_lets_a_secret_in() {
    let token = "ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6";
    let secrets = [
        (token.to_owned(), token),
        (format!("use {token} here"), token),
        (format!("{{\"a\":\"{token}\"}}"), token),
        (format!("[\"{token}\",\"b\"]"), token),
        ("{\"db_password\":\"hunter2hunter2\"}".to_owned(), "hunter2hunter2"),
        ("password=hunter2hunter2".to_owned(), "hunter2hunter2"),
        ("sk-abcdefghijklmnopqrstuvwxyz".to_owned(), "sk-abcdefghijklmnopqrstuvwxyz"),
    ];
    let one = |stage: &Stage, command: &str, all: &[Argument], argument: &Argument| {
        for (text, secret) in secrets.iter().take(if command == "ic demo" { 1 } else { secrets.len() }) {
            let what = format!("{command} {}={text}", argument.name);
            let output = stage.call(command, all, &argument.name, OsStr::new(text), false);
            assert!(!String::from_utf8_lossy(&output.stderr).contains(secret), "{what}: {}", render(&output));
            assert!(!argument.kept || output.status.code() == Some(3), "{what}: {}", render(&output));
        }
    };
    for_each_argument(one, |stage| {
        let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
        for table in stage.texts(tables) {
            for column in stage.texts(&format!("SELECT name FROM pragma_table_info('{table}')")) {
                let with =
                    ["ghp_a1B2", "hunter2", "sk-abcdef"].map(|part| format!("instr({column}, '{part}')"));
                let sql = format!("SELECT CAST({column} AS TEXT) FROM {table} WHERE {}", with.join(" OR "));
                assert_eq!(stage.texts(&sql), Vec::<String>::new(), "{table}.{column}");
            }
        }
    });
}

/// K-08: the global flags, the environment and the working directory are no way in either.
#[test]
fn hostile_text_around_the_command_breaks_nothing() {
    let sandbox = Sandbox::new();
    for text in nasty() {
        for json in [false, true] {
            for flag in ["--db", "--timeout"] {
                let mut given = OsString::from(format!("{flag}="));
                given.push(&text);
                let mut command = sandbox.command([OsStr::new("run"), OsStr::new("list"), &given]);
                command.args(json.then_some("--json"));
                check_shape(&format!("run list {}", given.display()), &run(command), json);
            }
            for variable in ["INTERCORE_DB", "IC_LOG_LEVEL", "IC_TRACE_ID", "IC_SPAN_ID", "PWD"] {
                let mut command = sandbox.command(["run", "create", "--goal=g", "-vv"]);
                command.env(variable, &text).args(json.then_some("--json"));
                check_shape(&format!("{variable}={}", text.display()), &run(command), json);
            }
        }
    }
    sandbox.check_integrity();
}

/// K-08: a mebibyte fits through stdin where it does not through a command line, and comes back to the letter.
#[test]
fn a_mebibyte_comes_back_to_the_letter() {
    let sandbox = Sandbox::new();
    let text = "it's $(touch was-run) \u{1b}[31m\n".repeat(1 << 16);
    let text = &text[..1 << 20];
    std::fs::write(sandbox.dir().join("text"), text).unwrap();
    sandbox.ok(["state", "set", "k", "s", "@text", "--raw"]);
    assert_eq!(sandbox.ok(["state", "get", "k", "s"]), text.trim());
    let shown = sandbox.ok(["state", "get", "k", "s", "--json"]);
    assert!(!shown.contains('\u{1b}'));
    assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text.trim());
    let (_, stderr) = sandbox.fails(["run", "create", "--goal=g", "--gates-file=text"], 2);
    assert!(stderr.len() < 1000, "not all of it is repeated");
}
