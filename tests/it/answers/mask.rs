//! Masks what varies from run to run, and keeps which is which: `<id-1>` is the same identifier everywhere in a
//! stage.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::tape::host;

/// Members of JSON documents whose numbers are no two times the same.
const NUMBERS: [(&str, &str); 8] = [
    ("pid", "pid"),
    ("owner_pid", "pid"),
    ("supervisor_pid", "pid"),
    ("pgid", "pid"),
    ("start_time", "start"),
    ("pid_start", "start"),
    ("supervisor_start", "start"),
    ("bytes", "bytes"),
];

/// The same in texts for people: what stands before the number.
const LABELS: [(&str, &str); 4] =
    [("PID:     ", "pid"), ("--pid=", "pid"), ("[1] ", "pid"), ("waited ", "seconds")];

/// What is known to vary in a stage.
pub struct Mask {
    /// Texts that are replaced wherever they stand.
    texts: Vec<(String, &'static str)>,
    host: String,
    ids: BTreeSet<String>,
    numbers: BTreeMap<(&'static str, String), usize>,
}

impl Mask {
    /// Returns a mask that knows the scratch directory and this machine.
    pub fn new(root: &Path) -> Self {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let mut texts = vec![(root.to_str().unwrap().to_owned(), "<root>")];
        if !boot.trim().is_empty() {
            texts.push((boot.trim().to_owned(), "<boot>"));
        }
        let (version, arch) = (env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
        let commit = option_env!("IC_COMMIT").unwrap_or("unstamped");
        for (from, to) in [
            (format!("ic {version}\n"), "ic <version>\n"),
            (format!("\"ic {version}\""), "\"ic <version>\""),
            (format!("\"version\":\"{version}\""), "\"version\":\"<version>\""),
            (format!("commit: {commit}"), "commit: <built>"),
            (format!("\"commit\":\"{commit}\""), "\"commit\":\"<built>\""),
            (format!("/{arch}\n"), "/<arch>\n"),
            (format!("\"arch\":\"{arch}\""), "\"arch\":\"<arch>\""),
        ] {
            texts.push((from, to));
        }
        Self { texts, host: host(), ids: BTreeSet::new(), numbers: BTreeMap::new() }
    }

    /// Takes in the identifiers that a database has by now.
    pub fn learn(&mut self, db: &Path) {
        if !db.is_file() {
            return;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let Ok(conn) = Connection::open_with_flags(db, flags) else { return };
        let mut found = Vec::new();
        for table in [
            "SELECT id FROM runs",
            "SELECT id FROM run_agents",
            "SELECT id FROM run_artifacts",
            "SELECT id FROM dispatches",
            "SELECT id FROM coordination_locks",
            "SELECT id FROM intents",
            "SELECT id FROM modifications",
            "SELECT subject FROM events",
            "SELECT substr(data, instr(data, '\"intent\":\"') + 10, 8) FROM events WHERE instr(data, '\"intent\":\"') > 0",
        ] {
            let Ok(mut statement) = conn.prepare(table) else { continue };
            let Ok(rows) = statement.query_map([], |row| row.get::<_, String>(0)) else { continue };
            found.extend(rows.filter_map(Result::ok));
        }
        self.ids.extend(found.into_iter().filter(|id| is_id(id)));
    }

    fn number(&mut self, kind: &'static str, value: &str) -> String {
        let next = self.numbers.keys().filter(|(of, _)| *of == kind).count() + 1;
        let n = *self.numbers.entry((kind, value.to_owned())).or_insert(next);
        format!("<{kind}-{n}>")
    }

    /// Returns a text with everything masked that varies.
    pub fn apply(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        for (from, to) in &self.texts {
            text = text.replace(from.as_str(), to);
        }
        text = self.members(&text);
        for mark in ["ic-demo-", ".intercore-"] {
            text = after(&text, mark, "<random>");
        }
        for (label, kind) in LABELS {
            text = self.labelled(&text, label, kind);
        }
        self.tokens(&text)
    }

    /// The numbers behind a label.
    fn labelled(&mut self, text: &str, label: &str, kind: &'static str) -> String {
        let mut parts = text.split(label);
        let mut out = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            out.push_str(label);
            // Numbers that a test makes up are told by being greater than any process's.
            if end > 0 && part[..end] != *"4194303" {
                out.push_str(&self.number(kind, &part[..end]));
                out.push_str(&part[end..]);
            } else {
                out.push_str(part);
            }
        }
        out
    }

    /// The numbers behind the names of members.
    fn members(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("\":") {
            let (head, tail) = rest.split_at(at + 2);
            out.push_str(head);
            rest = tail;
            let name = head[..at].rsplit('"').next().unwrap_or_default();
            let end = tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len());
            let Some((_, kind)) = NUMBERS.iter().find(|(of, _)| *of == name) else { continue };
            if end > 0 && *kind == "start" {
                // Nothing is known of when a process began that is gone at once: 0.
                out.push_str("<start>");
                rest = &tail[end..];
            } else if end > 0 && tail[..end] != *"0" {
                out.push_str(&self.number(kind, &tail[..end]));
                rest = &tail[end..];
            }
        }
        out + rest
    }

    fn tokens(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
            if end == 0 {
                let next = rest.chars().next().unwrap();
                out.push(next);
                rest = &rest[next.len_utf8()..];
                continue;
            }
            let (token, tail) = rest.split_at(end);
            let masked = self.token(token, &out, tail);
            out.push_str(&masked);
            rest = tail;
        }
        out
    }

    fn token(&mut self, token: &str, before: &str, after: &str) -> String {
        let digits = token.bytes().all(|b| b.is_ascii_digit());
        let hex = token.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if self.ids.contains(token) {
            return self.number("id", token);
        }
        if hex && token.len() == 64 && token.bytes().any(|b| b != b'0') {
            return self.number("hash", token);
        }
        if hex && token.len() == 40 {
            return self.number("commit", token);
        }
        if digits && (after.strip_prefix(':').is_some_and(|rest| rest.starts_with(&self.host))) {
            return self.number("pid", token);
        }
        // The name of a child's file: when it was made, and by whom.
        let named = before.rsplit_once("ic-dispatch-").map(|(_, part)| part);
        if digits && named.is_some_and(|part| part.len() == 20 && part.ends_with('-')) {
            return self.number("pid", token);
        }
        if digits && token.len() > 4 && after.starts_with(" bytes") {
            return "<bytes>".to_owned();
        }
        if token == self.host && (before.ends_with([':', '"', '@', ' ', '\t'])) {
            return "<host>".to_owned();
        }
        token.to_owned()
    }
}

fn is_id(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

/// Replaces the six random characters of a temporary name.
fn after(text: &str, mark: &str, with: &str) -> String {
    let mut parts = text.split(mark);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str(mark);
        let random = part.len() >= 6 && part.bytes().take(6).all(|b| b.is_ascii_alphanumeric());
        if random {
            out.push_str(with);
        }
        out.push_str(if random { &part[6..] } else { part });
    }
    out
}
