//! The database itself: made, looked at, damaged, copied and put back.

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};

use super::tape::Tape;

const DB: &str = ".clavain/intercore.db";

pub fn start(t: &mut Tape) {
    t.bare("nothing there yet");
    t.calls(&[
        "version",
        "health",
        "health --deep",
        "run list",
        "init",
        "init",
        "version",
        "health",
        "health --deep",
    ]);
    t.calls(&["health --verbose", "health -vv", "version --db=none.db", "init --db=elsewhere.db"]);
    t.calls(&[
        "health --db=elsewhere.db",
        "health --db=../outside.db",
        "health --db=no-ending",
        "init --db=/etc/x.db",
    ]);
    t.calls(&[
        "health --timeout=soon",
        "--nonsense health",
        "health extra",
        "init extra",
        "version extra",
        "",
    ]);
    t.calls(&["run", "run nonsense", "nonsense", "--help", "-h", "run -h"]);
    t.stage("found from below");
    t.write("below/deep/file", "");
    t.below("below/deep", "health");
    t.below("below/deep", "run create --goal=g --verbose");
    t.with("INTERCORE_DB", "$dir/apart.db", "health");
    t.with("INTERCORE_DB", "$dir/apart.db", "init");
    t.with("INTERCORE_DB", "$dir/apart.db", "run list");
    t.with("INTERCORE_DB", "no-ending", "health");
    t.with("IC_LOG_LEVEL", "nonsense", "health");
    t.with("IC_LOG_LEVEL", "debug", "run create --goal=g");
}

pub fn damage(t: &mut Tape) {
    const CALLS: [&str; 6] =
        ["version", "health", "health --deep", "init", "run list", "run create --goal=g"];
    t.bare("a text file in its place");
    t.write(DB, "This is a list of things to do, and it is long enough to look like a header.\n");
    t.calls(&CALLS);
    t.bare("a directory in its place");
    t.write(&format!("{DB}/x"), "");
    t.calls(&CALLS);
    t.bare("a database of the Go program in its place");
    t.database(DB, include_str!("../../fixtures/go-v39.sql"));
    t.calls(&CALLS[..5]);
    t.stage("of another program");
    t.sql("PRAGMA application_id = 77");
    t.calls(&CALLS);
    t.stage("of a newer version");
    t.sql("PRAGMA user_version = 1999");
    t.calls(&CALLS);
    t.bare("of an older version");
    old(t);
    t.calls(&[
        "health",
        "version",
        "run list",
        "run create --goal=g",
        "events tail --all",
        "init",
        "run list",
    ]);
    t.stage("a symlink");
    fs::rename(t.path(DB), t.path("real.db")).unwrap();
    symlink("../real.db", t.path(DB)).unwrap();
    t.calls(&CALLS);
    t.stage("a table too many");
    t.sql("CREATE TABLE mine (a)");
    t.calls(&CALLS);
    t.stage("a constraint too many");
    t.sql("CREATE UNIQUE INDEX mine ON runs (goal)");
    t.calls(&["run create --goal=g", "run create --goal=g"]);
    t.stage("a table that is not there");
    t.sql("DROP TABLE sentinels");
    t.calls(&["sentinel list", "sentinel check a b --interval=1"]);
    t.stage("damaged pages");
    t.quiet("run create --goal=g");
    t.sql("PRAGMA wal_checkpoint(TRUNCATE)");
    {
        let raw = fs::File::options().write(true).open(t.path(DB)).unwrap();
        let pages = raw.metadata().unwrap().len() / 4096;
        for page in 1..pages {
            raw.write_all_at(&[0xff; 4096], 4096 * page).unwrap();
        }
    }
    t.calls(&CALLS[1..]);
    t.stage("an altered event");
    t.quiet("run create --goal=g");
    t.quiet("run create --goal=h");
    t.sql("DROP TRIGGER events_no_update; UPDATE events SET reason = 'x' WHERE id = 1");
    t.calls(&["events verify", "events verify --from=2", "events export log.jsonl", "backup b.db"]);
    t.stage("values of a run that cannot be used");
    t.get("run", "run create --goal=g");
    t.sql("UPDATE runs SET phases = '{'");
    t.calls(&["run status $run", "run advance $run", "run list", "gate rules --run=$run", "gate check $run"]);
    t.sql("UPDATE runs SET phases = NULL, phase = 'gone'");
    t.calls(&[
        "run status $run",
        "run advance $run",
        "gate check $run",
        "run rollback $run --to-phase=brainstorm",
    ]);
    t.stage("an active run in its last phase");
    t.get("run", "run create --goal=g");
    t.sql("UPDATE runs SET phase = 'done'");
    t.calls(&[
        "run advance $run",
        "gate check $run",
        "gate override $run --reason=r",
        "run skip $run done --reason=r",
    ]);
    t.stage("a full disk, a full stdout");
    t.quiet("run create --goal=g");
    t.limited(8, "run create --goal=g");
    t.limited(8, "backup b.db");
    t.full("run create --goal=kept");
    t.full("run list");
    t.full("events tail --all");
    t.call("run list");
    // The tests may run as root, whom no mode keeps out: a file in the place of the directory does.
    t.bare("no directory");
    t.write(".clavain", "a file");
    t.calls(&["health", "init", "run list"]);
}

