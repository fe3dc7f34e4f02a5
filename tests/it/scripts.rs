//! The wrappers for bash, and the black-box script beside them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{Sandbox, render, run};

fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Where the built `ic` is.
fn bin() -> PathBuf {
    assert_cmd::cargo::cargo_bin!("ic").parent().unwrap().to_owned()
}

/// The system's tools, and no `ic`.
const PLAIN: &str = "/usr/bin:/bin";

/// Options of the caller that the wrappers have to live with.
const OPTIONS: [&str; 3] =
    ["", "set -euo pipefail", "set -fC; shopt -s nullglob failglob nocasematch; IFS=x"];

/// A bash with the wrappers sourced under `options`; `$@` are the arguments. There is an `ic` in its path.
fn bash(sandbox: &Sandbox, options: &str, code: &str, args: &[&str]) -> Command {
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
            "TIMEOUT" | "MAX_AGE" => "0s".to_owned(),
            "IN" | "OUT" | "CACHE" | "PRIORITY" => "4".to_owned(),
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
                assert_eq!(output.stderr.iter().filter(|byte| **byte == b'\n').count(), said, "{who}");
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

/// Text that would hurt if it became code, JSON, a flag or a pattern; CANARY is a file that must not come to be.
fn hostile() -> Vec<String> {
    let mut texts: Vec<String> = [
        "$(touch CANARY)",
        "`touch CANARY`",
        "; touch CANARY | touch CANARY && touch CANARY",
        "a[$(touch CANARY)]",
        "'; touch CANARY; '",
        "\"; touch CANARY; \"",
        "\"})\\\"; touch CANARY #",
        "${x:=$(touch CANARY)}",
        "<(touch CANARY) >CANARY",
        "--",
        "-n",
        "--help",
        "--db=CANARY.db",
        "@CANARY",
        "@lib",
        "[a-z]* ~root",
        "a b  c ",
        "two\nlines\n",
        "tab\tand \u{1b}[31m",
        "\\n\\0\\x41%s%d",
        "{\"a\":1},\"b\":999",
        ".*|^$",
        "\u{202e}txt.exe",
        "ünïcödé 🦀",
        "08",
        "99999999999999999999",
        " ",
        "",
    ]
    .map(ToOwned::to_owned)
    .to_vec();
    texts.push("x".repeat(200_000));
    texts
}

/// K-08, W3, W4, W9: whatever an argument holds, it is never executed, and the answer is one of the known ones.
#[test]
fn hostile_text_is_never_executed() {
    hostile_in_every_place(&format!("{}:{PLAIN}", bin().display()));
}

/// K-08, W1, W9: nor by what stands in for a missing `ic`.
#[test]
fn hostile_text_is_never_executed_without_ic() {
    hostile_in_every_place(PLAIN);
}

fn hostile_in_every_place(path: &str) {
    // One shell tries all texts in one place after the other; the wrapper may end it, so each call is a subshell.
    let script = "name=$1; places=$2; first=$3; shift 3
        while [ \"$1\" != --- ]; do plausible[${#plausible[@]}]=$1; shift; done; shift
        for ((place = 0; place < places; place++)); do
          for text in \"$@\"; do
            args=(\"${plausible[@]}\"); args[place]=$text; code=0
            (\"$name\" \"${args[@]}\") >out 2>err || code=$?
            case $code in 0|1|2|3) ;; *) echo \"$place: ${text:0:40}: $code\"; cat err;; esac
            case $first$place$code in RUN0[02]|ID0[02]) echo \"${text:0:40} is a run: $code\";; esac
            case $(<err) in *'syntax error'*|*'command not found'*) echo \"$place: ${text:0:40}\"; cat err;; esac
          done
        done";
    let texts = hostile();
    for wrapper in listed().iter().filter(|wrapper| !wrapper.arguments.is_empty()) {
        let sandbox = Sandbox::new();
        fs::create_dir(sandbox.dir().join("legacy")).unwrap();
        fs::write(sandbox.dir().join("lib"), "{}").unwrap();
        let run_id = sandbox.short_run();
        let mut plausible = wrapper.plausible(&sandbox);
        for (name, value) in wrapper.arguments.iter().zip(&mut plausible) {
            match name.as_str() {
                "RUN" => value.clone_from(&run_id),
                "PHASE" | "[PHASE]" => "b".clone_into(value),
                _ => {}
            }
        }
        // A file of older hooks may have any name, and be made, but only below the directory of this test.
        let legacy = |name: &String| name.starts_with("LEGACY");
        let places = wrapper.arguments.iter().filter(|name| !legacy(name)).count().to_string();
        // What is no run has to be "not found" or refused, and not a flag: told by the first argument's name.
        let first = if path == PLAIN { "" } else { wrapper.arguments[0].as_str() };
        let mut args = vec![wrapper.name.as_str(), &places, first];
        args.extend(plausible.iter().map(String::as_str));
        args.push("---");
        // An argument of this shell cannot be longer than the system lets through either: the long one is made there.
        args.extend(texts.iter().map(String::as_str).filter(|text| text.len() < 100_000));
        let script =
            format!("printf -v long '%0200000d' 0; set -- \"$@\" \"$long\"; intercore_available; {script}");
        let mut command = bash(&sandbox, "set -u", &format!("plausible=(); {script}"), &args);
        command.env("PATH", path);
        let output = run(command);
        assert_eq!((code(&output), stdout(&output)), (0, ""), "{}: {}", wrapper.name, render(&output));
        let mut left: Vec<_> = fs::read_dir(sandbox.dir())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, [".clavain", "err", "legacy", "lib", "out"], "{}", wrapper.name);
        sandbox.check_integrity();
    }
}

