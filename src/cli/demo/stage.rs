//! Where the demo plays: a scratch repository, and calls of this program in it.

use std::fmt::Write as _;
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

use crate::app::Error;
use crate::cli::output::Output;
use crate::domain::text::{one_line, shell_word};

/// How long the child may take to end after it was asked to.
const PATIENCE: Duration = Duration::from_secs(10);

/// A scratch directory that is a git repository, and what plays in it.
pub(super) struct Stage {
    out: Output,
    ic: PathBuf,
    dir: PathBuf,
    /// Removes the directory when the demo ends, unless it is kept.
    scratch: Option<TempDir>,
    child: Option<Child>,
    steps: usize,
}

/// What a call printed, trimmed: an id, a phase.
pub(super) struct Said(String);

impl Deref for Said {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<Said> for String {
    fn from(said: Said) -> Self {
        said.0
    }
}

impl Said {
    /// Fails the demo if the call said something else.
    pub(super) fn expect_same(&self, expected: &str) -> Result<(), Error> {
        if self.0 == expected {
            return Ok(());
        }
        Err(anyhow!("expected {expected:?}, got {:?}", self.0).into())
    }
}

/// A call in the background.
pub(super) struct Behind {
    line: String,
    child: Child,
}

impl Stage {
    /// Makes the directory and, where git is installed, a repository in it.
    pub(super) fn set_up(out: Output, keep: Option<PathBuf>) -> Result<Self, Error> {
        let (dir, scratch) = if let Some(dir) = keep {
            let failed = |source| Error::File {
                what: "demo: creating the directory to --keep",
                path: dir.clone(),
                source,
            };
            fs::create_dir(&dir).map_err(failed)?;
            (dir.canonicalize().context("finding the new directory")?, None)
        } else {
            let base = std::env::temp_dir();
            let failed = |source| Error::File {
                what: "demo: creating a scratch directory (TMPDIR says where) in",
                path: base.clone(),
                source,
            };
            let scratch = TempDir::with_prefix_in("ic-demo-", &base).map_err(failed)?;
            (scratch.path().canonicalize().map_err(failed)?, Some(scratch))
        };
        let ic = std::env::current_exe().context("finding this program")?;
        let stage = Self { out, ic, dir, scratch, child: None, steps: 0 };
        stage.print(&format!("A scratch project in {}\n", one_line(&stage.dir.to_string_lossy())))?;
        // A database of its own, also below a project that has one.
        let made = fs::DirBuilder::new().mode(0o700).create(stage.dir.join(".clavain"));
        made.context("creating the directory of the database")?;
        stage.print("$ mkdir -m 700 .clavain\n")?;
        let git = Command::new("git")
            .args(["init", "--quiet"])
            .current_dir(&stage.dir)
            .stderr(Stdio::null())
            .status();
        match git {
            Ok(status) if status.success() => stage.print("$ git init --quiet\n")?,
            _ => stage.print("(git is not installed: a plain directory will do)\n")?,
        }
        Ok(stage)
    }

    fn print(&self, text: &str) -> Result<(), Error> {
        self.out.raw(text.as_bytes())
    }

    pub(super) fn chapter(&self, title: &str) -> Result<(), Error> {
        self.print(&format!("\n== {title} ==\n"))
    }

    pub(super) fn say(&self, text: &str) -> Result<(), Error> {
        self.print(&format!("# {text}\n"))
    }

    /// Writes a file of the project.
    pub(super) fn file(&self, path: &str, content: &str) -> Result<(), Error> {
        let full = self.dir.join(path);
        if let Some(parent) = full.parent() {
            fs::create_dir_all(parent).with_context(|| format!("creating {}", parent.display()))?;
        }
        fs::write(&full, content).with_context(|| format!("writing {}", full.display()))?;
        self.print(&format!("$ echo {} > {path}\n", shell_word(content.trim_end())))
    }

    /// A call that has to succeed; answers what it printed.
    pub(super) fn ic(&mut self, args: &[&str]) -> Result<Said, Error> {
        self.ic_exit(0, args)
    }

    /// A call that has to end with `exit`; answers what it printed.
    pub(super) fn ic_exit(&mut self, exit: i32, args: &[&str]) -> Result<Said, Error> {
        let line = typed(args);
        let done = self.command(args).stdin(Stdio::null()).output().context("starting ic")?;
        self.ended(&line, exit, &done)
    }

    /// A call that is fed with a document, as agents feed their hooks, and has to succeed; answers what it printed.
    pub(super) fn fed(&mut self, args: &[&str], stdin: &Value) -> Result<Said, Error> {
        let text = stdin.to_string();
        let line = format!("{} <<< {}", typed(args), shell_word(&text));
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("starting ic")?;
        if let Some(mut pipe) = child.stdin.take() {
            pipe.write_all(text.as_bytes()).context("feeding ic")?;
        }
        let done = child.wait_with_output().context("waiting for ic")?;
        self.ended(&line, 0, &done)
    }

