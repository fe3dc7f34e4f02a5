//! Who calls a hook, which database it uses, and when its reservations end (HK-01, HK-03, HK-04, K-24, K-35).

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::hook::{allows, call, denies, fed, git, pre_edit, project};
use crate::support::{Sandbox, render, run};

/// Runs git with `ic` in its path and with variables in its environment.
fn git_as(sandbox: &Sandbox, env: &[(&str, &str)], args: &[&str]) -> Output {
    let mut command = Command::new("git");
    sandbox.seal(&mut command);
    let bin = Path::new(assert_cmd::cargo::cargo_bin!("ic")).parent().unwrap();
    command.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display())).args(args);
    command.envs(env.iter().copied());
    run(command)
}

/// A project whose files are committed.
fn committed() -> Sandbox {
    let sandbox = project();
    fs::write(sandbox.dir().join(".gitignore"), "/.clavain/\n/ignored.txt\n").unwrap();
    git(&sandbox, &["add", "-A"]);
    assert!(git(&sandbox, &["commit", "-q", "-m", "all"]).status.success());
    sandbox
}

/// Tells `ic hook stop` of an event of session `s1`.
fn tell(sandbox: &Sandbox, event: &str, more: &Value) -> Output {
    let mut told = json!({"session_id": "s1", "cwd": sandbox.dir(), "hook_event_name": event});
    told.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    fed(sandbox, &["hook", "stop"], told.to_string().as_bytes(), &[])
}

/// The patterns of the locks that are live, in order.
fn held(sandbox: &Sandbox) -> Vec<String> {
    let locks = sandbox.json(["coordination", "list", "--active"]);
    let mut held: Vec<_> =
        locks.as_array().unwrap().iter().map(|lock| lock["pattern"].as_str().unwrap().to_owned()).collect();
    held.sort();
    held
}

/// HK-01: the session of the edit is the session of the commit, under each of the names that it has in the
/// environment; to another agent the refusal says whom to ask and how to wait, and not how to go past it.
#[test]
fn an_agent_commits_what_it_has_edited() {
    let sandbox = project();
    sandbox.ok(["hook", "install"]);
    allows(&pre_edit(&sandbox, "S", "src/a.rs"));
    git(&sandbox, &["add", "src/a.rs"]);
    let refused = git_as(&sandbox, &[("CLAUDE_CODE_SESSION_ID", "T's")], &["commit", "-q", "-m", "x"]);
    let text = render(&refused);
    assert_eq!(refused.status.code(), Some(1), "{text}");
    assert!(!text.contains("no-verify"), "{text}");
    assert!(text.contains("ask S to release it"), "{text}");
    let wait = "ic coordination reserve --owner='T'\\''s' --scope=. --pattern=src/a.rs --wait=5m --ttl=1m";
    assert!(text.contains(wait), "{text}");
    let other = ("CLAUDE_CODE_SESSION_ID", "T");
    let agent = [other, ("INTERMUTE_AGENT_ID", "S")];
    for env in [&[("CLAUDE_CODE_SESSION_ID", "S")][..], &[("CLAUDE_SESSION_ID", "S")], &agent] {
        fs::write(sandbox.dir().join("src/a.rs"), format!("{env:?}")).unwrap();
        let done = git_as(&sandbox, env, &["commit", "-q", "-a", "-m", "x"]);
        assert!(done.status.success(), "{env:?}: {}", render(&done));
    }
    let both = [other, ("CLAUDE_SESSION_ID", "S")];
    fs::write(sandbox.dir().join("src/a.rs"), "again").unwrap();
    assert!(!git_as(&sandbox, &both, &["commit", "-q", "-a", "-m", "x"]).status.success());
}

/// HK-01: who waits for a file does not keep its owner from committing it.
#[test]
fn a_waiter_is_not_in_the_way_of_the_owner() {
    let sandbox = project();
    allows(&pre_edit(&sandbox, "S", "src/a.rs"));
    let args = [
        "coordination",
        "reserve",
        "--owner=w",
        "--scope=.",
        "--pattern=src/**",
        "--wait=1ms",
        "--grace=600",
    ];
    sandbox.fails(args, 1);
    git(&sandbox, &["add", "src/a.rs"]);
    let mut commit = sandbox.command(["hook", "pre-commit"]);
    commit.env("CLAUDE_CODE_SESSION_ID", "S");
    let done = run(commit);
    assert_eq!(done.status.code(), Some(0), "{}", render(&done));
}

