//! Locks on files and names, in the database and without one.

use std::fs;

use rusqlite::Connection;

use super::tape::Tape;

pub fn coordination(t: &mut Tape) {
    t.stage("reserved, shown, given back");
    t.calls(&["coordination list", "coordination sweep"]);
    t.id("src", "coordination reserve --owner=me --scope=s --pattern='src/**' --ttl=15m --reason=why");
    t.set("fence", &t.count("SELECT fence FROM coordination_locks").to_string());
    t.get("run", "run create --goal=g");
    t.get("child", "dispatch record");
    t.calls(&[
        "coordination reserve --owner=you --scope=s --pattern=src/a.rs",
        "coordination reserve --owner=me --scope=s --pattern='src/**' --ttl=20m",
        "coordination reserve --owner=you --scope=s --pattern=docs/ --exclusive=false --run=$run --dispatch=$child",
        "coordination reserve --owner=me --scope=s --pattern='docs/*.md' --exclusive=false",
        "coordination reserve --owner=me --scope=s --pattern='docs/*.md'",
        "coordination reserve --owner=me --scope=s --pattern=deploy --type=named_lock",
        "coordination reserve --owner=you --scope=s --pattern=deploy --type=named_lock",
        "coordination reserve --owner=me --scope=s --pattern=a --type=write_set",
        "coordination reserve --owner=me --scope=s --pattern=a --type=nonsense",
        "coordination reserve --owner=me --scope=s --pattern=../a",
        "coordination reserve --owner=me --scope=s --pattern='[a'",
        "coordination reserve --owner=me --scope=s",
        "coordination reserve --owner=me --pattern=a",
        "coordination reserve --scope=s --pattern=a",
        "coordination reserve --owner=me --scope=s --pattern=x --ttl=soon",
        "coordination reserve --owner=me --scope=s --pattern=x --run=none",
        "coordination reserve --owner=me --scope=s --pattern=x --dispatch=none",
        "coordination reserve --owner=me --scope=s --pattern=x --owner-pid=4194303",
        "coordination reserve --owner=me --scope=s --pattern=x --ticket=1",
        "coordination reserve --owner=me --scope=. --pattern=here --ttl=0",
        "coordination check --scope=s --pattern=src/a.rs",
        "coordination check --scope=s --pattern=src/a.rs --exclude-owner=me",
        "coordination check --scope=s --pattern=docs/x.md --shared",
        "coordination check --scope=s --pattern=deploy --type=named_lock",
        "coordination check --scope=s --pattern=free",
        "coordination check --scope=s",
        "coordination check --scope=s --pattern='[a'",
        "coordination list",
        "coordination list --active",
        "coordination list --scope=s --owner=me --type=named_lock",
        "coordination list --owner=none",
        "coordination list --type=nonsense",
        "coordination renew $src --owner=me --ttl=15m",
        "coordination renew $src",
        "coordination renew $src --owner=you",
        "coordination renew none",
        "coordination renew",
        "coordination verify $src --token=$fence",
        "coordination verify $src --token=9999",
        "coordination verify $src --token=x",
        "coordination verify none --token=1",
        "coordination verify $src",
        "coordination transfer --from=me --to=you --scope=s",
        "coordination transfer --from=me --to=third --scope=s",
        "coordination transfer --from=nobody --to=you --scope=s",
        "coordination transfer --from=third --to=you --scope=s --force",
        "coordination transfer --from=me --to=you",
        "coordination verify $src --token=$fence",
        "coordination release $src --owner=me",
        "coordination release $src",
        "coordination release $src",
        "coordination release none",
        "coordination release --owner=you --scope=s",
        "coordination release --owner=you --scope=s",
        "coordination release --owner=you",
        "coordination release",
        "coordination renew $src",
        "coordination explain 'src/**' '**/*.rs'",
        "coordination explain 'a/*' 'b/*'",
        "coordination explain a",
        "coordination explain '[a' b",
        "events tail --all --source=coordination",
    ]);
    t.note("what would be in the way of the new owner");
    t.quiet("coordination reserve --owner=ann --scope=t --pattern='a/**' --exclusive=false");
    t.quiet("coordination reserve --owner=bob --scope=t --pattern=a/b --exclusive=false");
    t.sql("UPDATE coordination_locks SET exclusive = 1 WHERE owner = 'bob' AND scope = 't'");
    t.calls(&[
        "coordination transfer --from=ann --to=bob --scope=t",
        "coordination transfer --from=ann --to=bob --scope=t --force",
    ]);
    t.note("over");
    t.quiet("coordination reserve --owner=me --scope=s --pattern=short --ttl=60");
    t.later(100, "coordination check --scope=s --pattern=short");
    t.calls(&[
        "coordination list --scope=s --owner=me",
        "coordination sweep --dry-run",
        "coordination sweep --older-than=1h",
        "coordination sweep --older-than=soon",
        "coordination sweep",
        "coordination sweep",
    ]);
    t.note("as many as there may be");
    t.sql(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1024) \
         INSERT INTO coordination_locks (id, type, owner, scope, pattern, created_at) \
         SELECT printf('full%04d', i), 'write_set', 'full', 'full', 'p' || i, 1700000000 FROM n",
    );
    t.summed("coordination reserve --owner=full --scope=full --pattern=more", ToOwned::to_owned);
}

