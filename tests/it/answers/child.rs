//! Dispatches: records of children, and real children.

use super::tape::Tape;

pub fn records(t: &mut Tape) {
    t.stage("recorded, shown, listed");
    t.get("run", "run create --goal=g");
    t.call("dispatch list");
    t.id("one", "dispatch record");
    t.id("two", "dispatch record --run=$run --type=codex --name=builder --model=m --prompt-file=p.md --output=o.md \
         --parent-id=above --parent-dispatch=$one --status=failed --verdict=fail --summary='two nits' --exit-code=3");
    t.id("once", "dispatch record --scope-id=mine --idempotency-key=k");
    t.calls(&[
        "dispatch record --scope-id=mine --idempotency-key=k",
        "dispatch record --scope-id=other --idempotency-key=k",
        "dispatch record --status=nonsense",
        "dispatch record --pid=x",
        "dispatch record --pid=4194303",
        "dispatch record --parent-dispatch=none",
        "dispatch record --exit-code=x",
        "dispatch status $one",
        "dispatch status $two",
        "dispatch status none",
        "dispatch status",
        "dispatch list",
        "dispatch list --active",
        "dispatch list --scope=$run",
        "dispatch list --scope=none",
        "dispatch list extra",
        "dispatch poll $one",
        "dispatch poll $two",
        "dispatch poll none",
        "dispatch tokens $one --in=100 --out=20 --cache=5",
        "dispatch tokens $one --out=30 --set",
        "dispatch tokens $one",
        "dispatch tokens $one --in=-1",
        "dispatch tokens none --in=1",
        "dispatch wait $two",
        "dispatch wait $one --timeout=0s",
        "dispatch wait none",
        "dispatch wait",
        "dispatch wait $one --timeout=soon",
        "dispatch logs $one",
        "dispatch logs none",
        "dispatch kill $once",
        "dispatch kill $once",
        "dispatch kill none",
        "dispatch kill",
        "dispatch retry $once",
        "dispatch retry none",
        "dispatch retry",
        "dispatch retry $two --failure-mode=nonsense",
        "dispatch list",
        "events tail --all --format=text",
        "dispatch prune",
        "dispatch prune --older-than=soon",
        "dispatch prune --older-than=1h",
    ]);
    t.later(4000, "dispatch prune --older-than=1h");
    t.call("dispatch list");
}

