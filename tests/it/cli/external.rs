//! External commands: programs on `PATH` that are called as if they were built in.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support::{Sandbox, render, run};

/// Prints its process id, its words one by one, and the variables that it was handed.
const TELL: &str = r#"echo "pid=$$"
for word in "$@"; do echo "word=$word"; done
echo "db=${INTERCORE_DB-unset}"
echo "run=${IC_RUN_ID-unset}"
exit 42"#;

struct Stage {
    sandbox: Sandbox,
    bin: PathBuf,
}

/// Writes a program.
fn program(path: &Path, script: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

impl Stage {
    fn new(sandbox: Sandbox) -> Self {
        let bin = sandbox.dir().parent().unwrap().join("bin");
        fs::create_dir(&bin).unwrap();
        Self { sandbox, bin }
    }

    fn command(&self, line: &[&str]) -> Command {
        let mut command = self.sandbox.command(line);
        command.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", self.bin.display()));
        command
    }

    fn ic(&self, line: &[&str]) -> Output {
        run(self.command(line))
    }

    fn lines(&self, line: &[&str]) -> Vec<String> {
        let output = self.ic(line);
        assert_eq!(output.status.code(), Some(42), "{line:?}: {}", render(&output));
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().filter(|line| !line.starts_with("pid=")).map(ToOwned::to_owned).collect()
    }

    fn db(&self) -> String {
        format!("db={}", self.sandbox.db_path().display())
    }
}

/// K-40: the program replaces `ic`: same process, its own exit code, stdin and stdout, and its words unchanged.
#[test]
fn a_word_that_is_not_built_in_runs_the_program_of_that_name() {
    let stage = Stage::new(Sandbox::new());
    program(&stage.bin.join("ic-tell"), TELL);
    let words = ["--json", "--db", "x", "--timeout=soon", "a b", "", "--", "-h", "--help"];
    let mut expected: Vec<String> = words.iter().map(|word| format!("word={word}")).collect();
    expected.extend([stage.db(), "run=unset".to_owned()]);
    assert_eq!(stage.lines(&[&["tell"][..], &words].concat()), expected);

    let child = stage.command(&["tell"]).stdout(Stdio::piped()).spawn().unwrap();
    let pid = child.id();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().next(), Some(format!("pid={pid}").as_str()));

    program(&stage.bin.join("ic-echo"), "cat; echo problem >&2; kill -TERM $$");
    let output = assert_cmd::Command::from_std(stage.command(&["echo"])).write_stdin("fed").output().unwrap();
    assert_eq!((output.stdout, output.stderr), (b"fed".to_vec(), b"problem\n".to_vec()));
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&output.status), Some(15));

    // Signals are as the caller set them: none is blocked, ignored or handled for the program.
    program(&stage.bin.join("ic-signals"), "grep -E '^Sig(Blk|Ign)' /proc/self/status");
    let direct = run({
        let mut command = Command::new(stage.bin.join("ic-signals"));
        stage.sandbox.seal(&mut command);
        command
    });
    assert_eq!(render(&stage.ic(&["signals"])), render(&direct));
}

/// K-40: the program is handed the database and the run, as far as they are known.
#[test]
fn an_external_command_is_handed_the_database_and_the_run() {
    let stage = Stage::new(Sandbox::bare());
    program(&stage.bin.join("ic-tell"), TELL);
    assert_eq!(stage.lines(&["tell"]), ["db=unset", "run=unset"]);
    assert!(!stage.sandbox.db_path().exists());
    stage.sandbox.ok(["init"]);
    assert_eq!(stage.lines(&["tell"]), [stage.db().as_str(), "run=unset"]);
    let id = stage.sandbox.new_run();
    let run_line = format!("run={id}");
    assert_eq!(stage.lines(&["tell"]), [stage.db().as_str(), &run_line]);

    // From further down the database is found, and the directory has no run of its own.
    let below = stage.sandbox.dir().join("below");
    fs::create_dir(&below).unwrap();
    let mut command = stage.command(&["tell"]);
    command.current_dir(&below).env("PWD", &below);
    let text = String::from_utf8(run(command).stdout).unwrap();
    assert!(text.contains(&stage.db()) && text.contains("run=unset"), "{text}");

    // What the caller says comes first.
    let mut command = stage.command(&["tell"]);
    command.env("IC_RUN_ID", "abcdefgh").env("INTERCORE_DB", stage.sandbox.db_path());
    let text = String::from_utf8(run(command).stdout).unwrap();
    assert!(text.contains(&stage.db()) && text.contains("run=abcdefgh"), "{text}");
    let mut command = stage.command(&["--db", "other.db", "tell"]);
    command.env("INTERCORE_DB", stage.sandbox.db_path());
    let text = String::from_utf8(run(command).stdout).unwrap();
    let other = stage.sandbox.dir().join("other.db");
    assert!(text.contains(&format!("db={}\nrun=unset", other.display())), "{text}");
    assert!(!other.exists());

    // A database that cannot be used is the program's to complain of.
    fs::write(stage.sandbox.db_path(), "no database, and long enough not to be taken for an empty file")
        .unwrap();
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{suffix}", stage.sandbox.db_path().display()));
    }
    assert_eq!(stage.lines(&["tell"]), [stage.db().as_str(), "run=unset"]);
    let output = stage.ic(&["--db", "../outside.db", "tell"]);
    assert_eq!(output.status.code(), Some(2), "{}", render(&output));
}

