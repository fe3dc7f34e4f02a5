//! Hooks that are refused, run, fed and killed.

use std::fs::File;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;
use crate::os::process::{Liveness, identify};

/// A project with a hook that runs `script`.
fn project(script: &str) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join(".clavain/hooks")).unwrap();
    let hook = dir.path().join(".clavain/hooks/on-phase-advance");
    program(&hook, script);
    (dir, hook)
}

/// Writes an executable script. A copy made by another process: no child forked by another test can hold it
/// open for writing, which would make it "busy".
fn program(path: &Path, script: &str) {
    let draft = path.with_extension("draft");
    fs::write(&draft, format!("#!/bin/sh\n{script}\n")).unwrap();
    assert!(Command::new("cp").arg(&draft).arg(path).status().unwrap().success());
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A file that holds `content`, to be a standard input.
fn input(content: &str) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(content.as_bytes()).unwrap();
    file.rewind().unwrap();
    file
}

/// The content of a file that another process is about to rename into place.
fn awaited(path: &Path) -> String {
    let start = Instant::now();
    loop {
        match fs::read_to_string(path) {
            Ok(content) => return content,
            Err(err) => assert!(start.elapsed() < Duration::from_secs(10), "{err}"),
        }
        thread::sleep(TICK);
    }
}

#[test]
fn a_proper_hook_is_found() {
    let (dir, hook) = project("true");
    assert_eq!(find(dir.path()), Some(hook));
    assert_eq!(find(Path::new("")), None);
    assert_eq!(find(&dir.path().join("none")), None);
}

#[test]
fn a_hook_that_is_not_an_executable_file_is_refused() {
    let (dir, hook) = project("true");
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(find(dir.path()), None);
    fs::remove_file(&hook).unwrap();
    assert_eq!(find(dir.path()), None);
    fs::create_dir(&hook).unwrap();
    assert_eq!(find(dir.path()), None);
}

#[test]
fn symlinks_are_refused_at_every_step() {
    for step in [".clavain", ".clavain/hooks", ".clavain/hooks/on-phase-advance"] {
        let (dir, _) = project("true");
        fs::rename(dir.path().join(step), dir.path().join("moved")).unwrap();
        symlink(dir.path().join("moved"), dir.path().join(step)).unwrap();
        assert!(dir.path().join(".clavain/hooks/on-phase-advance").is_file());
        assert_eq!(find(dir.path()), None, "{step}");
    }
}

#[test]
fn somebody_elses_hook_is_refused() {
    let (dir, hook) = project("true");
    let stranger = geteuid().as_raw() + 1;
    if std::os::unix::fs::chown(&hook, Some(stranger), None).is_ok() {
        assert_eq!(find(dir.path()), None); // only root can give files away
    }
}

#[test]
fn a_hook_reads_the_event_in_its_project() {
    let (dir, hook) = project("cat > got; pwd -P > where; exit 7");
    let end = run(&hook, dir.path(), input("{\"id\":1}\n").into(), Duration::from_secs(10)).unwrap();
    assert_eq!(end, WatchEnd::Exited(7));
    assert_eq!(fs::read_to_string(dir.path().join("got")).unwrap(), "{\"id\":1}\n");
    let place = fs::read_to_string(dir.path().join("where")).unwrap();
    assert_eq!(Path::new(place.trim_end()), dir.path().canonicalize().unwrap());
}

#[test]
fn a_hook_may_leave_its_input_alone() {
    let (dir, hook) = project("exit 0");
    let large = input(&"x".repeat(1 << 20));
    assert_eq!(run(&hook, dir.path(), large.into(), Duration::from_secs(10)).unwrap(), WatchEnd::Exited(0));
}

#[test]
fn a_hook_that_kills_itself_is_told_apart() {
    let (dir, hook) = project("kill -9 $$");
    let end = run(&hook, dir.path(), Stdio::null(), Duration::from_secs(10)).unwrap();
    assert_eq!(end, WatchEnd::Signalled);
}

#[test]
fn a_late_hook_dies_with_its_group() {
    let (dir, hook) = project("trap '' TERM; sleep 60 & echo $! > draft; mv draft pid; wait; sleep 60");
    let start = Instant::now();
    let watched = thread::spawn({
        let (hook, project) = (hook.clone(), dir.path().to_owned());
        move || run(&hook, &project, Stdio::null(), Duration::from_secs(2)).unwrap()
    });
    let grandchild = identify(awaited(&dir.path().join("pid")).trim().parse().unwrap()).unwrap().unwrap();
    assert_eq!(grandchild.liveness(), Liveness::Alive);
    assert_eq!(watched.join().unwrap(), WatchEnd::TimedOut);
    assert!(start.elapsed() < Duration::from_secs(30));
    while grandchild.liveness() == Liveness::Alive {
        assert!(start.elapsed() < Duration::from_secs(30));
        thread::sleep(TICK);
    }
}

#[test]
fn a_hook_that_cannot_start_is_an_error() {
    let (dir, hook) = project("true");
    assert!(run(&hook.with_extension("none"), dir.path(), Stdio::null(), Duration::from_secs(1)).is_err());
    assert!(run(&hook, &dir.path().join("none"), Stdio::null(), Duration::from_secs(1)).is_err());
}

#[test]
#[cfg(target_os = "linux")]
fn the_watcher_gets_the_event_and_no_more() {
    let (dir, hook) = project("true");
    let at = |name: &str| dir.path().join(name);
    let held = File::create(at("held")).unwrap();
    // Stands in for `ic`: waits until the caller has returned, then says what it was given.
    let script = r#"
        cd "$3"
        while [ ! -e go ]; do sleep 0.01; done
        streams=$(readlink /proc/$$/fd/1 /proc/$$/fd/2) # not `>`: the shell would redirect itself
        files=$(ls -l /proc/$$/fd)
        { echo "$@"; cat; echo "$streams"; echo "$files"; } > draft
        mv draft out"#;
    program(&at("ic"), script);
    start_watcher(&at("ic"), &hook, dir.path(), b"{\"id\":2}\n").unwrap();
    File::create(at("go")).unwrap();
    let said = awaited(&at("out"));
    let (hook, project) = (hook.display(), dir.path().display());
    let given = format!("hook-watch {hook} {project}\n{{\"id\":2}}\n/dev/null\n/dev/null\n");
    assert!(said.starts_with(&given), "{said}");
    assert!(!said.contains("/held"), "{said}");
    drop(held);
}