/// HK-01: recorded events name the same session.
#[test]
fn events_name_the_session_that_calls() {
    let sandbox = Sandbox::new();
    let record = |env: &[(&str, &str)]| {
        let mut command = sandbox.command(["events", "record", "--source=ci", "--type=t", "--payload={}"]);
        command.envs(env.iter().copied());
        assert!(run(command).status.success());
        let last = sandbox.events().pop().unwrap();
        last["data"]["session_id"].as_str().map(ToOwned::to_owned)
    };
    let (new, old) = (("CLAUDE_CODE_SESSION_ID", "S"), ("CLAUDE_SESSION_ID", "T"));
    assert_eq!(record(&[new]).as_deref(), Some("S"));
    assert_eq!(record(&[new, old]).as_deref(), Some("S"));
    assert_eq!(record(&[old]).as_deref(), Some("T"));
    assert_eq!(record(&[("INTERMUTE_AGENT_ID", "A")]).as_deref(), Some("A"));
    assert_eq!(record(&[]), None);
}

/// HK-03: the end of a turn, of a subagent, or of something unknown gives back what the hooks reserved and
/// git calls clean, and nothing else: no file with changes, no new or ignored one, nothing that was reserved
/// by hand.
#[test]
fn the_end_of_a_turn_gives_nothing_dirty_away() {
    for event in ["Stop", "SubagentStop", "", "Novelty"] {
        let sandbox = committed();
        fs::write(sandbox.dir().join("src/[x] ü.rs"), "").unwrap();
        git(&sandbox, &["add", "-A"]);
        git(&sandbox, &["commit", "-q", "-m", "odd"]);
        sandbox.ok(["coordination", "reserve", "--owner=s1", "--scope=.", "--pattern=src/b.txt", "--ttl=4h"]);
        for file in ["src/a.rs", "src/b.txt", "src/[x] ü.rs", "new.rs", "ignored.txt", ".gitignore"] {
            allows(&pre_edit(&sandbox, "s1", file));
        }
        fs::write(sandbox.dir().join("new.rs"), "new").unwrap();
        fs::write(sandbox.dir().join("ignored.txt"), "new").unwrap();
        fs::write(sandbox.dir().join("src/a.rs"), "dirty").unwrap();
        allows(&pre_edit(&sandbox, "s2", "src/c.rs"));
        let busy = json!({"background_tasks": [{"id": "b", "status": "running"}]});
        allows(&tell(&sandbox, event, &busy));
        assert_eq!(held(&sandbox).len(), 7, "{event}");
        let idle = json!({"background_tasks": [{"id": "b", "status": "completed"}]});
        allows(&tell(&sandbox, event, &idle));
        assert_eq!(held(&sandbox), ["ignored.txt", "new.rs", "src/a.rs", "src/b.txt", "src/c.rs"], "{event}");
        git(&sandbox, &["add", "src/a.rs"]);
        allows(&tell(&sandbox, event, &json!({})));
        assert!(held(&sandbox).contains(&"src/a.rs".to_owned()), "{event}: staged is not committed");
        git(&sandbox, &["commit", "-q", "-m", "a"]);
        allows(&tell(&sandbox, event, &json!({})));
        assert_eq!(held(&sandbox), ["ignored.txt", "new.rs", "src/b.txt", "src/c.rs"], "{event}");
        sandbox.check_integrity();
    }
    let plain = Sandbox::new();
    allows(&pre_edit(&plain, "s1", "x.rs"));
    allows(&tell(&plain, "Stop", &json!({})));
    assert_eq!(held(&plain), ["x.rs"], "outside git nothing is known to be clean");
}

/// HK-03: the end of the session gives back what hooks reserved, dirty or not, and neither what the agent
/// reserved itself nor the lock that it works under. A session that is cleared or resumed is not over.
#[test]
fn the_end_of_a_session_leaves_what_was_asked_for() {
    let sandbox = committed();
    for file in ["src/a.rs", "src/b.txt", "new.rs", "mine.rs"] {
        allows(&pre_edit(&sandbox, "s1", file));
        fs::write(sandbox.dir().join(file), "dirty").unwrap();
    }
    for reason in ["clear", "resume"] {
        allows(&tell(&sandbox, "SessionEnd", &json!({"reason": reason})));
        assert_eq!(held(&sandbox).len(), 4, "{reason}");
    }
    // What a hook took becomes the agent's own when it asks for it, and stays so.
    let asked =
        sandbox.json(["coordination", "reserve", "--owner=s1", "--scope=.", "--pattern=mine.rs", "--ttl=5m"]);
    allows(&pre_edit(&sandbox, "s1", "mine.rs"));
    let under = sandbox.count("SELECT fence FROM coordination_locks WHERE pattern = 'src/b.txt'");
    let id: String = sandbox
        .open()
        .query_row("SELECT id FROM coordination_locks WHERE pattern = 'src/b.txt'", [], |row| row.get(0))
        .unwrap();
    let fence = format!("{id}:{under}");
    let told =
        json!({"session_id": "s1", "cwd": sandbox.dir(), "hook_event_name": "SessionEnd", "reason": "other"});
    let told = told.to_string();
    let unreadable = [("INTERCORE_FENCE", "nonsense")];
    allows(&fed(&sandbox, &["hook", "stop"], told.as_bytes(), &unreadable));
    assert_eq!(held(&sandbox).len(), 4, "any of them could be meant");
    allows(&fed(&sandbox, &["hook", "stop"], told.as_bytes(), &[("INTERCORE_FENCE", &fence)]));
    assert_eq!(held(&sandbox), ["mine.rs", "src/b.txt"]);
    let id = asked["lock"]["id"].as_str().unwrap();
    sandbox.ok(["coordination", "verify", id, &format!("--token={}", asked["lock"]["fence"])]);
    assert_eq!(crate::fold::fold(&sandbox.events()), crate::fold::stored(&sandbox));
}

