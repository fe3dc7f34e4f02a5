//! Signals, sent to an identity and never to a bare pid.

use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::process::{Pid, getpgrp, kill_process, kill_process_group};
#[cfg(target_os = "linux")]
use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};

use super::{Identity, Reach, UNKNOWN_START, checked, table};

/// A signal that ends a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// `SIGTERM`, which a process can handle.
    Term,
    /// `SIGKILL`, which it cannot.
    Kill,
}

/// The outcome of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signalled {
    /// It was delivered to the process, or to its whole group.
    Sent,
    /// There is no process to signal: it has exited, or its pid belongs to another process now.
    Gone,
    /// The process belongs to another machine or PID namespace; nothing was done.
    Foreign,
}

/// Signals the process group that `identity` leads, or the process alone if it leads none.
///
/// The identity is verified first; what cannot be verified is not signalled. Our own group is
/// spared: if the process leads the group we are in, it is signalled alone. On Linux a single process is held
/// by a pidfd taken before the check, so the signal cannot reach a successor. A group has no such handle: the
/// pid would have to be freed and taken by a new group's leader within the microseconds between the check and
/// the signal. Elsewhere that holds for the single process too.
///
/// A group whose leader has ended, reaped or not, cannot be identified and counts as [`Signalled::Gone`],
/// though it may have members left. Only the leader's parent can still reach them safely, as long as it has
/// not reaped the leader: until then the number is taken.
///
/// # Errors
/// * [`io::ErrorKind::InvalidInput`] if the pid is 1 or less.
/// * [`io::ErrorKind::PermissionDenied`] if the process may not be looked at or signalled.
/// * Anything else if there is a process of that pid, and whether it is the one cannot be found out.
pub fn signal(identity: &Identity, signal: Signal) -> io::Result<Signalled> {
    let pid = checked(identity.pid)?;
    match identity.reach() {
        Reach::Elsewhere => return Ok(Signalled::Foreign),
        Reach::Past => return Ok(Signalled::Gone),
        Reach::Here => {}
    }
    let Some(handle) = Handle::open(pid)? else {
        return Ok(Signalled::Gone);
    };
    let seen = match table::look_up(identity.pid)? {
        Some(seen) if seen.start_time == UNKNOWN_START => {
            return Err(io::Error::other(format!("process {pid:?} exists but /proc does not show it")));
        }
        Some(seen) if seen.start_time == identity.start_time => seen,
        _ => return Ok(Signalled::Gone),
    };
    let sent = if leads_another_group(pid, seen.group, getpgrp()) {
        kill_process_group(pid, signal.number())
    } else {
        handle.send(signal)
    };
    match sent {
        Ok(()) => Ok(Signalled::Sent),
        Err(Errno::SRCH) => Ok(Signalled::Gone),
        Err(err) => Err(err.into()),
    }
}

impl Signal {
    fn number(self) -> rustix::process::Signal {
        match self {
            Self::Term => rustix::process::Signal::TERM,
            Self::Kill => rustix::process::Signal::KILL,
        }
    }
}

/// Returns true if a process leads its group, and that is not our own.
fn leads_another_group(pid: Pid, group: i32, ours: Pid) -> bool {
    group == pid.as_raw_pid() && group != ours.as_raw_pid()
}

/// A handle of a process: a signal through it reaches the process that had the pid when it was opened, or
/// none.
///
/// Without a pidfd (not Linux, Linux before 5.3, a sandbox that forbids it) it is only the pid.
struct Handle {
    pid: Pid,
    #[cfg(target_os = "linux")]
    fd: Option<OwnedFd>,
}

impl Handle {
    #[cfg(target_os = "linux")]
    fn open(pid: Pid) -> io::Result<Option<Self>> {
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(fd) => Ok(Some(Self { pid, fd: Some(fd) })),
            Err(Errno::SRCH) => Ok(None),
            Err(Errno::NOSYS | Errno::PERM) => Ok(Some(Self { pid, fd: None })),
            Err(err) => Err(err.into()),
        }
    }

    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unnecessary_wraps, reason = "the signature is Linux's")]
    fn open(pid: Pid) -> io::Result<Option<Self>> {
        Ok(Some(Self { pid }))
    }

    fn send(&self, signal: Signal) -> rustix::io::Result<()> {
        #[cfg(target_os = "linux")]
        if let Some(fd) = &self.fd {
            return pidfd_send_signal(fd, signal.number());
        }
        kill_process(self.pid, signal.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_leader_of_another_group_stands_for_its_group() {
        let pid = |raw| Pid::from_raw(raw).unwrap();
        assert!(leads_another_group(pid(70), 70, pid(60)));
        assert!(!leads_another_group(pid(70), 70, pid(70)), "ours");
        assert!(!leads_another_group(pid(71), 70, pid(60)), "a member");
    }
}
