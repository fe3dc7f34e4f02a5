//! Runs, their phases, gates, agents, artifacts and actions.

use super::tape::Tape;

const SHORT: &str = r#"run create --goal=short --phases='["a","b","c","d"]'"#;

pub fn run(t: &mut Tape) {
    t.stage("made, shown, listed");
    t.calls(&[
        "run list",
        "run current",
        "run status",
        "run phase",
        "run tokens",
        "run budget",
        "run events",
    ]);
    t.id("run", "run create --goal='Ship the parser'");
    t.calls(&["run current", "run status", "run status $run", "run phase", "run phase $run", "run list"]);
    t.id("other", "run create --goal='Another one' --complexity=5 --scope-id=mine --goal-id=G-1 --token-budget=1000 \
         --budget-warn-pct=50 --budget-enforce --max-agents=2 --max-dispatches=3 --metadata='{\"a\":1}' --project=sub \
         --phases='[\"a\",\"b\"]' --gates='{\"a→b\":[{\"check\":\"artifact_exists\",\"phase\":\"a\",\"tier\":\"soft\"}]}' \
         --actions='{\"b\":{\"command\":\"/work\",\"args\":\"[1]\",\"mode\":\"both\",\"type\":\"hook\"}}'");
    t.calls(&[
        "run status $other",
        "run list",
        "run list --active",
        "run list --scope=mine",
        "run list --scope=none",
    ]);
    t.calls(&["run list --portfolio", "run current --project=sub", "run current --project=none"]);
    t.calls(&[
        "run status --scope=mine",
        "run status --scope=none",
        "run phase --scope=mine",
        "run tokens --scope=mine",
    ]);
    t.calls(&["run status none", "run phase none", "run tokens none", "run budget none", "run events none"]);
    t.calls(&["run status $run $other", "run status ''", "run status $run --scope=mine", "run list extra"]);
    t.note("what is refused");
    t.calls(&[
        "run create",
        "run create --goal=",
        "run create --goal=g --complexity=9",
        "run create --goal=g --complexity=x",
        "run create --goal=g --phases='[\"a\"]'",
        "run create --goal=g --phases='[\"a\",\"a\"]'",
        "run create --goal=g --phases=nonsense",
        "run create --goal=g --gates=nonsense",
        "run create --goal=g --gates='{\"x→y\":[]}'",
        "run create --goal=g --gates='{\"brainstorm→brainstorm-reviewed\":[{\"check\":\"none\"}]}'",
        "run create --goal=g --gates-file=none.json",
        "run create --goal=g --metadata='[]'",
        "run create --goal=g --actions='{\"none\":{\"command\":\"x\"}}'",
        "run create --goal=g --actions='{\"planned\":{\"command\":\"x\",\"mode\":\"y\"}}'",
        "run create --goal=g --token-budget=-1",
        "run create --goal=g --budget-warn-pct=101",
        "run create --goal=g --auto-skip=perhaps",
        "run create --goal=g --projects=one",
        "run create --goal=ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6",
    ]);
    t.write("gates.json", "nonsense");
    t.call("run create --goal=g --gates-file=gates.json");
    t.write("gates.json", r#"{"a→b":[{"check":"artifact_exists","phase":"a"}]}"#);
    t.call("run create --goal=g --gates-file=gates.json");
    t.id("gated", "run create --goal=g --phases='[\"a\",\"b\"]' --gates-file=gates.json");
    t.id("light", "run create --goal=light --auto-skip --complexity=1");
    t.calls(&["run status $light", "gate rules --run=$gated"]);
    t.calls(&["run status $gated", "run create --goal=g --force-full --auto-skip --complexity=1"]);
    t.note("once per key");
    t.id("once", "run create --goal=once --idempotency-key=k");
    t.calls(&["run create --goal=once --idempotency-key=k", "run create --goal=other --idempotency-key=k"]);
}

pub fn advance(t: &mut Tape) {
    t.stage("step by step");
    t.id("run", SHORT);
    t.calls(&[
        "run advance $run",
        "run advance $run --expect-phase=a",
        "run advance $run --expect-phase=b --priority=4",
        "run advance none",
        "run advance",
        "run advance $run --priority=x",
        "run advance $run --calibration-file=none.json",
        "run status $run",
        "run advance $run --disable-gates --skip-reason=hurry",
        "run advance $run",
        "run status $run",
        "run list --active",
        "run events $run",
        "run events $run --all-sources",
    ]);
    t.id("run", SHORT);
    t.calls(&["run set $run --auto-advance=false", "run advance $run", "run advance $run --skip-reason=now"]);
    t.note("gates that are soft, hard, and not looked at");
    t.id("run", "run create --goal=gates");
    t.calls(&["run advance $run", "run advance $run --priority=2", "run advance $run --priority=9"]);
    t.write("calibration.json", "nonsense");
    t.call("run advance $run --calibration-file=calibration.json");

    t.stage("skips");
    t.id("run", SHORT);
    t.calls(&[
        "run skip $run c --reason=why",
        "run skip $run c --reason=again",
        "run skip $run b --reason=why --actor=me --expect-phase=a",
        "run skip $run b --reason=why --expect-phase=c",
        "run skip $run d --reason=last",
        "run skip $run a --reason=here",
        "run skip $run none --reason=r",
        "run skip none b --reason=r",
        "run skip $run b",
        "run skip $run",
        "run unskip $run c --reason=why",
        "run unskip $run c --reason=again",
        "run unskip $run b --reason=why --expect-phase=d",
        "run unskip $run none --reason=r",
        "run unskip none b --reason=r",
        "run unskip $run b",
        "run advance $run",
        "run skip $run b --reason=behind",
        "run events $run",
    ]);
}

pub fn settings(t: &mut Tape) {
    t.stage("settings, tokens, budget, the end");
    t.id("run", "run create --goal=g --token-budget=100");
    t.calls(&[
        "run set $run --complexity=2 --force-full=true --max-dispatches=4",
        "run set $run --metadata-merge='{\"a\":{\"b\":1}}'",
        "run set $run --metadata-merge='{\"a\":{\"c\":2},\"d\":null}'",
        "run set $run",
        "run set $run --complexity=0",
        "run set $run --metadata-merge=[]",
        "run set none --complexity=1",
        "run set",
        "run tokens $run",
        "run budget $run",
    ]);
    t.get("child", "dispatch record --run=$run");
    t.quiet("dispatch tokens $child --in=60 --out=25 --cache=5");
    t.calls(&["run tokens $run", "run budget $run", "run tokens", "run budget"]);
    t.quiet("dispatch tokens $child --out=50");
    t.calls(&["run tokens $run", "run budget $run", "run events $run --all-sources"]);
    t.id("free", "run create --goal=free");
    t.calls(&["run budget $free", "run cancel $run", "run cancel $run", "run cancel none", "run cancel"]);
    t.calls(&[
        "run advance $run",
        "run skip $run planned --reason=r",
        "run set $run --complexity=1",
        "run set $run --metadata-merge='{\"x\":1}'",
        "agent add $run",
        "artifact add $run --phase=brainstorm --path=p",
        "run rollback $run --to-phase=brainstorm",
        "gate override $run --reason=r",
        "run status $run",
        "run cancel $free --no-signal",
        "run current",
    ]);
}

pub fn rollback(t: &mut Tape) {
    t.stage("back and forth");
    t.id("run", SHORT);
    t.quiet("run advance $run --priority=4");
    t.quiet("run advance $run --priority=4");
    t.get("agent", "agent add $run");
    t.get("artifact", "artifact add $run --phase=c --path=p.md");
    t.get("child", "dispatch record --run=$run");
    t.calls(&[
        "run rollback $run --to-phase=a --dry-run",
        "run rollback $run --to-phase=c",
        "run rollback $run --to-phase=d",
        "run rollback $run --to-phase=none",
        "run rollback $run --to-phase=a --expect-phase=b",
        "run rollback $run",
        "run rollback none --to-phase=a",
        "run rollback",
        "run rollback $run --to-phase=a --undo=1",
        "run rollback $run --to-phase=a --reason='wrong design' --no-signal",
        "run status $run",
        "agent list $run",
        "artifact list $run",
        "dispatch status $child",
        "run events $run --all-sources",
    ]);
    let undo = t.count("SELECT max(id) FROM events WHERE source = 'phase' AND type = 'rollback'");
    t.set("undo", &undo.to_string());
    t.calls(&[
        "run rollback $run --undo=$undo --dry-run",
        "run rollback $run --undo=1",
        "run rollback $run --undo=9999",
        "run rollback $run --undo=x",
        "run rollback --undo=$undo",
        "run rollback $run --undo=$undo",
        "agent list $run",
        "artifact list $run",
    ]);
    t.note("undo that comes too late");
    t.quiet("run rollback $run --to-phase=b");
    let undo = t.count("SELECT max(id) FROM events WHERE source = 'phase' AND type = 'rollback'");
    t.set("undo", &undo.to_string());
    t.quiet("run advance $run --priority=4");
    t.calls(&["run rollback $run --undo=$undo"]);
    t.note("of files");
    t.calls(&[
        "run rollback $run --layer=code",
        "run rollback $run --layer=code --format=text",
        "run rollback $run --layer=code --phase=c --format=text",
        "run rollback $run --layer=code --phase=none",
        "run rollback $run --layer=code --format=xml",
        "run rollback $run --layer=none",
        "run rollback none --layer=code",
    ]);
    t.note("a completed run");
    t.quiet("run advance $run --priority=4");
    t.calls(&["run status $run", "run rollback $run --to-phase=a", "run status $run"]);
}

pub fn phase(t: &mut Tape) {
    t.stage("the same under another noun");
    t.call("phase show");
    t.id("run", SHORT);
    t.calls(&[
        "phase show",
        "phase show $run",
        "phase show none",
        "phase advance $run --priority=4",
        "phase advance $run --expect-phase=a",
        "phase advance none",
        "phase advance",
        "phase skip $run c --reason=why",
        "phase skip $run d --reason=last",
        "phase skip $run",
        "phase unskip $run c --reason=why",
        "phase unskip $run c --reason=again",
        "phase rollback $run --to-phase=a",
        "phase rollback $run --to-phase=d",
        "phase rollback $run",
        "phase history $run",
        "phase history $run --all-sources",
        "phase history",
        "phase history none",
    ]);
}

pub fn gate(t: &mut Tape) {
    t.stage("checked, passed, overridden");
    t.id("run", "run create --goal=g");
    t.calls(&[
        "gate check $run",
        "gate check $run --priority=0",
        "gate check $run --priority=4",
        "gate check $run --priority=x",
        "gate check none",
        "gate check",
        "gate check $run --calibration-file=none.json",
        "run advance $run",
        "gate override $run --reason='agreed by phone' --justified",
        "gate override $run --reason=hurry --expedient --expect-phase=brainstorm",
        "gate override $run --reason=both --justified --expedient",
        "gate override $run --reason=hurry --expedient",
        "gate override $run",
        "gate override none --reason=r",
        "artifact add $run --phase=strategized --path=s.md",
        "gate check $run",
        "run advance $run",
        "gate check $run",
        "gate signals",
        "gate signals --since-id=4",
        "gate signals --since-id=x",
        "run events $run",
    ]);
    t.write(
        "calibration.json",
        r#"{"created_at":1700000000,"tiers":{"artifact_exists:planned:executing":{"tier":"soft","locked":false}}}"#,
    );
    t.calls(&["gate check $run --calibration-file=calibration.json"]);
    t.calls(&[
        "gate rules",
        "gate rules --phase=planned",
        "gate rules --phase=none",
        "gate rules --run=$run",
    ]);
    t.calls(&["gate rules --run=none", "gate rules extra"]);
    t.id("own", "run create --goal=g --phases='[\"a\",\"b\"]' --gates='{\"a→b\":[{\"check\":\"artifact_exists\",\"phase\":\"a\",\"tier\":\"hard\"}]}'");
    t.calls(&[
        "gate rules --run=$own",
        "gate rules --run=$own --phase=a",
        "gate check $own",
        "run advance $own",
    ]);
    t.calls(&[
        "gate override $own --reason=r",
        "gate override $own --reason=r",
        "gate check $own",
        "gate signals",
    ]);
}

pub fn members(t: &mut Tape) {
    for noun in ["", "run "] {
        t.stage(if noun.is_empty() { "agents and artifacts" } else { "the same under run" });
        let call = |t: &mut Tape, line: &str| _ = t.call(&format!("{noun}{line}"));
        call(t, "agent list");
        call(t, "artifact list");
        t.get("run", SHORT);
        t.get("full", "run create --goal=full --max-agents=1");
        t.id("agent", &format!("{noun}agent add $run --type=codex --name=reviewer --phase=b"));
        t.id("second", &format!("{noun}agent add $full --idempotency-key=k"));
        for line in [
            "agent add $full --idempotency-key=k",
            "agent add $run --idempotency-key=k",
            "agent add $full",
            "agent add none",
            "agent add",
            "agent add $run --phase=none",
            "agent add $run --dispatch-id=none",
            "agent list $run",
            "agent list",
            "agent list none",
            "agent update $agent --status=completed",
            "agent update $agent --status=completed",
            "agent update $run $agent --status=failed",
            "agent update $full $agent --status=active",
            "agent update none --status=active",
            "agent update $agent --status=nonsense",
            "agent update $agent",
            "agent update --status=active",
        ] {
            call(t, line);
        }
        t.write("docs/plan.md", "a plan\n");
        t.get("child", "dispatch record");
        t.get("lock", "coordination reserve --owner=me --scope=s --pattern=p");
        let fence = t.count("SELECT fence FROM coordination_locks");
        t.set("fence", &fence.to_string());
        t.id("artifact", &format!("{noun}artifact add $run --phase=a --path=docs/plan.md --type=plan"));
        for line in [
            "artifact add $run --phase=b --path=none.md --dispatch=$child --fence=$lock:$fence",
            "artifact add $run --phase=b --path=none.md --fence=$lock:99",
            "artifact add $run --phase=b --path=none.md --fence=nonsense",
            "artifact add $run --phase=b --path=once.md --idempotency-key=k",
            "artifact add $run --phase=b --path=once.md --idempotency-key=k",
            "artifact add $run --phase=b --path=other.md --idempotency-key=k",
            "artifact add $run --phase=none --path=p",
            "artifact add $run --phase=b --path=p --dispatch=none",
            "artifact add $run --phase=b",
            "artifact add $run --path=p",
            "artifact add none --phase=b --path=p",
            "artifact list $run",
            "artifact list $run --phase=a",
            "artifact list $run --phase=none",
            "artifact list",
            "artifact list none",
            "artifact get $artifact",
            "artifact get none",
        ] {
            call(t, line);
        }
        t.calls(&["run events $run --all-sources"]);
    }
}

pub fn evidence(t: &mut Tape) {
    t.stage("a run that asks for evidence");
    let asks = "--metadata='{\"close_gate\":{\"requirements\":[\"runtime-evidence/v1\"]}}'";
    t.get("run", &format!("run create --goal=g --phases='[\"a\",\"b\"]' {asks}"));
    t.write("receipt.json", "{}\n");
    t.calls(&[
        "run advance $run",
        "run advance $run --disable-gates",
        "gate override $run --reason=r",
        "artifact add $run --phase=a --path=receipt.json --type=runtime-evidence/v1",
        "run advance $run",
    ]);
}

pub fn actions(t: &mut Tape) {
    t.stage("what is due in a phase");
    t.get("run", SHORT);
    t.calls(&[
        "run action list $run",
        "run action add $run --phase=b --command=/work --args='[\"${artifact:plan}\",\"${run_id}\",\"${project_dir}\"]'",
        "run action add $run --phase=b --command=/work",
        "run action add $run --phase=b --command=/first --mode=autonomous --type=spawn --priority=-1",
        "run action add $run --phase=c --command=/once --idempotency-key=k",
        "run action add $run --phase=c --command=/once --idempotency-key=k",
        "run action add $run --phase=c --command=/other --idempotency-key=k",
        "run action add $run --phase=none --command=x",
        "run action add $run --phase=b --command=x --args=nonsense",
        "run action add $run --phase=b --command=x --mode=nonsense",
        "run action add $run --phase=b --command=x --type=nonsense",
        "run action add $run --phase=b",
        "run action add none --phase=b --command=x",
        "run action list $run",
        "run action list $run --phase=c",
        "run action list $run --phase=none",
        "run action list none",
        "run action list",
        "run action update $run --phase=b --command=/first --mode=both --priority=3",
        "run action update $run --phase=b --command=/first --args='{\"a\":1}'",
        "run action update $run --phase=b --command=/first",
        "run action update $run --phase=b --command=/none --mode=both",
        "run action update $run --phase=b --command=/first --mode=nonsense",
        "run action update none --phase=b --command=/first --mode=both",
        "run action delete $run --phase=c --command=/once",
        "run action delete $run --phase=c --command=/once",
        "run action delete $run --phase=c",
        "run action delete none --phase=c --command=/once",
    ]);
    t.write("plan.md", "a plan\n");
    t.quiet("artifact add $run --phase=a --path=plan.md --type=plan");
    t.calls(&["run advance $run --priority=4", "run events $run --all-sources"]);
}

pub fn portfolio(t: &mut Tape) {
    t.stage("a parent and its children");
    t.id("top", "run create --goal=both --projects=one,two --phases='[\"a\",\"b\"]'");
    t.calls(&["run status $top", "run list --portfolio", "run current --project=one"]);
    t.get("one", "run current --project=one");
    t.get("two", "run current --project=two");
    t.calls(&["run status $one", "gate check $top", "run advance $top", "run advance $one --priority=4"]);
    t.calls(&["run advance $top", "run cancel $top", "run status $two", "run events $top --all-sources"]);
}
