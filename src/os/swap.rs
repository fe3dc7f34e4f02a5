//! Files that are replaced while others read them: whole before, whole after.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::files::open_regular;

/// The content of a regular file.
///
/// # Errors
/// [`io::ErrorKind::NotFound`], or what else the file system says; a directory, FIFO or device is no file, and is not waited
/// for.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = open_regular(path)?.ok_or_else(|| io::Error::other("it is not a file"))?;
    let mut content = Vec::new();
    file.read_to_end(&mut content)?;
    Ok(content)
}

/// The name beside a file under which its next content is kept until it takes the file's place. Nobody else has it, if nobody
/// else has the `mark`.
pub fn beside(path: &Path, mark: &str) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{mark}.ic-tmp"));
    path.with_file_name(name)
}

/// Writes the next content of the file `like`, with its permissions, as a file of its own: complete and durable, or not there.
///
/// # Errors
/// What the file system says.
pub fn prepare(temp: &Path, content: &[u8], like: &Path) -> io::Result<()> {
    write(temp, content, Some(fs::metadata(like)?.permissions()))
}

/// The same with these permissions, or those that a new file gets.
fn write(temp: &Path, content: &[u8], permissions: Option<Permissions>) -> io::Result<()> {
    discard(temp)?;
    // Nobody else looks into it before it has the permissions that it is to have.
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

/// Puts new content in the place of a file, or makes it, in one go. A file keeps its permissions, a symlink stays one, and a new
/// file gets `mode`.
///
/// # Errors
/// What the file system says.
pub fn put(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let permissions =
        fs::metadata(&real).map_or_else(|_| Permissions::from_mode(mode), |found| found.permissions());
    let temp = beside(&real, &std::process::id().to_string());
    write(&temp, content, Some(permissions))?;
    if let Err(err) = replace(&temp, &real) {
        let _ = fs::remove_file(&temp);
        return Err(err);
    }
    sync_directory(&real)
}

/// Puts a prepared file in the place of another.
///
/// # Errors
/// What the file system says; nothing has changed then.
pub fn replace(temp: &Path, path: &Path) -> io::Result<()> {
    fs::rename(temp, path)
}

/// Makes the names in a file's directory durable.
///
/// # Errors
/// What the file system says.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}

/// Removes a prepared file, if it is there.
///
/// # Errors
/// What the file system says.
pub fn discard(temp: &Path) -> io::Result<()> {
    match fs::remove_file(temp) {
        Err(err) if err.kind() != io::ErrorKind::NotFound => Err(err),
        _ => Ok(()),
    }
}

/// New content for a file, written and durable under another name beside it, and removed when dropped. Only
/// one process at a time may prepare one; the next one removes what a killed process left.
pub struct Replacement {
    beside: PathBuf,
    path: PathBuf,
    /// The directories that had to be made for it.
    made: Vec<PathBuf>,
    published: bool,
}

impl Replacement {
    /// Removes what a killed process left beside the absolute `path`.
    ///
    /// # Errors
    /// What the file system says.
    pub fn discard_left(path: &Path) -> io::Result<()> {
        discard(&Self::beside(path))
    }

    fn beside(path: &Path) -> PathBuf {
        let mut name = OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(".ic-tmp");
        path.with_file_name(name)
    }

    /// Writes `bytes` beside the absolute `path`, with the permissions of the file that is there.
    ///
    /// # Errors
    /// What the file system says.
    pub fn prepare(path: &Path, bytes: &[u8]) -> io::Result<Self> {
        let dir = path.parent().unwrap_or(Path::new("/"));
        let missing = dir.ancestors().take_while(|dir| !dir.exists());
        let made = missing.map(Path::to_owned).collect();
        let new = Self { beside: Self::beside(path), path: path.to_owned(), made, published: false };
        fs::create_dir_all(dir)?;
        write(&new.beside, bytes, fs::metadata(path).ok().map(|there| there.permissions()))?;
        Ok(new)
    }

    /// Puts it in the place of the file.
    ///
    /// # Errors
    /// What the file system says.
    pub fn publish(mut self) -> io::Result<()> {
        replace(&self.beside, &self.path)?;
        self.published = true;
        sync_directory(&self.path)
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if !self.published {
            let _ = fs::remove_file(&self.beside);
            for dir in &self.made {
                let _ = fs::remove_dir(dir); // only what is empty, innermost first
            }
        }
    }
}

/// Whether a directory is on a file system that other machines change too. Known on Linux only.
pub fn is_on_network(dir: &Path) -> bool {
    #[cfg(target_os = "linux")]
    {
        // As magic(5) has them: NFS, SMB, CIFS, SMB2, AFS, Ceph, 9P, Coda, Lustre, GFS2, OCFS2.
        const NETWORK: [u64; 11] = [
            0x6969,
            0x517b,
            0xff53_4d42,
            0xfe53_4d42,
            0x5346_414f,
            0x00c3_6400,
            0x0102_1997,
            0x7375_7245,
            0x0bd0_0bd0,
            0x0116_1970,
            0x7461_636f,
        ];
        rustix::fs::statfs(dir).is_ok_and(|found| {
            #[expect(clippy::cast_sign_loss, reason = "a magic number of 32 bits, whatever its type is here")]
            let magic = found.f_type as u64 & 0xffff_ffff;
            NETWORK.contains(&magic)
        })
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = dir;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::super::files::content;
    use super::*;

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

    /// TS-66
    #[test]
    fn a_scratch_directory_is_local() {
        assert!(!is_on_network(tempfile::tempdir().unwrap().path()));
    }
}
