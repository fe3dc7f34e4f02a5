//! Single operations on files that the standard library does not have: hashing without blocking, reading
//! bounded content, temporary files, and free space.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, OFlags, access};
use rustix::io::Errno;
use rustix::process::geteuid;
use sha2::{Digest, Sha256};

use crate::domain::text::hex;

/// The number of bytes read at a time, so that memory does not depend on the size of the file.
const PIECE: usize = 64 * 1024;

/// Returns the content hash of a regular file, as `sha256:` and 64 hex digits.
///
/// Returns `None` for a path without readable content: no such file, a directory, a FIFO, socket or device,
/// or no permission. None of these can block the call. Symlinks are followed.
///
/// # Errors
/// If reading fails, or if the path is invalid.
pub fn sha256_file(path: &Path) -> io::Result<Option<String>> {
    match open_regular(path) {
        Ok(Some(file)) => hash(file).map(Some),
        Ok(None) => Ok(None),
        Err(err) if has_no_content(&err) => Ok(None),
        Err(err) => Err(err),
    }
}

/// Opens a file if it is regular. The type is checked before, because opening a FIFO or a device has effects,
/// and again after, because the path may lead to another file then. `NONBLOCK` covers the moment between.
pub(super) fn open_regular(path: &Path) -> io::Result<Option<File>> {
    if !fs::metadata(path)?.is_file() {
        return Ok(None);
    }
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    Ok(file.metadata()?.is_file().then_some(file))
}

/// Returns the text of a regular file. If it is longer than twice `most` bytes, only the whole lines among
/// the first and the last `most` bytes. Returns `None` for a file that is missing, unreadable or not regular,
/// without blocking.
pub fn text(path: &Path, most: u64) -> Option<String> {
    let mut file = open_regular(path).ok()??;
    let size = file.metadata().ok()?.len();
    let mut bytes = Vec::new();
    if size <= 2 * most {
        file.take(2 * most).read_to_end(&mut bytes).ok()?;
    } else {
        file.by_ref().take(most).read_to_end(&mut bytes).ok()?;
        bytes.truncate(bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1));
        file.seek(SeekFrom::Start(size - most)).ok()?;
        let mut tail = Vec::new();
        file.take(most).read_to_end(&mut tail).ok()?;
        let from = tail.iter().position(|byte| *byte == b'\n').map_or(tail.len(), |at| at + 1);
        bytes.extend_from_slice(&tail[from..]);
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Does the same as [`text`] in a directory where any user may create files: only for a file of this user,
/// not a symlink, that was modified since `since` (Unix seconds).
pub fn own_text(path: &Path, since: i64, most: u64) -> Option<String> {
    let found = fs::symlink_metadata(path).ok()?;
    let ours = found.is_file() && found.uid() == geteuid().as_raw() && found.mtime() >= since;
    ours.then(|| text(path, most))?
}

fn has_no_content(err: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, NotADirectory, NotFound, PermissionDenied};
    matches!(err.kind(), NotFound | NotADirectory | PermissionDenied | InvalidFilename)
        || Errno::from_io_error(err) == Some(Errno::LOOP)
}

fn hash(mut content: impl Read) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut piece = vec![0; PIECE];
    loop {
        match content.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => hasher.update(&piece[..length]),
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            Err(err) => return Err(err),
        }
    }
    Ok(format!("sha256:{}", hex(&hasher.finalize())))
}

/// Returns true if the owner of a file may execute it.
pub fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o100 != 0)
}

/// Returns the text of a file of any kind, such as a pipe.
///
/// # Errors
/// If there is no such file, or if it cannot be read or is not UTF-8.
pub fn read_to_string(path: &Path) -> io::Result<String> {
    fs::read_to_string(path)
}

/// Returns the content of a regular file.
///
/// # Errors
/// Also for a directory, a FIFO or a device, without blocking.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = open_regular(path)?.ok_or_else(|| io::Error::other("it is not a file"))?;
    let mut content = Vec::new();
    file.read_to_end(&mut content)?;
    Ok(content)
}

/// Returns the content of a regular file of at most `most` bytes, or `None` if it does not exist. Does not
/// block.
///
/// # Errors
/// If it is not a regular file, is longer, or cannot be read.
pub fn content(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match open_regular(path) {
        Ok(Some(file)) => file,
        Ok(None) => return Err(io::Error::other("it is no regular file")),
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(err) => return Err(err),
    };
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::other(format!("it is longer than {most} bytes")));
    }
    Ok(Some(bytes))
}

