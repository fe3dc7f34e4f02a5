//! Logs of bounded size: a full file is renamed to the older one, and a new one is started. A log has one
//! writer and any number of readers, also during rotation.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The maximum size of a file in bytes. The older file has the suffix `.1`.
pub const LOG_BYTES: u64 = 8 << 20;

/// The writer of a log.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
    size: u64,
    most: u64,
}

impl Log {
    /// Creates a log.
    ///
    /// # Errors
    /// If the file cannot be created.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), file: new_file(path)?, size: 0, most: LOG_BYTES })
    }

    /// Copies everything that can be read. Bytes that cannot be written are dropped: a full disk must not
    /// stop the child.
    ///
    /// # Errors
    /// If reading fails.
    pub fn pump(mut self, mut from: impl Read) -> io::Result<()> {
        let mut piece = vec![0; 64 * 1024];
        loop {
            match from.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(length) => self.add(&piece[..length]),
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                Err(err) => return Err(err),
            }
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        if self.size + bytes.len() as u64 > self.most {
            let _ = fs::rename(&self.path, older(&self.path));
            match new_file(&self.path) {
                Ok(file) => (self.file, self.size) = (file, 0),
                Err(_) => return,
            }
        }
        if self.file.write_all(bytes).is_ok() {
            self.size += bytes.len() as u64;
        }
    }
}

fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// Returns the path of the older file.
pub fn older(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    PathBuf::from(name)
}

/// The reader of a log, which returns every kept byte once and in order. A slow reader keeps its file open,
/// so it loses only bytes of files that were created and discarded in the meantime.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    now: Option<File>,
    next: VecDeque<File>,
}

impl Reader {
    /// Creates a reader from the start of a log, which need not exist yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path, now: None, next: VecDeque::new() }
    }

    /// Reads further bytes. Returns 0 if there are none now.
    pub fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(file) = &mut self.now {
                let length = file.read(piece)?;
                if length > 0 {
                    return Ok(length);
                }
            }
            if !self.next.is_empty() {
                self.now = self.next.pop_front();
            } else if !self.look()? {
                return Ok(0);
            }
            // The file was rotated: bytes that were added before that are read first.
        }
    }

    /// Returns true if there is a newer file than the one being read. That one is not written to any more
    /// then.
    fn look(&mut self) -> io::Result<bool> {
        let here = self.now.as_ref().map(inode).transpose()?;
        loop {
            let (newest, before) = (open(&self.path)?, open(&older(&self.path))?);
            let Some(newest) = newest else {
                // Between the two steps of a rotation, or after a new file could not be created.
                self.next.extend(before.filter(|_| here.is_none()));
                return Ok(!self.next.is_empty());
            };
            let newest_is = inode(&newest)?;
            if self.path.metadata().ok().map(|found| found.ino()) != Some(newest_is) {
                continue; // turned over between the two openings
            }
            if here == Some(newest_is) {
                return Ok(false);
            }
            if let Some(file) = before
                && here != Some(inode(&file)?)
            {
                self.next.push_back(file);
            }
            self.next.push_back(newest);
            return Ok(true);
        }
    }
}

fn inode(file: &File) -> io::Result<u64> {
    Ok(file.metadata()?.ino())
}

fn open(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(err) => Err(err),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rest(reader: &mut Reader) -> String {
        let (mut text, mut piece) = (String::new(), [0; 3]);
        loop {
            match reader.read(&mut piece).unwrap() {
                0 => return text,
                length => text.push_str(str::from_utf8(&piece[..length]).unwrap()),
            }
        }
    }

    /// Nothing is lost or doubled, wherever a reader stands when the log is turned over, once or twice.
    #[test]
    fn a_reader_gets_every_byte_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut reader = Reader::new(path.clone());
        assert_eq!(rest(&mut reader), "", "not begun yet");
        let mut log = Log { most: 4, ..Log::create(&path).unwrap() };
        log.add(b"aa");
        assert_eq!(rest(&mut reader), "aa");
        log.add(b"bb");
        log.add(b"cc");
        assert_eq!(rest(&mut reader), "bbcc", "turned over once");
        log.add(b"d");
        log.add(b"eeee");
        log.add(b"fff");
        assert_eq!(rest(&mut reader), "deeeefff", "turned over twice");
        assert_eq!(rest(&mut reader), "");
        assert_eq!(rest(&mut Reader::new(path.clone())), "eeeefff", "what is kept");
        fs::rename(&path, older(&path)).unwrap();
        assert_eq!(rest(&mut Reader::new(path)), "fff", "in the middle of a turn");
    }
}