/// K-40: built-in words win, and help lists the programs that can be reached.
#[test]
fn help_lists_external_commands_and_shows_their_help() {
    let stage = Stage::new(Sandbox::new());
    let second = stage.sandbox.dir().parent().unwrap().join("second");
    for name in ["ic-tell", "ic-run", "ic-zeta", "ic-hook-watch"] {
        program(&stage.bin.join(name), TELL);
    }
    for name in ["ic-tell", "ic-alpha", "ic-"] {
        program(&second.join(name), "echo second; exit 42");
    }
    fs::write(second.join("ic-data"), "").unwrap();
    fs::create_dir(second.join("ic-folder")).unwrap();
    let help = |line: &[&str]| {
        let mut command = stage.command(line);
        command.env("PATH", format!("{}:{}:/usr/bin:/bin", stage.bin.display(), second.display()));
        run(command)
    };
    for line in [&["help"][..], &["--help"], &["-h"], &[]] {
        let output = help(line);
        let text = String::from_utf8(output.stdout).unwrap();
        let (_, section) = text.split_once("External commands").unwrap_or_else(|| panic!("{line:?}: {text}"));
        let listed: Vec<_> = section.lines().skip(1).take_while(|line| !line.is_empty()).collect();
        assert_eq!(listed, ["  alpha", "  tell", "  zeta"], "{line:?}");
    }
    assert!(!stage.sandbox.ok(["help"]).contains("External commands"));
    assert_eq!(stage.ic(&["run", "list"]).status.code(), Some(0));

    assert_eq!(stage.lines(&["help", "tell"])[0], "word=--help");
    assert_eq!(stage.lines(&["help", "tell", "part"])[..2], ["word=part", "word=--help"]);
    assert_eq!(stage.lines(&["tell", "--help"])[0], "word=--help");
}

/// K-40: without such a program the error is as ever, and the working directory does not decide what runs.
#[test]
fn only_absolute_directories_are_searched() {
    let stage = Stage::new(Sandbox::new());
    program(&stage.sandbox.dir().join("ic-here"), TELL);
    program(&stage.sandbox.dir().join("sub/ic-here"), TELL);
    fs::write(stage.bin.join("ic-data"), "#!/bin/sh\nexit 42\n").unwrap();
    for path in ["", ":", ".", "sub", "./sub:", "/usr/bin::/bin"] {
        for line in [&["here"][..], &["help", "here"]] {
            let mut command = stage.command(line);
            command.env("PATH", path);
            let output = run(command);
            assert_eq!(output.status.code(), Some(3), "{path:?} {line:?}: {}", render(&output));
        }
        let mut command = stage.command(&["help"]);
        command.env("PATH", path);
        assert!(!String::from_utf8(run(command).stdout).unwrap().contains("External commands"), "{path:?}");
    }
    program(&stage.bin.join("ic-/tell"), TELL);
    for word in ["data", "", "/tell", "../bin/ic-tell", "rum"] {
        let output = stage.ic(&[word]);
        assert_eq!(output.status.code(), Some(3), "{word:?}: {}", render(&output));
    }
    let (_, stderr) = stage.sandbox.fails(["rum", "list", "--json"], 3);
    assert!(stderr.starts_with("{\"error\"") && stderr.contains("'run'"), "{stderr}");

    // A program that cannot be started is an error of its own.
    program(&stage.bin.join("ic-broken"), "");
    fs::write(stage.bin.join("ic-broken"), "#!/no/such/interpreter\n").unwrap();
    let output = stage.ic(&["broken"]);
    assert_eq!(output.status.code(), Some(2), "{}", render(&output));
    assert!(render(&output).contains("ic-broken"), "{}", render(&output));
}