/// A database as the first version made it, with one run.
fn old(t: &Tape) {
    t.database(DB, intercore_schema());
    t.sql(
        "PRAGMA application_id = 0x69636462; PRAGMA user_version = 1001; \
         INSERT INTO runs VALUES (1, 'oldrun00', '/p', '/p', 'kept', 'active', 'planned', 3, 0, 1, 5, 5, NULL, NULL, \
         NULL, NULL, NULL, 80, NULL, NULL, 0, 0, 0, NULL)",
    );
    t.open().query_row("PRAGMA journal_mode = wal", [], |_| Ok(())).unwrap();
    fs::set_permissions(t.path(DB), fs::Permissions::from_mode(0o600)).unwrap();
}

fn intercore_schema() -> &'static str {
    intercore::MIGRATIONS[0].sql
}

pub fn copies(t: &mut Tape) {
    t.stage("a backup, and put back");
    t.quiet("run create --goal=kept");
    t.calls(&["backup b.db", "backup b.db", "backup none/b.db", "backup", "backup /proc/b.db"]);
    t.quiet("run create --goal=lost");
    t.quiet("events cursor register reader --durable");
    t.quiet("events tail --all --consumer=reader");
    t.calls(&["run list", "restore b.db", "run list", "events tail --all --format=text"]);
    t.calls(&["events tail --all --consumer=reader", "events cursor get reader"]);
    t.calls(&["restore none.db", "restore", "restore ."]);
    t.write("text.db", "no database, and long enough not to be taken for an empty file");
    t.calls(&["restore text.db", "health --deep"]);
    t.bare("into an empty project");
    t.calls(&["restore none.db", "backup b.db"]);
    t.stage("over a damaged database");
    t.quiet("run create --goal=kept");
    t.quiet("backup b.db");
    t.sql("PRAGMA wal_checkpoint(TRUNCATE)");
    {
        let raw = fs::File::options().write(true).open(t.path(DB)).unwrap();
        raw.write_all_at(&[0xff; 4096], 4096 * 3).unwrap();
    }
    {
        let reader = t.open();
        reader.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema").unwrap();
        t.call("restore b.db");
        reader.execute_batch("ROLLBACK").unwrap();
    }
    t.calls(&["restore b.db", "health --deep", "run list"]);
    t.stage("a backup whose log does not verify");
    t.quiet("run create --goal=g");
    t.quiet("backup b.db");
    {
        let conn = rusqlite::Connection::open(t.path("b.db")).unwrap();
        conn.execute_batch("DROP TRIGGER events_no_update; UPDATE events SET subject = 'x'").unwrap();
    }
    t.calls(&["restore b.db"]);
    t.stage("a backup of another program, and of a newer version");
    t.quiet("backup b.db");
    for (pragma, id) in [("application_id", 77), ("user_version", 1999)] {
        let conn = rusqlite::Connection::open(t.path("b.db")).unwrap();
        conn.pragma_update(None, "application_id", 0x6963_6462).unwrap();
        conn.pragma_update(None, pragma, id).unwrap();
        drop(conn);
        t.call("restore b.db");
    }
}