/// HK-04: `pre-commit` holds nothing, whether the commit was made or not; a guard that cannot be read guards
/// nothing.
#[test]
fn a_commit_holds_nothing() {
    let sandbox = project();
    sandbox.ok(["hook", "install", "--git"]);
    git(&sandbox, &["add", "-A"]);
    let nonsense = git_as(&sandbox, &[("INTERCORE_FENCE", "nonsense")], &["commit", "-q", "-m", "x"]);
    assert!(
        !nonsense.status.success() && render(&nonsense).contains("INTERCORE_FENCE"),
        "{}",
        render(&nonsense)
    );
    assert!(git(&sandbox, &["commit", "-q", "-m", "x"]).status.success());
    assert_eq!(held(&sandbox), Vec::<String>::new());
    allows(&pre_edit(&sandbox, "s1", "src/a.rs"));
}

/// HK-05: with `--strict`, an edit that should be under a lock is denied where there is no database to look
/// for the lock in, and so is one whose session is not known.
#[test]
fn what_is_not_known_is_denied_if_asked_for() {
    let bare = Sandbox::bare();
    let text = call(&bare, "s1", "Edit", "x.rs").to_string();
    let fence = [("INTERCORE_FENCE", "l3k9x2ab:17")];
    denies(&fed(&bare, &["hook", "pre-edit", "--strict"], text.as_bytes(), &fence));
    allows(&fed(&bare, &["hook", "pre-edit"], text.as_bytes(), &fence));
    let sandbox = project();
    let mut nobody = call(&sandbox, "s1", "Edit", "src/a.rs");
    for session in [Value::Null, json!(""), json!("a\nb")] {
        nobody["session_id"] = session;
        let text = nobody.to_string();
        denies(&fed(&sandbox, &["hook", "pre-edit", "--strict"], text.as_bytes(), &[]));
        allows(&fed(&sandbox, &["hook", "pre-edit"], text.as_bytes(), &[]));
    }
}

/// K-24: a file is looked up in the database nearest above it, wherever the agent is; with `INTERCORE_DB`, in
/// that one if the file is of its repository or has no database above it. A lock that the session works under
/// is its own database's.
#[test]
fn a_file_is_reserved_in_its_own_database() {
    let (here, there) = (project(), project());
    let file = there.dir().join("src/a.rs");
    let file = file.to_str().unwrap();
    allows(&pre_edit(&there, "T", "src/a.rs"));
    assert!(denies(&pre_edit(&here, "H", file)).contains("reserved by T"));
    let text = call(&here, "H", "Edit", there.dir().join("src/b.txt").to_str().unwrap()).to_string();
    allows(&fed(&here, &["hook", "pre-edit"], text.as_bytes(), &[]));
    allows(&fed(&here, &["hook", "post-edit"], text.as_bytes(), &[]));
    assert_eq!((held(&here).len(), held(&there)), (0, vec!["src/a.rs".to_owned(), "src/b.txt".to_owned()]));

    let database = here.db_path();
    let named = [("INTERCORE_DB", database.to_str().unwrap())];
    let edit = |sandbox: &Sandbox, session: &str, file: &str| {
        fed(
            sandbox,
            &["hook", "pre-edit"],
            call(sandbox, session, "Edit", file).to_string().as_bytes(),
            &named,
        )
    };
    denies(&edit(&there, "H", "src/a.rs"));
    allows(&edit(&there, "H", here.dir().join("src/a.rs").to_str().unwrap()));
    assert_eq!(held(&here), ["src/a.rs"]);
    let none = Sandbox::bare();
    git(&none, &["init", "-q"]);
    allows(&edit(&none, "H", "x.rs"));
    denies(&edit(&none, "I", "x.rs"));
    assert_eq!(held(&here).len(), 2);

    let lock =
        here.json(["coordination", "reserve", "--owner=H", "--scope=w", "--pattern=w", "--type=named_lock"]);
    let fence = format!("{}:{}", lock["lock"]["id"].as_str().unwrap(), lock["lock"]["fence"]);
    let under = [("INTERCORE_FENCE", fence.as_str())];
    allows(&fed(&here, &["hook", "pre-edit"], text.as_bytes(), &under));
    here.ok(["coordination", "release", lock["lock"]["id"].as_str().unwrap()]);
    assert!(denies(&fed(&here, &["hook", "pre-edit"], text.as_bytes(), &under)).contains("released"));

    // The commit's database is that of its repository, too.
    git(&there, &["add", "-A"]);
    let mut commit = there.command(["hook", "pre-commit"]);
    commit.envs(named).env("CLAUDE_CODE_SESSION_ID", "X");
    let refused = run(commit);
    assert_eq!(refused.status.code(), Some(1), "{}", render(&refused));

    // And the end of the session finds what it had in either.
    let end = json!({"session_id": "H", "cwd": there.dir(), "hook_event_name": "SessionEnd"}).to_string();
    allows(&fed(&here, &["hook", "stop"], end.as_bytes(), &[]));
    assert_eq!((held(&here).len(), held(&there)), (0, vec!["src/a.rs".to_owned()]));
}

