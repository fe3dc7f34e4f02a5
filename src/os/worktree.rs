//! Reading the files of git without starting it, because hooks do so before every edit.

use std::cmp::Ordering;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::paths;

/// The number of bytes of an index that are read at a time: most searches end in the first ones.
const PIECE: usize = 8192;

/// A git working tree: a main one, a linked one, or a submodule's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkTree {
    top: PathBuf,
    git_dir: PathBuf,
}

impl WorkTree {
    /// Finds the working tree that holds `dir`, an absolute directory. As for git, a `.git` that is not a
    /// repository does not count.
    pub fn around(dir: &Path) -> Option<Self> {
        dir.ancestors().find_map(|top| {
            let git_dir = git_dir(&top.join(".git"))?;
            git_dir.join("HEAD").symlink_metadata().ok()?;
            Some(Self { top: top.to_owned(), git_dir })
        })
    }

    /// Returns the top directory.
    pub fn top(&self) -> &Path {
        &self.top
    }

    /// Returns the file of patterns that git ignores in all working trees of the repository, which is not
    /// part of any commit.
    pub fn exclude_file(&self) -> PathBuf {
        let common = fs::read(self.git_dir.join("commondir")).ok();
        let common = common.map(|line| paths::clean(&path_in(&line), &self.git_dir));
        common.unwrap_or_else(|| self.git_dir.clone()).join("info/exclude")
    }

    /// Returns the tracked paths, relative to the top, that begin with `prefix`. The index is sorted, so no
    /// more of it is read than comes before them.
    ///
    /// Returns `None` if that would be more than `most` bytes. The shared part of a split index is not read.
    ///
    /// # Errors
    /// If the index cannot be read, or is invalid.
    pub fn tracked(&self, prefix: &Path, most: u64) -> io::Result<Option<Vec<PathBuf>>> {
        let file = match File::open(self.git_dir.join("index")) {
            Ok(file) => file,
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(Some(Vec::new())),
            Err(err) => return Err(err),
        };
        let mut index = Index { from: BufReader::with_capacity(PIECE, file.take(most)) };
        match index.find(prefix.as_os_str().as_bytes()) {
            Err(_) if index.from.get_ref().limit() == 0 => Ok(None),
            found => found.map(Some),
        }
    }
}

/// Returns the directory that a `.git` is, or that it names.
fn git_dir(dot_git: &Path) -> Option<PathBuf> {
    let found = fs::metadata(dot_git).ok()?;
    if found.is_dir() {
        return Some(dot_git.to_owned());
    }
    let text = fs::read(dot_git).ok()?;
    Some(paths::clean(&path_in(text.strip_prefix(b"gitdir: ")?), dot_git.parent()?))
}

/// Returns the path in a file of git that holds nothing else.
fn path_in(bytes: &[u8]) -> PathBuf {
    let end = bytes.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map_or(0, |last| last + 1);
    PathBuf::from(OsString::from_vec(bytes.get(..end).unwrap_or_default().to_vec()))
}

/// A reader of an index.
struct Index<R> {
    from: BufReader<R>,
}

