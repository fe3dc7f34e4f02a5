//! The wrappers for bash, and the black-box script beside them.

mod fallback;
mod hostile;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::{Sandbox, render, run};

fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Where the built `ic` is.
fn bin() -> PathBuf {
    assert_cmd::cargo::cargo_bin!("ic").parent().unwrap().to_owned()
}

/// The system's tools, and no `ic`.
pub const PLAIN: &str = "/usr/bin:/bin";

/// Options of the caller that the wrappers have to live with.
const OPTIONS: [&str; 3] =
    ["", "set -euo pipefail", "set -fC; shopt -s nullglob failglob nocasematch; IFS=x"];

/// A bash with the wrappers sourced under `options`; `$@` are the arguments. There is an `ic` in its path.
pub fn bash(sandbox: &Sandbox, options: &str, code: &str, args: &[&str]) -> Command {
    let mut command = Command::new("bash");
    sandbox.seal(&mut command);
    command
        .env("PATH", format!("{}:{PLAIN}", bin().display()))
        .env("INTERCORE_LEGACY_DIR", sandbox.dir().join("legacy"))
        .arg("-c")
        .arg(format!("{options}\n. {}\n{code}", here("lib-intercore.sh").display()))
        .arg("bash")
        .args(args);
    command
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

/// A wrapper as README lists it.
struct Wrapper {
    name: String,
    arguments: Vec<String>,
    returns: String,
    without: String,
}

fn listed() -> Vec<Wrapper> {
    let readme = fs::read_to_string(here("README.md")).unwrap();
    let (_, after) = readme.split_once("\n## Wrappers\n").unwrap();
    let section = after.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `intercore_"));
    rows.map(|row| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 7, "{row}");
        Wrapper {
            name: cells[1].trim_matches('`').to_owned(),
            arguments: cells[2].split_whitespace().map(ToOwned::to_owned).collect(),
            returns: cells[4].to_owned(),
            without: cells[5].to_owned(),
        }
    })
    .collect()
}

impl Wrapper {
    /// Arguments that it takes.
    fn plausible(&self, sandbox: &Sandbox) -> Vec<String> {
        let legacy = sandbox.dir().join("legacy/file");
        let value = |name: &String| match name.trim_matches(['[', ']', '…']) {
            "FLAG" => "--limit=1".to_owned(),
            "INTERVAL" => "60".to_owned(),
            "TIMEOUT" | "MAX_AGE" | "TTL" => "0s".to_owned(),
            "IN" | "OUT" | "CACHE" | "PRIORITY" | "PHASE_ID" | "DISPATCH_ID" => "4".to_owned(),
            "JSON" | "ARGS_JSON" => "{}".to_owned(),
            "MODE" => "both".to_owned(),
            name if name.starts_with("LEGACY") => legacy.display().to_string(),
            name => name.to_lowercase(),
        };
        self.arguments.iter().map(value).collect()
    }
}

/// RT-08: the script that anybody can run passes here too.
#[test]
fn the_integration_script_passes() {
    let sandbox = Sandbox::bare();
    let mut command = Command::new(here("test-integration.sh"));
    sandbox.seal(&mut command);
    command.env("IC", assert_cmd::cargo::cargo_bin!("ic")).env("TMPDIR", sandbox.dir());
    let output = run(command);
    let text = stdout(&output);
    let failed: Vec<_> = text.lines().filter(|line| line.starts_with("FAIL: ")).collect();
    assert!(failed.is_empty() && code(&output) == 0, "{}", render(&output));
    for section in ["Run Current", "Run Agents", "Run Artifacts"] {
        let (_, after) = text.split_once(&format!("\n=== {section} ===\n")).unwrap();
        let checks = after.lines().take_while(|line| line.starts_with("PASS: ")).count();
        assert!(checks >= 8, "{section}: {checks}");
    }
    assert_eq!(text.lines().last(), Some(&*format!("{} passed, 0 failed", text.matches("PASS: ").count())));
    // K-19: it cleans up behind itself.
    assert_eq!(fs::read_dir(sandbox.dir()).unwrap().count(), 0);
}

