//! Reservations that another program keeps in a file of its own (CO-08, CO-11, CO-19).

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::{Sandbox, render, run};

/// The other program's file, as its own migrations make it.
pub struct Store {
    pub path: PathBuf,
    pub conn: Connection,
}

impl Store {
    pub fn new(sandbox: &Sandbox) -> Self {
        let path = sandbox.dir().parent().unwrap().join("peer.db");
        let conn = Connection::open(&path).unwrap();
        conn.query_row("PRAGMA journal_mode = wal", [], |_| Ok(())).unwrap();
        conn.execute_batch(
            "CREATE TABLE file_reservations (id TEXT PRIMARY KEY, agent_id TEXT NOT NULL, project TEXT NOT NULL, \
             path_pattern TEXT NOT NULL, exclusive INTEGER NOT NULL DEFAULT 1, reason TEXT, created_at TEXT NOT NULL, \
             expires_at TEXT NOT NULL, released_at TEXT)",
        )
        .unwrap();
        Self { path, conn }
    }

    pub fn hold(&self, id: &str, agent: &str, project: &str, pattern: &str) {
        // The clock of the tests stands at 2023-11-14T22:13:20Z.
        let sql = "INSERT INTO file_reservations VALUES (?1, ?2, ?3, ?4, 1, 'theirs', '2023-11-14T22:10:00.5Z', \
                   '2023-11-14T22:20:00.862932Z', NULL)";
        self.conn.execute(sql, [id, agent, project, pattern]).unwrap();
    }

    fn set(&self, column: &str, value: &str, id: &str) {
        let sql = format!("UPDATE file_reservations SET {column} = ?1 WHERE id = ?2");
        assert_eq!(self.conn.execute(&sql, [value, id]).unwrap(), 1);
    }
}

pub fn project() -> Sandbox {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.dir().join(".git")).unwrap();
    sandbox
}

/// A call that reads the other program's file by itself.
fn through(sandbox: &Sandbox, store: &Store, args: &[&str]) -> Output {
    let mut command = sandbox.command(args);
    command.env("INTERMUTE_DB", &store.path);
    run(command)
}

fn reserve(pattern: &str) -> [String; 5] {
    ["coordination", "reserve", "--owner=me", "--scope=."]
        .map(ToOwned::to_owned)
        .into_iter()
        .chain([format!("--pattern={pattern}")])
        .collect::<Vec<_>>()
        .try_into()
        .unwrap()
}

fn code(sandbox: &Sandbox, store: &Store, pattern: &str) -> Option<i32> {
    let words = reserve(pattern);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    through(sandbox, store, &words).status.code()
}

