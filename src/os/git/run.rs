//! Git as a child process: arguments, environment, time limit, and how much of its output is kept.

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

use super::GitError;
use crate::os::files;

/// How long one call of git may take. Each is a matter of milliseconds; only a sick file system takes longer.
const LIMIT: Duration = Duration::from_secs(30);
/// How much of a stream is kept, in bytes.
const KEPT: u64 = 4 << 20;
/// How much of what went wrong is told, in bytes.
const TOLD: usize = 2000;
/// What is not handed on: what a call of git that encloses ours (a hook, say) says of its own repository, and how it reads
/// paths. Configuration, names and dates of the caller stay.
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

/// Where git is to run, and with which index.
pub struct Git {
    dir: PathBuf,
    index: Option<PathBuf>,
    held: Option<File>,
}

/// What a child left.
pub struct Output {
    /// Its exit status; `None` if a signal ended it.
    pub code: Option<i32>,
    /// What it printed, as far as it is kept.
    pub stdout: Vec<u8>,
    /// What it complained about.
    pub stderr: Vec<u8>,
    /// Whether it printed more than is kept.
    pub cut: bool,
}

impl Git {
    pub fn at(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), index: None, held: None }
    }

    /// With another index than the working tree's own.
    pub fn with_index(mut self, index: &Path) -> Self {
        self.index = Some(index.to_owned());
        self
    }

    /// With an empty file open for as long as it runs: whoever waits for the file's lock waits for it, too.
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
        // Messages are told to the user, never read by us; one language makes them searchable.
        command.args(args).env("LC_ALL", "C").env("GIT_LITERAL_PATHSPECS", "1");
        finish(command, input, self.held.as_ref(), LIMIT).map_err(|err| match err {
            GitError::Io(err) if err.kind() == io::ErrorKind::NotFound && self.dir.is_dir() => {
                GitError::NoGit
            }
            err => err,
        })
    }

    /// As [`Git::run`], but it has to succeed.
    pub fn ok<S: AsRef<OsStr>>(
        &self,
        what: &'static str,
        args: impl IntoIterator<Item = S>,
        input: &[u8],
    ) -> Result<Output, GitError> {
        let output = self.run(args, input)?;
        if output.code == Some(0) { Ok(output) } else { Err(GitError::Failed { what, said: output.said() }) }
    }

    /// Whether the path is ignored; what is tracked never is.
    pub fn ignores(&self, path: &Path) -> Result<bool, GitError> {
        // This one command knows no literal paths; behind `./` nothing has a meaning of its own.
        let path = Path::new(".").join(path);
        let mut command = self.command("git".as_ref());
        command.args(["check-ignore", "--quiet", "--"]).arg(path);
        Ok(finish(command, b"", None, LIMIT)?.code == Some(0))
    }

    /// Runs a program of the user's repository: as [`Git::run`], with the user's language and patterns.
    pub fn run_foreign<S: AsRef<OsStr>>(
        &self,
        program: &OsStr,
        args: impl IntoIterator<Item = S>,
        limit: Duration,
    ) -> Result<Output, GitError> {
        let mut command = self.command(program);
        command.args(args).env("GIT_EDITOR", ":");
        finish(command, b"", None, limit)
    }

    fn command(&self, program: &OsStr) -> Command {
        let mut command = Command::new(program);
        for name in ENCLOSING {
            command.env_remove(name);
        }
        if let Some(index) = &self.index {
            command.env("GIT_INDEX_FILE", index);
        }
        // Without the optional locks a mere question never takes `index.lock`; nobody is asked for a password.
        command.env("GIT_OPTIONAL_LOCKS", "0").env("GIT_TERMINAL_PROMPT", "0").current_dir(&self.dir);
        command
    }
}

/// Starts a command with `input`, waits for it, and ends it with everybody it started when its time is up.
///
/// Its streams are files without a name: no pipe can fill up, or be held open by what it leaves in the background.
fn finish(
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
    super::super::child::keep_inherited_files();
    command.stdin(stdin).stdout(stdout.try_clone()?).stderr(stderr.try_clone()?).process_group(0);
    let mut child = command.spawn()?;
    let status = wait(&mut child, limit)?.ok_or_else(|| GitError::TimedOut(name_of(&command)))?;
    let (kept, cut) = read(&mut stdout)?;
    Ok(Output { code: status.code(), stdout: kept, stderr: read(&mut stderr)?.0, cut })
}

/// How it ended; `None` if it did not in time and was killed, with its group.
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
                let _ = kill_process_group(group, Signal::KILL); // it may be over by now
            }
            let _ = child.kill();
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(4));
    }
}

fn read(file: &mut File) -> io::Result<(Vec<u8>, bool)> {
    let mut kept = Vec::new();
    file.rewind()?;
    file.take(KEPT).read_to_end(&mut kept)?;
    Ok((kept, file.metadata()?.len() > KEPT))
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
    /// Its only line.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim().to_owned()
    }

    /// What it complained about, else what it printed; the end of it if it is long.
    pub fn said(&self) -> String {
        let said = if self.stderr.trim_ascii().is_empty() { &self.stdout } else { &self.stderr };
        let said = said.trim_ascii();
        let told = &said[said.len().saturating_sub(TOLD)..];
        String::from_utf8_lossy(told).trim().to_owned()
    }
}

/// A path as git prints it.
pub fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsString::from(OsStr::from_bytes(bytes)))
}
