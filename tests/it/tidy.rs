//! Rules that the source keeps to.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn walk(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            out.push(path);
        }
    }
}

/// Returns every source file with its path below `src`, without its unit tests.
fn sources() -> Vec<(String, String)> {
    let mut paths = Vec::new();
    walk(&root().join("src"), &mut paths);
    paths.sort();
    let read = |path: PathBuf| {
        let name = path.strip_prefix(root().join("src")).unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
        (name, product)
    };
    paths.into_iter().map(read).filter(|(name, _)| !name.ends_with("tests.rs")).collect()
}

/// Fails naming the files outside `places` that contain `what` outside comments.
fn only_in(places: &[&str], what: &str) {
    let strays: Vec<_> = sources()
        .into_iter()
        .filter(|(name, _)| !places.iter().any(|place| name.starts_with(place)))
        .filter(|(_, text)| code(text).any(|line| line.contains(what)))
        .map(|(name, _)| name)
        .collect();
    assert!(strays.is_empty(), "`{what}` belongs in {places:?} only, found in {strays:?}");
}

/// The lines of a text that are no comments.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim_start().starts_with("//"))
}

#[test]
fn each_thing_is_done_in_one_place() {
    only_in(&["db/sqlite.rs", "db/sqlite/"], "rusqlite");
    only_in(&["db", "store"], ".execute(");
    only_in(&["db", "store"], "SELECT ");
    only_in(&["cli/output.rs"], "io::stdout");
    only_in(&["cli/output.rs"], "io::stderr");
    only_in(&["cli"], "clap::");
    only_in(&["cli", "main.rs"], "ExitCode");
    only_in(&[], "process::exit");
    only_in(&["app/context.rs"], "SystemTime");
    only_in(&["domain/time.rs", "os"], "jiff::");
    let files = [
        "db/apart.rs",
        "db/copy.rs",
        "db/create.rs",
        "db/go.rs",
        "db/log.rs",
        "db/mod.rs",
        "db/sqlite/unopenable.rs",
        "os",
        "app",
        "cli",
    ];
    only_in(&files, "fs::");
    only_in(&["os", "cli/commands/demo"], "process::Command");
    only_in(&["store/quiet.rs", "db/mod.rs"], "execute_quiet(");
}

/// The environment of a call is a value, so that calls can share a process. What is constant for a build is no part of it,
/// nor are the switches of debug builds.
#[test]
fn the_environment_is_read_in_one_place() {
    let places = ["main.rs", "cli", "db/mod.rs", "os", "app/environment.rs"];
    let strays: Vec<_> = sources()
        .into_iter()
        .filter(|(name, _)| !places.iter().any(|place| name.starts_with(place)))
        .flat_map(|(name, text)| {
            let reads = |line: &&str| {
                line.contains("std::env") && !line.contains("std::env::consts") && !line.contains("IC_TEST_")
            };
            code(&text).filter(reads).map(|line| format!("{name}: {line}")).collect::<Vec<_>>()
        })
        .collect();
    assert!(strays.is_empty(), "{strays:#?}");
}

/// `cli -> app -> ops -> store -> db -> os`, one way; `domain` is pure and for all, but `os` makes no decisions and uses of
/// it only what prints text.
#[test]
fn layers_depend_one_way() {
    let forbidden: [(&str, &[&str]); 6] = [
        ("domain", &["crate::db", "crate::store", "crate::ops", "crate::os", "crate::app", "crate::cli"]),
        ("db", &["crate::store", "crate::ops", "crate::app", "crate::cli"]),
        ("store", &["crate::ops", "crate::os", "crate::app", "crate::cli"]),
        ("ops", &["crate::os", "crate::app", "crate::cli"]),
        ("os", &["crate::db", "crate::store", "crate::ops", "crate::app", "crate::cli", "crate::domain"]),
        ("app", &["crate::cli"]),
    ];
    for (name, text) in sources() {
        let text = if name.starts_with("os/") { text.replace("crate::domain::text", "") } else { text };
        for (layer, below) in forbidden {
            let strays = below
                .iter()
                .filter(|module| name.starts_with(&format!("{layer}/")) && text.contains(**module));
            assert_eq!(strays.collect::<Vec<_>>(), Vec::<&&str>::new(), "{name}");
        }
    }
}

/// The command line renders answers and computes none: it knows `app` and `domain`.
#[test]
fn the_command_line_knows_the_application_only() {
    // The frame itself: how bytes reach stdout, and the limits of the process.
    let frame = [("cli/output.rs", "crate::os::{child, stream}"), ("cli/mod.rs", "crate::os::limits")];
    let below = ["crate::db", "crate::store", "crate::ops", "crate::os", "store::", "ops::", "db::", "os::"];
    let mut strays = Vec::new();
    for (name, text) in sources().into_iter().filter(|(name, _)| name.starts_with("cli/")) {
        let is_frame = |line: &str| frame.iter().any(|(file, module)| name == *file && line.contains(module));
        let reaches = |line: &&str| {
            let words = line.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
            let is_below = |word: &str| below.iter().any(|module| word.starts_with(module));
            words.into_iter().any(is_below) && !is_frame(line)
        };
        strays.extend(code(&text).filter(reaches).map(|line| format!("{name}: {}", line.trim())));
    }
    assert!(strays.is_empty(), "{strays:#?}");
}