/// A check that fails makes the script fail.
#[test]
fn the_integration_script_notices_a_broken_ic() {
    let sandbox = Sandbox::bare();
    let broken = sandbox.dir().join("ic");
    let real = assert_cmd::cargo::cargo_bin!("ic");
    let text = format!(
        "#!/bin/sh\ncase \"$1 $2\" in 'run current') exit 0;; esac\nexec '{}' \"$@\"\n",
        real.display()
    );
    fs::write(&broken, text).unwrap();
    fs::set_permissions(&broken, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(here("test-integration.sh"));
    sandbox.seal(&mut command);
    let output = run({
        command.env("IC", &broken).env("TMPDIR", sandbox.dir());
        command
    });
    assert_eq!(code(&output), 1);
    assert!(
        stdout(&output).contains("\nFAIL: without an active run the exit code is 1\n"),
        "{}",
        render(&output)
    );
    let mut command = Command::new(here("test-integration.sh"));
    sandbox.seal(&mut command);
    command.env("IC", sandbox.dir().join("none"));
    assert_eq!(code(&run(command)), 2);
}

#[test]
fn the_readme_lists_every_wrapper() {
    let sandbox = Sandbox::bare();
    let output =
        run(bash(&sandbox, "", "compgen -A function intercore_; echo \"v$INTERCORE_WRAPPER_VERSION\"", &[]));
    let mut defined: Vec<_> = stdout(&output).lines().map(ToOwned::to_owned).collect();
    assert_eq!(defined.pop().unwrap(), "v2");
    let mut names: Vec<_> = listed().into_iter().map(|wrapper| wrapper.name).collect();
    defined.sort();
    names.sort();
    assert_eq!(names, defined);
    let library = fs::read_to_string(here("lib-intercore.sh")).unwrap();
    assert!(library.contains("lib-intercore.sh, version 2:"));
    // The usage line above each function has the arguments that README has.
    for Wrapper { name, arguments, .. } in listed().iter().filter(|wrapper| !wrapper.arguments.is_empty()) {
        let line = library
            .lines()
            .find(|line| line.starts_with(&format!("# {name} ")))
            .unwrap_or_else(|| panic!("{name}"));
        let plain =
            |word: &str| word.split('=').next().unwrap().trim_matches(['[', ']', ':', ',', '…']).to_owned();
        let said: Vec<_> = line.split_whitespace().skip(2).take(arguments.len()).map(plain).collect();
        assert_eq!(said, arguments.iter().map(|word| plain(word)).collect::<Vec<_>>(), "{name}");
    }
}

/// The example in README does what it says, in a fresh project and without `ic`.
#[test]
fn the_readme_example_runs() {
    let readme = fs::read_to_string(here("README.md")).unwrap();
    let (_, after) = readme.split_once("```bash\n").unwrap();
    let example = after.split("```").next().unwrap();
    let sandbox = Sandbox::new();
    let legacy = sandbox.dir().join("last");
    let example = example
        .replace("./lib-intercore.sh", &here("lib-intercore.sh").display().to_string())
        .replace("/tmp/stop-hook-last", &legacy.display().to_string());
    let id = sandbox.new_run();
    for (path, said) in
        [(format!("{}:{PLAIN}", bin().display()), ""), (PLAIN.to_owned(), "no ic here: nothing is tracked\n")]
    {
        let mut command = Command::new("bash");
        sandbox.seal(&mut command);
        command.env("PATH", path).arg("-c").arg(&example);
        let output = run(command);
        assert_eq!((code(&output), stdout(&output)), (0, said), "{}", render(&output));
    }
    assert!(legacy.exists());
    assert!(sandbox.ok(["artifact", "list", &id]).ends_with("brainstorm\tfile\tidea.md"));
}

/// RT-05: without `ic`, or with one that cannot use its database, each wrapper returns what README says and prints nothing.
#[test]
fn without_ic_every_wrapper_fails_safe() {
    for wrapper in listed() {
        let expected: i32 = wrapper.without.split([' ', ',']).next().unwrap().parse().unwrap();
        for options in OPTIONS {
            for how in ["no ic", "INTERCORE_BIN is not there", "INTERCORE_BIN is a directory", "no database"]
            {
                if how == "no database" && wrapper.name.contains("lock") {
                    continue;
                }
                let sandbox = Sandbox::bare();
                fs::create_dir(sandbox.dir().join("legacy")).unwrap();
                let args = wrapper.plausible(&sandbox);
                let args: Vec<_> =
                    std::iter::once(wrapper.name.as_str()).chain(args.iter().map(String::as_str)).collect();
                let mut command = bash(&sandbox, options, "code=0; \"$@\" || code=$?; exit \"$code\"", &args);
                match how {
                    "no ic" => command.env("PATH", PLAIN),
                    "INTERCORE_BIN is not there" => command.env("INTERCORE_BIN", "/nonexistent/ic"),
                    "INTERCORE_BIN is a directory" => command.env("INTERCORE_BIN", sandbox.dir()),
                    _ => &mut command,
                };
                let output = run(command);
                let who = format!("{args:?}, {how}, {options}: {}", render(&output));
                assert_eq!((code(&output), stdout(&output)), (expected, ""), "{who}");
                // K-09: asking made no database. With no ic at all, nothing is said either.
                assert!(sandbox.files().is_empty(), "{who}");
                let said = usize::from(how == "no database");
                assert_eq!(String::from_utf8_lossy(&output.stderr).lines().count(), said, "{who}");
            }
        }
    }
}

/// Without arguments a wrapper answers, too, whatever the caller's options are.
#[test]
fn missing_arguments_are_no_accident() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.dir().join("legacy")).unwrap();
    for wrapper in listed() {
        for path in [format!("{}:{PLAIN}", bin().display()), PLAIN.to_owned()] {
            let script = "code=0; \"$1\" || code=$?; exit \"$code\"";
            let mut command = bash(&sandbox, "set -euo pipefail", script, &[&wrapper.name]);
            command.env("PATH", path);
            let output = run(command);
            assert!((0..=3).contains(&code(&output)), "{}: {}", wrapper.name, render(&output));
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(!stderr.contains("unbound") && !stderr.contains("bash:"), "{}: {stderr}", wrapper.name);
        }
    }
}

