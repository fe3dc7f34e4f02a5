//! Paths: resolving what a user typed, and comparing places.
//!
//! Nothing here changes the file system.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::{env, fs, io};

/// Returns the working directory by the name that the user knows: `$PWD` if it is valid, else the kernel's
/// path.
///
/// Valid means absolute, without `.` and `..`, and the same directory as the real one.
///
/// # Errors
/// As [`env::current_dir`], for instance if the directory was removed.
pub fn logical_cwd() -> io::Result<PathBuf> {
    Ok(choose_cwd(env::var_os("PWD"), env::current_dir()?))
}

fn choose_cwd(pwd: Option<OsString>, real: PathBuf) -> PathBuf {
    // Usually the texts are equal, and no system call is needed.
    let honest = |pwd: &PathBuf| is_plain(pwd) && (*pwd == real || same_place(pwd, &real));
    pwd.map(PathBuf::from).filter(honest).unwrap_or(real)
}

/// Returns true if a path is absolute and written without `.` and `..`, which `components` would partly hide.
fn is_plain(path: &Path) -> bool {
    let dotted = |part: &[u8]| part == b"." || part == b"..";
    path.is_absolute() && !path.as_os_str().as_encoded_bytes().split(|&byte| byte == b'/').any(dotted)
}

fn same_place(one: &Path, other: &Path) -> bool {
    let id = |path| fs::metadata(path).map(|meta| (meta.dev(), meta.ino()));
    matches!((id(one), id(other)), (Ok(one), Ok(other)) if one == other)
}

/// Makes `path` absolute against `base`, which is absolute itself, and removes `.`, `..`, double and trailing
/// slashes.
///
/// Works on the text alone: symlinks are not resolved, and the path need not exist.
pub fn clean(path: &Path, base: &Path) -> PathBuf {
    let mut cleaned = PathBuf::new();
    for part in base.join(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                cleaned.pop(); // the root stays: it is its own parent
            }
            part => cleaned.push(part),
        }
    }
    cleaned
}

/// Returns the canonical path of a place, for comparing: `cleaned` with its symlinks resolved.
///
/// A path that does not exist yet, or is not accessible, is resolved as far as possible, and the rest is
/// appended.
pub fn canonical_key(cleaned: &Path) -> PathBuf {
    for ancestor in cleaned.ancestors() {
        if let Ok(real) = ancestor.canonicalize() {
            // `join("")` would add a slash.
            return match cleaned.strip_prefix(ancestor) {
                Ok(rest) if !rest.as_os_str().is_empty() => real.join(rest),
                _ => real,
            };
        }
    }
    cleaned.to_owned()
}

/// Returns the top of the git work tree that holds `from`, an absolute directory: the nearest one with a
/// `.git` in it.
///
/// A `.git` file counts as a directory does (linked work trees, submodules). Git is not started.
pub fn git_top_level(from: &Path) -> Option<PathBuf> {
    from.ancestors().find(|dir| dir.join(".git").exists()).map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A directory whose own path has no symlinks in it.
    fn temp() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap();
        (dir, path)
    }

    #[test]
    fn an_honest_pwd_is_believed() {
        let (_guard, dir) = temp();
        let (real, link) = (dir.join("real"), dir.join("link"));
        fs::create_dir(&real).unwrap();
        symlink(&real, &link).unwrap();
        let choose = |pwd: &Path| choose_cwd(Some(pwd.into()), real.clone());
        assert_eq!(choose(&link), link);
        assert_eq!(choose(&real), real);
        for lie in
            [dir.clone(), dir.join("none"), link.join("."), link.join("../link"), "link".into(), "".into()]
        {
            assert_eq!(choose(&lie), real, "{}", lie.display());
        }
        assert_eq!(choose_cwd(None, real.clone()), real);
        assert!(logical_cwd().unwrap().is_absolute());
    }

    #[test]
    fn cleaning_is_lexical() {
        let cases = [
            ("a", "/b/a"),
            ("", "/b"),
            (".", "/b"),
            ("./a/", "/b/a"),
            ("a//c/./d/..", "/b/a/c"),
            ("..", "/"),
            ("../../../x", "/x"),
            ("/x//y/", "/x/y"),
            ("/", "/"),
            ("/..", "/"),
            ("...", "/b/..."),
        ];
        for (path, expected) in cases {
            assert_eq!(clean(Path::new(path), Path::new("/b")).as_os_str(), expected, "{path}");
        }
        assert_eq!(clean(Path::new("c"), Path::new("/a/./b/..//")).as_os_str(), "/a/c");
    }

    #[test]
    fn all_spellings_share_one_key() {
        let (_guard, dir) = temp();
        let real = dir.join("real");
        fs::create_dir(&real).unwrap();
        symlink("real", dir.join("link")).unwrap();
        symlink("nowhere", dir.join("dangling")).unwrap();
        symlink("loop", dir.join("loop")).unwrap();
        assert_eq!(canonical_key(&dir.join("link")).as_os_str(), real.as_os_str());
        assert_eq!(canonical_key(&dir.join("link/new/file")), real.join("new/file"));
        assert_eq!(canonical_key(&dir.join("dangling")), dir.join("dangling"));
        assert_eq!(canonical_key(&dir.join("loop/x")), dir.join("loop/x"));
        assert_eq!(canonical_key(Path::new("/")), Path::new("/"));
        assert_eq!(canonical_key(Path::new("/no-such-directory/x")), Path::new("/no-such-directory/x"));
    }

    #[test]
    fn the_nearest_git_entry_is_the_top() {
        let (_guard, dir) = temp();
        fs::create_dir_all(dir.join("outer/.git")).unwrap();
        fs::create_dir_all(dir.join("outer/inner/deep")).unwrap();
        fs::create_dir_all(dir.join("outer/other")).unwrap();
        fs::write(dir.join("outer/inner/.git"), "gitdir: elsewhere\n").unwrap();
        assert_eq!(git_top_level(&dir.join("outer")), Some(dir.join("outer")));
        assert_eq!(git_top_level(&dir.join("outer/other")), Some(dir.join("outer")));
        assert_eq!(git_top_level(&dir.join("outer/inner/deep")), Some(dir.join("outer/inner")));
        assert_ne!(git_top_level(&dir), Some(dir.clone()));
    }
}