/// K-08: what is stored is stored verbatim, or refused with 3.
#[test]
fn hostile_text_comes_back_as_it_was() {
    let sandbox = Sandbox::new();
    let id = sandbox.short_run();
    let call = |args: &[&str]| {
        let output =
            run(bash(&sandbox, "set -euo pipefail", "code=0; \"$@\" || code=$?; exit \"$code\"", args));
        (code(&output), String::from_utf8(output.stdout).unwrap())
    };
    let last = |args: &[&str]| -> Value { sandbox.json(args).as_array().unwrap().last().cloned().unwrap() };
    for text in hostile().iter().filter(|text| text.len() < 100_000 && !text.trim().is_empty()) {
        assert_eq!(call(&["intercore_run_agent_add", &id, text, text]).0, 0, "{text}");
        let agent = last(&["agent", "list", &id]);
        assert_eq!((&agent["name"], &agent["agent_type"]), (&text.as_str().into(), &text.as_str().into()));

        assert_eq!(call(&["intercore_run_artifact_add", &id, "a", text, text]).0, 0, "{text}");
        let artifact = last(&["artifact", "list", &id]);
        assert_eq!((&artifact["path"], &artifact["type"]), (&text.as_str().into(), &text.as_str().into()));

        let json = Value::from(text.as_str()).to_string();
        assert_eq!(call(&["intercore_run_action_add", &id, "c", text, "", &json]).0, 0, "{text}");
        let listed: Value = serde_json::from_str(&call(&["intercore_run_action_list", &id, "c"]).1).unwrap();
        assert_eq!(
            (&listed[0]["command"], &listed[0]["args"]),
            (&text.as_str().into(), &text.as_str().into())
        );
        assert_eq!(call(&["intercore_run_action_update", &id, "c", text, "--priority=2"]).0, 0, "{text}");
        assert_eq!(call(&["intercore_run_action_delete", &id, "c", text]).0, 0, "{text}");

        assert_eq!(call(&["intercore_run_skip", &id, "b", text, text]).0, 0, "{text}");
        sandbox.ok(["run", "unskip", &id, "b", "--reason=again"]);
        let skips: Vec<_> = sandbox.events().into_iter().filter(|event| event["type"] == "skip").collect();
        assert_eq!(skips.last().unwrap()["reason"], format!("actor={text}: {text}"));

        sandbox.ok(["run", "advance", &id, "--priority=4"]);
        let (code, back) = call(&["intercore_run_rollback", &id, "a", text]);
        let back: Value = serde_json::from_str(&back).unwrap();
        assert_eq!((code, &back["reason"]), (0, &text.as_str().into()));

        // A scope is on one line; a value is any JSON.
        let (_, kept) = call(&["intercore_state_set", "k", text, &json]);
        assert_eq!(kept, "");
        let one_line = !text.chars().any(char::is_control);
        let (_, kept) = call(&["intercore_state_get", "k", text]);
        assert_eq!(kept, if one_line { format!("{json}\n") } else { String::new() }, "{text}");
        let expected = if one_line { [0, 1] } else { [3, 3] };
        let is_name = one_line && !text.contains(['/', '\\']);
        assert_eq!(call(&["intercore_lock", text, text]).0, if is_name { 0 } else { 3 }, "{text}");
        if is_name {
            let lock = last(&["lock", "list"]);
            assert_eq!((&lock["name"], &lock["scope"]), (&text.as_str().into(), &text.as_str().into()));
            fs::remove_dir_all(sandbox.dir().parent().unwrap().join("locks")).unwrap();
        }
        let asked = [(); 2].map(|()| call(&["intercore_sentinel_check", text, text, "0"]).0);
        assert_eq!(asked, expected, "{text}");
    }
    sandbox.check_integrity();
}

