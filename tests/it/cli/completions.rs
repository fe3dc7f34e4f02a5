//! Completion scripts and manual pages.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::Command;

use crate::support::{Sandbox, render, run};

/// The words of every command and group: `[]`, `["run"]`, `["run", "create"]`, …
fn paths() -> BTreeSet<Vec<String>> {
    let commands = intercore::cli::listing();
    let words = commands.iter().map(|command| command.split(' ').skip(1).map(ToOwned::to_owned).collect());
    words.flat_map(|words: Vec<_>| (0..=words.len()).map(move |n| words[..n].to_vec())).collect()
}

fn installed(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        println!("skipped: {program} is not installed");
    }
    found
}

/// The script, loaded into bash, completes every command with its flags, and every group with its commands.
#[test]
fn bash_completes_every_command() {
    let sandbox = Sandbox::bare();
    let script = sandbox.dir().join("ic.bash");
    std::fs::write(&script, sandbox.ok(["completions", "bash"])).unwrap();
    let mut checked = Command::new("bash");
    sandbox.seal(checked.arg("-n").arg(&script));
    assert!(run(checked).status.success(), "bash -n");
    // One shell for all lines: the words so far, the word under the cursor, and what is offered for it.
    let mut driver = format!(
        "set -u; . '{}'; complete -p ic\nfunction=$(complete -p ic | sed 's/.*-F \\([^ ]*\\).*/\\1/')\n\
         offered() {{ COMP_WORDS=(ic \"$@\"); COMP_CWORD=$#; COMPREPLY=()\n\
         $function ic \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"; echo \"${{COMPREPLY[*]}}\"; }}\n",
        script.display()
    );
    let mut asked = Vec::new();
    for path in paths() {
        for cursor in ["", "--", "--js", "--t"] {
            let words = path.iter().map(String::as_str).chain([cursor]).collect::<Vec<_>>();
            let quoted: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
            writeln!(driver, "offered {}", quoted.join(" ")).unwrap();
            asked.push((path.clone(), cursor));
        }
    }
    driver.push_str("offered completions 'b'\noffered run cancel --no-signal --j\n");
    let mut shell = Command::new("bash");
    sandbox.seal(shell.args(["--norc", "--noprofile", "-c", &driver]));
    let output = run(shell);
    let shown = render(&output);
    assert!(output.status.success() && output.stderr.is_empty(), "{shown}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    let mut lines = stdout.lines();
    assert!(lines.next().unwrap().ends_with(" ic"), "registered for ic: {shown}");
    for (path, cursor) in asked {
        let offered: BTreeSet<&str> = lines.next().unwrap().split_whitespace().collect();
        let below: BTreeSet<String> = paths()
            .into_iter()
            .filter(|other| other.len() == path.len() + 1 && other.starts_with(&path))
            .map(|other| other.last().unwrap().clone())
            .collect();
        match cursor {
            "" => {
                let missing: Vec<_> = below.iter().filter(|word| !offered.contains(word.as_str())).collect();
                assert!(missing.is_empty(), "{path:?}: {missing:?} not in {offered:?}");
            }
            "--" => assert!(
                ["--help", "--db", "--json"].iter().all(|f| offered.contains(f)),
                "{path:?}: {offered:?}"
            ),
            "--js" => assert_eq!(offered, BTreeSet::from(["--json"]), "{path:?}"),
            _ => assert!(offered.contains("--timeout"), "{path:?}: {offered:?}"),
        }
    }
    assert_eq!(lines.next(), Some("bash"));
    assert_eq!(lines.next(), Some("--json"), "a flag takes no word of its own");
}

/// What is not `bash` is at least read by its own shell, where there is one.
#[test]
fn the_other_shells_can_read_their_scripts() {
    let sandbox = Sandbox::bare();
    for shell in ["zsh", "fish"] {
        let script = sandbox.ok(["completions", shell]);
        for command in intercore::cli::listing() {
            let word = command.rsplit(' ').next().unwrap();
            assert!(script.contains(word), "{shell}: {command}");
        }
        assert!(!script.contains("hook-watch"), "hidden commands stay hidden");
        let file = sandbox.dir().join(format!("ic.{shell}"));
        std::fs::write(&file, script).unwrap();
        if installed(shell) {
            let mut checked = Command::new(shell);
            sandbox.seal(checked.arg("-n").arg(&file));
            let output = run(checked);
            assert!(output.status.success() && output.stderr.is_empty(), "{shell}: {}", render(&output));
        }
    }
    let (_, stderr) = sandbox.fails(["completions", "tcsh"], 3);
    assert!(stderr.contains("bash, zsh, fish"), "{stderr}");
    sandbox.fails(["completions"], 3);
}

#[test]
fn every_command_has_a_manual_page() {
    let sandbox = Sandbox::bare();
    let paths = paths();
    assert_eq!(sandbox.ok(["man", "share/man1"]), format!("{} pages", paths.len()));
    assert_eq!(sandbox.json(["man", "share/man1"])["pages"], paths.len(), "again, over what is there");
    let dir = sandbox.dir().join("share/man1");
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), paths.len());
    let lints = installed("mandoc");
    for path in paths {
        let name = [&["ic".to_owned()], &path[..]].concat().join("-");
        let file = dir.join(format!("{name}.1"));
        let page = std::fs::read_to_string(&file).unwrap();
        let flat = page.replace('\\', "");
        let typed = [&["ic".to_owned()], &path[..]].concat().join(" ");
        assert!(flat.contains(&format!(".TH {name} 1")) && flat.contains(&format!("\n{name} - ")), "{page}");
        let leaf = intercore::cli::listing().contains(&typed);
        assert_eq!(leaf, page.contains(".SH EXAMPLES\n.nf\n"), "{name}");
        // A line that begins with a point or a quote would be taken for a request.
        let requests =
            [".TH", ".SH", ".TP", ".PP", ".nf", ".fi", ".ie", ".el", ".IP", ".RS", ".RE", ".br", ".SS"];
        for line in page.lines().filter(|line| line.starts_with(['.', '\''])) {
            assert!(requests.iter().any(|request| line.starts_with(request)), "{name}: {line}");
        }
        if lints {
            let output =
                Command::new("mandoc").args(["-T", "lint", "-W", "error"]).arg(&file).output().unwrap();
            assert!(output.status.success(), "{name}: {}", render(&output));
        }
    }
    let first = std::fs::read_to_string(dir.join("ic.1")).unwrap();
    for part in ["--timeout", "EXIT STATUS", "INTERCORE_DB", "ic-run(1)"] {
        assert!(first.replace('\\', "").contains(part), "{part}");
    }
    // Nothing but the pages, and no database.
    assert_eq!(std::fs::read_dir(sandbox.dir()).unwrap().count(), 1);
    std::fs::write(sandbox.dir().join("file"), "").unwrap();
    let (_, stderr) = sandbox.fails(["man", "file", "--json"], 2);
    assert!(stderr.contains("io_error"), "{stderr}");
}
