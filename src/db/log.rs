//! The write-ahead log as a file: taking a failed commit out of it, and reading which pages it holds.
//!
//! Only the log may be opened and closed past the engine. The engine's locks are POSIX locks on the database
//! file and on the index (`-shm`), and a process loses all its locks on a file as soon as it closes any
//! descriptor of that file.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::mem::ManuallyDrop;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::error::DbError;
use super::side_file;
use super::sqlite::{Begin, Conn};

/// The sizes of the log's header and of each frame's header, in bytes.
const LOG_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
/// The size of one copy of the index's header, in bytes. There are two copies, one after the other.
const INDEX_HEADER: usize = 48;
/// How often rewriting and syncing the end of the log is attempted.
const ATTEMPTS: usize = 3;

/// Commits. After a failure nothing of the transaction is visible or left in the log.
///
/// # Errors
/// Errors of the database, and [`DbError::InDoubt`] as [`withdraw`].
pub(super) fn commit(conn: &Conn) -> Result<(), DbError> {
    conn.commit().map_err(|err| withdraw(conn, err))
}

/// Takes a transaction whose commit failed with `err` out of the log. Returns the error to report.
///
/// A commit can fail after all of its frames were written, when the sync of the log fails. The frames are
/// valid then: the next process that opens the database would take them for committed, and later commits
/// would stand on frames that may never have reached the disk. A second sync proves nothing, because the
/// kernel drops what it failed to write. So the end of the log is rewritten, under the write lock, and then
/// synced.
///
/// Between the engine's rollback and the new lock other processes see nothing of the transaction: they go by
/// the index, which does not count its frames, and as long as this connection is open no process builds the
/// index anew.
pub(super) fn withdraw(conn: &Conn, err: DbError) -> DbError {
    conn.rollback();
    if matches!(err, DbError::Busy | DbError::Constraint(_)) {
        // The engine fails with these before it writes.
        return err;
    }
    let log = match OpenOptions::new().write(true).open(side_file(conn.path(), "-wal")) {
        Ok(log) => log,
        // A draft has no log.
        Err(missing) if missing.kind() == ErrorKind::NotFound => return err,
        Err(denied) => return DbError::InDoubt(format!("{err}; opening the log: {denied}")),
    };
    let cut = conn.begin(Begin::Immediate).map_err(|busy| busy.to_string()).and_then(|()| {
        let end = end_of_log(conn.path()).map_err(|failed| failed.to_string());
        end.and_then(|end| cut_off(&log, end).map_err(|failed| format!("rewriting the log: {failed}")))
    });
    conn.rollback();
    match cut {
        Ok(()) => err,
        Err(why) => DbError::InDoubt(format!("{err}; {why}")),
    }
}

/// Returns the end of the last committed frame. The caller has the write lock, so the index does not change.
fn end_of_log(path: &Path) -> io::Result<u64> {
    // Never closed: that would drop the engine's locks on this file. The process ends soon after a failed
    // commit.
    let index = ManuallyDrop::new(File::open(side_file(path, "-shm"))?);
    let mut header = [0; 2 * INDEX_HEADER];
    index.read_exact_at(&mut header, 0)?;
    let (first, second) = header.split_at(INDEX_HEADER);
    let initialised = first[12] == 1;
    if first != second || !initialised {
        return Err(io::Error::other("the index of the log is not complete"));
    }
    let half = |at: usize| u64::from(u16::from_ne_bytes([first[at], first[at + 1]]));
    // 65536 does not fit into the field and is written as 1.
    let page_size = if half(14) == 1 { 65536 } else { half(14) };
    let frames = u32::from_ne_bytes([first[16], first[17], first[18], first[19]]);
    Ok(LOG_HEADER as u64 + u64::from(frames) * (FRAME_HEADER as u64 + page_size))
}

/// Makes everything from `end` on invalid, durably.
///
/// Shortening the file or overwriting the next frame's header is enough, and a full disk may have no room for
/// the zeros. After a sync that failed the zeros must be written again: the next sync may skip what the first
/// one dropped.
fn cut_off(log: &File, end: u64) -> io::Result<()> {
    let mut outcome = Ok(());
    for attempt in 0..ATTEMPTS {
        outcome = try_cut_off(log, end, attempt > 0);
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

fn try_cut_off(log: &File, end: u64, again: bool) -> io::Result<()> {
    if again || log.metadata()?.len() > end {
        let shortened = log.set_len(end);
        let overwritten = log.write_all_at(&[0; FRAME_HEADER], end);
        if again { overwritten } else { shortened.or(overwritten) }?;
    }
    // `File::sync_data` would try for ever where every attempt is interrupted.
    Ok(rustix::fs::fdatasync(log)?)
}

/// Returns the numbers of the pages that the log of the database at `path` holds. Frames whose commit is
/// missing count too.
pub(super) fn pages(path: &Path) -> Result<BTreeSet<i64>, DbError> {
    let name = side_file(path, "-wal");
    let failed = |err| DbError::file("reading", &name)(err);
    let log = match File::open(&name) {
        Err(err) if err.kind() == ErrorKind::NotFound => return Ok(BTreeSet::new()),
        log => log.map_err(failed)?,
    };
    let mut pages = BTreeSet::new();
    let mut header = [0; LOG_HEADER];
    if !read_whole(&log, &mut header, 0).map_err(failed)? {
        return Ok(pages);
    }
    let number = |bytes: &[u8], at: usize| {
        u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
    };
    let page_size = u64::from(number(&header, 8));
    let mut frame = [0; FRAME_HEADER];
    let mut at = LOG_HEADER as u64;
    // A frame of an earlier round of the log has other salts.
    while read_whole(&log, &mut frame, at).map_err(failed)? && frame[8..16] == header[16..24] {
        pages.insert(i64::from(number(&frame, 0)));
        at += FRAME_HEADER as u64 + page_size;
    }
    Ok(pages)
}

/// Fills the buffer. Returns false where the file ends before.
fn read_whole(file: &File, buffer: &mut [u8], at: u64) -> io::Result<bool> {
    match file.read_exact_at(buffer, at) {
        Ok(()) => Ok(true),
        Err(err) if err.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(err) => Err(err),
    }
}
