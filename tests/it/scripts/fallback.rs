//! What the wrappers do where there is no `ic`: locks made with mkdir, and the files of older hooks.

use std::fs;
use std::path::PathBuf;

use super::{OPTIONS, PLAIN, bash, bin, code, stdout};
use crate::support::{Sandbox, render, run};

/// W7: two shells, one with `ic` and one without, exclude each other and read each other's locks.
#[test]
fn locks_are_the_same_with_and_without_ic() {
    let sandbox = Sandbox::bare();
    let script = "with=$PATH; without=/usr/bin:/bin
        PATH=$without; INTERCORE_BIN=/nonexistent; intercore_lock n s
        PATH=$with; INTERCORE_BIN=; intercore_lock n s 0 || echo held
        ic lock list | cut -f 1-3
        intercore_unlock n s
        intercore_lock n s 0
        INTERCORE_BIN=/nonexistent; intercore_lock n s 0 || echo held
        intercore_unlock n s
        intercore_lock n s 0
        echo \"$$\"";
    let output = run(bash(&sandbox, "set -eu", script, &[]));
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let pid = stdout(&output).lines().last().unwrap().to_owned();
    let expected = format!("held\nn\ts\t{pid}:{}\nheld\n{pid}\n", host.trim());
    assert_eq!((code(&output), stdout(&output)), (0, expected.as_str()), "{}", render(&output));
    // The shell has ended without a release: ic tells that nobody holds the lock, from the record that mkdir's lock has.
    let list = sandbox.json(["lock", "list"]);
    assert_eq!(
        (list[0]["pid"].to_string(), &list[0]["owner"]),
        (pid, &expected.split(['\t', '\n']).nth(3).unwrap().into())
    );
    let cleaned = "intercore_lock_clean 0; intercore_lock n s 0";
    let mut command = bash(&sandbox, "set -eu", cleaned, &[]);
    command.env("PATH", PLAIN);
    assert_eq!(code(&run(command)), 0);
}

/// Of twenty shells without `ic` one gets the lock; a lock of another machine, or of a living process, is not cleaned up.
#[test]
fn locks_without_ic_exclude() {
    let sandbox = Sandbox::bare();
    let script = "for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
          ( intercore_lock n s 0 && echo taken ) &
        done; wait; intercore_lock far s
        sed 's/\"host\":\"[^\"]*\"/\"host\":\"elsewhere\"/; s/\"pid\":[0-9]*/\"pid\":999999999/' \
          \"$INTERCORE_LOCK_DIR/far/s/owner.json\" >f; cat f >\"$INTERCORE_LOCK_DIR/far/s/owner.json\"
        mkdir -p \"$INTERCORE_LOCK_DIR/.ghost/s\"
        intercore_lock_clean 0s; ls -A \"$INTERCORE_LOCK_DIR\"/*/ \"$INTERCORE_LOCK_DIR/.ghost\" | grep -c '^s$'
        intercore_lock_clean soon || exit 9";
    let mut command = bash(&sandbox, "", script, &[]);
    command.env("PATH", PLAIN);
    let output = run(command);
    assert_eq!((code(&output), stdout(&output)), (0, "taken\n2\n"), "{}", render(&output));
}

/// W7: the interval of a file is told to the second, for as long as a year, without tools that only some systems have.
#[test]
fn the_time_of_a_file_decides_without_ic() {
    let sandbox = Sandbox::bare();
    let file = sandbox.dir().join("last");
    let check = |interval: &str| {
        let args = ["n", "s", interval, file.to_str().unwrap()];
        let mut command = bash(
            &sandbox,
            "set -eu",
            "code=0; intercore_sentinel_check_or_legacy \"$@\" || code=$?; exit $code",
            &args,
        );
        command.env("PATH", PLAIN);
        code(&run(command))
    };
    let aged = |seconds: u64| {
        let then = fs::File::options().write(true).create(true).truncate(true).open(&file).unwrap();
        let now = file.metadata().unwrap().modified().unwrap();
        then.set_modified(now - std::time::Duration::from_secs(seconds)).unwrap();
    };
    // A machine under load gets ten seconds.
    for (age, interval, expected) in [
        (0, "60", 1),
        (60, "60", 0),
        (49, "60s", 1),
        (3600, "1h", 0),
        (3589, "1h", 1),
        (86_400, "24h", 0),
        (86_389, "1d", 1),
        (31_536_000, "31536000", 0),
        (31_535_989, "31536000", 1),
        (5400, "1h30m", 0),
        (5389, "1h30m", 1),
        (99, "0", 1),
    ] {
        aged(age);
        assert_eq!(check(interval), expected, "{age} seconds old, interval {interval}");
        // Allowed means that it has happened now.
        assert_eq!(check("3600"), i32::from(expected == 0 || age < 3600), "{age}, {interval}");
    }
    for bad in ["", "soon", "-1", "1+1", "a[0]", "1.5s", "99999999999999999999", "0x10", "1h "] {
        assert_eq!(check(bad), 3, "{bad}");
    }
    fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink(sandbox.dir().join("planted"), &file).unwrap();
    assert_eq!(check("0"), 0);
    assert!(!sandbox.dir().join("planted").exists(), "a symlink is not followed to a new file");
}

