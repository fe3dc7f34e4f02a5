//! How long leases, intervals and windows last: at least as long as was asked (K-31).

use std::process::Output;

use serde_json::Value;

use crate::fold::{fold, stored};
use crate::support::{Sandbox, render, run};

/// A call at a moment within the tests' hour: seconds since then, with a fraction.
fn at(sandbox: &Sandbox, moment: &str, line: &str) -> Output {
    let (secs, fraction) = moment.split_once('.').unwrap_or((moment, "0"));
    let mut command = sandbox.command(line.split(' '));
    let secs = 1_700_000_000 + secs.parse::<i64>().unwrap();
    command.env("IC_TEST_NOW", format!("{secs}.{fraction}"));
    run(command)
}

fn code(sandbox: &Sandbox, moment: &str, line: &str) -> i32 {
    let output = at(sandbox, moment, line);
    output.status.code().unwrap_or_else(|| panic!("{line}: {}", render(&output)))
}

fn json(sandbox: &Sandbox, moment: &str, line: &str) -> Value {
    let output = at(sandbox, moment, &format!("{line} --json"));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{line}: {}", render(&output)))
}

const MINE: &str = "coordination reserve --owner=me --scope=r --pattern=a";
const THEIRS: &str = "coordination reserve --owner=you --scope=r --pattern=a";

/// K-31: a lock that is taken late in a second holds for all of its time, whichever command looks; its end in seconds is
/// rounded up; the events tell of both.
#[test]
fn a_lock_holds_for_as_long_as_was_asked() {
    let sandbox = Sandbox::new();
    let lock = json(&sandbox, "0.93", &format!("{MINE} --ttl=1"))["lock"].clone();
    let id = lock["id"].as_str().unwrap();
    assert_eq!(lock["expires_at"], 1_700_000_002);
    let check = "coordination check --scope=r --pattern=a";
    let verify = format!("coordination verify {id} --token={}", lock["fence"]);
    for moment in ["1.0", "1.929"] {
        assert_eq!(code(&sandbox, moment, THEIRS), 1, "{moment}");
        assert_eq!(code(&sandbox, moment, check), 1, "{moment}");
        assert_eq!(code(&sandbox, moment, &verify), 0, "{moment}");
        assert_eq!(json(&sandbox, moment, "coordination list --active").as_array().unwrap().len(), 1);
        assert_eq!(json(&sandbox, moment, "coordination sweep")["expired"], 0, "{moment}");
    }
    assert_eq!(code(&sandbox, "1.93", check), 0);
    assert_eq!(code(&sandbox, "1.93", &verify), 1);
    assert_eq!(json(&sandbox, "1.93", "coordination list --active").as_array().unwrap().len(), 0);
    assert_eq!(json(&sandbox, "1.93", "coordination sweep --older-than=1 --dry-run")["expired"], 0);
    assert_eq!(json(&sandbox, "2.93", "coordination sweep --older-than=1 --dry-run")["expired"], 1);
    let next = json(&sandbox, "1.93", &format!("{THEIRS} --ttl=1500ms"))["lock"].clone();
    assert_eq!(next["ttl_seconds"], 2, "no less than was asked");
    let renew = format!("coordination renew {} --ttl=1", next["id"].as_str().unwrap());
    assert_eq!(code(&sandbox, "3.5", &renew), 0);
    assert_eq!(code(&sandbox, "4.49", MINE), 1);
    assert_eq!(code(&sandbox, "4.5", MINE), 0);
    assert_eq!(fold(&sandbox.events()), stored(&sandbox));
    sandbox.check_integrity();
}

/// K-31: another program writes seconds only, and its word counts where it differs.
#[test]
fn another_program_s_seconds_count() {
    let sandbox = Sandbox::new();
    assert_eq!(code(&sandbox, "0.5", &format!("{MINE} --ttl=1")), 0);
    sandbox.open().execute_batch("UPDATE coordination_locks SET expires_at = 1700000010").unwrap();
    assert_eq!(code(&sandbox, "9.99", THEIRS), 1);
    assert_eq!(code(&sandbox, "10.0", THEIRS), 0);
    sandbox.open().execute_batch("UPDATE coordination_locks SET expires_at = 1700000011").unwrap();
    assert_eq!(code(&sandbox, "11.0", MINE), 0);
}

/// K-31: what waits for the end of a lock gets it by itself, and not before that.
#[test]
fn a_waiter_is_not_early() {
    let sandbox = Sandbox::new();
    let real = |line: &str| {
        let mut command = sandbox.command(line.split(' '));
        command.env_remove("IC_TEST_NOW");
        let output = run(command);
        assert!(output.status.success(), "{line}: {}", render(&output));
    };
    real(&format!("{MINE} --ttl=1"));
    real(&format!("{THEIRS} --wait=20s --ttl=600"));
    let held = sandbox.count("SELECT expires_at_ms FROM coordination_locks WHERE owner = 'me'");
    let got = sandbox.count("SELECT expires_at_ms - 600000 FROM coordination_locks WHERE owner = 'you'");
    assert!(got >= held, "{got} is before {held}");
}