/// K-08: the files of older hooks may have any name; a pattern stands for files and is nothing else.
#[test]
fn hostile_names_of_files_are_names() {
    let sandbox = Sandbox::bare();
    let script = "for text in \"$@\"; do
          for try in 1 2; do
            code=0; intercore_sentinel_check_or_legacy n s 60 \"$text\" || code=$?; printf %s \"$code\"
          done
          [ -z \"$text\" ] || [ -f \"./$text\" ] || echo \"no file: $text\"
        done; echo
        printf '%s\\n' * | grep -c CANARY; ls CANARY CANARY.db 2>/dev/null || :
        for text in \"$@\"; do intercore_sentinel_reset_or_legacy n s \"$text\"; done
        intercore_sentinel_reset_all n '*'; ls -A";
    let texts = hostile();
    let texts: Vec<_> = texts.iter().map(String::as_str).filter(|text| text.len() < 100).collect();
    let mut command = bash(&sandbox, "set -euo pipefail", script, &texts);
    command.env("PATH", PLAIN);
    let output = run(command);
    let codes: String = texts.iter().map(|text| if text.is_empty() { "00" } else { "01" }).collect();
    let named = texts.iter().filter(|text| text.contains("CANARY")).count();
    assert_eq!(
        (code(&output), stdout(&output)),
        (0, format!("{codes}\n{named}\n").as_str()),
        "{}",
        render(&output)
    );
}

/// A megabyte goes through where it is data, and is refused where it would be an argument.
#[test]
fn long_text_is_stored_or_refused() {
    let sandbox = Sandbox::new();
    let id = sandbox.short_run();
    let script = "printf -v long '%01000000d' 0; code=0
        intercore_state_set k s \"[$(printf '\"%.90000s\",' \"$long\" \"$long\" \"$long\")1]\"
        intercore_state_get k s | wc -c | tr -d ' '
        intercore_run_agent_add \"$1\" \"$long\" || echo \"$?\"
        intercore_sentinel_check_or_legacy n \"$long\" 0 legacy || echo \"$?\"
        intercore_lock n \"$long\" || echo \"$?\"
        [ ! -e legacy ]";
    let output = run(bash(&sandbox, "set -euo pipefail", script, &[&id]));
    assert_eq!((code(&output), stdout(&output)), (0, "270013\n3\n3\n3\n"), "{}", render(&output));
}

/// W7: two shells, one with `ic` and one without, exclude each other and read each other's locks.
#[test]
fn locks_are_the_same_with_and_without_ic() {
    let sandbox = Sandbox::bare();
    let script = "with=$PATH; without=/usr/bin:/bin
        PATH=$without; INTERCORE_BIN=/nonexistent; intercore_lock n s
        PATH=$with; INTERCORE_BIN=; intercore_lock n s 0 || echo held
        ic lock list | cut -f 1-3
        intercore_unlock n s
        intercore_lock n s 0
        INTERCORE_BIN=/nonexistent; intercore_lock n s 0 || echo held
        intercore_unlock n s
        intercore_lock n s 0
        echo \"$$\"";
    let output = run(bash(&sandbox, "set -eu", script, &[]));
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let pid = stdout(&output).lines().last().unwrap().to_owned();
    let expected = format!("held\nn\ts\t{pid}:{}\nheld\n{pid}\n", host.trim());
    assert_eq!((code(&output), stdout(&output)), (0, expected.as_str()), "{}", render(&output));
    // The shell has ended without a release: ic tells that nobody holds the lock, from the record that mkdir's lock has.
    let list = sandbox.json(["lock", "list"]);
    assert_eq!(
        (list[0]["pid"].to_string(), &list[0]["owner"]),
        (pid, &expected.split(['\t', '\n']).nth(3).unwrap().into())
    );
    let cleaned = "intercore_lock_clean 0; intercore_lock n s 0";
    let mut command = bash(&sandbox, "set -eu", cleaned, &[]);
    command.env("PATH", PLAIN);
    assert_eq!(code(&run(command)), 0);
}

/// Of twenty shells without `ic` one gets the lock; a lock of another machine, or of a living process, is not cleaned up.
#[test]
fn locks_without_ic_exclude() {
    let sandbox = Sandbox::bare();
    let script = "for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
          ( intercore_lock n s 0 && echo taken ) &
        done; wait; intercore_lock far s
        sed 's/\"host\":\"[^\"]*\"/\"host\":\"elsewhere\"/; s/\"pid\":[0-9]*/\"pid\":999999999/' \
          \"$INTERCORE_LOCK_DIR/far/s/owner.json\" >f; cat f >\"$INTERCORE_LOCK_DIR/far/s/owner.json\"
        mkdir -p \"$INTERCORE_LOCK_DIR/.ghost/s\"
        intercore_lock_clean 0s; ls -A \"$INTERCORE_LOCK_DIR\"/*/ \"$INTERCORE_LOCK_DIR/.ghost\" | grep -c '^s$'
        intercore_lock_clean soon || exit 9";
    let mut command = bash(&sandbox, "", script, &[]);
    command.env("PATH", PLAIN);
    let output = run(command);
    assert_eq!((code(&output), stdout(&output)), (0, "taken\n2\n"), "{}", render(&output));
}

/// W7: the interval of a file is told to the second, for as long as a year, without tools that only some systems have.
#[test]
fn the_time_of_a_file_decides_without_ic() {
    let sandbox = Sandbox::bare();
    let file = sandbox.dir().join("last");
    let check = |interval: &str| {
        let args = ["n", "s", interval, file.to_str().unwrap()];
        let mut command = bash(
            &sandbox,
            "set -eu",
            "code=0; intercore_sentinel_check_or_legacy \"$@\" || code=$?; exit $code",
            &args,
        );
        command.env("PATH", PLAIN);
        code(&run(command))
    };
    let aged = |seconds: u64| {
        let then = fs::File::options().write(true).create(true).truncate(true).open(&file).unwrap();
        let now = file.metadata().unwrap().modified().unwrap();
        then.set_modified(now - std::time::Duration::from_secs(seconds)).unwrap();
    };
    // A machine under load gets ten seconds.
    for (age, interval, expected) in [
        (0, "60", 1),
        (60, "60", 0),
        (49, "60s", 1),
        (3600, "1h", 0),
        (3589, "1h", 1),
        (86_400, "24h", 0),
        (86_389, "1d", 1),
        (31_536_000, "31536000", 0),
        (31_535_989, "31536000", 1),
        (5400, "1h30m", 0),
        (5389, "1h30m", 1),
        (99, "0", 1),
    ] {
        aged(age);
        assert_eq!(check(interval), expected, "{age} seconds old, interval {interval}");
        // Allowed means that it has happened now.
        assert_eq!(check("3600"), i32::from(expected == 0 || age < 3600), "{age}, {interval}");
    }
    for bad in ["", "soon", "-1", "1+1", "a[0]", "1.5s", "99999999999999999999", "0x10", "1h "] {
        assert_eq!(check(bad), 3, "{bad}");
    }
    fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink(sandbox.dir().join("planted"), &file).unwrap();
    assert_eq!(check("0"), 0);
    assert!(!sandbox.dir().join("planted").exists(), "a symlink is not followed to a new file");
}

/// W1, W9: what is no name of a directory is refused by `ic` and by what stands in for it, and nothing is made.
#[test]
fn bad_names_of_locks_are_refused_everywhere() {
    let sandbox = Sandbox::bare();
    let long = "x".repeat(256);
    for path in [format!("{}:{PLAIN}", bin().display()), PLAIN.to_owned()] {
        for bad in ["", ".", "..", "../x", "a/b", "/a", "a\\b", "a..b", "a\tb", "a\nb", &long] {
            for (name, scope) in [(bad, "s"), ("n", bad)] {
                let script =
                    "code=0; intercore_lock \"$@\" || code=$?; intercore_unlock \"$@\"; exit \"$code\"";
                let mut command = bash(&sandbox, "set -eu", script, &[name, scope]);
                command.env("PATH", &path);
                let output = run(command);
                assert_eq!(
                    (code(&output), stdout(&output)),
                    (3, ""),
                    "{name:?} {scope:?}: {}",
                    render(&output)
                );
            }
        }
    }
    assert!(!sandbox.dir().parent().unwrap().join("locks").exists());
}

/// The caller's options neither keep a pattern from matching nor make it an error when nothing does.
#[test]
fn patterns_match_under_any_options() {
    for options in OPTIONS {
        let sandbox = Sandbox::bare();
        let legacy = sandbox.dir().join("legacy");
        fs::create_dir(&legacy).unwrap();
        for file in ["clavain-stop-a b", "clavain-stop-x", "other"] {
            fs::write(legacy.join(file), "").unwrap();
        }
        let script = "PATH=/usr/bin:/bin
            intercore_sentinel_reset_or_legacy n s \"$1/clavain-stop-*\"
            intercore_sentinel_reset_all n \"$1/nothing-*\"
            intercore_state_delete_all k \"$1/clavain-*\"
            touch -t 202001010000 \"$1/clavain-drift-last-x\"
            intercore_cleanup_stale";
        let output = run(bash(&sandbox, options, script, &[legacy.to_str().unwrap()]));
        assert_eq!(
            (code(&output), stdout(&output), output.stderr.len()),
            (0, "", 0),
            "{options}: {}",
            render(&output)
        );
        let left: Vec<_> = fs::read_dir(&legacy).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["other"], "{options}");
    }
}

/// The calendar that the wrappers count with is the one that everybody has.
#[test]
fn days_are_counted_as_in_the_calendar() {
    let sandbox = Sandbox::bare();
    // Both sides of leap days, of a century without one, and of the ends of years.
    for at in [
        1_i64,
        68_255_999,
        68_256_000,
        951_782_399,
        951_782_400,
        951_868_800,
        1_704_067_199,
        1_704_067_200,
        1_709_164_799,
        1_709_251_199,
        1_709_251_200,
        1_735_689_599,
        4_107_542_399,
        4_107_542_400,
    ] {
        let script = "_intercore_now() { printf '%s' \"$now\"; }; now=$1; _intercore_reference 1";
        let mut command = bash(&sandbox, "set -eu", script, &[&at.to_string()]);
        command.env("TMPDIR", sandbox.dir()).env("TZ", "Pacific/Auckland");
        let output = run(command);
        let made = PathBuf::from(stdout(&output));
        let time = fs::metadata(&made).unwrap().modified().unwrap();
        let found = time.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        // With nothing before 1970; whole seconds: see `_intercore_reference`.
        assert_eq!(i64::try_from(found).unwrap(), if at == 1 { 0 } else { at }, "{at}");
        fs::remove_dir(made).unwrap();
    }
}
