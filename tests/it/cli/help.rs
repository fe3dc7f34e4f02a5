//! What the program says of itself.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::Sandbox;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// K-06: the help of the whole tree is as recorded: who changes it sees it. `RECORD=1 cargo test help_text` records it.
#[test]
fn the_help_text_is_as_recorded() {
    let sandbox = Sandbox::bare();
    let mut lines: Vec<Vec<String>> = vec![vec!["--help".to_owned()]];
    lines.extend(
        ["errors", "exit-codes", "environment"].map(|topic| vec!["help".to_owned(), topic.to_owned()]),
    );
    let mut seen = BTreeSet::new();
    for command in intercore::cli::listing() {
        let words: Vec<String> = command.split(' ').skip(1).map(ToOwned::to_owned).collect();
        for n in 1..=words.len() {
            if seen.insert(words[..n].to_vec()) {
                lines.push([&words[..n], &["--help".to_owned()]].concat());
            }
        }
    }
    let mut text = String::new();
    for line in lines {
        writeln!(text, "$ ic {}\n{}\n", line.join(" "), sandbox.ok(&line)).unwrap();
    }
    let recorded = root().join("tests/snapshots/help.txt");
    if std::env::var_os("RECORD").is_some() {
        fs::create_dir_all(recorded.parent().unwrap()).unwrap();
        fs::write(&recorded, &text).unwrap();
    }
    let before = fs::read_to_string(&recorded).unwrap();
    let differs = before.lines().zip(text.lines()).enumerate().find(|(_, (old, new))| old != new);
    assert!(before == text, "{} is not what the program says now: {differs:?}", recorded.display());
}

fn sources(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            out.push(path);
        }
    }
}

/// The words in quotes behind `call(`.
fn named(text: &str, call: &str) -> Vec<String> {
    let rests = text.split(call).skip(1);
    rests.filter_map(|rest| Some(rest.strip_prefix('"')?.split_once('"')?.0.to_owned())).collect()
}

/// Every variable that the source reads is told of in `ic help environment`, and no other.
#[test]
fn the_environment_is_told_completely() {
    let mut paths = Vec::new();
    sources(&root().join("src"), &mut paths);
    let mut read = BTreeSet::new();
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        if path.ends_with("app/environment.rs") {
            continue;
        }
        let ways = ["env::var(", "env::var_os(", "env.var(", "env.var_os(", "env.path(", "env.paths("];
        let calls: usize = ways.iter().map(|way| text.matches(way).count()).sum();
        let direct: Vec<String> = ways.iter().flat_map(|way| named(&text, way)).collect();
        // The one place that reads by a name that it is given.
        let given = if text.contains("env.var(name)") { named(&text, "read(") } else { Vec::new() };
        let unnamed = usize::from(!given.is_empty());
        assert_eq!(
            direct.len() + unnamed,
            calls,
            "{}: a variable is read by a name that is not seen",
            path.display()
        );
        assert!(!text.contains("env::vars"), "{}", path.display());
        read.extend(direct.into_iter().chain(given));
    }
    let agents = fs::read_to_string(root().join("AGENTS.md")).unwrap();
    let for_tests: Vec<String> = read.iter().filter(|name| name.starts_with("IC_TEST_")).cloned().collect();
    for name in &for_tests {
        assert!(agents.contains(name.as_str()), "AGENTS.md does not tell of {name}");
        read.remove(name);
    }
    // Read by the libraries: where scratch files go, and how wide help is.
    read.extend(["TMPDIR", "COLUMNS"].map(ToOwned::to_owned));
    let told = Sandbox::bare().ok(["help", "environment"]);
    let names = told.lines().skip(2).filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next());
    let names: BTreeSet<String> = names
        .filter(|name| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'))
        .map(ToOwned::to_owned)
        .collect();
    assert_eq!(names, read);
}

/// K-07: a mistyped command, group or flag is told with what may have been meant, and so is a missing one.
#[test]
fn mistyped_words_are_answered_with_what_may_be_meant() {
    let sandbox = Sandbox::bare();
    for (line, meant) in [
        (&["rum"][..], "run"),
        (&["run", "advnace", "x"], "advance"),
        (&["run", "agent", "lst"], "list"),
        (&["gate", "overide", "x"], "override"),
        (&["healt"], "health"),
        (&["run", "create", "--goal=g", "--compexity=1"], "--complexity"),
        (&["run", "advance", "x", "--expect-phas=a"], "--expect-phase"),
        (&["dispatch", "list", "--actve"], "--active"),
        (&["completions", "zsj"], "zsh"),
        (&["run", "cancle", "x"], "cancel"),
    ] {
        let (_, stderr) = sandbox.fails(line, 3);
        let hint = stderr.lines().find(|line| line.starts_with("hint: ")).unwrap_or_default();
        assert!(hint.contains(&format!("'{meant}'")), "{line:?}: {stderr}");
    }
    // Every command and flag of the tree, with one letter lost, finds itself again.
    for (command, arguments) in intercore::cli::arguments() {
        let words: Vec<&str> = command.split(' ').skip(1).collect();
        let (last, before) = words.split_last().unwrap();
        let short = &last[..last.len() - 1];
        let (_, stderr) = sandbox.fails([before, &[short]].concat(), 3);
        assert!(stderr.contains(&format!("'{last}'")), "{command}: {stderr}");
        for flag in arguments.iter().map(|argument| &argument.name).filter(|name| name.starts_with("--")) {
            let short = &flag[..flag.len() - 1];
            if short.len() < 5 || arguments.iter().any(|argument| argument.name == short) {
                continue;
            }
            let (_, stderr) = sandbox.fails([&words[..], &[&format!("{short}=1")]].concat(), 3);
            assert!(stderr.contains(&format!("'{flag}'")), "{command} {short}: {stderr}");
        }
    }
}
