//! A sealed project directory and ways to call `ic` in it.
//!
//! K-19: nothing outside the scratch directory is touched, and nothing of the caller's environment comes in.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use tempfile::TempDir;

/// The time that `ic` believes it is, unless a test says otherwise.
pub const NOW: &str = "1700000000";

/// A scratch directory with a project in it.
pub struct Sandbox {
    root: TempDir,
    project: PathBuf,
}

impl Sandbox {
    /// A project with a database.
    pub fn new() -> Self {
        let sandbox = Self::bare();
        sandbox.ok(["init"]);
        sandbox
    }

    /// A project without a database.
    pub fn bare() -> Self {
        let root = TempDir::with_prefix("ic-test-").unwrap();
        let project = root.path().canonicalize().unwrap().join("project");
        fs::create_dir(&project).unwrap();
        fs::create_dir(root.path().join("home")).unwrap();
        fs::create_dir(root.path().join("tmp")).unwrap();
        Self { root, project }
    }

    /// The project's directory, without symlinks.
    pub fn dir(&self) -> &Path {
        &self.project
    }

    /// Where the project's database is.
    pub fn db_path(&self) -> PathBuf {
        self.project.join(".clavain/intercore.db")
    }

    /// A call of `ic`, ready to be started.
    pub fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("ic"));
        self.seal(&mut command);
        command.args(args);
        command
    }

    /// Gives any command the sandbox's directory and environment.
    pub fn seal(&self, command: &mut Command) {
        let home = self.root.path().join("home");
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", &home)
            .env("TMPDIR", self.root.path().join("tmp"))
            .env("GIT_CONFIG_GLOBAL", home.join("gitconfig"))
            .env("GIT_CONFIG_SYSTEM", home.join("gitconfig-system"))
            .env("INTERCORE_LOCK_DIR", self.root.path().join("locks"))
            .env("IC_TEST_NOW", NOW)
            .env("PWD", &self.project)
            .current_dir(&self.project);
    }

    /// Runs `ic` to its end, or fails after thirty seconds.
    #[must_use = "assert on the output"]
    pub fn ic<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Output {
        run(self.command(args))
    }

    /// Runs `ic`, which has to succeed; answers its trimmed stdout.
    pub fn ok<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> String {
        let args: Vec<_> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        let output = self.ic(&args);
        assert!(output.status.success(), "ic {args:?}: {}", render(&output));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Runs `ic`, which has to end with `code`; answers stdout and stderr.
    pub fn fails<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>, code: i32) -> (String, String) {
        let args: Vec<_> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        let output = self.ic(&args);
        assert_eq!(output.status.code(), Some(code), "ic {args:?}: {}", render(&output));
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    }

    /// Runs `ic … --json`, which has to succeed; answers the document.
    pub fn json<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Value {
        let mut args: Vec<_> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        args.push("--json".into());
        serde_json::from_str(&self.ok(args)).unwrap()
    }

    /// Every event, oldest first.
    pub fn events(&self) -> Vec<Value> {
        let lines = self.ok(["events", "tail", "--all", "--limit=1000000"]);
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// A new run of the default chain; answers its id.
    pub fn new_run(&self) -> String {
        self.ok(["run", "create", "--goal=test"])
    }

    /// A new run of the chain a, b, c, d; answers its id.
    pub fn short_run(&self) -> String {
        self.ok(["run", "create", "--goal=test", r#"--phases=["a","b","c","d"]"#])
    }

    /// The database, opened beside `ic`.
    pub fn open(&self) -> Connection {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(self.db_path(), flags).unwrap();
        conn.busy_timeout(Duration::from_secs(10)).unwrap();
        conn
    }

    /// The first cell of a query's first row.
    pub fn count(&self, sql: &str) -> i64 {
        self.open().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// K-01, K-17: the file is sound and its log verifies.
    pub fn check_integrity(&self) {
        let found: String = self.open().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(found, "ok");
        self.ok(["events", "verify"]);
    }

    /// The names and modes of what is in the database's directory.
    pub fn files(&self) -> Vec<(String, u32)> {
        let dir = self.project.join(".clavain");
        let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
        let mut files: Vec<_> = entries
            .map(|entry| {
                let entry = entry.unwrap();
                let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
                (entry.file_name().into_string().unwrap(), mode)
            })
            .collect();
        files.sort();
        files
    }
}

/// Returns the random numbers of a test. The seed is that of `IC_TEST_SEED`, else a random one. It is printed, and so shown
/// with a failure, which the same seed repeats as far as processes that run at once allow.
pub fn rng() -> StdRng {
    worker_rng(0)
}

/// Returns the random numbers of one of a test's threads: a sequence of its own from the same seed.
pub fn worker_rng(worker: usize) -> StdRng {
    static SEED: OnceLock<u64> = OnceLock::new();
    let seed = *SEED.get_or_init(|| match std::env::var("IC_TEST_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => rand::random(),
    });
    if worker == 0 {
        println!("IC_TEST_SEED={seed} repeats this");
    }
    StdRng::seed_from_u64(seed.wrapping_add(worker as u64))
}

/// Runs a command to its end, or fails after thirty seconds.
pub fn run(command: Command) -> Output {
    assert_cmd::Command::from_std(command).timeout(Duration::from_secs(30)).output().unwrap()
}

/// An output as a snapshot: everything that a caller sees.
pub fn render(output: &Output) -> String {
    let code = output.status.code().map_or_else(|| "killed".to_owned(), |code| code.to_string());
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("exit: {code}\n--- stdout\n{stdout}--- stderr\n{stderr}")
}
