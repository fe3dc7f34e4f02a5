//! The migration runner on a chain of its own, and what a transaction guarantees.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::create::{Prepared, migrate_with, prepare_with};
use super::identity::require_readable;
use super::sqlite::Conn;
use super::{Db, DbError, GoDb, MIGRATIONS, Migration, NewDb, Row};

const PATIENCE: Duration = Duration::from_secs(10);

const CHAIN: &[Migration] = &[
    Migration {
        version: 1001,
        name: "one",
        sql: "CREATE TABLE a (id INTEGER PRIMARY KEY, x TEXT NOT NULL) STRICT;",
        additive: false,
    },
    Migration {
        version: 1002,
        name: "two",
        sql: "CREATE TABLE b (id INTEGER PRIMARY KEY) STRICT;",
        additive: true,
    },
    Migration {
        version: 1003,
        name: "three",
        sql: "ALTER TABLE a ADD COLUMN y INTEGER NOT NULL DEFAULT 7; CREATE TABLE c (z TEXT) STRICT; \
              CREATE INDEX a_y ON a(y);",
        additive: true,
    },
];

fn rows(path: &Path, sql: &str) -> Vec<String> {
    let conn = Conn::open(path, PATIENCE).unwrap();
    let mut out = Vec::new();
    conn.query(sql, &[], |row: &Row| {
        out.push(format!("{:?}", row.cells().collect::<Vec<_>>()));
        Ok::<_, DbError>(true)
    })
    .unwrap();
    conn.close().unwrap();
    out
}

fn schema(path: &Path) -> Vec<String> {
    let columns = "SELECT m.name AS t, p.name AS c, p.type AS ty, p.\"notnull\" AS nn, p.dflt_value AS d, p.pk AS pk \
                   FROM sqlite_schema m, pragma_table_info(m.name) p WHERE m.type = 'table' ORDER BY m.name, p.cid";
    let objects = "SELECT type, name, tbl_name FROM sqlite_schema ORDER BY type, name";
    [rows(path, columns), rows(path, objects)].concat()
}

fn fill(path: &Path) {
    let conn = Conn::open(path, PATIENCE).unwrap();
    conn.batch("INSERT INTO a (x) VALUES ('kept')").unwrap();
    conn.close().unwrap();
}

fn backups(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains(".backup-"))
        .collect();
    found.sort();
    found
}

