//! The identity of processes: which one is meant, and whether it still runs.
//!
//! A bare pid means nothing an hour later. An [`Identity`] also says when the process started, in which boot,
//! on which machine and in which PID namespace, so that a pid given to another process is never taken for the
//! one that was recorded, and no verdict is given on a process of another machine or of another sandbox. All
//! questions about a process are answered here, and every signal to one that is not our own unreaped child
//! leaves from [`signal()`].
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

/// The start time of a process that could not be found out.
pub const UNKNOWN_START: i64 = 0;

/// One process, told apart from every other that had or will have its pid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Process id.
    pub pid: i32,
    /// When it started: kernel ticks since boot on Linux, seconds since 1970 elsewhere; [`UNKNOWN_START`] if
    /// that could not be found out. Only good for comparing.
    pub start_time: i64,
    /// The boot it started in; empty when the system has no name for it.
    pub boot_id: String,
    /// The name of the machine it runs on ([`this_host`]).
    pub host: String,
    /// Where its pid has its meaning; `None` in records of older versions, which are judged by boot and host.
    pub space: Option<PidSpace>,
}

/// Whether an identified process still runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// It runs, or there is something with its pid that we may not look at.
    Alive,
    /// It ended, or only its zombie is left, or its pid belongs to another process now.
    Gone,
    /// It runs, or ran, on another machine or in another PID namespace: that cannot be told from here.
    Foreign,
}

/// What the process table says about a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    /// [`UNKNOWN_START`] for a process that exists but is not shown to us.
    start_time: i64,
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "asked on Linux only"))]
    parent: i32,
    /// Process group; equal to the pid for the leader of a group.
    group: i32,
    /// Not a zombie.
    alive: bool,
}

/// Returns the identity of the process that has `pid` now; `None` if there is none or only a zombie.
///
/// # Errors
/// * [`io::ErrorKind::InvalidInput`] if `pid` is 1 or less.
/// * [`io::ErrorKind::PermissionDenied`] if there is such a process but we may not look at it.
/// * Anything else if the process table cannot be read.
pub fn identify(pid: i32) -> io::Result<Option<Identity>> {
    checked(pid)?;
    let seen = table::look_up(pid)?;
    Ok(seen.map(|seen| Identity::here(pid, seen.start_time)))
}

/// Returns the identity of the process that started this one; `None` if it has ended, is pid 1, or lives
/// outside our PID namespace.
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
    // If it ended after the first call, the pid that was looked up may already have been another process's.
    Ok(found.filter(|_| parent_pid() == pid))
}

/// Returns the process that started this one, as [`parent`], but pid 1 counts as well: in a container it is a
/// program like any other. For comparing and asking only, never for signalling.
pub fn caller() -> Option<Identity> {
    let parent_pid = || getppid().map_or(0, Pid::as_raw_pid);
    let pid = parent_pid();
    if pid != 1 {
        return parent().ok().flatten();
    }
    let seen = table::look_up(pid).ok().flatten()?;
    Some(Identity::here(pid, seen.start_time))
}

/// Returns whether a process of that pid, pid 1 included, runs and has done so for `seconds` at least; `true`
/// if that cannot be told.
///
/// For records of other programs, which know a bare pid: a process that is younger than its record did not
/// make it.
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

/// Returns where this process runs. Read once, and only when a process is recorded or judged.
pub fn here() -> &'static Vantage {
    static HERE: OnceLock<Vantage> = OnceLock::new();
    HERE.get_or_init(|| Vantage {
        host: this_host(),
        boot_id: table::boot_id(),
        space: PidSpace { machine: machine::machine(), namespace: table::namespace() },
    })
}

impl Identity {
    /// Names a process of our own PID namespace.
    pub fn here(pid: i32, start_time: i64) -> Self {
        let Vantage { host, boot_id, space } = here().clone();
        Self { pid, start_time, boot_id, host, space: Some(space) }
    }

    /// Returns whether the process still runs.
    ///
    /// What we may not look at, or fail to, counts as alive: a record is closed on proof only.
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

/// Refuses the pids that mean init, our group or all processes to the kernel.
fn checked(pid: i32) -> io::Result<Pid> {
    let refused = || io::Error::new(io::ErrorKind::InvalidInput, "pid must be greater than 1");
    if pid <= 1 { Err(refused()) } else { Pid::from_raw(pid).ok_or_else(refused) }
}

#[cfg(test)]
mod tests;
