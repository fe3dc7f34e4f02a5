//! The process table of Linux: `/proc`.

use std::sync::OnceLock;
use std::{fs, io};

use rustix::io::Errno;
use rustix::process::test_kill_process;

use super::{Seen, UNKNOWN_START, checked};

/// Looks up a process. Returns `None` if there is none, or only a zombie. Of a hidden process only its
/// existence is known.
///
/// # Errors
/// [`io::ErrorKind::PermissionDenied`] if it exists but cannot be inspected, for instance under `hidepid`.
pub(super) fn look_up(pid: i32) -> io::Result<Option<Seen>> {
    if !counts_as_we_do() {
        return unlisted(pid);
    }
    let stat = match fs::read(format!("/proc/{pid}/stat")) {
        Err(err) if matches!(Errno::from_io_error(&err), Some(Errno::NOENT | Errno::SRCH)) => {
            return unlisted(pid);
        }
        read => read?,
    };
    let unexpected = || io::Error::new(io::ErrorKind::InvalidData, format!("unexpected /proc/{pid}/stat"));
    let seen = parse(&stat).ok_or_else(unexpected)?;
    Ok(seen.alive.then_some(seen))
}

/// Returns the start time of this process, which is `self` in a `/proc` of any namespace.
#[expect(clippy::unnecessary_wraps, reason = "the signature is that of the other process table")]
pub(super) fn own_start() -> io::Result<i64> {
    let seen = fs::read("/proc/self/stat").ok().and_then(|stat| parse(&stat));
    Ok(seen.map_or(UNKNOWN_START, |seen| seen.start_time))
}

/// Returns the number of our PID namespace; `None` if it is hidden.
///
/// Start times differ between time namespaces, so the number of one that is not the initial one is part of
/// the result.
pub(super) fn namespace() -> Option<String> {
    /// The number of the initial time namespace.
    const FIRST: &str = "4026531834";
    let number = |kind: &str| {
        let link = fs::read_link(format!("/proc/self/ns/{kind}"))?;
        let number =
            link.to_str().and_then(|link| link.strip_prefix(kind)?.strip_prefix(":[")?.strip_suffix(']'));
        number.map(ToOwned::to_owned).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
    };
    match (number("pid"), number("time")) {
        (Ok(pid), Ok(time)) if time != FIRST => Some(format!("{pid}-{time}")),
        (Ok(pid), _) => Some(pid),
        // A kernel without time namespaces has no such entry, but has the others.
        (Err(err), _) if err.kind() == io::ErrorKind::NotFound && fs::exists("/proc/self/ns").ok()? => {
            Some(String::new())
        }
        (Err(_), _) => None,
    }
}

/// Returns true if the pids in `/proc` are those of our own PID namespace. A sandbox may have the `/proc` of
/// the outer namespace, which has other processes under our pids, or none.
fn counts_as_we_do() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        let status = fs::read("/proc/self/status").unwrap_or_default();
        let status = String::from_utf8_lossy(&status);
        let numbers =
            |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::split_whitespace);
        // One pid for each namespace from that of `/proc` to ours. An old kernel has only the first.
        let outermost = numbers("NSpid:").or_else(|| numbers("Pid:")).map(Iterator::collect::<Vec<_>>);
        outermost.is_some_and(|pids| pids == [std::process::id().to_string()])
    })
}

/// Returns the random id of this boot.
pub(super) fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map_or_else(|_| String::new(), |id| id.trim().to_owned())
}

/// Returns the age of a process in seconds; `None` if the kernel's two clocks disagree, as in some
/// containers.
pub(super) fn age(seen: &Seen) -> Option<i64> {
    /// Ticks per second in `/proc`, which are the same on every machine.
    const TICKS: i64 = 100;
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    let uptime: i64 = uptime.split('.').next()?.parse().ok()?;
    let age = uptime - seen.start_time / TICKS;
    (age >= 0).then_some(age)
}

/// Distinguishes a missing process from a hidden one: `/proc` may be mounted with `hidepid`, or not at all.
fn unlisted(pid: i32) -> io::Result<Option<Seen>> {
    match test_kill_process(checked(pid)?) {
        Err(Errno::SRCH) => Ok(None),
        Err(err) => Err(err.into()),
        Ok(()) => Ok(Some(Seen { start_time: UNKNOWN_START, parent: 0, group: 0, alive: true })),
    }
}

/// Reads a `stat` line. Returns `None` if it is invalid.
///
/// The second field is the program's name in parentheses, which may contain anything: only the text after the
/// last `)` can be split at spaces.
fn parse(stat: &[u8]) -> Option<Seen> {
    let name_end = stat.iter().rposition(|&byte| byte == b')')?;
    let rest = str::from_utf8(&stat[name_end + 1..]).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // Numbers in proc_pid_stat(5): state 3, ppid 4, pgrp 5, num_threads 20, starttime 22; the first one here
    // is 3.
    let field = |number: usize| fields.get(number - 3).copied();
    let parent = field(4)?.parse().ok()?;
    let group = field(5)?.parse().ok()?;
    let threads: i64 = field(20)?.parse().ok()?;
    let start_time = field(22)?.parse().ok()?;
    let alive = match field(3)? {
        // A process whose first thread has exited looks like a zombie while its other threads still run.
        "Z" => threads > 1,
        "X" | "x" => false,
        _ => true,
    };
    Some(Seen { start_time, parent, group, alive })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, state: &str, threads: u32) -> String {
        format!("77 ({name}) {state} 1 70 77 0 -1 4194560 1 0 0 0 1 2 0 0 20 0 {threads} 0 424242 5 6 7\n")
    }

    #[test]
    fn the_name_may_hold_anything() {
        for name in ["sleep", "a b", ") Z 1 1 (", "((", "))", "x) S 9 9 9"] {
            let found = parse(line(name, "S", 1).as_bytes());
            assert_eq!(
                found,
                Some(Seen { start_time: 424_242, parent: 1, group: 70, alive: true }),
                "{name}"
            );
        }
        let mut bytes = line("NAME", "R", 1).into_bytes();
        bytes[5] = 0xff;
        assert!(parse(&bytes).is_some(), "not UTF-8");
    }

    #[test]
    fn the_dead_are_told_from_the_living() {
        let alive = |state, threads| parse(line("a", state, threads).as_bytes()).unwrap().alive;
        assert!(!alive("Z", 1));
        assert!(!alive("X", 1));
        assert!(alive("Z", 3), "other threads still run");
        assert!(alive("T", 1), "stopped is not dead");
    }

    #[test]
    fn a_broken_line_is_no_line() {
        for broken in ["", "77", "77 (sleep)", "77 (sleep) S 1 70", "77 (sleep) S 1 x 77 0"] {
            assert_eq!(parse(broken.as_bytes()), None, "{broken}");
        }
    }

    #[test]
    fn a_boot_has_one_name() {
        assert!(!boot_id().is_empty());
        assert_eq!(boot_id(), boot_id());
    }
}
