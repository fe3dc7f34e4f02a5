//! Tasks in `TODO.md`, `state.json` and plans (`ic task …`): real files, real processes, real kills.

mod crash;
mod docs;
mod edit;
mod git;
mod links;
mod race;
mod real;
mod refuse;
mod run;
mod verify;
mod write;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Sandbox, render};

/// A project with task files below `specs`.
pub struct Specs {
    pub sandbox: Sandbox,
    pub dir: PathBuf,
}

/// An entry with a description that is itself full of markers.
fn entry(number: u64, marker: &str) -> String {
    format!(
        "### {number}. Task number {number}\n- **Effort**: 2 hours\n- **Status**: [{marker}]\n- **Priority**: Low\n\
         - **Language**: meta\n\n**Description**: not [RESEARCHED], see `**Status**: [PLANNED]`.\n\n---\n\n"
    )
}

impl Specs {
    /// Tasks 1 to `count`, not started, and a database.
    pub fn new(count: u64) -> Self {
        let mut todo = "---\nnext_project_number: 99\n---\n\n# TODO\n\n## Tasks\n\n".to_owned();
        let mut tasks = Vec::new();
        for number in 1..=count {
            todo += &entry(number, "NOT STARTED");
            tasks.push(json!({ "project_number": number, "project_name": format!("task_{number}"), "status": "not_started" }));
        }
        let state = json!({ "active_projects": tasks, "next_project_number": 99 });
        Self::with(&todo, &(serde_json::to_string_pretty(&state).unwrap() + "\n"))
    }

    /// Files as they are given, and a database.
    pub fn with(todo: &str, state: &str) -> Self {
        let sandbox = Sandbox::new();
        let dir = sandbox.dir().join("specs");
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("TODO.md"), todo).unwrap();
        fs::write(dir.join("state.json"), state).unwrap();
        Self { sandbox, dir }
    }

    /// A pair of `tests/fixtures/task`.
    pub fn fixture(name: &str) -> Self {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/task").join(name);
        let read = |file: &str| fs::read_to_string(dir.join(file)).unwrap();
        Self::with(&read("TODO.md"), &read("state.json"))
    }

    pub fn todo(&self) -> String {
        fs::read_to_string(self.dir.join("TODO.md")).unwrap()
    }

    pub fn state(&self) -> String {
        fs::read_to_string(self.dir.join("state.json")).unwrap()
    }

    /// Both files.
    pub fn pair(&self) -> (String, String) {
        (self.todo(), self.state())
    }

    /// Writes a file of the project.
    pub fn file(&self, path: &str, content: &str) -> PathBuf {
        let full = self.sandbox.dir().join(path);
        fs::create_dir_all(full.parent().unwrap()).unwrap();
        fs::write(&full, content).unwrap();
        full
    }

    /// Everything below the directory of the files.
    pub fn names(&self) -> Vec<String> {
        fn walk(dir: &Path, base: &Path, out: &mut Vec<String>) {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                out.push(path.strip_prefix(base).unwrap().to_str().unwrap().to_owned());
                if path.is_dir() {
                    walk(&path, base, out);
                }
            }
        }
        let mut out = Vec::new();
        walk(&self.dir, &self.dir, &mut out);
        out.sort();
        out
    }

    /// The status of a task in `TODO.md` (its marker) and in `state.json`.
    pub fn status(&self, task: u64) -> (String, String) {
        let todo = self.todo();
        let entry = todo.split(&format!("\n### {task}. ")).nth(1).unwrap();
        let marker = entry.split("**Status**: [").nth(1).unwrap().split(']').next().unwrap();
        let state: Value = serde_json::from_str(&self.state()).unwrap();
        let tasks = state["active_projects"].as_array().unwrap();
        let object = tasks.iter().find(|object| object["project_number"] == task).unwrap();
        (marker.to_owned(), object["status"].as_str().unwrap().to_owned())
    }

    /// The object of a task.
    pub fn object(&self, task: u64) -> Value {
        let state: Value = serde_json::from_str(&self.state()).unwrap();
        let tasks = state["active_projects"].as_array().unwrap();
        tasks.iter().find(|object| object["project_number"] == task).unwrap().clone()
    }

    /// `ic task …`, which has to succeed.
    pub fn ok(&self, line: &str) -> String {
        self.sandbox.ok(words(line))
    }

    /// `ic task … --json`: the exit code and the result, which is the only document, also of a failure (K-06, TS-72).
    pub fn result(&self, line: &str) -> (i32, Value) {
        self.result_with(line, &[])
    }

    /// As [`Self::result`], with variables for the debug build.
    pub fn result_with(&self, line: &str, env: &[(&str, &str)]) -> (i32, Value) {
        let mut args = words(line);
        args.push("--json".to_owned());
        let mut command = self.sandbox.command(args);
        command.envs(env.iter().copied());
        let output = crate::support::run(command);
        let result =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{line}: {}", render(&output)));
        assert!(output.status.success() || output.stderr.is_empty(), "{line}: {}", render(&output));
        (output.status.code().unwrap(), result)
    }

    /// A refusal: the exit code, and the types of the critical errors. Neither file may have changed, and nothing may be left.
    pub fn refused(&self, line: &str) -> (i32, Vec<String>, String) {
        let (before, names) = (self.pair_bytes(), self.names());
        let (code, result) = self.result(line);
        assert_eq!(self.pair_bytes(), before, "{line}");
        assert_eq!(self.names(), names, "{line}");
        assert_eq!((&result["ok"], &result["status"]), (&json!(false), &json!("failed")), "{result}");
        let errors = result["errors"].as_array().unwrap();
        let types = errors.iter().filter(|error| error["severity"] == "CRITICAL");
        let messages =
            errors.iter().map(|error| error["message"].as_str().unwrap()).collect::<Vec<_>>().join("\n");
        (code, types.map(|error| error["type"].as_str().unwrap().to_owned()).collect(), messages)
    }

    fn pair_bytes(&self) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
        (fs::read(self.dir.join("TODO.md")).ok(), fs::read(self.dir.join("state.json")).ok())
    }

    /// Starts `ic task …` beside the test.
    pub fn start(&self, line: &str, env: &[(&str, &str)]) -> Child {
        let mut command = self.sandbox.command(words(line));
        command.envs(env.iter().copied()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }
}

/// `task` and the words of a line; a word in single quotes may have blanks.
pub fn words(line: &str) -> Vec<String> {
    let mut out = vec!["task".to_owned()];
    let mut word = String::new();
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => out.push(std::mem::take(&mut word)),
            c => word.write_char(c).unwrap(),
        }
    }
    out.push(word);
    out
}

/// Waits until a file is there, or fails after ten seconds.
pub fn await_file(path: &Path) {
    let begun = Instant::now();
    while !path.exists() {
        assert!(begun.elapsed() < Duration::from_secs(10), "{} did not come", path.display());
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The types of errors in a result.
pub fn types(result: &Value) -> Vec<&str> {
    result["errors"].as_array().unwrap().iter().map(|error| error["type"].as_str().unwrap()).collect()
}