pub fn children(t: &mut Tape) {
    // Supervisors write when their children end, whatever is called meanwhile.
    t.unwatched();
    t.stage("a child that succeeds");
    t.get("run", "run create --goal=g --max-dispatches=1");
    let script = "echo out; echo err >&2; echo STATUS: warn > $IC_DISPATCH_VERDICT; \
                  echo SUMMARY: two nits >> $IC_DISPATCH_VERDICT; \
                  echo Tokens: 120 in / 30 out > $IC_DISPATCH_OUTPUT.summary";
    spawn(t, "good", "--run=$run --name=n --model=m --output=answer.md --timeout=10m", script);
    t.calls(&["dispatch wait $good", "dispatch status $good", "dispatch poll $good", "dispatch list"]);
    t.calls(&["dispatch logs $good", "dispatch logs $good --stderr", "dispatch logs $good --follow"]);
    t.calls(&[
        "run tokens $run",
        "dispatch retry $good",
        "dispatch kill $good",
        "events tail --all --source=dispatch",
    ]);

    t.stage("children that fail");
    t.write("task.md", "do it\n");
    spawn(t, "bad", "--name=n", "echo no >&2; exit 7");
    t.calls(&[
        "dispatch wait $bad",
        "dispatch status $bad",
        "dispatch logs $bad --stderr",
        "dispatch logs $bad",
    ]);
    spawn(t, "killed", "", "kill -9 $$");
    t.calls(&["dispatch wait $killed", "dispatch wait $bad $killed --any", "dispatch wait $bad $killed"]);
    spawn(t, "judged", "", "echo STATUS: reject > $IC_DISPATCH_VERDICT");
    t.calls(&["dispatch wait $judged", "dispatch status $judged"]);
    t.calls(&[
        "dispatch spawn -- /no/such/program",
        "dispatch spawn",
        "dispatch spawn --prompt-file=none.md",
    ]);
    t.calls(&["dispatch spawn --timeout=soon -- true", "dispatch spawn --project=none -- true"]);
    t.calls(&[
        "dispatch spawn --sandbox-spec=nonsense -- true",
        "dispatch spawn --parent-dispatch=none -- true",
    ]);
    t.calls(&[
        "dispatch spawn --dispatch-sh=none.sh --prompt-file=task.md",
        "dispatch spawn --prompt-file=task.md",
    ]);
    t.note("again");
    t.id("again", "dispatch retry $bad --now");
    t.calls(&[
        "dispatch wait $again",
        "dispatch status $again",
        "dispatch retry $bad --now",
        "dispatch retry $again",
    ]);
    t.id("up", "dispatch retry $judged --now --escalate --failure-mode=verdict-fail --failure-detail=nits");
    t.calls(&["dispatch wait $up", "dispatch status $up"]);

    t.stage("children that go on");
    t.get("run", "run create --goal=g --max-dispatches=1");
    spawn(t, "long", "--run=$run", "echo begun; while [ ! -e go ]; do sleep 0.02; done; echo done");
    t.calls(&["dispatch spawn --run=$run -- true"]);
    let follow = t.start("dispatch logs $long -f");
    t.written(&follow, 1);
    let wait = t.start("dispatch wait $long");
    t.write("go", "");
    t.join(follow);
    t.join(wait);
    t.remove("go");
    spawn(t, "late", "", "while [ ! -e go ]; do sleep 0.02; done");
    t.calls(&["dispatch wait $late --timeout=20ms", "dispatch status $late"]);
    spawn(t, "ended", "", "while [ ! -e go ]; do sleep 0.02; done");
    t.calls(&[
        "dispatch kill $ended",
        "dispatch kill $ended",
        "dispatch wait $ended",
        "dispatch status $ended",
    ]);
    spawn(t, "timed", "--timeout=1s", "while [ ! -e go ]; do sleep 0.02; done");
    t.calls(&["dispatch wait $timed", "dispatch status $timed"]);
    t.note("once per key, and as deep as is allowed");
    spawn(t, "once", "--idempotency-key=k", "true");
    t.calls(&["dispatch wait $once", "dispatch spawn --idempotency-key=k -- sh -c true"]);
    t.calls(&["dispatch spawn --idempotency-key=k -- false", "config set max_spawn_depth 0"]);
    t.with("IC_DISPATCH_ID", "$once", "dispatch spawn -- true");
    t.calls(&[
        "dispatch spawn --parent-dispatch=$once -- true",
        "config set global_max_dispatches 0",
        "dispatch spawn -- true",
    ]);

    by_script(t);
    t.stage("a chain without a stronger model left");
    spawn(t, "last", "--model=opus", "exit 1");
    t.call("dispatch wait $last");
    t.id("last", "dispatch retry $last --now --escalate --chain-key=c --failure-mode=error");
    t.call("dispatch wait $last");
    t.calls(&["dispatch retry $last --now --escalate --chain-key=c --failure-detail=again"; 2]);
}

fn by_script(t: &mut Tape) {
    t.stage("started by a script");
    t.write("task.md", "do it\n");
    t.write("start.sh", "echo \"$@\"\n");
    t.id(
        "script",
        "dispatch spawn --dispatch-sh=start.sh --prompt-file=task.md --name=n --model=m --output=o.md",
    );
    t.calls(&["dispatch wait $script", "dispatch logs $script", "dispatch status $script"]);
    t.env("CLAVAIN_DISPATCH_SH", "$dir/start.sh");
    t.id("script", "dispatch spawn --prompt-file=task.md --sandbox=read-only --output=o.md");
    t.calls(&["dispatch wait $script", "dispatch logs $script"]);
}

/// Starts a child that runs a script.
fn spawn(t: &mut Tape, name: &str, flags: &str, script: &str) {
    t.id(name, &format!("dispatch spawn {flags} -- sh -c '{script}'"));
}
