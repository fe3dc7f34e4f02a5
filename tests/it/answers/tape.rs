//! A tape of calls: what was typed, and what came of it, with what varies masked.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::mask::Mask;
use super::readers;
use crate::support::{NOW, Sandbox, run};

/// Long enough for any machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// Records calls in one mode: as text, or with `--json`.
pub struct Tape {
    sandbox: Sandbox,
    json: bool,
    out: String,
    /// Seconds that the clock has moved on since the stage was set: one for each call.
    ticks: i64,
    vars: BTreeMap<String, String>,
    env: Vec<(String, String)>,
    mask: Mask,
    /// Another database whose identifiers turn up, below the project.
    other: Option<String>,
    /// Whether calls that only read are checked to change nothing. Not while other processes may write.
    watched: bool,
    /// Calls that run beside the others at present.
    beside: usize,
}

/// A call that runs beside the others.
pub struct Beside {
    child: std::process::Child,
    header: String,
    files: (String, String),
}

impl Tape {
    /// Returns an empty tape.
    pub fn new(json: bool) -> Self {
        let sandbox = Sandbox::bare();
        let mask = Mask::new(sandbox.dir().parent().unwrap());
        let (vars, env, other) = (BTreeMap::new(), Vec::new(), None);
        Self { sandbox, json, out: String::new(), ticks: 0, vars, env, mask, other, watched: true, beside: 0 }
    }

    /// Lets calls that only read go unchecked from now on.
    pub fn unwatched(&mut self) {
        self.watched = false;
    }

    /// Makes a call. Where its command only reads, nothing in the database may change meanwhile.
    fn checked(&self, line: &str, call: impl FnOnce() -> Output) -> Output {
        if !self.watched || self.beside > 0 || !readers::is_read(line) {
            return call();
        }
        let before = readers::content(&self.sandbox.db_path());
        let output = call();
        let after = readers::content(&self.sandbox.db_path());
        readers::assert_same(line, before.as_ref(), after.as_ref());
        output
    }

    /// Returns what was recorded.
    pub fn into_text(self) -> String {
        self.out
    }

    /// Goes on in a new project without a database, at the usual time.
    pub fn bare(&mut self, title: &str) {
        self.sandbox = Sandbox::bare();
        self.mask = Mask::new(self.sandbox.dir().parent().unwrap());
        self.vars.clear();
        self.other = None;
        self.env.clear();
        self.ticks = 0;
        let dir = self.sandbox.dir().to_str().unwrap().to_owned();
        self.set("dir", &dir);
        writeln!(self.out, "{}== {title} ==", if self.out.is_empty() { "" } else { "\n" }).unwrap();
    }

    /// Goes on in a new project with a database.
    pub fn stage(&mut self, title: &str) {
        self.bare(title);
        self.sandbox.ok(["init"]);
    }

    /// Goes on in a new git repository with a first commit and a database that git does not see.
    pub fn repository(&mut self, title: &str) {
        self.stage(title);
        self.git("init --quiet --initial-branch=main");
        self.git("config user.name Ada");
        self.git("config user.email ada@example.org");
        self.write(".git/info/exclude", ".clavain/\n");
        self.write("README", "hello\n");
        self.git("add README");
        self.git("commit --quiet -m first");
    }

    /// Lets `$name` stand for a text in later lines.
    pub fn set(&mut self, name: &str, value: &str) {
        self.vars.insert(name.to_owned(), value.to_owned());
    }

    /// Names another database whose identifiers turn up.
    pub fn other(&mut self, path: &str) {
        self.other = Some(path.to_owned());
    }

    /// Sets a variable of the environment for later calls of this stage.
    pub fn env(&mut self, name: &str, value: &str) {
        self.env.push((name.to_owned(), self.filled(value)));
    }

    /// Unsets what [`Tape::env`] has set.
    pub fn no_env(&mut self) {
        self.env.clear();
    }

    /// Records a line of comment.
    pub fn note(&mut self, text: &str) {
        writeln!(self.out, "\n# {text}").unwrap();
    }

    /// Returns the path of a file of the project.
    pub fn path(&self, path: &str) -> std::path::PathBuf {
        self.sandbox.dir().join(path)
    }

