//! Programs that are found on `PATH`, and handing the process over to one.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{Access, access};

/// Returns the first executable file called `name` in the directories of `path`.
///
/// Relative and empty entries are left out: they would let the working directory decide which program runs.
pub fn find(path: &OsStr, name: &OsStr) -> Option<PathBuf> {
    if name.is_empty() || name.as_bytes().contains(&b'/') {
        return None;
    }
    directories(path).map(|dir| dir.join(name)).find(|program| is_executable(program))
}

/// Returns what follows `prefix` in the names of the executable files in the directories of `path`, sorted.
pub fn names_with_prefix(path: &OsStr, prefix: &str) -> BTreeSet<OsString> {
    let mut names = BTreeSet::new();
    for dir in directories(path) {
        // Entries of PATH that do not exist or cannot be read are common, and not errors.
        let Ok(entries) = dir.read_dir() else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let rest = name.as_bytes().strip_prefix(prefix.as_bytes()).filter(|rest| !rest.is_empty());
            if let Some(rest) = rest
                && is_executable(&entry.path())
            {
                names.insert(OsString::from_vec(rest.to_vec()));
            }
        }
    }
    names
}

/// Checks whether this process may run a file.
fn is_executable(path: &Path) -> bool {
    path.is_file() && access(path, Access::EXEC_OK).is_ok()
}

fn directories(path: &OsStr) -> impl Iterator<Item = PathBuf> {
    std::env::split_paths(path).filter(|dir| dir.is_absolute())
}

/// Replaces this process with a program. Returns only if that failed, with the reason.
pub fn replace_process(program: &Path, args: &[OsString], variables: &[(&str, OsString)]) -> io::Error {
    Command::new(program).args(args).envs(variables.iter().map(|(name, value)| (name, value))).exec()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_executables_in_absolute_directories_are_found() {
        let root = tempfile::tempdir().unwrap();
        let (first, second) = (root.path().join("first"), root.path().join("second"));
        for (dir, name, mode) in [
            (&first, "x-data", 0o644),
            (&first, "x-", 0o755),
            (&second, "x-data", 0o755),
            (&second, "x-b", 0o755),
        ] {
            fs::create_dir_all(dir).unwrap();
            fs::write(dir.join(name), "").unwrap();
            fs::set_permissions(dir.join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        let path = std::env::join_paths([Path::new("."), Path::new(""), &first, &second]).unwrap();
        assert_eq!(find(&path, OsStr::new("x-data")), Some(second.join("x-data")));
        assert_eq!(find(&path, OsStr::new("../second/x-b")), None);
        assert_eq!(find(OsStr::new("src:"), OsStr::new("main.rs")), None);
        assert_eq!(Vec::from_iter(names_with_prefix(&path, "x-")), ["b", "data"]);
    }
}
