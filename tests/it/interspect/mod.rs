//! Overrides in real git repositories.

mod canary;
mod crash;
mod evidence;
mod faults;
mod git;
mod life;
mod others;
mod race;

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{NOW, Sandbox, run};

/// The file.
pub const FILE: &str = ".claude/routing-overrides.json";

/// A project with a repository, a roster of agents, and leave to change the overrides.
pub struct Project {
    pub sandbox: Sandbox,
}

impl Project {
    pub fn new() -> Self {
        let project = Self::unborn();
        project.write("README", "hello\n");
        project.git(&["add", "README"]);
        project.git(&["commit", "--quiet", "-m", "first"]);
        project
    }

    /// As [`Project::new`], before the first commit.
    pub fn unborn() -> Self {
        let project = Self { sandbox: Sandbox::new() };
        project.git(&["init", "--quiet", "--initial-branch=main"]);
        project.git(&["config", "user.name", "Somebody"]);
        project.git(&["config", "user.email", "somebody@example.org"]);
        project.write(".git/info/exclude", ".clavain/\n");
        project.allow(r#"{"modification_allow_list":[".claude/*.json","config/*.json"]}"#);
        for agent in ["fd-a", "fd-b", "fd-c", "fd-safety"] {
            project.agent(agent);
        }
        project.git(&["add", "."]);
        project.git(&["rm", "--quiet", "-r", "--cached", "."]);
        project.write(".git/info/exclude", ".clavain/\nagents/\n");
        project
    }

    pub fn allow(&self, rules: &str) {
        self.write(".clavain/interspect/protected-paths.json", rules);
    }

    pub fn thresholds(&self, thresholds: &str) {
        self.write(".clavain/interspect/confidence.json", thresholds);
    }

    pub fn agent(&self, name: &str) {
        self.write(&format!("agents/review/{name}.md"), "# An agent\n");
    }

    pub fn write(&self, path: &str, content: &str) {
        let path = self.sandbox.dir().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.sandbox.dir().join(path)).unwrap()
    }