/// W1, W9: what is no name of a directory is refused by `ic` and by what stands in for it, and nothing is made.
#[test]
fn bad_names_of_locks_are_refused_everywhere() {
    let sandbox = Sandbox::bare();
    let long = "x".repeat(256);
    for path in [format!("{}:{PLAIN}", bin().display()), PLAIN.to_owned()] {
        for bad in ["", ".", "..", "../x", "a/b", "/a", "a\\b", "a..b", "a\tb", "a\nb", &long] {
            for (name, scope) in [(bad, "s"), ("n", bad)] {
                let script =
                    "code=0; intercore_lock \"$@\" || code=$?; intercore_unlock \"$@\"; exit \"$code\"";
                let mut command = bash(&sandbox, "set -eu", script, &[name, scope]);
                command.env("PATH", &path);
                let output = run(command);
                assert_eq!(
                    (code(&output), stdout(&output)),
                    (3, ""),
                    "{name:?} {scope:?}: {}",
                    render(&output)
                );
            }
        }
    }
    assert!(!sandbox.dir().parent().unwrap().join("locks").exists());
}

/// The caller's options neither keep a pattern from matching nor make it an error when nothing does.
#[test]
fn patterns_match_under_any_options() {
    for options in OPTIONS {
        let sandbox = Sandbox::bare();
        let legacy = sandbox.dir().join("legacy");
        fs::create_dir(&legacy).unwrap();
        for file in ["clavain-stop-a b", "clavain-stop-x", "other"] {
            fs::write(legacy.join(file), "").unwrap();
        }
        let script = "PATH=/usr/bin:/bin
            intercore_sentinel_reset_or_legacy n s \"$1/clavain-stop-*\"
            intercore_sentinel_reset_all n \"$1/nothing-*\"
            intercore_state_delete_all k \"$1/clavain-*\"
            touch -t 202001010000 \"$1/clavain-drift-last-x\"
            intercore_cleanup_stale";
        let output = run(bash(&sandbox, options, script, &[legacy.to_str().unwrap()]));
        assert_eq!(
            (code(&output), stdout(&output), output.stderr.len()),
            (0, "", 0),
            "{options}: {}",
            render(&output)
        );
        let left: Vec<_> = fs::read_dir(&legacy).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["other"], "{options}");
    }
}

/// The calendar that the wrappers count with is the one that everybody has.
#[test]
fn days_are_counted_as_in_the_calendar() {
    let sandbox = Sandbox::bare();
    // Both sides of leap days, of a century without one, and of the ends of years.
    for at in [
        1_i64,
        68_255_999,
        68_256_000,
        951_782_399,
        951_782_400,
        951_868_800,
        1_704_067_199,
        1_704_067_200,
        1_709_164_799,
        1_709_251_199,
        1_709_251_200,
        1_735_689_599,
        4_107_542_399,
        4_107_542_400,
    ] {
        let script = "_intercore_now() { printf '%s' \"$now\"; }; now=$1; _intercore_reference 1";
        let mut command = bash(&sandbox, "set -eu", script, &[&at.to_string()]);
        command.env("TMPDIR", sandbox.dir()).env("TZ", "Pacific/Auckland");
        let output = run(command);
        let made = PathBuf::from(stdout(&output));
        let time = fs::metadata(&made).unwrap().modified().unwrap();
        let found = time.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        // With nothing before 1970; whole seconds: see `_intercore_reference`.
        assert_eq!(i64::try_from(found).unwrap(), if at == 1 { 0 } else { at }, "{at}");
        fs::remove_dir(made).unwrap();
    }
}
