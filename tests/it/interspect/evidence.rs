//! Evidence: what counts, for whom, and what it leads to.

use rusqlite::Connection;
use serde_json::json;

use super::Project;
use crate::support::{render, run};

#[test]
fn the_evidence_decides_who_is_eligible() {
    let project = Project::new();
    assert_eq!(project.json(&["eligible"]), json!([]));
    project.evidence("fd-a", 10, 8);
    project.evidence("interflux:review:fd-b", 9, 7);
    project.evidence("fd-c", 4, 4);
    assert_eq!(project.ok(&["eligible"]), "fd-a|10|10|2|80");
    assert_eq!(project.ok(&["eligible", "interflux:fd-a"]), "fd-a|10|10|2|80");
    let said = project.fails(&["eligible", "fd-b"], 1, "below_threshold");
    assert!(said.contains("77 of 80 percent"), "{said}");
    project.fails(&["eligible", "fd-c"], 1, "below_threshold");
    project.fails(&["eligible", "fd-safety"], 1, "below_threshold");
    let patterns = project.ok(&["eligible", "--patterns"]);
    assert!(patterns.contains("fd-a|override|agent_wrong|8|8|2|ready"), "{patterns}");
    assert!(patterns.contains("fd-c|override|agent_wrong|4|4|2|growing"), "{patterns}");
    // What there is has to suffice, unless somebody decides otherwise; where there is nothing, somebody has decided.
    for verb in ["apply", "propose"] {
        project.refused(&[verb, "fd-b", "--reason=r"], 1, "below_threshold");
    }
    project.ok(&["apply", "fd-b", "--reason=r", "--force"]);
    assert_eq!(project.file()["overrides"][0]["confidence"], json!(0.78));
    project.ok(&["apply", "fd-a", "--reason=r"]);
    assert_eq!(project.json(&["eligible"]), json!([]), "it is overridden already");
    project.ok(&["revert", "fd-a", "--blacklist"]);
    assert_eq!(project.json(&["eligible"]), json!([]));
    project.fails(&["eligible", "fd-a"], 1, "blacklisted");
    project.ok(&["unblock", "fd-a"]);
    assert_eq!(project.ok(&["eligible"]), "fd-a|10|10|2|80");
}

/// Evidence is kept back for two days, unless the caller says otherwise.
#[test]
fn fresh_evidence_does_not_count_yet() {
    let project = Project::new();
    for nth in 0..6 {
        let (session, dir) = (format!("--session=s{nth}"), format!("--project=p{}", nth % 2));
        project.ok(&["record", "--agent=fd-a", "--type=override", "--reason=agent_wrong", &session, &dir]);
    }
    assert_eq!(project.json(&["eligible"]), json!([]));
    let text = |output: &std::process::Output| String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(text(&project.at(48 * 3600 - 1, &["eligible"])), "");
    assert_eq!(text(&project.at(48 * 3600, &["eligible"])), "fd-a|6|6|2|100\n");
    let mut command = project.command(&["eligible"]);
    command.env("INTERSPECT_QUARANTINE_HOURS", "0");
    assert_eq!(text(&run(command)), "fd-a|6|6|2|100\n");
}

/// What a project asks for is its own, within bounds.
#[test]
fn thresholds_are_the_projects() {
    let project = Project::new();
    project.evidence("fd-a", 4, 3);
    assert_eq!(project.json(&["eligible"]), json!([]));
    project.thresholds(
        r#"{"min_events":4,"min_agent_wrong_pct":75,"canary_window_uses":3,"canary_window_days":400}"#,
    );
    let output = project.at(0, &["eligible"]);
    assert!(render(&output).contains("fd-a|4|4|2|75"), "{}", render(&output));
    assert!(render(&output).contains("canary_window_days is 400, taken as 365"), "{}", render(&output));
    project.apply("fd-a");
    let canary = &project.file()["overrides"][0]["canary"];
    assert_eq!((&canary["window_uses"], &canary["expires_at"]), (&json!(3), &json!("2024-11-13T22:13:20Z")));
    project.thresholds("[]");
    let (_, stderr) = project.sandbox.fails(["interspect", "apply", "fd-b", "--reason=r"], 2);
    assert!(stderr.contains("confidence.json"), "{stderr}");
}

