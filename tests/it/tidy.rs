//! The rules of the house, read off the source.

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

/// Every source file with its path below `src`, without its unit tests.
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
    let code = |line: &str| !line.trim_start().starts_with("//") && line.contains(what);
    let strays: Vec<_> = sources()
        .into_iter()
        .filter(|(name, _)| !places.iter().any(|place| name.starts_with(place)))
        .filter(|(_, text)| text.lines().any(code))
        .map(|(name, _)| name)
        .collect();
    assert!(strays.is_empty(), "`{what}` belongs in {places:?} only, found in {strays:?}");
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
    only_in(&["app/context.rs"], "SystemTime");
    only_in(&["domain/time.rs", "os"], "jiff::");
    only_in(&["main.rs", "app", "cli", "db/mod.rs", "os"], "std::env::");
    let files =
        ["db/apart.rs", "db/copy.rs", "db/create.rs", "db/go.rs", "db/log.rs", "db/mod.rs", "os", "cli"];
    only_in(&files, "fs::");
    only_in(&["os", "cli/demo"], "process::Command");
    only_in(&["store/quiet.rs", "db/mod.rs"], "execute_quiet(");
}

/// `cli -> ops -> store -> db`, one way; `domain` is pure and for all.
#[test]
fn layers_depend_one_way() {
    let forbidden: [(&str, &[&str]); 5] = [
        ("domain", &["crate::db", "crate::store", "crate::ops", "crate::os", "crate::cli"]),
        ("db", &["crate::store", "crate::ops", "crate::os", "crate::cli"]),
        ("store", &["crate::ops", "crate::os", "crate::cli"]),
        ("ops", &["crate::os", "crate::cli"]),
        ("os", &["crate::db", "crate::store", "crate::ops", "crate::cli", "crate::domain"]),
    ];
    for (name, text) in sources() {
        for (layer, below) in forbidden {
            let strays = below
                .iter()
                .filter(|module| name.starts_with(&format!("{layer}/")) && text.contains(**module));
            assert_eq!(strays.collect::<Vec<_>>(), Vec::<&&str>::new(), "{name}");
        }
    }
}

/// A store knows its own tables, the event log, and the run that it guards.
#[test]
fn stores_keep_to_themselves() {
    let shared = ["mod", "error", "event", "cells", "quiet", "run", "phase", "StoreError"];
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
