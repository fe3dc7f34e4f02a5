//! The hook of a phase change: finding, starting and watching it.
//!
//! The caller must not wait for the hook, and the hook must survive the caller. So there are two processes:
//! the caller starts `ic hook-watch` ([`start_watcher`]), and that runs the hook under its time limit
//! ([`watch`]). The event is in an unlinked temporary file, which is the standard input of both: no pipe can
//! fill up or break, and no file is left.

use std::fs::{self, Metadata};
use std::io::{self, Seek, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf, absolute};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, geteuid, kill_process_group, setsid};

/// The interval at which the watcher checks whether the hook has exited. No process waits for the watcher.
const TICK: Duration = Duration::from_millis(5);

/// The end of a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchEnd {
    /// It exited with this code.
    Exited(i32),
    /// Another process killed it.
    Signalled,
    /// It was killed at its time limit.
    TimedOut,
}

/// Returns the project's hook, `.clavain/hooks/on-phase-advance`, if it may be run.
///
/// It must be a regular, executable file that belongs to the effective user, and neither it nor the
/// directories `.clavain` and `hooks` may be symlinks. An empty `project` has no hook.
pub fn find(project: &Path) -> Option<PathBuf> {
    if project.as_os_str().is_empty() {
        return None;
    }
    let entry = |path: &Path| fs::symlink_metadata(path).ok();
    let settings = project.join(".clavain");
    entry(&settings).filter(Metadata::is_dir)?;
    let hooks = settings.join("hooks");
    entry(&hooks).filter(Metadata::is_dir)?;
    let hook = hooks.join("on-phase-advance");
    let found = entry(&hook).filter(Metadata::is_file)?;
    let ours = found.uid() == geteuid().as_raw();
    let executable = found.permissions().mode() & 0o100 != 0;
    (ours && executable).then_some(hook)
}

/// Starts `<ic> hook-watch <hook> <project>` with `event` on its standard input, and returns without waiting
/// for it.
///
/// The watcher inherits only the environment and the working directory: its other streams are `/dev/null`,
/// and every other file is closed in it, also those that the caller itself had inherited.
///
/// # Errors
/// If the event cannot be stored, or the watcher cannot be started.
pub fn start_watcher(ic: &Path, hook: &Path, project: &Path, event: &[u8]) -> io::Result<()> {
    let mut input = super::files::unnamed()?;
    input.write_all(event)?;
    input.rewind()?;
    super::child::keep_inherited_files();
    // Absolute, so that neither path can look like a flag.
    let watcher = Command::new(ic)
        .arg("hook-watch")
        .arg(absolute(hook)?)
        .arg(absolute(project)?)
        // The hook must survive a supervised child that has called this program.
        .env(super::child::DETACHED, "1")
        .stdin(input)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    drop(watcher); // not killed, not waited for: once we have ended, init reaps it
    Ok(())
}

/// Runs `hook` in `project` and kills it after `limit`. Called by the watcher only.
///
/// The watcher leaves the caller's session, so that closing a terminal or a signal to the caller's group does
/// not reach it. The hook inherits environment and standard input, its output is discarded, and it leads its
/// own process group, which is killed at the time limit. Background processes of a hook that exits in time
/// are not touched.
///
/// # Errors
/// If the hook cannot be started or waited for.
pub fn watch(hook: &Path, project: &Path, limit: Duration) -> io::Result<WatchEnd> {
    match setsid() {
        Ok(_) | Err(Errno::PERM) => {} // EPERM: it leads a group of its own already
        Err(err) => return Err(err.into()),
    }
    run(hook, project, Stdio::inherit(), limit)
}

fn run(hook: &Path, project: &Path, input: Stdio, limit: Duration) -> io::Result<WatchEnd> {
    let start = Instant::now();
    // Absolute, because a relative name would be looked up after the change of directory.
    let mut child = Command::new(absolute(hook)?)
        .current_dir(project)
        .stdin(input)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(end_of(status));
        }
        let left = limit.saturating_sub(start.elapsed());
        if left.is_zero() {
            break;
        }
        thread::sleep(TICK.min(left));
    }
    kill_group(&mut child)?;
    Ok(WatchEnd::TimedOut)
}

fn end_of(status: ExitStatus) -> WatchEnd {
    status.code().map_or(WatchEnd::Signalled, WatchEnd::Exited)
}

/// Kills a child's group and reaps the child. It has not been reaped, so its pid is still its own.
fn kill_group(child: &mut Child) -> io::Result<()> {
    let leader = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    match leader.map(|leader| kill_process_group(leader, Signal::KILL)) {
        Some(Ok(()) | Err(Errno::SRCH)) => {}
        _ => child.kill()?,
    }
    child.wait().map(drop)
}

#[cfg(test)]
mod tests;