    /// Writes a file of the project.
    pub fn write(&self, path: &str, content: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Writes a program of the project.
    pub fn program(&self, path: &str, script: &str) {
        self.write(path, &format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Records what a file of the project holds.
    pub fn show(&mut self, path: &str) {
        let text = fs::read_to_string(self.path(path)).unwrap_or_else(|err| format!("({})", err.kind()));
        let text = self.mask.apply(text.trim_end());
        writeln!(self.out, "\n> {path}\n{text}").unwrap();
    }

    /// Removes a file or directory of the project.
    pub fn remove(&self, path: &str) {
        let path = self.path(path);
        if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
    }

    /// Runs git, which has to succeed; returns its trimmed stdout.
    pub fn git(&self, line: &str) -> String {
        let mut command = Command::new("git");
        self.sandbox.seal(&mut command);
        // The same commits at any time.
        let date = format!("{NOW} +0000");
        command.env("GIT_AUTHOR_DATE", &date).env("GIT_COMMITTER_DATE", &date).args(words(line));
        let output = run(command);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {line}: {said}");
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Changes the database beside `ic`.
    pub fn sql(&self, sql: &str) {
        self.open().execute_batch(sql).unwrap_or_else(|err| panic!("{sql}: {err}"));
    }

    /// Returns a connection to the database.
    pub fn open(&self) -> Connection {
        self.sandbox.open()
    }

    /// Returns the first cell of a query.
    pub fn count(&self, sql: &str) -> i64 {
        self.sandbox.count(sql)
    }

    /// Waits for a condition, which has to come true.
    pub fn until(&self, what: &str, is: impl Fn(&Self) -> bool) {
        let since = Instant::now();
        while !is(self) {
            assert!(since.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn filled(&self, text: &str) -> String {
        let mut text = text.to_owned();
        // Longest names first: `$run` must not eat the beginning of `$runs`.
        let mut names: Vec<_> = self.vars.iter().collect();
        names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        for (name, value) in names {
            text = text.replace(&format!("${name}"), value);
        }
        text
    }

    fn words(&self, line: &str) -> Vec<String> {
        words(line).iter().map(|word| self.filled(word)).collect()
    }

    fn command(&mut self, words: &[String]) -> Command {
        self.ticks += 1;
        let mut command = self.sandbox.command(words);
        let now = NOW.parse::<i64>().unwrap() + self.ticks;
        command.env("IC_TEST_NOW", now.to_string());
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// The words of a call in the mode of the tape, and its header.
    fn typed(&self, line: &str) -> (Vec<String>, String) {
        let mut words = self.words(line);
        if self.json {
            let at = words.iter().position(|word| word == "--").unwrap_or(words.len());
            words.insert(at, "--json".to_owned());
        }
        let mut header = String::from("$ ");
        for (name, value) in &self.env {
            write!(header, "{name}={value} ").unwrap();
        }
        header.push_str("ic");
        for word in &words {
            header.push(' ');
            header.push_str(&quoted(word));
        }
        (words, header)
    }

    fn record(&mut self, header: &str, output: &Output) {
        self.mask.learn(&self.sandbox.db_path());
        if let Some(other) = &self.other {
            self.mask.learn(&self.sandbox.dir().join(other));
        }
        let code = output.status.code().map_or_else(|| "killed".to_owned(), |code| code.to_string());
        let header = self.mask.apply(header);
        write!(self.out, "\n{header}\nexit: {code}\n").unwrap();
        for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
            if !bytes.is_empty() {
                let text = self.mask.apply(&String::from_utf8_lossy(bytes));
                let end = if text.ends_with('\n') { "" } else { "(no newline)\n" };
                write!(self.out, "--- {name}\n{text}{end}").unwrap();
            }
        }
    }

    /// Calls `ic` and records it.
    pub fn call(&mut self, line: &str) -> Output {
        let (words, header) = self.typed(line);
        let command = self.command(&words);
        let output = self.checked(line, || run(command));
        self.record(&header, &output);
        output
    }

    /// Calls `ic` with each line.
    pub fn calls(&mut self, lines: &[&str]) {
        for line in lines {
            self.call(line);
        }
    }

    /// Calls `ic` with a text on stdin.
    pub fn feed(&mut self, line: &str, stdin: &str) {
        let stdin = self.filled(stdin);
        let (words, header) = self.typed(line);
        let command = self.command(&words);
        let input = stdin.clone();
        let output = self.checked(line, || {
            assert_cmd::Command::from_std(command).timeout(PATIENCE).write_stdin(input).output().unwrap()
        });
        self.record(&format!("{header} <<<{}", quoted(&stdin)), &output);
    }

    /// Calls `ic` with a stdout that is full.
    pub fn full(&mut self, line: &str) {
        let (words, header) = self.typed(line);
        let mut command = self.command(&words);
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = command.stdout(full).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
        self.record(&format!("{header} >/dev/full"), &output);
    }

    /// Calls `ic` where no file may have more than so many blocks of 512 bytes: a full disk.
    pub fn limited(&mut self, blocks: u64, line: &str) {
        let (words, header) = self.typed(line);
        let mut command = Command::new("sh");
        self.sandbox.seal(&mut command);
        let script = "trap '' XFSZ; ulimit -f \"$1\"; shift; exec \"$@\"";
        command
            .args(["-c", script, "sh", &blocks.to_string()])
            .arg(assert_cmd::cargo::cargo_bin!("ic"))
            .args(words);
        let output = run(command);
        self.record(&format!("ulimit -f {blocks}; {header}"), &output);
    }

    /// Calls `ic` with one more variable in the environment.
    pub fn with(&mut self, name: &str, value: &str, line: &str) {
        self.env(name, value);
        self.call(line);
        self.env.pop();
    }

    /// Calls `ic` so many seconds later; the clock stays there.
    pub fn later(&mut self, seconds: i64, line: &str) {
        self.ticks += seconds - 1;
        writeln!(self.out, "\n# {seconds} seconds later").unwrap();
        self.call(line);
    }

    /// Calls `ic` from a directory below the project.
    pub fn below(&mut self, dir: &str, line: &str) {
        let (words, header) = self.typed(line);
        let mut command = self.command(&words);
        let dir_path = self.path(dir);
        command.current_dir(&dir_path).env("PWD", &dir_path);
        let output = self.checked(line, || run(command));
        self.record(&header.replacen("$ ", &format!("{dir} $ "), 1), &output);
    }

    /// Calls `ic`, which has to make something; keeps its id under a name.
    pub fn id(&mut self, name: &str, line: &str) {
        let output = self.call(line);
        let shown = crate::support::render(&output);
        assert!(output.status.success(), "{line}: {shown}");
        let text = String::from_utf8(output.stdout).unwrap();
        let id = if self.json {
            let made: Value =
                serde_json::from_str(&text).unwrap_or_else(|err| panic!("{line}: {err}: {shown}"));
            let ids = [&made["id"], &made["new_id"], &made["lock"]["id"]];
            let id = ids.into_iter().find_map(Value::as_str);
            id.unwrap_or_else(|| panic!("{line}: {shown}")).to_owned()
        } else {
            text.trim().split(['\t', '\n']).next().unwrap_or_default().to_owned()
        };
        self.set(name, &id);
    }

    /// Calls `ic`, which has to succeed, and records nothing; returns its trimmed stdout.
    pub fn quiet(&mut self, line: &str) -> String {
        let words = self.words(line);
        let command = self.command(&words);
        let output = run(command);
        assert!(output.status.success(), "ic {line}: {}", crate::support::render(&output));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// As [`Tape::quiet`]; keeps what is printed under a name.
    pub fn get(&mut self, name: &str, line: &str) {
        let value = self.quiet(line);
        self.set(name, &value);
    }

    /// Starts a call beside the others.
    pub fn start(&mut self, line: &str) -> Beside {
        let (words, header) = self.typed(line);
        let n = self.ticks;
        let files = (format!("../beside-{n}.out"), format!("../beside-{n}.err"));
        let open = |path: &str| fs::File::create(self.sandbox.dir().join(path)).unwrap();
        let (out, err) = (open(&files.0), open(&files.1));
        let mut command = self.command(&words);
        let child = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn().unwrap();
        self.beside += 1;
        Beside { child, header: format!("{header} &"), files }
    }

    /// Waits until a call beside the others has written so many lines.
    pub fn written(&self, beside: &Beside, lines: usize) {
        let path = self.path(&beside.files.0);
        self.until(&beside.header, |_| fs::read_to_string(&path).unwrap().lines().count() >= lines);
    }

    /// Asks a call beside the others to end.
    pub fn end(beside: &Beside) {
        kill_process(Pid::from_child(&beside.child), Signal::TERM).unwrap();
    }

    /// Waits for the end of a call beside the others, and records it.
    pub fn join(&mut self, mut beside: Beside) {
        let since = Instant::now();
        let status = loop {
            if let Some(status) = beside.child.try_wait().unwrap() {
                break status;
            }
            if since.elapsed() > PATIENCE {
                beside.child.kill().unwrap();
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        self.beside -= 1;
        let read = |path: &str| fs::read(self.sandbox.dir().join(path)).unwrap();
        let output = Output { status, stdout: read(&beside.files.0), stderr: read(&beside.files.1) };
        self.record(&beside.header, &output);
    }

    /// Calls `ic` and records of its stdout only what `summary` makes of it.
    pub fn summed(&mut self, line: &str, summary: impl Fn(&str) -> String) {
        let (words, header) = self.typed(line);
        let command = self.command(&words);
        let mut output = self.checked(line, || run(command));
        output.stdout = summary(&String::from_utf8_lossy(&output.stdout)).into_bytes();
        self.record(&header, &output);
    }

    /// Makes a database at a path of the project out of SQL.
    pub fn database(&self, path: &str, sql: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let conn = Connection::open(path).unwrap();
        conn.pragma_update(None, "foreign_keys", false).unwrap();
        conn.execute_batch(sql).unwrap();
    }
}

/// Splits a line into words; quotes of either kind keep blanks.
pub fn words(line: &str) -> Vec<String> {
    let (mut out, mut word, mut quote, mut any) = (Vec::new(), String::new(), None, false);
    for c in line.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => word.push(c),
            None if c == '\'' || c == '"' => (quote, any) = (Some(c), true),
            None if c == ' ' => {
                if any {
                    out.push(std::mem::take(&mut word));
                }
                any = false;
            }
            None => {
                word.push(c);
                any = true;
            }
        }
    }
    assert!(quote.is_none(), "{line}");
    if any {
        out.push(word);
    }
    out
}

/// A word as it would be typed.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_=./:,@+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''").replace('\n', "\\n"))
}

/// Returns the name of this machine.
pub fn host() -> String {
    rustix::system::uname().nodename().to_str().unwrap_or_default().to_owned()
}
