//! Files that change in one step: a reader, and the next process after a crash, sees the old content or the
//! new one.
//!
//! The content is written and synced under another name in the same directory, and then takes its place by a
//! rename.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Returns the name beside a file for its next content. It is unique if the `mark` is.
pub fn beside(path: &Path, mark: &str) -> PathBuf {
    hidden(path, &format!(".{mark}"))
}

/// Returns a name in the directory of `path` that listings leave out.
fn hidden(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(suffix);
    name.push(".ic-tmp");
    path.with_file_name(name)
}

/// Writes the next content of the file `like` to `temp`, with the permissions of `like`. After a failure
/// there is no `temp`.
///
/// # Errors
/// Also if fewer bytes than given are in the file at the end.
pub fn prepare(temp: &Path, content: &[u8], like: &Path) -> io::Result<()> {
    write(temp, content, Some(fs::metadata(like)?.permissions()))
}

/// Writes and syncs a new file with these permissions, or with those that a new file gets by default.
fn write(temp: &Path, content: &[u8], permissions: Option<Permissions>) -> io::Result<()> {
    discard(temp)?;
    // Private until it has its final permissions, which may be narrower than the default.
    let mode = if permissions.is_some() { 0o600 } else { 0o666 };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(temp)?;
    let written = file
        .write_all(content)
        .and_then(|()| permissions.map_or(Ok(()), |permissions| file.set_permissions(permissions)))
        .and_then(|()| file.sync_all())
        .and_then(|()| file.metadata())
        .and_then(|found| match u64::try_from(content.len()) {
            Ok(length) if length == found.len() => Ok(()),
            _ => Err(io::Error::other("it was not written to its end")),
        });
    if written.is_err() {
        let _ = fs::remove_file(temp);
    }
    written
}

/// Replaces a file, or creates it with `mode`. An existing file keeps its permissions, and a symlink keeps
/// its target.
///
/// # Errors
/// After a failure the file is as it was.
pub fn put(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let permissions =
        fs::metadata(&path).map_or_else(|_| Permissions::from_mode(mode), |found| found.permissions());
    let temp = beside(&path, &std::process::id().to_string());
    let new = Replacement { temp, path, made: Vec::new(), published: false };
    write(&new.temp, content, Some(permissions))?;
    new.publish()
}

/// Moves a prepared file to its place.
///
/// # Errors
/// After a failure nothing has changed.
pub fn replace(temp: &Path, path: &Path) -> io::Result<()> {
    fs::rename(temp, path)
}

/// Makes the directory entry of a file durable.
///
/// # Errors
/// Also if the directory may not be read.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}

/// Removes a prepared file if it exists.
///
/// # Errors
/// All but [`io::ErrorKind::NotFound`].
pub fn discard(temp: &Path) -> io::Result<()> {
    match fs::remove_file(temp) {
        Err(err) if err.kind() != io::ErrorKind::NotFound => Err(err),
        _ => Ok(()),
    }
}

/// The next content of a file, written and synced beside it, and removed when dropped. Only one process at a
/// time may prepare one for a path; it removes what a killed process left.
pub struct Replacement {
    temp: PathBuf,
    path: PathBuf,
    /// The directories that were created for it, innermost first.
    made: Vec<PathBuf>,
    published: bool,
}

impl Replacement {
    /// Removes what a killed process left beside the absolute `path`.
    ///
    /// # Errors
    /// As [`discard`].
    pub fn discard_left(path: &Path) -> io::Result<()> {
        discard(&hidden(path, ""))
    }

    /// Writes `bytes` beside the absolute `path`, with the permissions of the file there.
    ///
    /// # Errors
    /// As [`prepare`]; also if a missing directory cannot be created.
    pub fn prepare(path: &Path, bytes: &[u8]) -> io::Result<Self> {
        let dir = path.parent().unwrap_or(Path::new("/"));
        let missing = dir.ancestors().take_while(|dir| !dir.exists());
        let made = missing.map(Path::to_owned).collect();
        let new = Self { temp: hidden(path, ""), path: path.to_owned(), made, published: false };
        fs::create_dir_all(dir)?;
        write(&new.temp, bytes, fs::metadata(path).ok().map(|there| there.permissions()))?;
        Ok(new)
    }

    /// Moves it to the place of the file.
    ///
    /// # Errors
    /// As [`replace`]. If only syncing the directory fails, the new content stays.
    pub fn publish(mut self) -> io::Result<()> {
        replace(&self.temp, &self.path)?;
        self.published = true;
        sync_directory(&self.path)
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if !self.published {
            let _ = fs::remove_file(&self.temp);
            for dir in &self.made {
                let _ = fs::remove_dir(dir); // fails if another process has put something there
            }
        }
    }
}

/// A new file that is written piece by piece, and has no name before it is complete and durable. Private, and
/// removed when dropped.
pub struct Unfinished {
    file: NamedTempFile,
    path: PathBuf,
}

impl Unfinished {
    /// Starts the file for the absolute `path`, in the same directory.
    ///
    /// # Errors
    /// If the directory cannot be written.
    pub fn beside(path: &Path) -> io::Result<Self> {
        let dir = path.parent().unwrap_or(Path::new("/"));
        let file = tempfile::Builder::new().prefix(".intercore-").suffix(".tmp").tempfile_in(dir)?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Returns the writer of its content.
    pub fn writer(&self) -> BufWriter<&File> {
        BufWriter::new(self.file.as_file())
    }

    /// Gives the file its name. Returns `false` if the name is taken; nothing is overwritten.
    ///
    /// # Errors
    /// If the content or the name cannot be made durable.
    pub fn finish(self) -> io::Result<bool> {
        self.file.as_file().sync_all()?;
        match self.file.persist_noclobber(&self.path) {
            Ok(_) => {}
            Err(err) if err.error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
            Err(err) => return Err(err.error),
        }
        sync_directory(&self.path)?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::files::{content, read};

    /// TS-32, TS-35
    #[test]
    fn a_prepared_file_has_the_other_s_mode_and_a_name_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("TODO.md");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let temp = beside(&path, "k3x9q2ab");
        assert_eq!(temp, dir.path().join(".TODO.md.k3x9q2ab.ic-tmp"));
        prepare(&temp, b"first", &path).unwrap();
        prepare(&temp, b"new", &path).unwrap();
        assert_eq!(read(&path).unwrap(), b"old");
        replace(&temp, &path).unwrap();
        sync_directory(&path).unwrap();
        assert_eq!(read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        discard(&temp).unwrap();
        assert!(read(dir.path()).is_err() && read(&temp).is_err());
        assert!(prepare(&dir.path().join("none/x"), b"", &path).is_err());
    }

    /// IS-10
    #[test]
    fn a_file_is_replaced_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/file");
        let names = || fs::read_dir(dir.path()).unwrap().count();
        drop(Replacement::prepare(&path, b"1").unwrap());
        assert_eq!(names(), 0, "directories and all");
        Replacement::prepare(&path, b"1").unwrap().publish().unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        fs::write(dir.path().join("a/b/.file.ic-tmp"), "left by a killed process").unwrap();
        let next = Replacement::prepare(&path, b"22").unwrap();
        assert_eq!(content(&path, 10).unwrap().unwrap(), b"1");
        next.publish().unwrap();
        assert_eq!(content(&path, 10).unwrap().unwrap(), b"22");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(dir.path().join("a/b")).unwrap().count(), 1);
        assert!(content(&path, 1).is_err() && content(dir.path(), 1).is_err());
        assert_eq!(content(&dir.path().join("none"), 1).unwrap(), None);
    }
}
