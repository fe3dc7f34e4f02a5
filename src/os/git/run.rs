//! Git as a child process: arguments, environment, time limit, and how much of its output is kept. Nothing
//! else starts it.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::error::GitError;
use crate::os::{child, files};

/// The time limit of a call. A call takes milliseconds, unless the file system is in trouble.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The bytes of a stream that are kept.
const MAX_CAPTURED: u64 = 4 << 20;
/// The bytes of an error message that are shown.
const MAX_SHOWN: usize = 2000;
/// The variables that an enclosing call of git sets for its hooks: its repository, and how it reads paths.
/// They are removed, unless the call is about that repository. Configuration, names and dates of the caller
/// stay.
const ENCLOSING: [&str; 20] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GLOB_PATHSPECS",
    "GIT_GRAFT_FILE",
    "GIT_ICASE_PATHSPECS",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_LITERAL_PATHSPECS",
    "GIT_NAMESPACE",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// The directory and the options of calls of git.
pub struct Git {
    dir: PathBuf,
    index: Option<PathBuf>,
    held: Option<File>,
    keeps_environment: bool,
    max_captured: u64,
}

/// The result of a child process.
pub struct Output {
    /// The exit status; `None` after a signal.
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// Whether `stdout` is longer than what was kept of it.
    pub cut: bool,
}

impl Git {
    pub fn at(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            index: None,
            held: None,
            keeps_environment: false,
            max_captured: MAX_CAPTURED,
        }
    }

    /// Keeps the variables of an enclosing call of git, and all of the output: for the questions of a git
    /// hook about the commit that is being made, whose index is the one that git names.
    pub fn inside_hook(dir: &Path) -> Self {
        Self { keeps_environment: true, max_captured: u64::MAX, ..Self::at(dir) }
    }

    /// Uses another index than the working tree's own.
    pub fn with_index(mut self, index: &Path) -> Self {
        self.index = Some(index.to_owned());
        self
    }

    /// Hands an empty file to git, which keeps it open: a process that waits for the file's lock then waits
    /// for git, too.
    pub fn holding(mut self, file: &File) -> io::Result<Self> {
        self.held = Some(file.try_clone()?);
        Ok(self)
    }

    /// Runs `git ARGS…` to its end.
    pub fn run<S: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
        input: &[u8],
    ) -> Result<Output, GitError> {
        let mut command = self.command("git".as_ref());
        // Messages are shown to the user and never parsed; one language makes them searchable.
        command.args(args).env("LC_ALL", "C").env("GIT_LITERAL_PATHSPECS", "1");
        self.finish(command, input, self.held.as_ref(), TIMEOUT).map_err(|err| match err {
            GitError::Io(err) if err.kind() == io::ErrorKind::NotFound && self.dir.is_dir() => {
                GitError::NoGit
            }
            err => err,
        })
    }

    /// Runs `git ARGS…` and requires that it succeeds.
    pub fn ok<S: AsRef<OsStr>>(
        &self,
        what: &'static str,
        args: impl IntoIterator<Item = S>,
        input: &[u8],
    ) -> Result<Output, GitError> {
        let output = self.run(args, input)?;
        if output.code == Some(0) { Ok(output) } else { Err(GitError::Failed { what, said: output.said() }) }
    }

    /// Returns true if git ignores the path, which it never does with a tracked one.
    pub fn ignores(&self, path: &Path) -> Result<bool, GitError> {
        // This command has no literal paths; after `./` no character is special.
        let path = Path::new(".").join(path);
        let mut command = self.command("git".as_ref());
        command.args(["check-ignore", "--quiet", "--"]).arg(path);
        Ok(self.finish(command, b"", None, TIMEOUT)?.code == Some(0))
    }

    /// Runs a program of the user's repository, with the user's language and patterns.
    pub fn run_foreign<S: AsRef<OsStr>>(
        &self,
        program: &OsStr,
        args: impl IntoIterator<Item = S>,
        limit: Duration,
    ) -> Result<Output, GitError> {
        let mut command = self.command(program);
        command.args(args).env("GIT_EDITOR", ":");
        self.finish(command, b"", None, limit)
    }

    fn command(&self, program: &OsStr) -> Command {
        let mut command = Command::new(program);
        if !self.keeps_environment {
            for name in ENCLOSING {
                command.env_remove(name);
            }
        }
        if let Some(index) = &self.index {
            command.env("GIT_INDEX_FILE", index);
        }
        // Without optional locks a query never takes `index.lock`; without a prompt nothing waits for a
        // password.
        command.env("GIT_OPTIONAL_LOCKS", "0").env("GIT_TERMINAL_PROMPT", "0").current_dir(&self.dir);
        command
    }

    /// Runs a command with `input` to its end, and kills its process group at the time limit.
    ///
    /// Its streams are files without a name: no pipe can fill up, or be kept open by a process in the
    /// background.
    fn finish(
        &self,
        mut command: Command,
        input: &[u8],
        held: Option<&File>,
        limit: Duration,
    ) -> Result<Output, GitError> {
        let (mut stdout, mut stderr) = (files::unnamed()?, files::unnamed()?);
        let stdin = if let Some(held) = held {
            held.try_clone()?.into()
        } else if input.is_empty() {
            Stdio::null()
        } else {
            let mut file = files::unnamed()?;
            file.write_all(input)?;
            file.rewind()?;
            file.into()
        };
        child::keep_inherited_files();
        command.stdin(stdin).stdout(stdout.try_clone()?).stderr(stderr.try_clone()?).process_group(0);
        let mut child = command.spawn()?;
        let status = wait(&mut child, limit)?.ok_or_else(|| GitError::TimedOut(name_of(&command)))?;
        let (kept, cut) = self.read(&mut stdout)?;
        Ok(Output { code: status.code(), stdout: kept, stderr: self.read(&mut stderr)?.0, cut })
    }

    fn read(&self, file: &mut File) -> io::Result<(Vec<u8>, bool)> {
        let mut kept = Vec::new();
        file.rewind()?;
        file.take(self.max_captured).read_to_end(&mut kept)?;
        Ok((kept, file.metadata()?.len() > self.max_captured))
    }
}

/// Waits for a child. Returns `None` if its time was up, after killing it and its group.
fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let start = Instant::now();
    let mut pause = Duration::from_micros(250);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() >= limit {
            let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            if let Some(group) = group {
                let _ = kill_process_group(group, Signal::KILL); // it may have exited
            }
            let _ = child.kill();
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(4));
    }
}

fn name_of(command: &Command) -> String {
    let mut name = command.get_program().to_string_lossy().into_owned();
    if let Some(first) = command.get_args().next() {
        name.push(' ');
        name.push_str(&first.to_string_lossy());
    }
    name
}

impl Output {
    /// Returns the only line of `stdout`.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim().to_owned()
    }

    /// Returns `stderr`, or `stdout` if that is empty; only its end if it is long.
    pub fn said(&self) -> String {
        let said = if self.stderr.trim_ascii().is_empty() { &self.stdout } else { &self.stderr };
        let said = said.trim_ascii();
        let told = &said[said.len().saturating_sub(MAX_SHOWN)..];
        String::from_utf8_lossy(told).trim().to_owned()
    }
}

/// Returns a path as git prints it.
pub fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsString::from(OsStr::from_bytes(bytes)))
}
