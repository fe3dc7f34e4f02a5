//! The process table where there is no `/proc` (macOS, the BSDs): `/bin/ps`.
//!
//! Weaker than on Linux: start times are whole seconds, so reuse of a pid within one second is not noticed.
//! Compiled on Linux for its tests only.

use std::io;
use std::process::{Command, Stdio};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::Seen;

/// Looks up a process. Returns `None` if there is none, or only a zombie.
pub(super) fn look_up(pid: i32) -> io::Result<Option<Seen>> {
    let output = Command::new("/bin/ps")
        .args(["-o", "stat=", "-o", "ppid=", "-o", "pgid=", "-o", "lstart=", "-p", &pid.to_string()])
        .env("LC_ALL", "C")
        .env("TZ", "UTC")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if text.trim().is_empty() {
        return Ok(None); // `ps` says so with exit code 1 and silence
    }
    let unexpected = || io::Error::new(io::ErrorKind::InvalidData, format!("unexpected ps output: {text}"));
    let seen = parse(&text).ok_or_else(unexpected)?;
    Ok(seen.alive.then_some(seen))
}

/// Returns the start time of this process.
///
/// # Errors
/// If `ps` fails, or does not list this process.
#[cfg(not(target_os = "linux"))]
pub(super) fn own_start() -> io::Result<i64> {
    let pid = i32::try_from(std::process::id()).unwrap_or(0);
    let seen =
        look_up(pid)?.ok_or_else(|| io::Error::other("the process table does not show this process"))?;
    Ok(seen.start_time)
}

/// Returns the number of our PID namespace: there is only one here.
#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "the signature is that of the other process table")]
pub(super) fn namespace() -> Option<String> {
    Some(String::new())
}

/// Returns `None`: computing an age would need the wall clock, which this layer does not read.
#[cfg(not(target_os = "linux"))]
pub(super) fn age(_: &Seen) -> Option<i64> {
    None
}

/// Returns the id of the boot session; empty if `sysctl` has none.
pub(super) fn boot_id() -> String {
    let output = Command::new("/usr/sbin/sysctl")
        .args(["-n", "kern.bootsessionuuid"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    output.map_or_else(|_| String::new(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Reads `STAT PPID PGID Www Mmm dd HH:MM:SS YYYY`; `None` if the text is anything else.
fn parse(text: &str) -> Option<Seen> {
    let mut fields = text.split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    let started = fields.collect::<Vec<_>>().join(" ");
    let started = DateTime::strptime("%a %b %d %H:%M:%S %Y", started).ok()?;
    let start_time = started.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second();
    Some(Seen { start_time, parent, group, alive: !state.starts_with('Z') })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read() {
        let seen = Seen { start_time: 65, parent: 7, group: 812, alive: true };
        assert_eq!(parse("Ss+  7 812 Thu Jan  1 00:01:05 1970\n"), Some(seen));
        assert_eq!(parse("Z 7 812 Thu Jan  1 00:01:05 1970"), Some(Seen { alive: false, ..seen }));
        assert_eq!(parse("S 7 812 yesterday"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn ps_agrees_with_the_kernel() {
        if !std::path::Path::new("/bin/ps").exists() {
            return;
        }
        let own = i32::try_from(std::process::id()).unwrap();
        let seen = look_up(own).unwrap().unwrap();
        assert_eq!(seen.group, rustix::process::getpgrp().as_raw_pid());
        assert_eq!(look_up(i32::MAX).unwrap(), None);
        assert!(!boot_id().contains('\n'));
    }
}