/// CO-11: mirrored once or twice, it is the same; what was given back there is given back here; what was released here stays
/// released; another reservation under the same identifier is refused, and nothing is mirrored.
#[test]
fn a_mirror_converges() {
    let sandbox = project();
    let store = Store::new(&sandbox);
    store.hold("u1", "agent", "project", "./src//a.rs");
    store.hold("u2", "agent", sandbox.dir().to_str().unwrap(), "docs/**");
    store.hold("u3", "agent", "elsewhere", "x");
    store.hold("over", "agent", "project", "old");
    store.set("expires_at", "2023-11-14T22:13:19.999Z", "over");
    let from = format!("--from={}", store.path.display());
    let mirror = ["coordination", "mirror", &from];
    let before = fs::read(&store.path).unwrap();
    assert_eq!(sandbox.json(mirror), json!({"added": 3, "renewed": 0, "ended": 0}));
    let events = sandbox.events().len();
    assert_eq!(sandbox.ok(mirror), "0 added, 0 renewed, 0 ended");
    assert_eq!(sandbox.events().len(), events, "nothing happened the second time");
    let list: Value = sandbox.json(["coordination", "list", "--scope=.", "--active"]);
    let shown: Vec<_> = list.as_array().unwrap().iter().map(|lock| (&lock["id"], &lock["pattern"])).collect();
    assert_eq!(shown, [(&json!("u2"), &json!("docs/**")), (&json!("u1"), &json!("src/a.rs"))]);
    assert_eq!(list[1]["expires_at"], 1_700_000_401, "no earlier than there");
    sandbox.fails(["coordination", "reserve", "--owner=me", "--scope=.", "--pattern=src"], 1);

    store.set("released_at", "2023-11-14T22:13:00Z", "u1");
    store.set("expires_at", "2023-11-14T22:30:00Z", "u2");
    sandbox.ok(["coordination", "release", "u3"]);
    assert_eq!(sandbox.json(mirror), json!({"added": 0, "renewed": 1, "ended": 1}));
    sandbox.ok(["coordination", "reserve", "--owner=me", "--scope=.", "--pattern=src"]);
    let active = sandbox.json(["coordination", "list", "--active"]);
    assert_eq!(active.as_array().unwrap().len(), 2, "{active}");

    store.hold("u4", "agent", "project", "new");
    store.set("path_pattern", "other/**", "u2");
    let (_, stderr) = sandbox.fails([&mirror[..], &["--json"]].concat(), 2);
    assert!(stderr.contains("mirror_conflict"), "{stderr}");
    assert_eq!(sandbox.count("SELECT count(*) FROM coordination_locks WHERE id = 'u4'"), 0);
    assert_eq!(fs::read(&store.path).unwrap(), before, "the other file is only read");
    sandbox.fails(["coordination", "mirror", "--from=none.db"], 2);
    sandbox.fails([&mirror[..], &["--map=x"]].concat(), 3);
}

/// CO-08, CO-19: what is committed there before a call begins is in its way, under every name of the scope, whoever looks and
/// however.
#[test]
fn nothing_is_missed_that_another_store_holds() {
    let sandbox = project();
    let store = Store::new(&sandbox);
    let path = sandbox.dir().to_str().unwrap();
    let link = sandbox.dir().parent().unwrap().join("link");
    std::os::unix::fs::symlink(sandbox.dir(), &link).unwrap();
    let names = ["project", &format!("{path}/"), link.to_str().unwrap(), "/srv/peer/project", path];
    for (n, name) in names.iter().enumerate() {
        let (id, pattern) = (format!("u{n}"), format!("dir{n}/**"));
        store.hold(&id, "agent", name, &pattern);
        let asked = format!("dir{n}/a.rs");
        let check = ["coordination", "check", "--scope=.", "--pattern", &asked, "--json"];
        let output = through(&sandbox, &store, &check);
        assert_eq!(output.status.code(), Some(1), "{name}: {}", render(&output));
        assert!(String::from_utf8_lossy(&output.stdout).contains(&id), "{}", render(&output));
        assert_eq!(code(&sandbox, &store, &asked), Some(1), "{name}");
        store.set("released_at", "2023-11-14T22:13:00Z", &id);
        assert_eq!(through(&sandbox, &store, &check).status.code(), Some(0), "{name}");
        assert_eq!(code(&sandbox, &store, &asked), Some(0), "{name}");
    }
    store.hold("v1", "agent", "Nickname", "named/x");
    assert_eq!(code(&sandbox, &store, "named/x"), Some(0), "nobody knows that name");
    let from = format!("--from={}", store.path.display());
    sandbox.ok(["coordination", "mirror", &from, &format!("--map=Nickname={path}")]);
    store.hold("v2", "me", "project", "mine");
    assert_eq!(code(&sandbox, &store, "mine"), Some(0), "one's own is not in the way");
}

/// CO-08: no file is nothing held; a file that cannot be read is said.
#[test]
fn a_store_that_cannot_be_read_is_said() {
    let sandbox = project();
    let store = Store::new(&sandbox);
    let gone = Store { path: sandbox.dir().join("none.db"), conn: Connection::open_in_memory().unwrap() };
    assert_eq!(code(&sandbox, &gone, "a"), Some(0));
    assert!(!gone.path.exists());
    store.conn.execute_batch("DROP TABLE file_reservations").unwrap();
    assert_eq!(code(&sandbox, &store, "b"), Some(2));
}

