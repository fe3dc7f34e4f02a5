//! The log: recorded, read, followed, copied.

use super::tape::Tape;

pub fn events(t: &mut Tape) {
    t.stage("recorded by callers");
    t.get("run", "run create --goal=g");
    t.write("payload.json", r#"{"from":"a file"}"#);
    t.calls(&[
        "events record --source=mine --type=built",
        "events record --source=mine --type=built --payload='{\"ok\":true}' --run=$run --session=s1 --project=sub",
        "events record --source=mine --type=built --payload=@payload.json",
        "events record --source=mine --type=built --payload=@none.json",
        "events record --source=mine --type=built --payload=nonsense",
        "events record --source=mine --type=built --run=none",
        "events record --source=mine --type=once --idempotency-key=k",
        "events record --source=mine --type=once --idempotency-key=k",
        "events record --source=mine --type=other --idempotency-key=k",
        "events record --source=phase --type=advance",
        "events record --source=mine",
        "events record --type=built",
        "events record --source=mine --type=",
    ]);
    t.feed("events record --source=mine --type=piped --payload=-", r#"{"from":"stdin"}"#);
    t.feed("events record --source=mine --type=piped --payload=-", "nonsense");
    let review = r#"{"finding_id":"f1","resolution":"kept","chosen_severity":"P1","impact":"high","agents":{"a":"P1"}}"#;
    let agency = r#"{"agency_name":"research","cycle_id":"c1","stage":"plan","context":{"a":1}}"#;
    for line in [
        format!("events record --source=review --type=disagreement_resolved --payload='{review}' --session=s"),
        "events record --source=review --type=disagreement_resolved --payload={}".to_owned(),
        format!("events record --source=review --type=other --payload='{review}'"),
        format!("events record --source=agency --type=cycle --run=$run --payload='{agency}'"),
        format!("events record --source=agency --type=cycle --run=$run --payload='{agency}' --idempotency-key=agency"),
        "events record --source=agency --type=cycle --payload='{\"agency_name\":\"a\"}'".to_owned(),
        "events record --source=interspect --type=override --payload='{\"agent_name\":\"fd-a\"}'".to_owned(),
        "events record --source=coordination --type=held --payload='{\"lock_id\":\"l\",\"owner\":\"o\",\"pattern\":\"p\",\"scope\":\"s\"}'"
            .to_owned(),
        "events record --source=intent --type=done --payload='{\"intent_type\":\"t\",\"bead_id\":\"b\",\"idempotency_key\":\"i\"}'"
            .to_owned(),
        "events record --source=intent --type=done --payload={}".to_owned(),
    ] {
        t.call(&line);
    }
    t.calls(&[
        "events emit $run built --payload='{\"ok\":true}'",
        "events emit $run --type=tested --source=ci --context='{\"a\":1}'",
        "events emit --run=$run --type=tested",
        "events emit $run",
        "events emit none built",
        "events emit $run built --payload=nonsense",
        "events add $run --type=note --detail='waiting for review'",
        "events add --type=note",
        "events add $run --type=once --idempotency-key=k",
        "events add $run --type=once --idempotency-key=k",
        "events add $run --type=twice --idempotency-key=k",
        "events add none --type=note",
        "events add $run",
        "events list-review",
        "events list-review --since=9999",
        "events list-review --limit=x",
        "events list-agency",
        "events list-agency --agency=research --run=$run",
        "events list-agency --agency=none",
        "events list-agency --run=none",
        "events list-agency --since=x",
        "events stats",
        "events stats extra",
        "events verify",
        "events verify --from=2 --to=4",
        "events verify --from=9 --to=4",
        "events verify --from=9999",
        "events verify --head=nonsense",
        "events verify --head=1:0000000000000000000000000000000000000000000000000000000000000001",
        "events tail --all --limit=0",
    ]);
    let hash: String =
        t.open().query_row("SELECT hash FROM events WHERE id = 1", [], |row| row.get(0)).unwrap();
    t.set("hash", &hash);
    t.call("events verify --head=1:$hash");
}

pub fn tail(t: &mut Tape) {
    t.stage("in every form");
    t.get("run", r#"run create --goal=g --phases='["a","b","c"]'"#);
    t.get("other", "run create --goal=other");
    t.quiet("run advance $run --priority=4");
    t.env("IC_TRACE_ID", "0af7651916cd43dd8448eb211c80319c");
    t.env("IC_SPAN_ID", "b7ad6b7169203331");
    t.quiet("events record --source=mine --type=built --run=$run --payload='{\"n\":1}'");
    t.no_env();
    for form in ["", " --format=jsonl", " --format=cloudevents", " --format=text", " --page"] {
        for line in ["events tail $run", "events tail --all --limit=2", "events tail --all --since=2"] {
            t.call(&format!("{line}{form}"));
        }
    }
    t.calls(&[
        "events tail --all --source=phase",
        "events tail --all --type=create --limit=1",
        "events tail --all --since=9999",
        "events tail",
        "events tail none",
        "events tail --all --format=xml",
        "events tail --all --limit=x",
        "events tail --all --page --follow",
        "events tail --all --page --format=text",
        "events tail --all --ack",
        "events tail $run --all",
    ]);
    t.note("for a consumer");
    t.calls(&[
        "events tail --all --consumer=c --limit=2",
        "events tail --all --consumer=c --page",
        "events tail --all --consumer=c",
        "events tail --all --consumer=d --ack",
        "events tail --all --consumer=d --ack --limit=1",
        "events cursor list",
        "events tail --all --consumer=''",
        "events tail $run --consumer=c",
    ]);

    t.stage("followed");
    t.get("run", "run create --goal=g");
    for (line, lines) in [
        ("events tail --all --follow", 2),
        ("events tail --all --follow --format=text", 3),
        ("events tail --all --follow --format=cloudevents --source=mine", 3),
        ("events tail $run -f --consumer=c", 5),
    ] {
        let follow = t.start(line);
        t.written(&follow, lines - 1);
        t.quiet("events record --source=mine --type=came --run=$run");
        t.written(&follow, lines);
        if line.contains("--consumer") {
            let taken = "SELECT position = (SELECT max(id) FROM events) FROM event_cursors";
            t.until("the cursor follows", |t| t.count(taken) == 1);
        }
        Tape::end(&follow);
        t.join(follow);
    }
    t.calls(&["events cursor list", "events tail $run -f --consumer="]);
}

pub fn cursors(t: &mut Tape) {
    t.stage("cursors");
    t.get("run", "run create --goal=g");
    t.quiet("events add --type=note");
    t.calls(&[
        "events cursor list",
        "events cursor get reader",
        "events cursor register reader",
        "events cursor register reader --durable",
        "events cursor register reader --run=$run",
        "events cursor register reader --run=~none",
        "events cursor register",
        "events cursor register ''",
        "events cursor get reader",
        "events cursor get reader --run=$run",
        "events cursor get reader --run=none",
        "events cursor get",
        "events cursor set reader 2",
        "events cursor set reader 1",
        "events cursor set reader 1 --force",
        "events cursor set reader 9999",
        "events cursor set reader x",
        "events cursor set reader",
        "events cursor set new 1",
        "events cursor set reader 1 --run=$run",
        "events cursor set reader 1 --run=~none",
        "events cursor list",
        "events cursor reset reader",
        "events cursor reset reader",
        "events cursor reset reader:$run",
        "events cursor reset none --run=$run",
        "events cursor reset",
        "events cursor list extra",
        "events cursor list",
    ]);
    t.note("too old");
    t.quiet("events cursor register short");
    t.later(100_000, "events cursor get short");
    t.calls(&["events tail --all --consumer=short", "events cursor register short", "events cursor list"]);
    t.note("ahead of the log");
    t.quiet("backup b.db");
    t.quiet("events cursor register ahead --durable");
    t.quiet("events add --type=note");
    t.quiet("events add --type=note");
    t.quiet("events tail --all --consumer=ahead");
    t.quiet("restore b.db");
    t.calls(&[
        "events cursor get ahead",
        "events tail --all --consumer=ahead",
        "events cursor set ahead 1 --force",
    ]);
}

pub fn copies(t: &mut Tape) {
    t.stage("exported and taken over");
    t.get("run", r#"run create --goal=g --phases='["a","b"]'"#);
    t.calls(&[
        "events export log.jsonl",
        "events export log.jsonl",
        "events export -",
        "events export",
        "events export none/log.jsonl",
        "events import log.jsonl",
        "events import none.jsonl",
        "events import",
    ]);
    t.quiet("run advance $run --priority=4");
    t.quiet("events export longer.jsonl");
    t.calls(&["events import log.jsonl", "init --db=apart.db", "events import log.jsonl --db=apart.db"]);
    t.calls(&["events import longer.jsonl --db=apart.db", "events tail --all --format=text --db=apart.db"]);
    let longer = std::fs::read_to_string(t.path("longer.jsonl")).unwrap();
    t.write("altered.jsonl", &longer.replace("kernel", "others"));
    t.write("cut.jsonl", longer.split_inclusive('\n').next().unwrap());
    t.write("nonsense.jsonl", "nonsense\n");
    t.calls(&[
        "init --db=empty.db",
        "events import altered.jsonl --db=empty.db",
        "events import cut.jsonl --db=empty.db",
    ]);
    t.call("events import nonsense.jsonl --db=empty.db");
    t.feed("events import - --db=empty.db", "nonsense\n");
    t.note("another history");
    t.quiet("init --db=other.db");
    t.quiet("events record --source=mine --type=x --db=other.db");
    t.calls(&["events import log.jsonl --db=other.db"]);
}