/// Returns the file of a command: a folder for each noun, a file for each verb. A noun that is reached by two paths has one
/// folder.
fn expected_file(command: &str) -> String {
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    let words = match *words.as_slice() {
        ["run", noun @ ("action" | "agent" | "artifact"), verb] => vec![noun, verb],
        ["phase", "show"] => vec!["run", "phase"],
        ["phase", "history"] => vec!["run", "events"],
        ["phase", verb] => vec!["run", verb],
        _ => words,
    };
    let keywords = ["override"];
    let modules = words
        .iter()
        .map(|word| if keywords.contains(word) { format!("{word}_") } else { word.replace('-', "_") });
    format!("cli/commands/{}.rs", modules.collect::<Vec<_>>().join("/"))
}

/// Returns the file that a type is in, or the folder whose `mod.rs` it is in.
fn file_of(type_name: &str) -> String {
    let (module, _) = type_name.rsplit_once("::").unwrap();
    let path = module.strip_prefix("intercore::").unwrap().replace("::", "/").replace("r#", "");
    let file = format!("{path}.rs");
    if root().join("src").join(&file).is_file() { file } else { format!("{path}/mod.rs") }
}

/// One command, one file, whose path is the command's words.
#[test]
fn every_command_is_in_the_file_that_has_its_name() {
    let mut strays = Vec::new();
    for (command, type_name) in intercore::cli::command_types() {
        let (file, expected) = (file_of(type_name), expected_file(&command));
        let is_noun = command.split(' ').count() == 2;
        if file != expected && !(is_noun && file == expected.replace(".rs", "/mod.rs")) {
            strays.push(format!("{command}: in {file}, expected in {expected}"));
        }
    }
    assert!(strays.is_empty(), "{strays:#?}");
}

/// A store knows its own tables, the event log, and the run that it guards.
#[test]
fn stores_keep_to_themselves() {
    let shared = ["mod", "error", "event", "cells", "quiet", "run", "phase", "phase_event", "StoreError"];
    let stores = ["action", "agent", "artifact", "dispatch", "idempotency"];
    for (name, text) in sources().iter().filter(|(name, _)| name.starts_with("store/")) {
        for store in stores {
            let own = name == &format!("store/{store}.rs") || name == "store/mod.rs";
            let used =
                text.contains(&format!("super::{store}::")) || text.contains(&format!("store::{store}::"));
            assert!(own || !used, "{name} uses the store of {store} (shared are only {shared:?})");
        }
    }
}

/// A reader should be able to take a file in at once.
#[test]
fn files_are_short() {
    let long: Vec<_> = sources()
        .into_iter()
        .map(|(name, text)| (text.lines().count(), name))
        .filter(|(n, _)| *n > 400)
        .collect();
    assert!(long.is_empty(), "{long:?}");
}

#[test]
fn every_test_file_is_declared() {
    let it = root().join("tests/it");
    for (module, dir) in
        [("main.rs", it.clone()), ("cli/mod.rs", it.join("cli")), ("scripts.rs", it.join("scripts"))]
    {
        let declared = fs::read_to_string(it.join(module)).unwrap();
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let stem = path.file_stem().unwrap().to_str().unwrap();
            assert!(
                ["main", "mod"].contains(&stem) || declared.contains(&format!("mod {stem};")),
                "{} is not declared in {module}",
                path.display()
            );
        }
    }
}

#[test]
fn the_changelog_knows_this_version() {
    let changelog = fs::read_to_string(root().join("CHANGELOG.md")).unwrap();
    assert!(changelog.contains(&format!("## [{}]", env!("CARGO_PKG_VERSION"))));
    assert!(changelog.contains("## [Unreleased]"));
}

/// Words that mean that something is not there yet.
#[test]
fn nothing_is_left_open() {
    for word in ["todo!", "unimplemented!", "dbg!(", "FIXME", "TODO:"] {
        only_in(&[], word);
    }
}

const SCRIPTS: [&str; 4] = [".ci/run", "benches/counts.sh", "lib-intercore.sh", "test-integration.sh"];

/// The lines of a script that are no comments.
fn script(name: &str) -> String {
    let text = fs::read_to_string(root().join(name)).unwrap();
    text.lines().filter(|line| !line.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n")
}

/// RB-13: scripts run where GNU's tools are not.
#[test]
fn scripts_are_portable() {
    for name in SCRIPTS {
        let text = script(name);
        for word in ["grep -P", "grep -oP", "readlink -f", "sed -i", "-newermt", "date -d", "%N"] {
            assert!(!text.contains(word), "{name}: {word}");
        }
    }
    // RT-05: the wrappers have nothing but POSIX.
    let library = script("lib-intercore.sh");
    for word in
        ["jq ", "bc ", "mktemp", "hostname -", "-mmin", "-maxdepth", "stat ", "realpath", "timeout ", "eval "]
    {
        assert!(!library.contains(word), "{word}");
    }
}

/// RT-05: scripts need no bash newer than 3.2.
#[test]
fn scripts_need_no_new_bash() {
    let new = [
        "declare -A",
        "local -A",
        "typeset -A",
        "declare -n",
        "local -n",
        "declare -g",
        "mapfile",
        "readarray",
        "coproc",
        "BASHPID",
        "EPOCHSECONDS",
        "EPOCHREALTIME",
        "SRANDOM",
        "globstar",
        "lastpipe",
        "inherit_errexit",
        "wait -n",
        "[[ -v ",
        "|&",
        "&>>",
        ";;&",
        ";&\n",
        "%(",
        ",,}",
        "^^}",
        ",}",
        "^}",
        "@Q}",
        "@P}",
        "read -i",
        "read -N",
        "{fd}",
    ];
    for name in SCRIPTS {
        let text = script(name);
        for word in new {
            assert!(!text.contains(word), "{name}: {word}");
        }
    }
}