impl<R: Read> Index<R> {
    fn find(&mut self, prefix: &[u8]) -> io::Result<Vec<PathBuf>> {
        let header = self.exact::<12>()?;
        let number = |at: usize| header[at..].iter().take(4).fold(0, |sum, byte| sum << 8 | u32::from(*byte));
        let (version, count) = (number(4), number(8));
        if !header.starts_with(b"DIRC") || !(2..=4).contains(&version) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is no index of git"));
        }
        // Times, numbers and modes, then the object's name, which is longer under SHA-256.
        let hash = if count > 0 && self.is_sha256()? { 32 } else { 20 };
        let (mut name, mut found) = (Vec::new(), Vec::new());
        for _ in 0..count {
            self.skip(40 + hash)?;
            let extended = self.exact::<2>()?[0] & 0x40 != 0;
            if extended {
                self.skip(2)?;
            }
            if version == 4 {
                let cut = self.varint()?;
                name.truncate(name.len().saturating_sub(cut));
                self.until_nul(&mut name)?;
            } else {
                name.clear();
                self.until_nul(&mut name)?;
                // An entry is padded with one to eight NUL bytes, one of which was read.
                let length = 40 + hash + 2 + if extended { 2 } else { 0 } + name.len();
                self.skip(7 - length % 8)?;
            }
            if name.starts_with(prefix) {
                found.push(PathBuf::from(OsString::from_vec(name.clone())));
            } else if name.as_slice().cmp(prefix) == Ordering::Greater {
                break;
            }
        }
        Ok(found)
    }

    /// Returns true if the first entry fits a hash of 32 bytes and not one of 20, judged by the length of the
    /// name in its flags.
    fn is_sha256(&mut self) -> io::Result<bool> {
        let piece = self.from.fill_buf()?;
        let fits = |hash: usize| {
            let entry = piece.get(40 + hash..)?;
            let length = usize::from(entry.first()? & 0x0f) << 8 | usize::from(*entry.get(1)?);
            let extra = if entry.first()? & 0x40 == 0 { 2 } else { 4 };
            let name = entry.get(extra..)?;
            // In version 4 the name starts with the number of bytes to remove from the previous one, which is
            // 0 here.
            let name = name.strip_prefix(b"\0").unwrap_or(name);
            Some(name.iter().position(|byte| *byte == 0)? == length)
        };
        Ok(fits(20) != Some(true) && fits(32) == Some(true))
    }

    fn exact<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.from.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn skip(&mut self, count: usize) -> io::Result<()> {
        let mut bytes = [0; 80];
        self.from.read_exact(&mut bytes[..count])
    }

    /// Reads up to the next NUL byte and appends that.
    fn until_nul(&mut self, to: &mut Vec<u8>) -> io::Result<()> {
        self.from.read_until(0, to)?;
        if to.pop() == Some(0) { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// Reads the number of bytes to remove from the previous name, as version 4 encodes it.
    fn varint(&mut self) -> io::Result<usize> {
        let mut number = 0_usize;
        loop {
            let [byte] = self.exact::<1>()?;
            number = number << 7 | usize::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
            number += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn git(dir: &Path, args: &[&str]) {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=t", "-c", "user.email=t@example.org"]).args(args).current_dir(dir);
        for name in ["GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"] {
            command.env_remove(name);
        }
        let done = command.output().unwrap();
        assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// K-23: what git tracks is read from its index as git reads it: in every version of the format, with
    /// long names and names of all lengths, under both kinds of object names.
    #[test]
    fn tracked_paths_are_those_of_git() {
        for format in ["sha1", "sha256"] {
            let temp = tempfile::tempdir().unwrap();
            let dir = temp.path().canonicalize().unwrap();
            git(&dir, &["init", "-q", &format!("--object-format={format}")]);
            let tree = WorkTree::around(&dir).unwrap();
            assert_eq!(tree.tracked(Path::new("a"), u64::MAX).unwrap(), Some(Vec::new()), "no index yet");
            let mut names: Vec<String> = (1..40).map(|n| format!("d/{}", "x".repeat(n))).collect();
            names.extend((1..40).map(|n| "y".repeat(n)));
            names.push(format!("{}/{}", "l".repeat(200), "m".repeat(200)));
            names.push("later".to_owned());
            for name in &names {
                fs::create_dir_all(dir.join(name).parent().unwrap()).unwrap();
                fs::write(dir.join(name), name).unwrap();
            }
            git(&dir, &["add", "."]);
            // Sets the extended flag, which version 2 does not have.
            fs::write(dir.join("later.not"), "").unwrap();
            git(&dir, &["add", "--intent-to-add", "later.not"]);
            for version in ["4", "3", "2"] {
                git(&dir, &["update-index", "--index-version", version]);
                for name in &names {
                    let found = tree.tracked(Path::new(name), u64::MAX).unwrap().unwrap();
                    let with = |other: &&String| other.starts_with(name.as_str()) && *other != "later.not";
                    let mut expected: Vec<_> = names.iter().filter(with).map(PathBuf::from).collect();
                    if name == "later" {
                        expected.push(PathBuf::from("later.not"));
                    }
                    expected.sort();
                    assert_eq!(found, expected, "{format} {version} {name}");
                }
                for absent in ["d/y", "k", "zz", "d/xxa"] {
                    assert_eq!(tree.tracked(Path::new(absent), u64::MAX).unwrap(), Some(Vec::new()));
                }
            }
            // What comes first is found in little.
            assert_eq!(tree.tracked(Path::new("c"), 512).unwrap(), Some(Vec::new()));
            assert_eq!(tree.tracked(Path::new("zz"), 512).unwrap(), None);
            fs::write(dir.join(".git/index"), "DIRC").unwrap();
            tree.tracked(Path::new("c"), u64::MAX).unwrap_err();
        }
    }

    /// K-23: the patterns of a linked working tree are those of its repository, and an empty `.git` is none.
    #[test]
    fn linked_working_trees_share_their_patterns() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().canonicalize().unwrap();
        let main = dir.join("main");
        fs::create_dir(&main).unwrap();
        git(&main, &["init", "-q"]);
        git(&main, &["commit", "-q", "--allow-empty", "-m", "one"]);
        git(&main, &["worktree", "add", "-q", "../linked"]);
        fs::create_dir_all(dir.join("linked/sub/.git")).unwrap();
        let linked = WorkTree::around(&dir.join("linked/sub")).unwrap();
        assert_eq!(linked.top(), dir.join("linked"));
        assert_eq!(linked.exclude_file(), main.join(".git/info/exclude"));
        assert_eq!(WorkTree::around(&main).unwrap().exclude_file(), main.join(".git/info/exclude"));
    }
}
