//! The identity of processes, and whether they still run.
//!
//! A pid is reused after its process has exited. An [`Identity`] also has the start time of the process, its
//! boot, machine and PID namespace, so that another process with the same pid is never taken for the recorded
//! one, and a process of another machine or sandbox is never judged. Every signal to a process that is not
//! our own unreaped child is sent by [`signal()`].
//!
//! Limits. Without `/proc`, that is on macOS, the start time comes from `ps` and is good to one second only.
//! Where a sandbox hides `/proc`, or shows that of another namespace, start times are unknown: a process is
//! gone when no process has its pid, and a successor with its pid counts as itself.

mod family;
mod machine;
mod place;
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
pub use place::{PidSpace, Reach, Vantage};
pub use signal::{Signal, Signalled, signal};

use std::io;
use std::sync::OnceLock;

use rustix::process::{Pid, getppid};

/// An unknown start time.
pub const UNKNOWN_START: i64 = 0;

/// One process, distinct from all others that had or will have its pid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Process id.
    pub pid: i32,
    /// When it started: kernel ticks since boot on Linux, seconds since 1970 elsewhere; or [`UNKNOWN_START`].
    /// Only for comparing.
    pub start_time: i64,
    /// The boot in which it started; empty if the system has no id for it.
    pub boot_id: String,
    /// The name of the machine it runs on ([`this_host`]).
    pub host: String,
    /// The namespace of its pid; `None` in records of older versions, which are judged by boot and host.
    pub space: Option<PidSpace>,
}

/// Whether an identified process still runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// It runs, or its pid is in use and cannot be inspected.
    Alive,
    /// It has exited, or is a zombie, or its pid belongs to another process now.
    Gone,
    /// It belongs to another machine or PID namespace, and cannot be judged from here.
    Foreign,
}

/// An entry of the process table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    /// [`UNKNOWN_START`] for a process that exists but is hidden.
    start_time: i64,
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "asked on Linux only"))]
    parent: i32,
    /// Process group; equal to the pid for the leader of a group.
    group: i32,
    /// Not a zombie.
    alive: bool,
}

/// Returns the identity of the process that has `pid` now; `None` if there is none, or only a zombie.
///
/// # Errors
/// * [`io::ErrorKind::InvalidInput`] if `pid` is 1 or less.
/// * [`io::ErrorKind::PermissionDenied`] if there is such a process but it cannot be inspected.
/// * Anything else if the process table cannot be read.
pub fn identify(pid: i32) -> io::Result<Option<Identity>> {
    checked(pid)?;
    let seen = table::look_up(pid)?;
    Ok(seen.map(|seen| Identity::here(pid, seen.start_time)))
}

/// Returns the identity of the process that started this one; `None` if it has exited, is pid 1, or is
/// outside of our PID namespace.
///
/// # Errors
/// As [`identify`], but not for the pid.
pub fn parent() -> io::Result<Option<Identity>> {
    let parent_pid = || getppid().map_or(0, Pid::as_raw_pid);
    let pid = parent_pid();
    if pid <= 1 {
        return Ok(None);
    }
    let found = identify(pid)?;
    // If it exited after the first call, the pid may already belong to another process.
    Ok(found.filter(|_| parent_pid() == pid))
}

/// Returns the process that started this one, also if it has pid 1, which in a container is a program like
/// any other. For comparing only, never for signalling.
pub fn caller() -> Option<Identity> {
    let parent_pid = || getppid().map_or(0, Pid::as_raw_pid);
    let pid = parent_pid();
    if pid != 1 {
        return parent().ok().flatten();
    }
    let seen = table::look_up(pid).ok().flatten()?;
    Some(Identity::here(pid, seen.start_time))
}

/// Returns true if a process with that pid, which may be 1, has been running for at least `seconds`, or if
/// that cannot be determined.
///
/// For records of other programs, which have only a pid: a process that is younger than its record did not
/// create it.
pub fn may_be_older_than(pid: i32, seconds: i64) -> bool {
    match table::look_up(pid) {
        Ok(None) => false,
        Ok(Some(seen)) if seen.start_time == UNKNOWN_START => true,
        Ok(Some(seen)) => table::age(&seen).is_none_or(|age| age >= seconds),
        Err(_) => true,
    }
}

/// Returns the identity of this process itself.
///
/// # Errors
/// If the process table cannot be read.
pub fn myself() -> io::Result<Identity> {
    let pid = i32::try_from(std::process::id()).unwrap_or(0);
    Ok(Identity::here(pid, table::own_start()?))
}

/// Returns the name of this machine, as the kernel knows it.
pub fn this_host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Returns where this process runs. Determined once, when it is first needed.
pub fn here() -> &'static Vantage {
    static HERE: OnceLock<Vantage> = OnceLock::new();
    HERE.get_or_init(|| Vantage {
        host: this_host(),
        boot_id: table::boot_id(),
        space: PidSpace { machine: machine::machine(), namespace: table::namespace() },
    })
}

impl Identity {
    /// Creates the identity of a process of our own PID namespace.
    pub fn here(pid: i32, start_time: i64) -> Self {
        let Vantage { host, boot_id, space } = here().clone();
        Self { pid, start_time, boot_id, host, space: Some(space) }
    }

    /// Determines whether the process still runs.
    ///
    /// A process that cannot be inspected counts as alive: a record is closed on proof only.
    pub fn liveness(&self) -> Liveness {
        match self.reach() {
            Reach::Elsewhere => return Liveness::Foreign,
            Reach::Past => return Liveness::Gone,
            Reach::Here if self.pid < 1 => return Liveness::Gone,
            Reach::Here => {}
        }
        match table::look_up(self.pid) {
            Ok(Some(seen)) if [self.start_time, UNKNOWN_START].contains(&seen.start_time) => Liveness::Alive,
            Ok(Some(_)) if self.start_time == UNKNOWN_START => Liveness::Alive,
            Ok(_) => Liveness::Gone,
            Err(_) => Liveness::Alive,
        }
    }

    fn reach(&self) -> Reach {
        here().reach(&self.boot_id, &self.host, self.space.as_ref())
    }
}

/// Refuses the pids that stand for init, our group or all processes.
fn checked(pid: i32) -> io::Result<Pid> {
    let refused = || io::Error::new(io::ErrorKind::InvalidInput, "pid must be greater than 1");
    if pid <= 1 { Err(refused()) } else { Pid::from_raw(pid).ok_or_else(refused) }
}

#[cfg(test)]
mod tests;