/// The output of a hook with `first` on its stdin, which then stays open. With `more`, that is written for as
/// long as the hook reads. Fails if the hook does not end.
fn kept_open(sandbox: &Sandbox, hook: &[&str], first: &[u8], more: &[u8]) -> Output {
    let mut command = sandbox.command(hook);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let (first, more) = (first.to_owned(), more.to_owned());
    let writer = std::thread::spawn(move || {
        stdin.write_all(&first).unwrap();
        while !more.is_empty() && stdin.write_all(&more).is_ok() {}
        stdin
    });
    let deadline = Instant::now() + Duration::from_secs(20);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("the hook waits for the end of its input");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(writer.join().unwrap());
    child.wait_with_output().unwrap()
}

/// HK-02: a hook answers as soon as the call is complete, and ends soon where it never is.
#[test]
fn a_hook_waits_for_no_end_of_its_input() {
    let sandbox = project();
    sandbox.ok(["coordination", "reserve", "--owner=Z", "--scope=.", "--pattern=src/b.txt"]);
    let text = call(&sandbox, "s1", "Edit", "src/b.txt").to_string();
    denies(&kept_open(&sandbox, &["hook", "pre-edit"], text.as_bytes(), b""));
    let mut large = call(&sandbox, "s1", "Write", "src/b.txt");
    large["tool_input"]["content"] = json!("}\"{".repeat(100_000));
    denies(&kept_open(&sandbox, &["hook", "pre-edit"], large.to_string().as_bytes(), b""));
    let endless =
        [(&text.as_bytes()[..20], &b""[..]), (b"{\"x\": \"", b"xxxxxxxx"), (b"", b"y\n"), (b" ", b" ")];
    std::thread::scope(|scope| {
        for (first, more) in endless {
            for strict in [false, true] {
                let sandbox = &sandbox;
                scope.spawn(move || {
                    let hook =
                        if strict { &["hook", "pre-edit", "--strict"][..] } else { &["hook", "pre-edit"] };
                    let output = kept_open(sandbox, hook, first, more);
                    if strict {
                        assert!(denies(&output).contains("not complete"));
                    } else {
                        allows(&output);
                    }
                });
            }
        }
    });
    allows(&kept_open(&sandbox, &["hook", "stop"], b"{", b""));
}

/// K-35: where the database is newer than the program, the agent's user is told so.
#[test]
fn the_user_is_told_that_the_program_is_too_old() {
    let sandbox = project();
    sandbox.open().execute_batch("PRAGMA user_version = 9999").unwrap();
    let text = call(&sandbox, "s1", "Edit", "src/a.rs").to_string();
    for hook in ["pre-edit", "post-edit", "stop"] {
        let output = fed(&sandbox, &["hook", hook], text.as_bytes(), &[]);
        assert_eq!(output.status.code(), Some(0), "{}", render(&output));
        let said: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", render(&output)));
        assert_eq!(said.as_object().unwrap().len(), 1, "{said}");
        assert!(said["systemMessage"].as_str().unwrap().contains("upgrade ic"), "{said}");
    }
    let strict = fed(&sandbox, &["hook", "pre-edit", "--strict"], text.as_bytes(), &[]);
    denies(&strict);
    let said: Value = serde_json::from_slice(&strict.stdout).unwrap();
    assert!(said["systemMessage"].as_str().unwrap().contains("upgrade ic"), "{said}");
}
