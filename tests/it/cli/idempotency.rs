//! `--idempotency-key`: one effect per command and key.

use crate::support::Sandbox;

/// K-12: neither the order of flags nor that of the members of a document counts.
#[test]
fn the_same_arguments_in_another_order_return_the_first_answer() {
    let sandbox = Sandbox::new();
    let create = |given: [&str; 2]| {
        sandbox.ok(["run", "create", "--goal=g", "--idempotency-key=k"].into_iter().chain(given))
    };
    let first = create([r#"--metadata={"a":1,"b":{"c":2,"d":3}}"#, "--token-budget=9"]);
    assert_eq!(create(["--token-budget=9", r#"--metadata={"b":{"d":3,"c":2},"a":1}"#]), first);

    let record = |payload: &str| {
        sandbox.ok([
            "events",
            "record",
            "--source=mine",
            "--type=t",
            "--idempotency-key=k",
            "--payload",
            payload,
        ])
    };
    let first = record(r#"{"a":1,"b":{"c":2,"d":3}}"#);
    assert_eq!(record(r#"{"b":{"d":3,"c":2},"a":1}"#), first);

    for other in [r#"--metadata={"a":2}"#, "--token-budget=8"] {
        let call = ["run", "create", "--goal=g", "--idempotency-key=k", other, "--json"];
        let (_, stderr) = sandbox.fails(call, 1);
        assert!(stderr.contains("idempotency_conflict"), "{stderr}");
    }
    assert_eq!(sandbox.count("SELECT count(*) FROM runs"), 1);
}

/// K-12: the digest of a row from before has no tag and another form, so it cannot be compared. The row returns its answer
/// to its own command, and to no other.
#[test]
fn a_row_from_before_returns_its_answer() {
    let sandbox = Sandbox::new();
    let create = |goal: &str| sandbox.ok(["run", "create", &format!("--goal={goal}"), "--idempotency-key=k"]);
    let first = create("first");
    let tagged = "SELECT count(*) FROM idempotency WHERE digest LIKE 'v2:%' AND length(digest) = 67";
    assert_eq!(sandbox.count(tagged), 1);
    sandbox.open().execute("UPDATE idempotency SET digest = substr(digest, 4)", []).unwrap();
    assert_eq!(create("first"), first);
    assert_eq!(create("other"), first);
    assert_eq!(sandbox.count("SELECT count(*) FROM runs"), 1);
    let agent = sandbox.ok(["agent", "add", &first, "--idempotency-key=k"]);
    assert_ne!(agent, first);
    assert_eq!(sandbox.count("SELECT count(*) FROM idempotency"), 2);
}
