//! What takes the whole tree, or a whole database: moving in, the demo, the pages.

use super::tape::Tape;

pub fn import(t: &mut Tape) {
    let go = include_str!("../../fixtures/go-v39.sql");
    t.bare("from elsewhere");
    t.database("old/go.db", go);
    t.calls(&[
        "import --from=none.db",
        "import --from",
        "import",
        "import --from=old/go.db",
        "import --from=old/go.db",
        "run list",
        "dispatch list",
        "coordination list",
        "events stats",
        "events verify",
        "events tail --all --limit=20 --format=text",
    ]);
    t.quiet("run create --goal=new");
    t.call("import --from=old/go.db");
    t.bare("in place");
    t.database(".clavain/intercore.db", go);
    t.calls(&["health", "import", "run list", "import"]);
    t.bare("what is no such database");
    t.write("text.db", "no database, and long enough not to be taken for an empty file");
    t.call("import --from=text.db");
    t.database("empty.db", "CREATE TABLE x (a)");
    t.call("import --from=empty.db");
    t.database("new.db", &go.replace("user_version = 39", "user_version = 99"));
    t.call("import --from=new.db");
}

pub fn demo(t: &mut Tape) {
    t.bare("the demo");
    t.other("kept/.clavain/intercore.db");
    t.calls(&["demo --keep=kept", "demo --keep=kept", "demo extra", "demo --keep=none/deep"]);
    t.summed("demo", |text| text.split_inclusive('\n').next_back().unwrap_or_default().to_owned());
}

pub fn pages(t: &mut Tape) {
    t.bare("help, completions, manual pages");
    let first = |text: &str| text.split_inclusive('\n').take(6).collect::<String>();
    for line in ["help", "help run", "help run advance", "help errors", "help exit-codes", "help environment"]
    {
        t.summed(line, first);
    }
    t.calls(&["help nonsense", "help run nonsense", "help --nonsense"]);
    t.calls(&["schema config get", "schema run", "schema nonsense"]);
    for shell in ["bash", "zsh", "fish"] {
        t.summed(&format!("completions {shell}"), first);
    }
    t.calls(&["completions", "completions nonsense", "completions bash extra"]);
    t.calls(&["schema config get", "schema nonsense", "schema --nonsense"]);
    t.calls(&["man pages", "man pages", "man", "man pages extra"]);
    t.write("file", "");
    t.calls(&["man file", "man none/deep"]);
    let page = std::fs::read_to_string(t.path("pages/ic-run-phase.1")).unwrap_or_default();
    t.write("page", &page);
    t.show("page");
}
