//! The script of the demo: a scratch repository, and calls of this program in it, printed as they come.

use std::fmt::{self, Display, Write as _};
use std::fs;
use std::io::Write as _;
use std::ops::Deref;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{self, Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use serde_json::Value;
use tempfile::TempDir;

use crate::app::{Environment, Error};
use crate::cli::command::Page;
use crate::domain::text::{one_line, shell_word};

/// Time within which the child has to end once it was signalled.
const CHILD_TIMEOUT: Duration = Duration::from_secs(10);

/// One step of the demo, as it is printed.
enum Step<'a> {
    Chapter(&'a str),
    Explanation(&'a str),
    /// A command line that another program would run.
    Shell(&'a str),
    /// A call that has ended, after its command line, with its output.
    Call {
        line: &'a str,
        output: &'a process::Output,
    },
    /// A call that goes on in the background.
    Background(&'a str),
    /// A condition that holds.
    Check(&'a str),
    /// A sentence about the demo itself.
    Frame(&'a str),
}

impl Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chapter(title) => writeln!(f, "\n== {title} =="),
            Self::Explanation(text) => writeln!(f, "# {text}"),
            Self::Shell(line) => writeln!(f, "$ {line}"),
            Self::Call { line, output } => {
                let (stdout, stderr) =
                    (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
                write!(f, "{line}\n{stdout}{stderr}")?;
                match output.status.code() {
                    Some(code) if code != 0 => writeln!(f, "(exit code {code})"),
                    _ => Ok(()),
                }
            }
            Self::Background(line) => writeln!(f, "{line} &"),
            Self::Check(condition) => writeln!(f, "✓ {condition}"),
            Self::Frame(text) => writeln!(f, "{text}"),
        }
    }
}

/// A scratch directory that is a git repository, and what happens in it.
pub(super) struct DemoScript<'a> {
    page: &'a mut Page<'a>,
    ic: PathBuf,
    dir: PathBuf,
    /// The directory, which is removed when the demo ends. None if it is kept.
    scratch: Option<TempDir>,
    child: Option<Child>,
    /// The number of calls so far.
    calls: usize,
}

/// The trimmed output of a call: an id, a phase.
pub(super) struct CallOutput(String);

impl Deref for CallOutput {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<CallOutput> for String {
    fn from(output: CallOutput) -> Self {
        output.0
    }
}

impl CallOutput {
    /// Fails the demo if the call printed something else.
    pub(super) fn expect_same(&self, expected: &str) -> Result<(), Error> {
        if self.0 == expected {
            return Ok(());
        }
        Err(anyhow!("expected {expected:?}, got {:?}", self.0).into())
    }
}

/// A call in the background.
pub(super) struct BackgroundCall {
    line: String,
    child: Child,
}

impl<'a> DemoScript<'a> {
    /// Creates the directory and, where git is installed, a repository in it.
    pub(super) fn set_up(
        page: &'a mut Page<'a>,
        env: &Environment,
        keep: Option<PathBuf>,
    ) -> Result<Self, Error> {
        let (dir, scratch) = if let Some(dir) = keep {
            let failed = |source| Error::File {
                what: "demo: creating the directory to --keep",
                path: dir.clone(),
                source,
            };
            fs::create_dir(&dir).map_err(failed)?;
            (dir.canonicalize().context("finding the new directory")?, None)
        } else {
            let base = env.path("TMPDIR").unwrap_or_else(|| PathBuf::from("/tmp"));
            let failed = |source| Error::File {
                what: "demo: creating a scratch directory (TMPDIR says where) in",
                path: base.clone(),
                source,
            };
            let scratch = TempDir::with_prefix_in("ic-demo-", &base).map_err(failed)?;
            (scratch.path().canonicalize().map_err(failed)?, Some(scratch))
        };
        let ic = Environment::program().context("finding this program")?;
        let mut demo = Self { page, ic, dir, scratch, child: None, calls: 0 };
        let place = format!("A scratch project in {}", one_line(&demo.dir.to_string_lossy()));
        demo.print(&Step::Frame(&place))?;
        // A database of its own, also below a project that has one.
        let made = fs::DirBuilder::new().mode(0o700).create(demo.dir.join(".clavain"));
        made.context("creating the directory of the database")?;
        demo.print(&Step::Shell("mkdir -m 700 .clavain"))?;
        let git = Command::new("git")
            .args(["init", "--quiet"])
            .current_dir(&demo.dir)
            .stderr(Stdio::null())
            .status();
        match git {
            Ok(status) if status.success() => demo.print(&Step::Shell("git init --quiet"))?,
            _ => demo.print(&Step::Frame("(git is not installed: a plain directory will do)"))?,
        }
        Ok(demo)
    }

    fn print(&mut self, step: &Step<'_>) -> Result<(), Error> {
        (self.page)(&step.to_string())
    }

    pub(super) fn chapter(&mut self, title: &str) -> Result<(), Error> {
        self.print(&Step::Chapter(title))
    }

    pub(super) fn explain(&mut self, text: &str) -> Result<(), Error> {
        self.print(&Step::Explanation(text))
    }

    /// Writes a file of the project.
    pub(super) fn file(&mut self, path: &str, content: &str) -> Result<(), Error> {
        let full = self.dir.join(path);
        if let Some(parent) = full.parent() {
            fs::create_dir_all(parent).with_context(|| format!("creating {}", parent.display()))?;
        }
        fs::write(&full, content).with_context(|| format!("writing {}", full.display()))?;
        self.print(&Step::Shell(&format!("echo {} > {path}", shell_word(content.trim_end()))))
    }

    /// Calls `ic`, which has to succeed, and returns its output.
    pub(super) fn ic(&mut self, args: &[&str]) -> Result<CallOutput, Error> {
        self.ic_exit(0, args)
    }

    /// Calls `ic`, which has to end with `exit`, and returns its output.
    pub(super) fn ic_exit(&mut self, exit: i32, args: &[&str]) -> Result<CallOutput, Error> {
        let line = typed(args);
        let done = self.command(args).stdin(Stdio::null()).output().context("starting ic")?;
        self.finished(&line, exit, &done)
    }

    /// Calls `ic` with a document on stdin, as agents call their hooks; it has to succeed. Returns its output.
    pub(super) fn ic_with_stdin(&mut self, args: &[&str], stdin: &Value) -> Result<CallOutput, Error> {
        let text = stdin.to_string();
        let line = format!("{} <<< {}", typed(args), shell_word(&text));
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("starting ic")?;
        if let Some(mut pipe) = child.stdin.take() {
            pipe.write_all(text.as_bytes()).context("writing to the stdin of ic")?;
        }
        let done = child.wait_with_output().context("waiting for ic")?;
        self.finished(&line, 0, &done)
    }

    /// Starts a call in the background; [`Self::finish_call`] waits for it.
    pub(super) fn start_call(&mut self, args: &[&str]) -> Result<BackgroundCall, Error> {
        let line = typed(args);
        self.print(&Step::Background(&line))?;
        let mut command = self.command(args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(BackgroundCall { line, child: command.spawn().context("starting ic")? })
    }

    /// Waits for a call in the background, which has to succeed, and returns its output.
    pub(super) fn finish_call(&mut self, call: BackgroundCall) -> Result<CallOutput, Error> {
        let done = call.child.wait_with_output().context("waiting for ic")?;
        self.finished(&format!("{} # has ended", call.line), 0, &done)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.ic);
        command.args(args).current_dir(&self.dir).env("PWD", &self.dir);
        // The demo may be called by an agent at work: its calls must not act on that agent's work.
        for name in [
            "INTERCORE_DB",
            "IC_RUN_ID",
            "IC_DISPATCH_ID",
            "INTERMUTE_DB",
            "INTERMUTE_AGENT_ID",
            "CLAUDE_CODE_SESSION_ID",
            "CLAUDE_SESSION_ID",
            "INTERMUTE_PROJECT",
            "INTERCORE_FENCE",
        ] {
            command.env_remove(name);
        }
        command
    }

    fn finished(&mut self, line: &str, exit: i32, done: &process::Output) -> Result<CallOutput, Error> {
        self.print(&Step::Call { line, output: done })?;
        if done.status.code() != Some(exit) {
            return Err(
                anyhow!("`{}` ended with {}, expected exit code {exit}", &line[2..], done.status).into()
            );
        }
        self.calls += 1;
        Ok(CallOutput(String::from_utf8_lossy(&done.stdout).trim().to_owned()))
    }

    /// Calls git, which has to succeed, and returns its output. Returns `None` where git is not installed.
    pub(super) fn git(&mut self, args: &[&str]) -> Result<Option<String>, Error> {
        let done = Command::new("git").args(args).current_dir(&self.dir).stdin(Stdio::null()).output();
        let Ok(done) = done else { return Ok(None) };
        let words: Vec<_> = args.iter().map(|arg| shell_word(arg)).collect();
        self.print(&Step::Call { line: &format!("$ git {}", words.join(" ")), output: &done })?;
        if !done.status.success() {
            return Err(anyhow!("`git {}` ended with {}", words.join(" "), done.status).into());
        }
        Ok(Some(String::from_utf8_lossy(&done.stdout).trim_end().to_owned()))
    }

    /// Calls `ic --json`, which has to succeed, and returns the document.
    pub(super) fn json(&mut self, args: &[&str]) -> Result<Value, Error> {
        let output = self.ic(&[args, &["--json"]].concat())?;
        Ok(serde_json::from_str(&output)
            .with_context(|| format!("reading the answer of ic {}", args.join(" ")))?)
    }

    /// Calls `ic`, which has to succeed and prints a document per line, and returns the documents.
    pub(super) fn events(&mut self, args: &[&str]) -> Result<Vec<Value>, Error> {
        let output = self.ic(args)?;
        let read = |line| serde_json::from_str(line);
        let events = output.lines().map(read).collect::<Result<_, _>>();
        Ok(events.with_context(|| format!("reading the answer of ic {}", args.join(" ")))?)
    }

    /// Fails the demo unless the condition holds.
    pub(super) fn check(&mut self, condition: &str, holds: bool) -> Result<(), Error> {
        if holds { self.print(&Step::Check(condition)) } else { Err(anyhow!("not so: {condition}").into()) }
    }

    /// Starts a process that would run for a minute, in a process group of its own.
    pub(super) fn start_child(&mut self) -> Result<u32, Error> {
        let child = Command::new("sleep")
            .arg("60")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        let child = child.context("starting sleep")?;
        let pid = child.id();
        self.child = Some(child);
        self.print(&Step::Background("$ sleep 60"))?;
        self.print(&Step::Frame(&format!("[1] {pid}")))?;
        Ok(pid)
    }

    /// Waits for the child to end, and fails the demo if it does not.
    pub(super) fn await_child(&mut self) -> Result<(), Error> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let since = Instant::now();
        while child.try_wait().context("waiting for the child")?.is_none() {
            if since.elapsed() > CHILD_TIMEOUT {
                self.child = Some(child);
                return Err(anyhow!("the child did not end").into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.check("the child process is gone", true)
    }

    /// Ends the demo with a summary, and removes the directory unless it is kept.
    pub(super) fn close(mut self) -> Result<(), Error> {
        let place = match self.scratch.take() {
            None => format!("The project is in {}.", one_line(&self.dir.to_string_lossy())),
            Some(scratch) => {
                scratch.close().context("removing the scratch directory")?;
                "The scratch directory is gone.".to_owned()
            }
        };
        let summary = format!("\nDone: {} calls, every one as expected. {place}", self.calls);
        self.print(&Step::Frame(&summary))
    }
}

impl Drop for DemoScript<'_> {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Returns a call as it would be typed.
fn typed(args: &[&str]) -> String {
    args.iter().fold("$ ic".to_owned(), |mut line, arg| {
        // Writing to a string cannot fail.
        let _ = write!(line, " {}", shell_word(arg));
        line
    })
}