pub fn wait(t: &mut Tape) {
    let places =
        |n: i64| move |t: &Tape| t.count("SELECT count(*) FROM lock_waiters WHERE left_at IS NULL") == n;
    t.stage("granted after a wait");
    t.quiet("coordination reserve --owner=ann --scope=s --pattern='src/**'");
    let bob = t.start("coordination reserve --owner=bob --scope=s --pattern=src/a.rs --wait=60s");
    t.until("bob stands in line", places(1));
    t.calls(&[
        "coordination check --scope=s --pattern=src/a.rs",
        "coordination release --owner=ann --scope=s",
    ]);
    t.join(bob);

    t.stage("waited in vain");
    t.quiet("coordination reserve --owner=ann --scope=s --pattern=a");
    t.calls(&[
        "coordination reserve --owner=bob --scope=s --pattern=a --wait=20ms",
        "coordination reserve --owner=bob --scope=s --pattern=a --wait=20ms --grace=0",
        "coordination reserve --owner=bob --scope=s --pattern=a --wait=soon",
        "coordination reserve --owner=bob --scope=s --pattern=a --wait=20ms --grace=1d",
    ]);
    t.note("and back with the ticket");
    t.quiet("coordination reserve --owner=ann --scope=s --pattern=b");
    t.call("coordination reserve --owner=bob --scope=s --pattern=b --wait=20ms --grace=60");
    let ticket = t.count("SELECT max(ticket) FROM lock_waiters");
    t.set("ticket", &ticket.to_string());
    t.quiet("coordination release --owner=ann --scope=s");
    t.calls(&[
        "coordination reserve --owner=cat --scope=s --pattern=b",
        "coordination reserve --owner=bob --scope=s --pattern=b --wait=10s --ticket=$ticket",
        "coordination list",
    ]);

    t.stage("a circle");
    t.quiet("coordination reserve --owner=ann --scope=s --pattern=a");
    t.quiet("coordination reserve --owner=bob --scope=s --pattern=b");
    let ann = t.start("coordination reserve --owner=ann --scope=s --pattern=b --wait=60s");
    t.until("ann stands in line", places(1));
    t.calls(&["coordination reserve --owner=bob --scope=s --pattern=a --wait=60s"]);
    t.quiet("coordination release --owner=bob --scope=s");
    t.join(ann);
    t.calls(&["events tail --all --source=coordination"]);
}

pub fn mirror(t: &mut Tape) {
    t.stage("what another program has reserved");
    fs::create_dir(t.path(".git")).unwrap();
    let peer = Connection::open(t.path("peer.db")).unwrap();
    peer.execute_batch(
        "CREATE TABLE file_reservations (id TEXT PRIMARY KEY, agent_id TEXT NOT NULL, project TEXT NOT NULL, \
         path_pattern TEXT NOT NULL, exclusive INTEGER NOT NULL DEFAULT 1, reason TEXT, created_at TEXT NOT NULL, \
         expires_at TEXT NOT NULL, released_at TEXT); \
         INSERT INTO file_reservations VALUES ('u1', 'agent', 'project', 'src/a.rs', 1, 'theirs', \
         '2023-11-14T22:10:00.5Z', '2023-11-14T22:20:00.862932Z', NULL), \
         ('u2', 'agent', 'elsewhere', 'src/b.rs', 1, 'theirs', '2023-11-14T22:10:00Z', '2023-11-14T22:20:00Z', NULL)",
    )
    .unwrap();
    t.calls(&[
        "coordination mirror --from=peer.db",
        "coordination mirror --from=peer.db",
        "coordination mirror --from=peer.db --map=elsewhere=$dir/sub",
        "coordination list",
        "coordination reserve --owner=me --scope=. --pattern=src/a.rs",
        "coordination mirror --from=none.db",
        "coordination mirror --from=peer.db --map=nonsense",
        "coordination mirror",
    ]);
    peer.execute_batch("UPDATE file_reservations SET released_at = '2023-11-14T22:13:30Z' WHERE id = 'u1'")
        .unwrap();
    t.with("INTERMUTE_DB", "$dir/peer.db", "coordination reserve --owner=me --scope=. --pattern=src/a.rs");
    peer.execute_batch("UPDATE file_reservations SET path_pattern = 'other' WHERE id = 'u2'").unwrap();
    t.calls(&["coordination mirror --from=peer.db --map=elsewhere=$dir/sub"]);
    peer.execute_batch("DROP TABLE file_reservations").unwrap();
    t.calls(&["coordination mirror --from=peer.db"]);
    t.with("INTERMUTE_DB", "$dir/peer.db", "coordination check --scope=. --pattern=src/b.rs");
    t.with("INTERMUTE_DB", "$dir/none.db", "coordination check --scope=. --pattern=src/b.rs");
}

pub fn lock(t: &mut Tape) {
    t.bare("without a database");
    t.calls(&[
        "lock list",
        "lock acquire deploy here --owner=me",
        "lock acquire deploy here --owner=you --timeout=10ms",
        "lock acquire deploy here --owner=me --timeout=0s",
        "lock acquire deploy there --owner=you --ttl=60s",
        "lock list",
        "lock stale",
        "lock stale --older-than=0s",
        "lock stale --older-than=soon",
        "lock clean",
        "lock clean --older-than=soon",
        "lock release deploy here --owner=you",
        "lock release deploy here --owner=me",
        "lock release deploy here --owner=me",
        "lock release deploy",
        "lock acquire deploy",
        "lock acquire deploy here --timeout=soon",
        "lock acquire ../x y",
        "lock acquire '' y",
        "lock acquire own here",
        "lock list",
        "lock release own here",
        "lock list extra",
    ]);
    t.note("of a process that is gone");
    t.call("lock acquire gone here --owner=4194303:elsewhere");
    t.calls(&["lock list", "lock clean --older-than=0s"]);
    t.bare("locks that cannot be made");
    t.write("../locks", "a file");
    t.calls(&[
        "lock acquire a b --owner=me",
        "lock list",
        "lock stale",
        "lock clean",
        "lock release a b --owner=me",
    ]);
}
