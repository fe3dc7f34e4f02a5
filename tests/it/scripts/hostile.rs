//! Whatever an argument of a wrapper holds, it is text.

use std::fs;

use serde_json::Value;

use super::{PLAIN, bash, bin, code, listed, stdout};
use crate::support::{Sandbox, render, run};

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
        let tells = path != PLAIN && wrapper.returns != "0";
        let first = if tells { wrapper.arguments[0].as_str() } else { "" };
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
