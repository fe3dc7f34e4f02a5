//! What README.md and AGENTS.md say is true.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Sandbox, render, run};

fn document(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// A command of the tour, the output shown for it, and its exit code.
struct Step {
    command: String,
    shown: Vec<String>,
    exit: i32,
}

fn tour(name: &str) -> Vec<Step> {
    let readme = document(name);
    let blocks = readme.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let mut steps: Vec<Step> = Vec::new();
    for line in blocks.flat_map(str::lines) {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { command: command.to_owned(), shown: Vec::new(), exit: 0 });
            continue;
        }
        let step = steps.last_mut().expect("output follows a command");
        match line.strip_prefix("(exit code ").and_then(|rest| rest.strip_suffix(')')) {
            Some(code) => step.exit = code.parse().unwrap(),
            None => step.shown.push(line.to_owned()),
        }
    }
    steps
}

/// Whether a line is as shown, where `…` stands for anything.
fn is_as_shown(shown: &str, line: &str) -> bool {
    let mut parts = shown.split('…');
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap()) else { return false };
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.is_empty()
}

/// The tour in the README, typed into a shell, prints what it says it prints.
#[test]
fn the_tour_is_true() {
    assert!(take("README.md") > 20);
}

/// Types the session of a page into a shell, which has to print what the page shows; answers the number of commands.
pub fn take(name: &str) -> usize {
    let sandbox = Sandbox::bare();
    let steps = tour(name);
    let mark = "===8<===";
    let marked = |step: &Step| {
        format!(
            "{}
printf '%s%s\n' '{mark}' \"$?\"",
            step.command
        )
    };
    let script = steps.iter().map(marked).collect::<Vec<_>>().join(
        "
",
    );
    let ic = assert_cmd::cargo::cargo_bin!("ic").parent().unwrap().to_owned();
    let mut shell = Command::new("sh");
    sandbox.seal(&mut shell);
    shell.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", ic.display()));
    // stderr goes where a terminal would show it.
    shell.arg("-c").arg(format!("exec 2>&1\n{script}"));
    let output = run(shell);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let mut printed = text.split(mark);
    let mut before = printed.next().unwrap();
    for step in &steps {
        let rest = printed.next().unwrap_or_else(|| panic!("{}: {}", step.command, render(&output)));
        let (exit, after) = rest.split_once('\n').unwrap();
        assert_eq!(exit, step.exit.to_string(), "$ {}\n{before}", step.command);
        let lines: Vec<_> = before.lines().collect();
        let same = lines.len() == step.shown.len()
            && lines.iter().zip(&step.shown).all(|(line, shown)| is_as_shown(shown, line));
        assert!(same, "$ {}\nprinted\n{before}\n{name} shows\n{}", step.command, step.shown.join("\n"));
        before = after;
    }
    steps.len()
}

#[test]
fn an_ellipsis_stands_for_anything() {
    assert!(is_as_shown("a…c", "abbc") && is_as_shown("…", "") && is_as_shown("a…b…", "axbx"));
    assert!(!is_as_shown("a…c", "abb") && !is_as_shown("ab", "abc") && !is_as_shown("…b…c", "acb"));
}

/// K-05: the exit codes in the README are those that the program explains.
#[test]
fn the_readme_names_the_set_up_commands_and_the_exit_codes() {
    let readme = document("README.md");
    assert!(readme.contains("\n    cargo run --release -- demo\n") && readme.contains("\n    cargo test\n"));
    let help = Sandbox::bare().ok(["help", "exit-codes"]);
    for code in 0..=3 {
        let row = readme.lines().find(|line| line.starts_with(&format!("| {code} | "))).unwrap();
        let meaning = row.split('|').nth(2).unwrap().trim();
        assert!(help.contains(&format!("  {code}  {meaning}\n")), "{meaning}");
    }
    assert!(document(".ci/run").contains("\ntests() { cargo test; }\n"), "CI calls what the README says");
}

/// The first cells of a table that follows a heading, without their backticks.
fn listed(document: &str, heading: &str) -> Vec<String> {
    let (_, after) = document.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = after.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let mut names: Vec<_> = rows.map(|row| row.split('`').nth(1).unwrap().to_owned()).collect();
    names.sort();
    names
}

/// K-22: AGENTS.md lists every command and every table.
#[test]
fn agents_md_lists_every_command_and_table() {
    let agents = document("AGENTS.md");
    let mut commands = intercore::cli::listing();
    commands.sort();
    assert_eq!(listed(&agents, "Commands"), commands);
    let sandbox = Sandbox::new();
    let conn = sandbox.open();
    let mut statement =
        conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").unwrap();
    let tables = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(listed(&agents, "Tables"), tables.map(Result::unwrap).collect::<Vec<_>>());
}