    pub fn git(&self, args: &[&str]) -> String {
        let output = self.git_output(args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {args:?}: {said}");
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    pub fn git_output(&self, args: &[&str]) -> Output {
        let mut command = Command::new("git");
        self.sandbox.seal(&mut command);
        command.args(args).output().unwrap()
    }

    pub fn hook(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.sandbox.dir().join(".git/hooks").join(name);
        self.write(&format!(".git/hooks/{name}"), &format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn line<'a>(args: &[&'a str]) -> Vec<&'a str> {
        [&["interspect"], args].concat()
    }

    /// A call of `ic interspect …`, ready to be started.
    pub fn command(&self, args: &[&str]) -> Command {
        self.sandbox.command(Self::line(args))
    }

    pub fn ok(&self, args: &[&str]) -> String {
        self.sandbox.ok(Self::line(args))
    }

    pub fn json(&self, args: &[&str]) -> Value {
        self.sandbox.json(Self::line(args))
    }

    /// A call that has to end with `exit` and this code of an error; answers what it said.
    pub fn fails(&self, args: &[&str], exit: i32, code: &str) -> String {
        let (stdout, stderr) = self.sandbox.fails([&Self::line(args)[..], &["--json"]].concat(), exit);
        assert_eq!(stdout, "");
        let last = stderr.lines().last().unwrap();
        let error: Value = serde_json::from_str(last).unwrap_or_else(|_| panic!("{stderr}"));
        assert_eq!(error["error"]["code"], code, "{stderr}");
        error["error"]["message"].as_str().unwrap().to_owned()
    }

    pub fn apply(&self, agent: &str) -> Value {
        self.json(&["apply", agent, "--reason=slow"])
    }

    /// At another time, in seconds after the usual one.
    pub fn at(&self, later: i64, args: &[&str]) -> Output {
        let mut command = self.command(args);
        command.env("IC_TEST_NOW", (NOW.parse::<i64>().unwrap() + later).to_string());
        run(command)
    }

    /// The overrides as the file has them.
    pub fn file(&self) -> Value {
        serde_json::from_str(&self.read(FILE)).unwrap()
    }

    /// The agents that the file excludes, by name.
    pub fn excluded(&self) -> Vec<String> {
        let file = self.file();
        let entries = file["overrides"].as_array().unwrap().iter();
        let excluded = entries.filter(|entry| entry["action"] == "exclude");
        let mut names: Vec<_> = excluded.map(|entry| entry["agent"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }

    /// Everything that must not change when a call is refused: branches, index, working tree, tables, locks.
    pub fn state(&self) -> Vec<String> {
        let rows = |table: &str| {
            format!("{table}: {}", self.sandbox.count(&format!("SELECT count(*) FROM {table}")))
        };
        let left = fs::read_dir(self.sandbox.dir().join(".git")).unwrap();
        let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut left: Vec<_> =
            left.filter(|name| name.starts_with("intercore") || name == "index.lock").collect();
        left.sort();
        vec![
            self.git(&["for-each-ref"]),
            self.git(&["status", "--porcelain=v2", "--untracked-files=all"]),
            self.git(&["ls-files", "--stage"]),
            left.join(" "),
            rows("modifications"),
            rows("blacklist"),
            rows("intents"),
            self.sandbox
                .count("SELECT count(*) FROM coordination_locks WHERE released_at IS NULL")
                .to_string(),
        ]
    }

    /// Holds that a refused call changes nothing.
    pub fn refused(&self, args: &[&str], exit: i32, code: &str) -> String {
        let before = self.state();
        let said = self.fails(args, exit, code);
        assert_eq!(self.state(), before, "{args:?}");
        said
    }

    /// Holds that file, branch, index and tables agree: every applied row's commit brings its override.
    pub fn check(&self) {
        assert_eq!(self.git(&["status", "--porcelain", "--", FILE]), "");
        let of = |sql: &str| {
            let conn = self.sandbox.open();
            let mut statement = conn.prepare(sql).unwrap();
            let rows =
                statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)));
            rows.unwrap().map(Result::unwrap).collect::<Vec<_>>()
        };
        let applied =
            of("SELECT agent, commit_sha FROM modifications WHERE status = 'applied' ORDER BY agent");
        assert_eq!(applied.iter().map(|(agent, _)| agent.clone()).collect::<Vec<_>>(), self.excluded());
        for (agent, commit) in &applied {
            let brought = self.git(&["show", "--format=", "--unified=0", commit, "--", FILE]);
            let lines: Vec<_> = brought.lines().filter(|line| line.starts_with('+')).collect();
            let named = lines.iter().any(|line| line.contains(&format!("\"agent\": \"{agent}\"")));
            let promoted = lines.iter().any(|line| line.contains("\"action\": \"exclude\""));
            assert!(named || promoted, "{agent} in {commit}: {brought}");
            assert_eq!(self.git(&["show", "--format=", "--name-only", commit]), FILE);
        }
        assert_eq!(self.sandbox.count("SELECT count(*) FROM intents"), 0);
        assert_eq!(
            self.sandbox.count("SELECT count(*) FROM coordination_locks WHERE released_at IS NULL"),
            0
        );
        self.sandbox.check_integrity();
        assert_eq!(crate::fold::fold(&self.sandbox.events()), crate::fold::stored(&self.sandbox));
    }

    /// Evidence against an agent: so many overrides over as many sessions and two projects, so many of them wrong.
    pub fn evidence(&self, agent: &str, overrides: i64, wrong: i64) {
        for nth in 0..overrides {
            let reason = if nth < wrong { "agent_wrong" } else { "deprioritized" };
            let (session, project) = (format!("--session=s{nth}"), format!("--project=p{}", nth % 2));
            let (agent, reason) = (format!("--agent={agent}"), format!("--reason={reason}"));
            let mut command =
                self.command(&["record", &agent, "--type=override", &reason, &session, &project]);
            // Long ago, so that it counts.
            command.env("IC_TEST_NOW", (1_690_000_000 + nth).to_string());
            assert!(run(command).status.success());
        }
    }
}
