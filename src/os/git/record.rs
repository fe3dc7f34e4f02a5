//! A change of the index that is about to happen, as it is kept for the process that has to finish it.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::run;

/// The entries of an index at some paths: mode and object, `None` where there is none.
pub type Entries = BTreeMap<PathBuf, Option<(String, String)>>;

/// A change of the real index that is about to happen, written down before the branch moves: if this process
/// is killed in between, another one updates the index.
#[derive(Debug, PartialEq, Eq)]
pub struct Record {
    pub commit: String,
    pub before: Entries,
    pub after: Entries,
}

/// Serialised as fields that each end in a NUL byte, which no path contains.
impl Record {
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut field = |field: &[u8]| {
            bytes.extend_from_slice(field);
            bytes.push(0);
        };
        field(self.commit.as_bytes());
        for (path, after) in &self.after {
            field(path.as_os_str().as_bytes());
            for entry in [self.before.get(path).and_then(Option::as_ref), after.as_ref()] {
                let (mode, object) = entry.map_or(("", ""), |(mode, object)| (mode, object));
                field(mode.as_bytes());
                field(object.as_bytes());
            }
        }
        bytes
    }

    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut fields = bytes.strip_suffix(b"\0")?.split(|byte| *byte == 0);
        let text = |field: &[u8]| String::from_utf8(field.to_owned()).ok();
        let commit = text(fields.next()?)?;
        let mut record = Self { commit, before: Entries::new(), after: Entries::new() };
        while let Some(path) = fields.next() {
            let path = run::path_of(path);
            for entries in [&mut record.before, &mut record.after] {
                let (mode, object) = (text(fields.next()?)?, text(fields.next()?)?);
                entries.insert(path.clone(), (!mode.is_empty()).then_some((mode, object)));
            }
        }
        Some(record)
    }
}