    /// Starts a call that goes on in the background; [`Self::joined`] waits for it.
    pub(super) fn behind(&mut self, args: &[&str]) -> Result<Behind, Error> {
        let line = typed(args);
        self.print(&format!("{line} &\n"))?;
        let mut command = self.command(args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(Behind { line, child: command.spawn().context("starting ic")? })
    }

    /// Waits for a call in the background, which has to succeed; answers what it printed.
    pub(super) fn joined(&mut self, call: Behind) -> Result<Said, Error> {
        let done = call.child.wait_with_output().context("waiting for ic")?;
        self.ended(&format!("{} # is back", call.line), 0, &done)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.ic);
        command.args(args).current_dir(&self.dir).env("PWD", &self.dir);
        // Whoever tries this may be an agent at work.
        for name in [
            "INTERCORE_DB",
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

    fn ended(&mut self, line: &str, exit: i32, done: &process::Output) -> Result<Said, Error> {
        let (stdout, stderr) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        let told = done.status.code().filter(|code| *code != 0);
        let told = told.map_or_else(String::new, |code| format!("(exit code {code})\n"));
        self.print(&format!("{line}\n{stdout}{stderr}{told}"))?;
        if done.status.code() != Some(exit) {
            return Err(
                anyhow!("`{}` ended with {}, expected exit code {exit}", &line[2..], done.status).into()
            );
        }
        self.steps += 1;
        Ok(Said(stdout.trim().to_owned()))
    }

    /// A call of git that has to succeed; answers what it printed, or `None` where git is not installed.
    pub(super) fn git(&mut self, args: &[&str]) -> Result<Option<String>, Error> {
        let done = Command::new("git").args(args).current_dir(&self.dir).stdin(Stdio::null()).output();
        let Ok(done) = done else { return Ok(None) };
        let (stdout, stderr) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        let words: Vec<_> = args.iter().map(|arg| shell_word(arg)).collect();
        self.print(&format!("$ git {}\n{stdout}{stderr}", words.join(" ")))?;
        if !done.status.success() {
            return Err(anyhow!("`git {}` ended with {}", words.join(" "), done.status).into());
        }
        Ok(Some(stdout.trim_end().to_owned()))
    }

    /// A call with `--json` that has to succeed; answers the document.
    pub(super) fn json(&mut self, args: &[&str]) -> Result<Value, Error> {
        let said = self.ic(&[args, &["--json"]].concat())?;
        Ok(serde_json::from_str(&said)
            .with_context(|| format!("reading the answer of ic {}", args.join(" ")))?)
    }

    /// A call that prints a document per line and has to succeed; answers the documents.
    pub(super) fn events(&mut self, args: &[&str]) -> Result<Vec<Value>, Error> {
        let said = self.ic(args)?;
        let read = |line| serde_json::from_str(line);
        let events = said.lines().map(read).collect::<Result<_, _>>();
        Ok(events.with_context(|| format!("reading the answer of ic {}", args.join(" ")))?)
    }

    /// Fails the demo unless `holds`.
    pub(super) fn check(&self, what: &str, holds: bool) -> Result<(), Error> {
        if holds { self.print(&format!("✓ {what}\n")) } else { Err(anyhow!("not so: {what}").into()) }
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
        self.print(&format!("$ sleep 60 &\n[1] {pid}\n"))?;
        Ok(pid)
    }

    /// Waits for the child to end, and fails the demo if it does not.
    pub(super) fn await_child(&mut self) -> Result<(), Error> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let since = Instant::now();
        while child.try_wait().context("waiting for the child")?.is_none() {
            if since.elapsed() > PATIENCE {
                self.child = Some(child);
                return Err(anyhow!("the child did not end").into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.check("the child process is gone", true)
    }

    /// Ends the demo: says how it went, and removes the directory unless it is kept.
    pub(super) fn close(mut self) -> Result<(), Error> {
        let left = match self.scratch.take() {
            None => format!("The project is in {}.", one_line(&self.dir.to_string_lossy())),
            Some(scratch) => {
                scratch.close().context("removing the scratch directory")?;
                "The scratch directory is gone.".to_owned()
            }
        };
        self.print(&format!("\nDone: {} calls, every one as expected. {left}\n", self.steps))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A call as a person would type it.
fn typed(args: &[&str]) -> String {
    args.iter().fold("$ ic".to_owned(), |mut line, arg| {
        // Writing to a string cannot fail.
        let _ = write!(line, " {}", shell_word(arg));
        line
    })
}