/// K-10, K-20, RB-08: from every earlier version the schema ends up the same as a fresh one, rows are kept,
/// new columns have their defaults.
#[test]
fn an_upgrade_gives_the_schema_of_a_fresh_file_and_keeps_every_row() {
    let dir = tempfile::tempdir().unwrap();
    let fresh = dir.path().join("fresh.db");
    assert_eq!(prepare_with(&fresh, PATIENCE, "t", CHAIN).unwrap(), Prepared::Created);
    for known in 1..CHAIN.len() {
        let path = dir.path().join(format!("from{known}.db"));
        prepare_with(&path, PATIENCE, "t", &CHAIN[..known]).unwrap();
        fill(&path);
        let done = prepare_with(&path, PATIENCE, "t", CHAIN).unwrap();
        assert!(matches!(done, Prepared::Migrated { from, .. } if from == CHAIN[known - 1].version));
        assert_eq!(schema(&path), schema(&fresh));
        assert_eq!(rows(&path, "SELECT x, y FROM a"), [r#"[("x", Text("kept")), ("y", Int(7))]"#]);
        assert_eq!(prepare_with(&path, PATIENCE, "t", CHAIN).unwrap(), Prepared::Current);
    }
}

/// K-10: a backup is made only when a migration runs, is private, holds what was in the log, and only five
/// are kept.
#[test]
fn backups_are_private_complete_and_few() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.db");
    prepare_with(&path, PATIENCE, "t", &CHAIN[..1]).unwrap();
    prepare_with(&path, PATIENCE, "t", &CHAIN[..1]).unwrap();
    assert_eq!(backups(dir.path()), Vec::<PathBuf>::new());
    // Still open: what it wrote is in the log alone when the backup is made.
    let writer = Conn::open(&path, PATIENCE).unwrap();
    writer.batch("INSERT INTO a (x) VALUES ('in the log')").unwrap();
    let Prepared::Migrated { backup, .. } = prepare_with(&path, PATIENCE, "t", CHAIN).unwrap() else {
        panic!("not migrated");
    };
    assert_eq!(backup.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(rows(&backup, "SELECT x FROM a"), [r#"[("x", Text("in the log"))]"#]);
    for turn in 0..7 {
        let conn = Conn::open(&path, PATIENCE).unwrap();
        conn.batch("DROP INDEX a_y; ALTER TABLE a DROP COLUMN y; DROP TABLE c").unwrap();
        conn.set_pragma("user_version", 1002).unwrap();
        conn.close().unwrap();
        prepare_with(&path, PATIENCE, &format!("u{turn}"), CHAIN).unwrap();
    }
    let left = backups(dir.path());
    assert_eq!(left.len(), 5);
    assert!(left[0].to_string_lossy().contains("backup-u2"), "the oldest are dropped: {left:?}");
}

/// K-21: a database that has come between is named as the reason, also while it is open and has a log.
#[test]
fn an_import_into_a_place_that_was_taken_meanwhile_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let (path, source) = (dir.path().join("t.db"), dir.path().join("go.db"));
    std::fs::File::create(&source).unwrap();
    let conn = Conn::open(&source, PATIENCE).unwrap();
    conn.batch("CREATE TABLE state (x TEXT); CREATE TABLE sentinels (x TEXT); PRAGMA user_version = 39")
        .unwrap();
    conn.close().unwrap();
    let go = GoDb::open_apart(&source, PATIENCE).unwrap();
    let new = NewDb::beside(&path).unwrap();
    prepare_with(&path, PATIENCE, "t", CHAIN).unwrap();
    let open = Conn::open(&path, PATIENCE).unwrap();
    open.batch("INSERT INTO a (x) VALUES ('kept')").unwrap();
    let refused = new.publish(&path, &go);
    assert!(matches!(refused, Err(DbError::Occupied(_))), "{refused:?}");
    open.close().unwrap();
    assert_eq!(rows(&path, "SELECT count(*) AS n FROM a"), [r#"[("n", Int(1))]"#]);
}

/// K-10: eight at once apply each step once.
#[test]
fn migrations_run_once_whoever_comes() {
    for from in [0, 1] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.db");
        if from > 0 {
            prepare_with(&path, PATIENCE, "t", &CHAIN[..from]).unwrap();
        }
        let done: Vec<Prepared> = std::thread::scope(|scope| {
            let spawn = |_| scope.spawn(|| prepare_with(&path, PATIENCE, "t", CHAIN).unwrap());
            let threads: Vec<_> = (0..8).map(spawn).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(done.iter().filter(|done| **done != Prepared::Current).count(), 1, "{done:?}");
        assert_eq!(backups(dir.path()).len(), from);
    }
}

/// K-09, K-35: a newer file is refused, and an older one if something that is pending does more than add.
#[test]
fn a_file_of_another_version_is_refused_unless_it_only_lacks_additions() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.db");
    prepare_with(&path, PATIENCE, "t", &CHAIN[..2]).unwrap();
    let breaking = [CHAIN[0], CHAIN[1], Migration { additive: false, ..CHAIN[2] }];
    let conn = Conn::open(&path, PATIENCE).unwrap();
    assert_eq!(require_readable(&conn, CHAIN).unwrap(), 1002);
    assert!(matches!(
        require_readable(&conn, &breaking),
        Err(DbError::SchemaTooOld { found: 1002, known: 1003, .. })
    ));
    assert!(matches!(
        require_readable(&conn, &CHAIN[..1]),
        Err(DbError::SchemaTooNew { found: 1002, known: 1001 })
    ));
    conn.close().unwrap();
    assert!(matches!(
        prepare_with(&path, PATIENCE, "t", &CHAIN[..1]),
        Err(DbError::SchemaTooNew { found: 1002, known: 1001 })
    ));
    let before = schema(&path);
    assert!(matches!(
        migrate_with(&path, PATIENCE, "t", &breaking),
        Err(DbError::SchemaTooOld { found: 1002, known: 1003, .. })
    ));
    assert_eq!((schema(&path), backups(dir.path()).len()), (before, 0));
    assert!(matches!(migrate_with(&path, PATIENCE, "t", CHAIN), Ok(Prepared::Migrated { from: 1002, .. })));
    assert_eq!(migrate_with(&path, PATIENCE, "t", CHAIN).unwrap(), Prepared::Current);
}

/// K-35: a migration that calls itself additive creates tables and indexes and adds columns that need no
/// value, and does nothing else.
#[test]
fn additive_migrations_only_add() {
    for migration in MIGRATIONS.iter().filter(|migration| migration.additive) {
        let lines = migration.sql.lines().filter(|line| !line.trim_start().starts_with("--"));
        let sql = lines.collect::<Vec<_>>().join(" ");
        let mut created: Vec<String> = Vec::new();
        for statement in sql.split(';') {
            let words: Vec<_> = statement.split_whitespace().collect();
            let needs_a_value = statement.contains("NOT NULL") && !statement.contains("DEFAULT");
            let adds = match words[..] {
                ["CREATE", "TABLE", name, ..] => {
                    created.push(name.to_owned());
                    true
                }
                [] | ["CREATE", "INDEX", ..] => true,
                // Rows that are there could make it fail.
                ["CREATE", "UNIQUE", "INDEX", _, "ON", table, ..] => {
                    created.iter().any(|name| table.split('(').next() == Some(name))
                }
                ["ALTER", "TABLE", _, "ADD", "COLUMN", ..] => {
                    !needs_a_value && !statement.contains("UNIQUE") && !statement.contains("REFERENCES")
                }
                _ => false,
            };
            assert!(adds, "{}_{}: {statement}", migration.version, migration.name);
        }
    }
}

/// K-10: a step that fails leaves the version and the schema as they were.
#[test]
fn a_failing_migration_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.db");
    prepare_with(&path, PATIENCE, "t", &CHAIN[..2]).unwrap();
    fill(&path);
    let before = schema(&path);
    let broken =
        [CHAIN[0], CHAIN[1], Migration { name: "bad", sql: "CREATE TABLE d (x); NONSENSE;", ..CHAIN[2] }];
    let err = prepare_with(&path, PATIENCE, "t", &broken).unwrap_err();
    assert!(err.to_string().contains("1003_bad"), "{err}");
    assert_eq!(schema(&path), before);
    prepare_with(&path, PATIENCE, "t", CHAIN).unwrap();
}

/// K-10: the list in the code is the folder, in order.
#[test]
fn every_migration_file_is_listed() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let listed: Vec<_> = MIGRATIONS.iter().map(|m| format!("{}_{}.sql", m.version, m.name)).collect();
    assert_eq!(files, listed);
    assert!(MIGRATIONS.windows(2).all(|pair| pair[0].version < pair[1].version));
}

/// K-02: rows that change without an event are a bug, and a debug build says so.
#[test]
#[should_panic(expected = "no event was appended")]
fn a_change_without_an_event_panics() {
    let mut db = Db::in_memory().unwrap();
    let _ = db.write(|tx| {
        tx.execute(
            "INSERT INTO idempotency (command, key, digest, answer, created_at) VALUES ('a', 'b', 'c', 'd', 1)",
            &[],
        )
    });
}

/// K-02: an error takes everything back.
#[test]
fn an_error_rolls_back() {
    let mut db = Db::in_memory().unwrap();
    let failed: Result<(), DbError> = db.write(|tx| {
        tx.execute_quiet(
            "INSERT INTO idempotency (command, key, digest, answer, created_at) VALUES ('a', 'b', 'c', 'd', 1)",
            &[],
        )?;
        Err(DbError::Busy)
    });
    assert!(failed.is_err());
    let left: i64 = db.read(|tx| tx.scalar("SELECT count(*) FROM idempotency", &[])).unwrap();
    assert_eq!(left, 0);
}