/// What an agent may do by itself: only with autonomy, on evidence, within the limits. People may do more.
#[test]
fn agents_decide_by_themselves_within_limits() {
    let project = Project::new();
    let auto = |agent: &str| {
        vec!["apply".to_owned(), agent.to_owned(), "--reason=r".to_owned(), "--auto".to_owned()]
    };
    let refused = |agent: &str, code: &str| {
        let args = auto(agent);
        project.refused(&args.iter().map(String::as_str).collect::<Vec<_>>(), 1, code);
    };
    project.evidence("fd-a", 5, 5);
    refused("fd-a", "autonomy_off");
    project.thresholds(r#"{"autonomy":true,"rate_limit_max":2,"circuit_breaker_max":1}"#);
    refused("fd-b", "below_threshold");
    project.ok(&["apply", "fd-a", "--reason=r", "--auto"]);
    project.ok(&["revert", "fd-a"]);
    refused("fd-a", "circuit_open");
    project.apply("fd-b");
    project.evidence("fd-c", 5, 5);
    refused("fd-c", "rate_limited");
    let limits = &project.json(&["status"])["limits"];
    assert_eq!((&limits["tripped"], &limits["applied"]), (&json!(["fd-a"]), &json!(2)));
    project.ok(&["apply", "fd-c", "--reason=r"]);
    project.check();
}

/// The evidence of the shell version is taken over once, whatever else that file holds, and counts as if recorded here.
#[test]
fn evidence_of_the_shell_version_is_taken_over() {
    let project = Project::new();
    let path = project.sandbox.dir().join(".clavain/interspect/interspect.db");
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch(
        "CREATE TABLE evidence (id INTEGER PRIMARY KEY, ts TEXT, session_id TEXT, seq INTEGER, source TEXT, \
         source_version TEXT, event TEXT, override_reason TEXT, context TEXT, project TEXT, project_lang TEXT, \
         source_kind TEXT DEFAULT 'agent', quarantine_until INTEGER DEFAULT 0);",
    )
    .unwrap();
    let insert = |id: i64, ts: &str, quarantine: i64, context: &str| {
        let sql = "INSERT INTO evidence (id, ts, session_id, seq, source, event, override_reason, context, project, \
                   quarantine_until) VALUES (?, ?, 's' || ?1, 1, 'interflux:fd-a', 'override', 'agent_wrong', ?4, \
                   'p' || (?1 % 2), ?3)";
        conn.execute(sql, (id, ts, quarantine, context)).unwrap();
    };
    for id in 1..=5 {
        insert(id, if id % 2 == 0 { "2023-11-14T00:00:00Z" } else { "2023-11-14 00:00:00" }, 0, r#"{"a":1}"#);
    }
    insert(6, "2023-11-14T00:00:00Z", 1_700_000_001, "{}");
    insert(7, "yesterday", 0, "{}");
    insert(8, "2023-11-14T00:00:00Z", 0, "ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6");
    let before = std::fs::read(&path).unwrap();
    assert_eq!(project.ok(&["import"]), "8 rows: 6 recorded, 0 known already, 2 left out");
    assert_eq!(project.json(&["import"]), json!({"read": 8, "written": 0, "known": 6, "left_out": 2}));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(project.ok(&["eligible"]), "fd-a|5|5|2|100", "without waiting; the sixth does not count yet");
    let query = project.ok(&["query", "--agent=interflux:fd-a", "--limit=1"]);
    let row: serde_json::Value = serde_json::from_str(&query).unwrap();
    assert_eq!((&row["session_id"], &row["context_json"]), (&json!("s1"), &json!(r#"{"a":1}"#)));
    project.sandbox.check_integrity();
    insert(9, "2023-11-14T00:00:00Z", 0, "{}");
    let from = format!("--from={}", path.display());
    assert_eq!(project.json(&["import", &from])["written"], 1);
    let (_, stderr) = project.sandbox.fails(["interspect", "import", "--from=none.db"], 2);
    assert!(stderr.contains("--from"), "{stderr}");
}
