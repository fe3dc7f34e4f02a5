//! Starting child agents: their command lines, and the files that they leave.

use serde::{Deserialize, Serialize};

use super::dispatch::{DispatchStatus, MOST_TOKENS};

words!(
    /// The kind of program that a command line is for. It is stored because a retry builds the line again.
    Kind, "kind of program" {
        /// A script that knows how to start agents.
        Script = "script",
        /// The program `codex`.
        Codex = "codex",
        /// Any other program.
        Given = "given",
    }
);

/// The command and its directory, in the form of `dispatches.command`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    pub kind: Kind,
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// The directory that it starts in, absolute.
    pub cwd: String,
}

/// The program that a dispatch runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Program {
    /// A script that knows how to start agents.
    Script {
        /// Its path, absolute.
        path: String,
        /// The caller's working directory.
        cwd: String,
    },
    /// The program `codex`, used without a script.
    Codex,
    /// Any other program, with its arguments.
    Given(Vec<String>),
}

/// The task that a caller gives to a program.
#[derive(Clone, Debug, Default)]
pub struct Task {
    /// The project's directory, absolute.
    pub project: String,
    /// The file for the answer, absolute.
    pub output: String,
    /// The prompt, absolute.
    pub prompt: Option<String>,
    pub name: Option<String>,
    pub model: Option<String>,
    pub sandbox: String,
    /// In seconds.
    pub timeout_sec: Option<i64>,
}

impl Program {
    /// Returns the command line for a task.
    pub fn command(&self, task: &Task) -> Command {
        let text = |part: &str| part.to_owned();
        let mut argv;
        let option = |argv: &mut Vec<String>, flag: &str, value: Option<&String>| {
            if let Some(value) = value {
                argv.extend([text(flag), value.clone()]);
            }
        };
        match self {
            Self::Script { path, cwd } => {
                argv = vec![text("bash"), path.clone()];
                option(&mut argv, "-C", Some(&task.project));
                option(&mut argv, "-o", Some(&task.output));
                option(&mut argv, "--prompt-file", task.prompt.as_ref());
                option(&mut argv, "-n", task.name.as_ref());
                option(&mut argv, "-m", task.model.as_ref());
                option(&mut argv, "--sandbox", Some(&task.sandbox));
                option(&mut argv, "--timeout", task.timeout_sec.map(|secs| secs.to_string()).as_ref());
                Command { kind: Kind::Script, argv, cwd: cwd.clone() }
            }
            Self::Codex => {
                argv = vec![text("codex"), text("exec")];
                option(&mut argv, "--prompt-file", task.prompt.as_ref());
                option(&mut argv, "-m", task.model.as_ref());
                Command { kind: Kind::Codex, argv, cwd: task.project.clone() }
            }
            Self::Given(given) => {
                Command { kind: Kind::Given, argv: given.clone(), cwd: task.project.clone() }
            }
        }
    }
}

impl Command {
    /// Returns the program that the command line was written for.
    pub fn program(&self) -> Program {
        match (self.kind, self.argv.get(1)) {
            (Kind::Script, Some(path)) => Program::Script { path: path.clone(), cwd: self.cwd.clone() },
            (Kind::Codex, _) => Program::Codex,
            _ => Program::Given(self.argv.clone()),
        }
    }
}

/// The content of a child's verdict file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// `pass`, `warn`, `fail`, or any other word.
    pub status: Option<String>,
    /// One sentence about it.
    pub summary: Option<String>,
}

/// Parses a verdict file: the last `STATUS:` and `SUMMARY:` lines. Without a status there is no verdict.
pub fn verdict(text: &str) -> Verdict {
    let last = |label: &str| {
        let mut values = text.lines().filter_map(|line| line.strip_prefix(label)).map(str::trim);
        values.rfind(|value| !value.is_empty()).map(ToOwned::to_owned)
    };
    match last("STATUS:") {
        None => Verdict::default(),
        status => Verdict { status, summary: last("SUMMARY:") },
    }
}

/// Parses the first line `Tokens: <n> in / <n> out` of a summary file.
pub fn tokens(text: &str) -> Option<(i64, i64)> {
    let line = text.lines().find_map(|line| line.strip_prefix("Tokens:"))?;
    let (input, output) = line.split_once('/')?;
    let number = |part: &str, unit: &str| part.trim().strip_suffix(unit)?.trim().parse::<i64>().ok();
    let (input, output) = (number(input, "in")?, number(output, "out")?);
    let possible = 0..=MOST_TOKENS;
    (possible.contains(&input) && possible.contains(&output)).then_some((input, output))
}

/// Returns the final status of a child: its exit status and its verdict must both be good. Without a verdict,
/// only the exit status counts.
pub fn ending(exit_code: Option<i64>, verdict: Option<&str>) -> DispatchStatus {
    let said_well = matches!(verdict, None | Some("pass" | "warn"));
    if exit_code == Some(0) && said_well { DispatchStatus::Completed } else { DispatchStatus::Failed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_gets_what_it_understands() {
        let task = Task {
            project: "/p".into(),
            output: "/o.md".into(),
            prompt: Some("/prompt".into()),
            name: Some("n".into()),
            model: Some("m".into()),
            sandbox: "workspace-write".into(),
            timeout_sec: Some(9),
        };
        let script = Program::Script { path: "/s.sh".into(), cwd: "/here".into() }.command(&task);
        let line =
            "bash /s.sh -C /p -o /o.md --prompt-file /prompt -n n -m m --sandbox workspace-write --timeout 9";
        assert_eq!((script.argv.join(" ").as_str(), script.cwd.as_str()), (line, "/here"));
        let bare = Program::Codex.command(&Task { model: None, ..task.clone() });
        assert_eq!(
            (bare.argv.join(" ").as_str(), bare.cwd.as_str()),
            ("codex exec --prompt-file /prompt", "/p")
        );
        assert_eq!(Program::Given(vec!["a b".into()]).command(&task).argv, ["a b"]);
    }

    /// DI-01: trimmed, the last line wins.
    #[test]
    fn verdicts_are_read_as_they_are_meant() {
        let read = verdict("x\nSTATUS: fail\nSTATUS:  pass  \r\nSUMMARY: all good \n");
        assert_eq!((read.status.as_deref(), read.summary.as_deref()), (Some("pass"), Some("all good")));
        assert_eq!(verdict("STATUS:  \nSUMMARY: x"), Verdict::default());
        assert_eq!(tokens("a\nTokens: 120 in / 7 out\nTokens: 1 in / 1 out"), Some((120, 7)));
        for bad in [
            "",
            "Tokens: 1 in / 9223372036854775807 out",
            "Tokens: x in / 7 out",
            "Tokens: -1 in / 7 out",
            "Tokens: 1 / 2",
        ] {
            assert_eq!(tokens(bad), None, "{bad}");
        }
    }

    /// DI-01
    #[test]
    fn neither_a_bad_exit_nor_a_bad_verdict_is_covered_up() {
        use DispatchStatus::{Completed, Failed};
        for (exit, said, status) in [
            (Some(0), Some("pass"), Completed),
            (Some(0), Some("warn"), Completed),
            (Some(0), None, Completed),
            (Some(7), Some("pass"), Failed),
            (Some(0), Some("fail"), Failed),
            (Some(0), Some("reject"), Failed),
            (None, Some("pass"), Failed),
        ] {
            assert_eq!(ending(exit, said), status, "{exit:?} {said:?}");
        }
    }
}