/// CO-08, CO-11: what another store holds is its own: the end of a session here, or a sweep, does not end it; a lock of ours
/// beside it lives by its own time.
#[test]
fn a_mirrored_lock_belongs_to_its_store() {
    let sandbox = project();
    let store = Store::new(&sandbox);
    store.hold("u1", "me", "project", "docs/**");
    let as_other = |pattern: &str| {
        let pattern = format!("--pattern={pattern}");
        through(&sandbox, &store, &["coordination", "reserve", "--owner=other", "--scope=.", &pattern])
            .status
            .code()
    };
    assert_eq!(as_other("docs/a.md"), Some(1));
    assert_eq!(code(&sandbox, &store, "docs/**"), Some(0), "a lock of ours beside it");
    assert_eq!(sandbox.count("SELECT count(*) FROM coordination_locks WHERE owner = 'me'"), 2);
    let list = sandbox.json(["coordination", "list", "--owner=me"]);
    let ours = list.as_array().unwrap().iter().find(|lock| lock["id"] != "u1").unwrap().clone();
    assert_eq!(as_other("docs/a.md"), Some(1));
    assert_eq!(sandbox.ok(["coordination", "release", "--owner=me", "--scope=."]), "1 released");
    assert_eq!(as_other("docs/a.md"), Some(1), "it still holds there");
    assert_eq!(
        sandbox.ok(["coordination", "transfer", "--from=me", "--to=you", "--scope=."]),
        "0 transferred"
    );
    // Its time is over here and was made longer there.
    store.set("expires_at", "2023-11-14T23:20:00Z", "u1");
    let mut sweep = sandbox.command(["coordination", "sweep"]);
    sweep.env("IC_TEST_NOW", "1700000500");
    assert!(run(sweep).status.success());
    assert_eq!(as_other("docs/a.md"), Some(1));
    // An acknowledged lock of ours outlives the release there.
    assert_eq!(code(&sandbox, &store, "docs/b/**"), Some(0));
    store.set("released_at", "2023-11-14T22:13:00Z", "u1");
    assert_eq!(as_other("docs/b/c"), Some(1));
    assert_eq!(as_other("docs/a.md"), Some(0));
    assert_ne!(ours["id"], "u1");
}

/// CO-19: a bare name means the repository of that name wherever it was first met, and no directory that happens to be called
/// so; a time that cannot be read hides no reservation.
#[test]
fn a_name_means_the_repository_of_that_name() {
    let sandbox = project();
    let store = Store::new(&sandbox);
    let elsewhere = sandbox.dir().parent().unwrap().join("elsewhere");
    fs::create_dir_all(elsewhere.join(".git")).unwrap();
    fs::create_dir(sandbox.dir().join("core")).unwrap();
    store.hold("u1", "agent", "project", "src/a.rs");
    store.hold("u2", "agent", "core", "README.md");
    store.hold("u3", "agent", "project", "odd.rs");
    store.set("expires_at", "2099-01-01T00:00:00+02:00", "u3");
    let mut first = sandbox.command(["coordination", "reserve", "--owner=q", "--scope=.", "--pattern=z"]);
    first.env("INTERMUTE_DB", &store.path).env("INTERCORE_DB", sandbox.db_path());
    first.env("PWD", &elsewhere).current_dir(&elsewhere);
    assert!(run(first).status.success());
    assert_eq!(code(&sandbox, &store, "src/a.rs"), Some(1), "first met from another repository");
    assert_eq!(code(&sandbox, &store, "README.md"), Some(0), "another repository's");
    assert_eq!(code(&sandbox, &store, "odd.rs"), Some(1));
}
