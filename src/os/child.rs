//! A supervised child: started in its own process group, its output kept in files of bounded size, waited for
//! without polling, and terminated with its whole process tree.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{self, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process_group, setsid, wait, waitid,
};

use super::process::{self as table, Family, Identity};
use super::rotated::Log;

/// Marks processes of ours that outlive their parent, so that no supervisor takes them for descendants of its
/// child.
pub const DETACHED: &str = "IC_DETACHED";

/// How long to wait for the last output after the child has exited.
const LAST_WORDS: Duration = Duration::from_millis(30);
/// The interval at which the members of a family are listed.
const GLANCE: Duration = Duration::from_millis(20);

/// A program to start.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program and its arguments.
    pub argv: Vec<OsString>,
    /// Its working directory.
    pub cwd: PathBuf,
    /// The variables that are set in its environment.
    pub env: Vec<(&'static str, OsString)>,
    /// The variables that it must not inherit.
    pub without: Vec<&'static str>,
    /// The file of its stdout.
    pub stdout: PathBuf,
    /// The file of its stderr.
    pub stderr: PathBuf,
}

/// A child that runs, or that has exited and was not reaped yet.
#[derive(Debug)]
pub struct Child {
    inner: process::Child,
    identity: Identity,
    streams: Receiver<()>,
    /// Its status, if it was reaped together with orphans.
    reaped: Option<ExitStatus>,
}

/// The end of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its exit status; after a signal, 128 plus the signal's number.
    pub code: i64,
    pub signal: Option<i32>,
}

/// The reason why waiting ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// The child has exited.
    Ended,
    /// The time limit is reached.
    Elapsed,
    /// The flag was raised.
    Asked,
}

/// Leaves the caller's session, and becomes the parent of orphaned descendants where the system supports it.
///
/// # Errors
/// If a new session cannot be created.
pub fn detach() -> io::Result<()> {
    match setsid() {
        Ok(_) | Err(Errno::PERM) => {} // EPERM: it leads a group of its own already
        Err(err) => return Err(err.into()),
    }
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    Ok(())
}

/// Closes the caller's stdout, so that a process that reads from it sees its end.
///
/// # Errors
/// If `/dev/null` cannot be opened.
pub fn let_go_of_stdout() -> io::Result<()> {
    Ok(rustix::stdio::dup2_stdout(OpenOptions::new().write(true).open("/dev/null")?)?)
}

/// Prevents that started processes inherit the files that this process has inherited: a lock or a pipe of the
/// caller (`ic … 9>lock` in a shell) must not stay open as long as they run.
pub fn keep_inherited_files() {
    close_fds::set_fds_cloexec(3, &[]);
}

/// Returns the path of the program that this process runs.
///
/// # Errors
/// If the system does not provide it.
pub fn own_program() -> io::Result<PathBuf> {
    std::env::current_exe()
}

/// Starts `<ic> <args>` as a process that outlives this one, with a pipe as stdout. It inherits no other
/// file.
///
/// # Errors
/// If it cannot be started.
pub fn start_own(
    ic: &Path,
    args: &[&str],
    env: &[(&str, OsString)],
    without: &[&str],
) -> io::Result<process::Child> {
    keep_inherited_files();
    let mut command = Command::new(ic);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.envs(env.iter().map(|(name, value)| (name, value)));
    for name in without {
        command.env_remove(name);
    }
    command.spawn()
}

/// Starts `<ic> <args>` as a process whose stdin closes when this process exits. Returns the child with that
/// stdin.
///
/// # Errors
/// If it cannot be started.
pub fn start_guard(ic: &Path, args: &[&str]) -> io::Result<ChildStdin> {
    let mut guard = Command::new(ic)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;
    guard.stdin.take().ok_or_else(|| io::Error::other("no pipe to the guard"))
}

impl Child {
    /// Starts the program.
    ///
    /// # Errors
    /// If a log cannot be created, or the program cannot be started.
    pub fn start(plan: &Plan) -> io::Result<Self> {
        let (stdout, stderr) = (Log::create(&plan.stdout)?, Log::create(&plan.stderr)?);
        let (program, args) = plan.argv.split_first().ok_or_else(|| io::Error::other("no program"))?;
        let mut command = Command::new(program);
        command.args(args).current_dir(&plan.cwd).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for name in &plan.without {
            command.env_remove(name);
        }
        command.envs(plan.env.iter().map(|(name, value)| (name, value)));
        let mut inner = command.spawn()?;
        let (ended, streams) = channel();
        if let Some(from) = inner.stdout.take() {
            let ended = ended.clone();
            thread::spawn(move || stdout.pump(from).map(|()| ended.send(())));
        }
        if let Some(from) = inner.stderr.take() {
            thread::spawn(move || stderr.pump(from).map(|()| ended.send(())));
        }
        let pid = i32::try_from(inner.id()).unwrap_or(0);
        // Not reaped yet, so the pid is still its own even if it has exited. Then, or without permission,
        // there is no start time to record.
        let identity = table::identify(pid).ok().flatten();
        let identity = identity.unwrap_or_else(|| Identity::here(pid, table::UNKNOWN_START));
        Ok(Self { inner, identity, streams, reaped: None })
    }

