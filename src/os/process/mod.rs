//! The identity of processes: which one is meant, and whether it still runs.
//!
//! A bare pid means nothing an hour later. An [`Identity`] also says when the process started, in which boot,
//! on which host, so that a pid given to somebody else is never taken for the one that was recorded (DI-03),
//! and no verdict is given on a process of another machine. All questions about a process are answered here
//! (DI-09), and every signal to one that is not our own unreaped child leaves from [`signal()`].
//!
//! Limits. The host is told by its name alone, so two pid namespaces that share a host name and a kernel (a
//! sandbox made with `unshare --pid`) cannot be told apart: seen from inside, a process outside is gone.
//! Without `/proc`, that is on macOS, the start time comes from `ps` and is good to one second only.

mod family;
#[cfg(target_os = "linux")]
mod procfs;
#[cfg(any(test, not(target_os = "linux")))]
mod ps;
mod signal;

#[cfg(target_os = "linux")]
use procfs as table;
#[cfg(not(target_os = "linux"))]
use ps as table;

pub use family::Family;
pub use signal::{Signal, Signalled, signal};

use std::io;

use rustix::process::{Pid, getppid};

/// One process, told apart from every other that had or will have its pid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Process id; greater than 1.
    pub pid: i32,
    /// When it started: kernel ticks since boot on Linux, seconds since 1970 elsewhere. Only good for
    /// comparing.
    pub start_time: i64,
    /// The boot it started in ([`boot_id`]); empty when the system has no name for it.
    pub boot_id: String,
    /// The machine it runs on ([`this_host`]).
    pub host: String,
}

/// Whether an identified process still runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// It runs, or there is something with its pid that we may not look at.
    Alive,
    /// It ended, or only its zombie is left, or its pid belongs to another process now.
    Gone,
    /// It runs, or ran, on another host: nobody here can tell.
    Foreign,
}

/// What the process table says about a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    start_time: i64,
    /// Its parent.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "asked on Linux only"))]
    parent: i32,
    /// Process group; equal to the pid for the leader of a group.
    group: i32,
    /// Not a zombie.
    alive: bool,
}

/// The identity of the process that has `pid` now; `None` if there is none or only a zombie.
///
/// # Errors
/// * [`io::ErrorKind::InvalidInput`] if `pid` is 1 or less.
/// * [`io::ErrorKind::PermissionDenied`] if there is such a process but we may not look at it.
/// * Anything else if the process table cannot be read.
pub fn identify(pid: i32) -> io::Result<Option<Identity>> {
    checked(pid)?;
    let seen = table::look_up(pid)?;
    Ok(seen.map(|seen| Identity { pid, start_time: seen.start_time, boot_id: boot_id(), host: this_host() }))
}

/// The identity of the process that started this one; `None` if it has ended, is pid 1, or lives outside our
/// pid namespace.
///
/// # Errors
/// As [`identify`], but never for the pid.
pub fn parent() -> io::Result<Option<Identity>> {
    let parent_pid = || getppid().map_or(0, Pid::as_raw_pid);
    let pid = parent_pid();
    if pid <= 1 {
        return Ok(None);
    }
    let found = identify(pid)?;
    // If it ended meanwhile, the pid that was looked up may already have been somebody else's.
    Ok(found.filter(|_| parent_pid() == pid))
}

/// The process that started this one, as [`parent`], but pid 1 counts as well: in a container it is a program like any
/// other. For comparing and asking only, never for signalling.
pub fn caller() -> Option<Identity> {
    let parent_pid = || getppid().map_or(0, Pid::as_raw_pid);
    let pid = parent_pid();
    if pid != 1 {
        return parent().ok().flatten();
    }
    let seen = table::look_up(pid).ok().flatten()?;
    Some(Identity { pid, start_time: seen.start_time, boot_id: boot_id(), host: this_host() })
}

/// Whether pid 1 is the process that was recorded, as [`Identity::liveness`] answers for all others.
pub fn is_init(recorded: &Identity) -> bool {
    match table::look_up(1) {
        Ok(Some(seen)) => seen.start_time == recorded.start_time && !recorded.of_another_boot(),
        Ok(None) => false,
        Err(_) => true,
    }
}

/// Whether a process of that pid, pid 1 included, runs and has done so for `seconds` at least; `true` if nobody can tell.
///
/// For records of other programs, which know a bare pid: a process that is younger than its record did not make it.
pub fn may_be_older_than(pid: i32, seconds: i64) -> bool {
    match table::look_up(pid) {
        Ok(None) => false,
        Ok(Some(seen)) => table::age(&seen).is_none_or(|age| age >= seconds),
        Err(_) => true,
    }
}

/// The identity of this process itself.
///
/// # Errors
/// If the process table cannot be read, or does not show us.
pub fn myself() -> io::Result<Identity> {
    let pid = i32::try_from(std::process::id()).unwrap_or(0);
    let unseen = || io::Error::other("the process table does not show this process");
    let seen = table::look_up(pid)?.ok_or_else(unseen)?;
    Ok(Identity { pid, start_time: seen.start_time, boot_id: boot_id(), host: this_host() })
}

/// The name of this machine, as the kernel knows it.
pub fn this_host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The name of the current boot: it changes with every restart. Empty if the system has none.
pub fn boot_id() -> String {
    table::boot_id()
}

impl Identity {
    /// Whether the process still runs.
    ///
    /// What we may not look at, or fail to, counts as alive: a record is closed on proof only (DI-09).
    pub fn liveness(&self) -> Liveness {
        if self.host != this_host() {
            return Liveness::Foreign;
        }
        if self.pid <= 1 || self.of_another_boot() {
            return Liveness::Gone;
        }
        match table::look_up(self.pid) {
            Ok(Some(seen)) if seen.start_time == self.start_time => Liveness::Alive,
            Ok(_) => Liveness::Gone,
            Err(_) => Liveness::Alive,
        }
    }

    /// Whether it started before the machine did. Two boots count as different only if both have a name.
    fn of_another_boot(&self) -> bool {
        let now = boot_id();
        !self.boot_id.is_empty() && !now.is_empty() && self.boot_id != now
    }
}

/// Refuses the pids that mean "init", "our group" or "everybody" to the kernel.
fn checked(pid: i32) -> io::Result<Pid> {
    let refused = || io::Error::new(io::ErrorKind::InvalidInput, "pid must be greater than 1");
    if pid <= 1 { Err(refused()) } else { Pid::from_raw(pid).ok_or_else(refused) }
}

#[cfg(test)]
mod tests;
