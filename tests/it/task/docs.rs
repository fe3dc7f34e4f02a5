//! The page on tasks is true.

use std::path::Path;

/// TS-64: every call of the page prints what the page shows, and it has a chapter on each thing that an agent has to know.
#[test]
fn the_page_on_tasks_is_true() {
    assert!(crate::readme::take("docs/task-sync.md") >= 20);
    let page =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/task-sync.md")).unwrap();
    for heading in [
        "preflight",
        "postflight",
        "/research",
        "/plan",
        "/revise",
        "/implement",
        "Verification",
        "Errors",
        "Git",
        "Many agents",
    ] {
        assert!(page.lines().any(|line| line.starts_with('#') && line.contains(heading)), "{heading}");
    }
    for word in [
        "CRITICAL",
        "NON-CRITICAL",
        "checkpoint",
        "after a second",
        "2 and after 4 seconds",
        "git checkout",
        "local file system",
    ] {
        assert!(page.contains(word), "{word}");
    }
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    assert!(readme.contains("(docs/task-sync.md)"));
}