    /// Returns the identity of the process.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Waits until it has exited, `limit` is reached or the flag is raised. Orphans of this process are
    /// reaped at every call and after every signal, because over hours there may be many.
    ///
    /// # Errors
    /// If the system call fails.
    pub fn wait(&mut self, limit: Duration, asked: &AtomicBool) -> io::Result<Woken> {
        let start = Instant::now();
        loop {
            if self.has_ended()? {
                return Ok(Woken::Ended);
            }
            self.reap_orphans();
            if asked.load(Ordering::Relaxed) {
                return Ok(Woken::Asked);
            }
            let left = limit.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Ok(Woken::Elapsed);
            }
            self.sleep(left);
        }
    }

    /// Returns true if it has exited, reaped or not.
    ///
    /// # Errors
    /// If the system call fails.
    pub fn has_ended(&self) -> io::Result<bool> {
        if self.reaped.is_some() {
            return Ok(true);
        }
        let Some(pid) = Pid::from_raw(self.identity.pid) else { return Ok(true) };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        match waitid(WaitId::Pid(pid), options) {
            Ok(status) => Ok(status.is_some()),
            Err(Errno::CHILD) => Ok(true),
            Err(Errno::INTR) => Ok(false),
            Err(err) => Err(err.into()),
        }
    }

    /// Reaps all exited children. The child itself may be among them, in which case its status is stored.
    fn reap_orphans(&mut self) {
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            if pid.as_raw_pid() == self.identity.pid {
                self.reaped = Some(ExitStatus::from_raw(status.as_raw()));
            }
        }
    }

    /// Sleeps until the child exits, a signal arrives, or the time is up.
    #[cfg(target_os = "linux")]
    fn sleep(&self, most: Duration) {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let handle = Pid::from_raw(self.identity.pid)
            .map(|pid| rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()));
        let Some(Ok(handle)) = handle else { return thread::sleep(most.min(GLANCE)) };
        let limit = Timespec {
            tv_sec: i64::try_from(most.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: most.subsec_nanos().into(),
        };
        // A signal interrupts it too.
        let _ = poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&limit));
    }

    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unused_self, reason = "the signature is Linux's")]
    fn sleep(&self, most: Duration) {
        thread::sleep(most.min(GLANCE));
    }

    /// Signals its process group, unless it was reaped: until then the pid is its own.
    pub fn signal_group(&self, signal: table::Signal) {
        if self.reaped.is_some() {
            return;
        }
        let signal = match signal {
            table::Signal::Term => Signal::TERM,
            table::Signal::Kill => Signal::KILL,
        };
        if let Some(leader) = Pid::from_raw(self.identity.pid) {
            let _ = kill_process_group(leader, signal); // an empty group needs no signal
        }
    }

    /// Reaps the exited child and returns its status. Its last output is in the files then, unless another
    /// process holds the streams open.
    ///
    /// Off Linux, where other members of its family cannot be found, the rest of its group is killed first:
    /// after reaping, the group cannot be addressed safely.
    ///
    /// # Errors
    /// If it cannot be waited for.
    pub fn reap(&mut self) -> io::Result<Ended> {
        #[cfg(not(target_os = "linux"))]
        {
            self.wait(Duration::MAX, &AtomicBool::new(false))?;
            self.signal_group(table::Signal::Kill);
        }
        let status = match self.reaped {
            Some(status) => status,
            None => self.inner.wait()?,
        };
        let deadline = Instant::now() + LAST_WORDS;
        for _ in 0..2 {
            let left = deadline.saturating_duration_since(Instant::now());
            if matches!(self.streams.recv_timeout(left), Err(RecvTimeoutError::Timeout)) {
                break;
            }
        }
        let signal = status.signal();
        let code = status.code().or(signal.map(|signal| signal + 128)).unwrap_or(-1).into();
        Ok(Ended { code, signal })
    }
}

/// Terminates the members of the family: SIGTERM, and SIGKILL after `grace`. Returns true if none is left.
///
/// Every process is signalled by its identity. Orphans of this process are reaped.
pub fn end_family(family: &Family, grace: Duration) -> bool {
    let start = Instant::now();
    let mut signal = table::Signal::Term;
    let mut told: Vec<Identity> = Vec::new();
    loop {
        reap_orphans();
        let members = family.members();
        if members.is_empty() {
            return true;
        }
        if signal == table::Signal::Term && start.elapsed() >= grace {
            signal = table::Signal::Kill;
            told.clear();
        }
        for member in &members {
            // SIGTERM is sent once, SIGKILL until the process is gone.
            if signal == table::Signal::Kill || !told.contains(member) {
                let _ = table::signal(member, signal); // gone meanwhile, or not ours to signal
                told.push(member.clone());
            }
        }
        if start.elapsed() >= grace + Duration::from_secs(2) {
            return false;
        }
        thread::sleep(GLANCE);
    }
}

/// Reaps all exited orphans of this process.
fn reap_orphans() {
    while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
}