/// An `ic` that ends with a code, and writes down how it was called.
fn stub(sandbox: &Sandbox, exit: i32) -> PathBuf {
    let path = sandbox.dir().join("stub ic");
    fs::write(&path, format!("#!/bin/sh\nprintf '%s\\n' \"$1 $2\" >>\"$0.log\"\nexit {exit}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// W1, W6, CL-03: what `ic` answers is what the wrapper returns, as README says; a refusal leads to no fallback.
#[test]
fn return_codes_are_those_of_the_readme() {
    for wrapper in listed() {
        for exit in [0, 1, 2, 3, 5] {
            let sandbox = Sandbox::bare();
            let legacy = sandbox.dir().join("legacy");
            fs::create_dir(&legacy).unwrap();
            let args = wrapper.plausible(&sandbox);
            let throttles = wrapper.name.contains("_or_");
            if !throttles {
                fs::write(legacy.join("file"), "").unwrap();
            }
            let args: Vec<_> =
                std::iter::once(wrapper.name.as_str()).chain(args.iter().map(String::as_str)).collect();
            let mut command = bash(&sandbox, "set -eu", "code=0; \"$@\" || code=$?; exit \"$code\"", &args);
            command.env("INTERCORE_BIN", stub(&sandbox, exit));
            let output = run(command);
            let who = format!("{args:?}, ic exits {exit}: {}", render(&output));
            let expected = match wrapper.name.as_str() {
                "intercore_check_or_die" if exit == 1 => 0,
                name if name.contains("sentinel_check") || name.contains("check_or_die") => match exit {
                    1 | 3 => exit,
                    _ => 0,
                },
                _ if wrapper.returns.starts_with("as `ic`") => exit,
                _ => 0,
            };
            assert_eq!((code(&output), stdout(&output)), (expected, ""), "{who}");
            // Only an ic that is broken lets the files decide.
            if wrapper.arguments.iter().any(|name| name.starts_with("LEGACY")) {
                let broken = ![0, 1, 3].contains(&exit);
                assert_eq!(
                    legacy.join("file").exists(),
                    if throttles { broken && !wrapper.name.contains("reset") } else { !broken },
                    "{who}"
                );
            }
            assert!(!sandbox.dir().parent().unwrap().join("locks").exists(), "no fallback: {who}");
        }
    }
}

/// RT-05: with `ic` a wrapper starts nothing else: it works where the path is empty. The health of the database is asked
/// for once in a shell.
#[test]
fn wrappers_start_one_process() {
    let sandbox = Sandbox::bare();
    fs::create_dir(sandbox.dir().join("legacy")).unwrap();
    let empty = sandbox.dir().join("empty");
    fs::create_dir(&empty).unwrap();
    for wrapper in listed().iter().filter(|wrapper| !wrapper.name.ends_with("available")) {
        let stub = stub(&sandbox, 0);
        let log = sandbox.dir().join("stub ic.log");
        let _ = fs::remove_file(&log);
        let args = wrapper.plausible(&sandbox);
        let args: Vec<_> =
            std::iter::once(wrapper.name.as_str()).chain(args.iter().map(String::as_str)).collect();
        let mut command = bash(&sandbox, "set -eu", "PATH=$INTERCORE_EMPTY; \"$@\"", &args);
        command.env("INTERCORE_BIN", &stub).env("INTERCORE_EMPTY", &empty);
        let output = run(command);
        assert_eq!((code(&output), output.stderr.len()), (0, 0), "{args:?}: {}", render(&output));
        assert_eq!(fs::read_to_string(&log).unwrap().lines().count(), 1, "{args:?}");
    }
    let stub = stub(&sandbox, 0);
    let found = empty.join("ic");
    fs::rename(&stub, &found).unwrap();
    let script = "PATH=$1; intercore_available; intercore_available; intercore_sentinel_check n s 1; intercore_run_current";
    let output = run(bash(&sandbox, "set -eu", script, &[empty.to_str().unwrap()]));
    assert_eq!(code(&output), 0, "{}", render(&output));
    let log = fs::read_to_string(empty.join("ic.log")).unwrap();
    assert_eq!(log, "health \nsentinel check\nrun current\n");
}

/// W2, K-13: the database that is named is the one that is used, by every wrapper.
#[test]
fn every_wrapper_honours_intercore_db() {
    for wrapper in listed().iter().filter(|wrapper| !wrapper.name.contains("lock")) {
        let sandbox = Sandbox::bare();
        let stub = sandbox.dir().join("ic");
        fs::write(&stub, "#!/bin/sh\nprintf '%s\\n' \"$INTERCORE_DB\" >>\"$0.log\"\n").unwrap();
        fs::set_permissions(&stub, fs::Permissions::from_mode(0o755)).unwrap();
        let args = wrapper.plausible(&sandbox);
        let args: Vec<_> =
            std::iter::once(wrapper.name.as_str()).chain(args.iter().map(String::as_str)).collect();
        let script = "PATH=$PWD:$PATH; readonly INTERCORE_DB=\"$PWD/a b.db\"; \"$@\"";
        let output = run(bash(&sandbox, "", script, &args));
        assert_eq!(code(&output), 0, "{args:?}: {}", render(&output));
        let log = fs::read_to_string(sandbox.dir().join("ic.log")).unwrap();
        let expected = format!("{}\n", sandbox.dir().join("a b.db").display());
        assert!(log.replace(&expected, "").is_empty() && !log.is_empty(), "{args:?}: {log}");
    }
}
