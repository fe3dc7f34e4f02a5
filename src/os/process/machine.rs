//! The identity of this machine.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use crate::os::{atomic, files};

/// The system's own id.
const SYSTEM: &str = "/etc/machine-id";

/// Returns the id of this machine: that of the system, else a random one that is stored for this user. `None`
/// if there is neither, and a new one cannot be stored.
pub(super) fn machine() -> Option<String> {
    read(Path::new(SYSTEM)).or_else(drawn)
}

/// Reads the id in a file, if it has one.
fn read(path: &Path) -> Option<String> {
    /// The content of the file in a system image before its first boot.
    const NOT_YET: &str = "uninitialized";
    let text = files::text(path, 256)?;
    let id = text.trim();
    let is_id =
        matches!(id.len(), 1..=64) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (is_id && id != NOT_YET).then(|| id.to_owned())
}

fn drawn() -> Option<String> {
    let dir = state_home()?.join("intercore");
    let path = dir.join("machine-id");
    if let Some(id) = read(&path) {
        return Some(id);
    }
    // Of several processes at once the first one wins, and all read its id.
    let _ = create(&dir, &path);
    read(&path)
}

/// Returns the directory that keeps the state of a user's programs.
fn state_home() -> Option<PathBuf> {
    let absolute = |path: Option<OsString>| path.map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || absolute(std::env::var_os("HOME")).map(|home| home.join(".local/state"));
    absolute(std::env::var_os("XDG_STATE_HOME")).or_else(home)
}

/// Creates the file durably, unless it has an id already.
fn create(dir: &Path, path: &Path) -> io::Result<()> {
    // A process that has changed its user may still have the HOME of the old one, whose files it must not
    // change.
    let there = dir.ancestors().find_map(|dir| fs::metadata(dir).ok());
    if there.is_none_or(|found| found.uid() != geteuid().as_raw()) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let id = format!("{:032x}", rand::random::<u128>());
    let temp = atomic::beside(path, &id);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(&temp)
        .and_then(|mut file| writeln!(file, "{id}").and_then(|()| file.sync_all()))
        .and_then(|()| match fs::hard_link(&temp, path) {
            // The existing file has no id, or the file system has no hard links.
            Err(_) if read(path).is_none() => fs::rename(&temp, path),
            _ => Ok(()),
        });
    let _ = atomic::discard(&temp);
    written?;
    atomic::sync_directory(path)?;
    atomic::sync_directory(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// K-25
    #[test]
    fn an_id_is_a_word() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("id");
        assert_eq!(read(&path), None);
        let long = "a".repeat(65);
        for (text, expected) in [
            ("0123456789abcdef0123456789abcdef\n", Some("0123456789abcdef0123456789abcdef")),
            ("my-box", Some("my-box")),
            ("", None),
            ("\n", None),
            ("uninitialized\n", None),
            ("a/b\n", None),
            ("two words\n", None),
            (&long, None),
        ] {
            fs::write(&path, text).unwrap();
            assert_eq!(read(&path).as_deref(), expected, "{text:?}");
        }
    }

    /// K-25: all who draw an id at once get the same one, and what is there but is no id is replaced.
    #[test]
    fn an_id_is_drawn_once() {
        for there in [None, Some(""), Some("uninitialized")] {
            let root = tempfile::tempdir().unwrap();
            let dir = root.path().join("deep/state");
            let path = dir.join("machine-id");
            if let Some(text) = there {
                fs::create_dir_all(&dir).unwrap();
                fs::write(&path, text).unwrap();
                create(&dir, &path).unwrap();
            }
            std::thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| read(&path).map_or_else(|| create(&dir, &path).unwrap(), drop));
                }
            });
            let id = read(&path).unwrap();
            create(&dir, &path).unwrap();
            assert_eq!(read(&path).unwrap(), id, "{there:?}");
            assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "{there:?}");
        }
    }
}