/// Returns the first bytes of a file, at most `limit`.
///
/// # Errors
/// If the file cannot be opened or read.
pub fn beginning(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Returns the directories for temporary files, in order of preference: that of `TMPDIR`, then those of the
/// system.
fn temp_dirs() -> [PathBuf; 3] {
    [env::temp_dir(), PathBuf::from("/tmp"), PathBuf::from("/var/tmp")]
}

/// Returns the directory for temporary files: the one that `TMPDIR` names, or one of the system's if that is
/// missing or not writable.
pub fn temp_dir() -> PathBuf {
    let usable = |dir: &PathBuf| dir.is_dir() && access(dir, Access::WRITE_OK | Access::EXEC_OK).is_ok();
    temp_dirs().into_iter().find(usable).unwrap_or_else(env::temp_dir)
}

/// Creates a file without a name in the first usable directory for temporary files.
///
/// # Errors
/// With the first directory that was tried, if none is usable.
pub fn unnamed() -> io::Result<File> {
    let mut failed = None;
    for dir in temp_dirs() {
        match tempfile::tempfile_in(&dir) {
            Ok(file) => return Ok(file),
            Err(err) => failed = failed.or(Some((dir, err))),
        }
    }
    Err(failed.map_or_else(
        || io::ErrorKind::NotFound.into(),
        |(dir, err)| io::Error::new(err.kind(), format!("creating a file in {}: {err}", dir.display())),
    ))
}

/// Copies `source` to its end into a file without a name, which can be read repeatedly and without blocking.
///
/// # Errors
/// If reading fails, or no space is left.
pub fn spooled(source: &mut dyn Read) -> io::Result<File> {
    let mut file = unnamed()?;
    io::copy(source, &mut file)?;
    Ok(file)
}

/// Opens a regular file. Anything else, such as a FIFO, is read to its end first ([`spooled`]).
///
/// # Errors
/// As [`File::open`] and [`spooled`].
pub fn open_spooled(path: &Path) -> io::Result<File> {
    let mut file = File::open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { spooled(&mut file) }
}

/// Returns the space left for an unprivileged user on the filesystem that holds `dir`, in bytes.
pub fn free_bytes(dir: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(dir)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Returns those of a database, its logs and its directory that other users may read or change, with their
/// permission bits. Of the directory, only changing counts.
///
/// # Errors
/// If the metadata of the database cannot be read.
pub fn open_to_others(database: &Path) -> io::Result<Vec<(PathBuf, u32)>> {
    let mut found = Vec::new();
    let mut note = |path: PathBuf, unwanted: u32| {
        let mode = fs::metadata(&path)?.permissions().mode() & 0o7777;
        if mode & unwanted != 0 {
            found.push((path, mode));
        }
        Ok::<_, io::Error>(())
    };
    note(database.to_owned(), 0o077)?;
    for suffix in ["-wal", "-shm"] {
        let mut name = database.as_os_str().to_owned();
        name.push(suffix);
        let _ = note(PathBuf::from(name), 0o077); // there may be none
    }
    if let Some(dir) = database.parent() {
        note(dir.to_owned(), 0o022)?;
    }
    Ok(found)
}

/// Returns true if a directory is on a file system that other machines can change too. Always false off
/// Linux.
pub fn is_on_network(dir: &Path) -> bool {
    #[cfg(target_os = "linux")]
    {
        // From magic(5): NFS, SMB, CIFS, SMB2, AFS, Ceph, 9P, Coda, Lustre, GFS2, OCFS2.
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
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::process::Command;

    use super::*;

    #[test]
    fn known_hashes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let hash_of = |content: &[u8]| {
            fs::write(&path, content).unwrap();
            sha256_file(&path).unwrap().unwrap()
        };
        assert_eq!(hash_of(b""), "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(
            hash_of(b"abc"),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(
            hash_of(&vec![b'a'; 1_000_000]),
            "sha256:cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
            "more than one piece"
        );
    }

    #[test]
    fn what_has_no_content_has_no_hash() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("file"), "x").unwrap();
        assert!(Command::new("mkfifo").arg(at("fifo")).status().unwrap().success());
        let _socket = UnixListener::bind(at("socket")).unwrap();
        symlink("nowhere", at("dangling")).unwrap();
        symlink("loop", at("loop")).unwrap();
        let long = "x".repeat(300);
        for name in ["none", "none/deeper", "file/below", "fifo", "socket", "dangling", "loop", &long, ""] {
            assert_eq!(sha256_file(&at(name)).unwrap(), None, "{name}");
        }
        assert_eq!(sha256_file(Path::new("/dev/null")).unwrap(), None);
        symlink("file", at("link")).unwrap();
        assert_eq!(sha256_file(&at("link")).unwrap(), sha256_file(&at("file")).unwrap());
        fs::set_permissions(at("file"), fs::Permissions::from_mode(0o000)).unwrap();
        let readable = File::open(at("file")).is_ok(); // by root
        assert_eq!(sha256_file(&at("file")).unwrap().is_some(), readable);
    }

    #[test]
    fn of_a_long_file_both_ends_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let read = |content: &str| {
            fs::write(at("file"), content).unwrap();
            text(&at("file"), 8).unwrap()
        };
        assert_eq!(read("0123456789abcdef"), "0123456789abcdef");
        assert_eq!(read("a\nb\nccc | and more | ddd\ne\nf"), "a\nb\ne\nf", "no part of a line");
        assert_eq!(read("one line of more than sixteen bytes"), "");
        assert!(Command::new("mkfifo").arg(at("fifo")).status().unwrap().success());
        symlink("file", at("link")).unwrap();
        assert_eq!((text(&at("fifo"), 8), text(&at("none"), 8), text(dir.path(), 8)), (None, None, None));
        assert_eq!((text(&at("link"), 8).is_some(), own_text(&at("link"), 0, 8)), (true, None));
        assert!(own_text(&at("file"), 0, 8).is_some());
        assert_eq!(own_text(&at("file"), i64::MAX, 8), None, "an old one");
    }

    /// TS-66
    #[test]
    fn a_scratch_directory_is_local() {
        assert!(!is_on_network(tempfile::tempdir().unwrap().path()));
    }

    #[test]
    fn there_is_free_space_somewhere() {
        let dir = tempfile::tempdir().unwrap();
        assert!(free_bytes(dir.path()).unwrap() > 0);
        assert!(free_bytes(&dir.path().join("none")).is_err());
    }
}