/// K-31: an interval lasts to its end; seconds that another program wrote count where they differ.
#[test]
fn a_sentinel_throttles_for_all_of_its_interval() {
    let sandbox = Sandbox::new();
    let check = |moment: &str, interval: &str| {
        code(&sandbox, moment, &format!("sentinel check n s --interval={interval}"))
    };
    assert_eq!(check("0.93", "1"), 0);
    assert_eq!([check("1.0", "1"), check("1.92", "1"), check("1.929", "1")], [1, 1, 1]);
    assert_eq!(check("1.93", "1"), 0);
    assert_eq!(sandbox.count("SELECT last_fired FROM sentinels"), 1_700_000_002);
    assert_eq!(
        [check("2.0", "300ms"), check("3.0", "300ms")],
        [1, 0],
        "a part of a second is a second, and not for ever"
    );
    sandbox.open().execute_batch("UPDATE sentinels SET last_fired = 1700000020").unwrap();
    assert_eq!([check("20.9", "1"), check("21.0", "1")], [1, 0]);
    assert_eq!(check("21.93", "1"), 1);
    // What happened 1.5 seconds ago did not happen two seconds ago.
    sandbox.ok(["sentinel", "reset", "n", "s"]);
    assert_eq!(check("30.5", "1"), 0);
    assert_eq!(json(&sandbox, "32.0", "sentinel prune --older-than=2s")["pruned"], 0);
    assert_eq!(json(&sandbox, "34.0", "sentinel prune --older-than=2s")["pruned"], 1);
}

/// K-31: a sentinel that fired before the clock was set back throttles for its interval, and no longer.
#[test]
fn a_clock_that_was_set_back_throttles_for_one_interval() {
    let sandbox = Sandbox::new();
    let check = |moment: &str| code(&sandbox, moment, "sentinel check n s --interval=60");
    assert_eq!(check("86400.5"), 0);
    assert_eq!([check("0.5"), check("30.0"), check("60.49"), check("60.5"), check("61.0")], [1, 1, 1, 0, 1]);
    // Another program's row, far beyond what a clock can say.
    sandbox.open().execute_batch("UPDATE sentinels SET last_fired = 9223372036854775807").unwrap();
    assert_eq!([check("70.0"), check("130.0")], [1, 0]);
    // What may happen once has happened.
    assert_eq!(code(&sandbox, "500.0", "sentinel check once s --interval=0"), 0);
    assert_eq!([0, 1].map(|_| code(&sandbox, "0.0", "sentinel check once s --interval=0")), [1, 1]);
}

/// K-31: a value is kept for as long as was asked.
#[test]
fn a_value_is_kept_for_as_long_as_was_asked() {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.dir().join("v"), "1").unwrap();
    assert_eq!(json(&sandbox, "0.93", "state set k s @v --ttl=1s")["expires_at"], 1_700_000_002);
    let seen = |moment: &str| {
        let keys = at(&sandbox, moment, "state list k").stdout;
        (code(&sandbox, moment, "state get k s"), String::from_utf8(keys).unwrap())
    };
    assert_eq!(seen("1.92"), (0, "s\n".to_owned()));
    assert_eq!(json(&sandbox, "1.92", "state prune")["pruned"], 0);
    assert_eq!(seen("1.93"), (1, String::new()));
    assert_eq!(json(&sandbox, "1.93", "state prune")["pruned"], 1);
    assert_eq!(code(&sandbox, "3.0", "state set k s @v --ttl=1500ms"), 0);
    assert_eq!(seen("4.9").0, 0);
    sandbox.open().execute_batch("UPDATE state SET expires_at = 1700000100").unwrap();
    assert_eq!([seen("99.9").0, seen("100.0").0], [0, 1]);
    assert_eq!(code(&sandbox, "200.0", "state set k s @v"), 0);
    assert_eq!(seen("9999999.0").0, 0);
}

/// K-31: a lock made of a directory lasts for all of its time too.
#[test]
fn a_lock_made_of_a_directory_lasts_for_its_time() {
    let sandbox = Sandbox::bare();
    let take = |moment: &str| code(&sandbox, moment, "lock acquire n s --owner=7:far --timeout=0s --ttl=2s");
    assert_eq!([take("0.93"), take("2.0"), take("2.92"), take("3.0")], [0, 1, 1, 0]);
    let stale = |moment: &str| at(&sandbox, moment, "lock stale --older-than=5s").stdout.len();
    assert_eq!(take("10.9"), 0);
    assert_eq!((stale("15.5"), stale("16.0") > 0), (0, true));
    // One that was taken within this second is not less than nothing old.
    let mut child = std::process::Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let take = format!("lock acquire gone s --owner={}:{} --timeout=0s", child.id(), host.trim());
    assert_eq!(code(&sandbox, "20.2", &take), 0);
    let cleaned = at(&sandbox, "20.3", "lock clean --older-than=0s").stdout;
    assert_eq!(cleaned, b"2 cleaned\n", "and the one whose time is over");
}
