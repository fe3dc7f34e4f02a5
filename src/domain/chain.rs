//! The hash chain over the event log: its input and its form.
//!
//! Each event's hash covers the hash before it and every stored field of the event. It catches an edit, a
//! removal or an insertion anywhere in the log. It cannot catch a cut tail, or a whole chain computed anew by
//! a process that can write the file: for that, keep a head (`ID:HASH`) elsewhere and verify against it.

use std::fmt;

use sha2::{Digest, Sha256};

use super::text::hex;

/// The hash before the first event.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The version of the form below. It is hashed too.
const FORMAT: &[u8] = b"ic-event/1";

/// The stored fields of an event, in the order of their columns.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    pub id: i64,
    pub at_ms: i64,
    pub origin: &'a str,
    pub run_id: Option<&'a str>,
    pub source: &'a str,
    /// `type`
    pub kind: &'a str,
    pub subject: &'a str,
    /// `from_state`
    pub from: &'a str,
    /// `to_state`
    pub to: &'a str,
    pub reason: Option<&'a str>,
    pub data: Option<&'a str>,
    pub envelope: Option<&'a str>,
}

/// Returns the hash of an event whose predecessor has the hash `previous`, as 64 hexadecimal digits.
///
/// The input of the hash is: the previous hash's digits, the format's name, then each field as one byte (0
/// for NULL, 1 otherwise) and, unless NULL, its length in bytes (eight bytes, big-endian) and its bytes;
/// numbers in decimal. The lengths keep fields from running into each other; the byte tells NULL from empty.
pub fn link(previous: &str, fields: &Fields<'_>) -> String {
    let mut hasher = Sha256::new();
    hasher.update(previous.as_bytes());
    hasher.update(FORMAT);
    let mut field = |text: Option<&str>| match text {
        None => hasher.update([0]),
        Some(text) => {
            hasher.update([1]);
            hasher.update((text.len() as u64).to_be_bytes());
            hasher.update(text.as_bytes());
        }
    };
    field(Some(&fields.id.to_string()));
    field(Some(&fields.at_ms.to_string()));
    field(Some(fields.origin));
    field(fields.run_id);
    for text in [fields.source, fields.kind, fields.subject, fields.from, fields.to] {
        field(Some(text));
    }
    for text in [fields.reason, fields.data, fields.envelope] {
        field(text);
    }
    hex(&hasher.finalize())
}

/// The first place where a log differs from the one that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    /// The number of the first event that is altered, missing or inserted.
    pub id: i64,
    pub problem: &'static str,
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event {}: {}", self.id, self.problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Fields<'static> = Fields {
        id: 1,
        at_ms: 0,
        origin: "kernel",
        run_id: None,
        source: "run",
        kind: "create",
        subject: "r",
        from: "",
        to: "a",
        reason: None,
        data: None,
        envelope: None,
    };

    /// K-17: the form is fixed; a change of this value breaks every existing log.
    #[test]
    fn the_form_is_stable() {
        assert_eq!(link(GENESIS, &PLAIN), "0661bc999fc01695b987ea17aa9dc8abed7ccace5cbd99e43b3b2581ba74c04e");
    }

    /// K-17
    #[test]
    fn null_is_not_empty_and_fields_do_not_run_together() {
        let base = link(GENESIS, &PLAIN);
        let others = [
            Fields { reason: Some(""), ..PLAIN },
            Fields { data: Some(""), ..PLAIN },
            Fields { from: "a", to: "", ..PLAIN },
            Fields { kind: "creater", subject: "", ..PLAIN },
            Fields { id: 10, at_ms: 0, ..PLAIN },
            Fields { id: 1, at_ms: 10, ..PLAIN },
        ];
        let mut hashes: Vec<_> = others.iter().map(|fields| link(GENESIS, fields)).collect();
        hashes.push(link(&base, &PLAIN));
        hashes.push(base);
        hashes.sort();
        hashes.dedup();
        assert_eq!(hashes.len(), others.len() + 2);
    }
}
