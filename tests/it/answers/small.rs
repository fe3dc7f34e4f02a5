//! Values, sentinels, settings, and what older hooks left.

use super::tape::Tape;

pub fn state(t: &mut Tape) {
    t.stage("values");
    t.write("value.json", r#"{"from":"a file"}"#);
    t.feed("state set key scope", r#"{"step":3}"#);
    t.feed("state set key", r#"{"step":4}"#);
    t.feed("state set key scope", "nonsense");
    t.feed("state set raw scope --raw", "any text\n");
    t.feed("state set short scope --ttl=60s", "1");
    t.feed("state set short scope --ttl=soon", "1");
    t.feed("state set short scope --ttl=1ms", "1");
    t.feed("state set key scope", r#"{"password":"hunter2hunter2"}"#);
    t.calls(&[
        "state set file scope @value.json",
        "state set file @value.json",
        "state set file scope @none.json",
        "state set file scope @../outside.json",
        "state set",
        "state get key scope",
        "state get key",
        "state get raw scope",
        "state get file scope",
        "state get none",
        "state get short scope",
        "state get",
        "state list key",
        "state list none",
        "state list",
        "state prune",
    ]);
    t.later(100, "state get short scope");
    t.calls(&[
        "state prune",
        "state prune extra",
        "state delete key scope",
        "state delete key scope",
        "state delete key --all",
        "state delete none --all",
        "state delete key scope --all",
        "state delete",
    ]);
}

pub fn sentinel(t: &mut Tape) {
    t.stage("sentinels");
    t.calls(&[
        "sentinel list",
        "sentinel check drift s1 --interval=60s",
        "sentinel check drift s1 --interval=60",
        "sentinel check once s1 --interval=0",
        "sentinel check once s1 --interval=0",
        "sentinel check drift s2 --interval=soon",
        "sentinel check drift s2",
        "sentinel check drift",
        "sentinel check drift s2 --interval=1h",
        "sentinel list",
        "sentinel list extra",
    ]);
    t.later(100, "sentinel check drift s1 --interval=60s");
    t.calls(&[
        "sentinel reset once s1",
        "sentinel reset once s1",
        "sentinel reset drift --all",
        "sentinel reset none --all",
        "sentinel reset drift",
        "sentinel reset",
        "sentinel check drift s1 --interval=60s",
        "sentinel prune --older-than=1h",
        "sentinel prune --older-than=soon",
        "sentinel prune",
    ]);
    t.later(4000, "sentinel prune --older-than=1h");
    t.call("sentinel list");
}

pub fn config(t: &mut Tape) {
    t.stage("settings");
    t.calls(&[
        "config list",
        "config list --verbose",
        "config get max_spawn_depth",
        "config set max_spawn_depth 3",
        "config set max_spawn_depth -1",
        "config set max_spawn_depth x",
        "config set autonomy.delegation_level L1",
        "config set autonomy.delegation_level L9",
        "config set global_max_dispatches 7",
        "config set mine '{\"a\":1}'",
        "config set mine nonsense",
        "config set '' 1",
        "config set mine",
        "config get max_spawn_depth",
        "config get autonomy.delegation_level",
        "config get mine",
        "config get none",
        "config get",
        "config list",
        "config list --verbose",
        "config list extra",
    ]);
}

pub fn compat(t: &mut Tape) {
    t.stage("what older hooks left");
    t.calls(&["compat check dispatch", "compat check ''", "compat check"]);
    t.feed("state set dispatch s1", "1");
    t.calls(&["compat check dispatch", "compat status extra"]);
    // What lies in /tmp is the machine's: only the form is recorded.
    t.summed("compat status", |text| format!("{} lines\n", text.lines().count()));
    t.bare("without a database");
    t.calls(&["compat check dispatch"]);
}
