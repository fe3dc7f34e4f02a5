//! Writing to a reader, and reading from a writer, that may stall or exit, without blocking for ever.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::FileType;
use rustix::io::Errno;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// The number of bytes that a ready pipe takes without blocking: the smallest `PIPE_BUF` of the supported
/// systems.
const PIECE: usize = 4096;
/// The maximum number of bytes read at once, which is what a pipe holds.
const PIECES: usize = 64 << 10;
/// The interval at which the flag is checked while a reader stalls.
const GLANCE: Duration = Duration::from_millis(50);

/// Returns a flag that SIGINT, SIGTERM and SIGHUP raise instead of ending the process.
///
/// # Errors
/// If the handlers cannot be installed.
pub fn stop_flag() -> io::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&flag))?;
    }
    Ok(flag)
}

/// Writes everything, unless the reader stalls and `stop` is raised: then returns `false`, with part of the
/// bytes written.
///
/// # Errors
/// As [`io::Write::write`]; [`io::ErrorKind::BrokenPipe`] if the reader is gone. Bypasses buffers.
pub fn write_all(to: impl AsFd, bytes: &[u8], stop: &AtomicBool) -> io::Result<bool> {
    let fd = to.as_fd();
    let mut rest = bytes;
    while !rest.is_empty() {
        if !is_ready(fd, GLANCE)? {
            if stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            continue;
        }
        rest = &rest[write(fd, &rest[..rest.len().min(PIECE)])?..];
    }
    Ok(true)
}

/// Writes everything, however long the reader takes, also to a stream that another process has made
/// non-blocking.
///
/// # Errors
/// As [`write_all`].
pub fn write_patiently(to: impl AsFd, bytes: &[u8]) -> io::Result<()> {
    let fd = to.as_fd();
    let mut rest = bytes;
    while !rest.is_empty() {
        match write(fd, rest)? {
            0 => drop(is_ready(fd, GLANCE)?),
            written => rest = &rest[written..],
        }
    }
    Ok(())
}

/// Writes as much as the stream takes now, which may be nothing.
fn write(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    match rustix::io::write(fd, bytes) {
        Ok(0) => Err(io::ErrorKind::WriteZero.into()),
        Err(Errno::INTR | Errno::AGAIN) => Ok(0),
        written => Ok(written?),
    }
}

/// Waits until the reader has taken everything that was written. Returns `false` if it exits before that, or
/// stalls and `stop` is raised.
///
/// Works for pipes, of which the system counts the unread bytes. A file needs no reader. Of other streams,
/// such as sockets, it is not known what the reader has taken.
///
/// # Errors
/// If the system does not say.
pub fn wait_drained(stream: impl AsFd, stop: &AtomicBool) -> io::Result<bool> {
    let fd = stream.as_fd();
    if !FileType::from_raw_mode(rustix::fs::fstat(fd)?.st_mode).is_fifo() {
        return Ok(true);
    }
    let mut pause = Duration::from_micros(50);
    while unread(fd)? > 0 {
        if is_abandoned(fd) || stop.load(Ordering::Relaxed) {
            return Ok(false);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(5));
    }
    Ok(true)
}

/// Reads until `complete` returns the number of bytes that the caller needs, and returns those. The writer
/// need not close its end.
///
/// # Errors
/// * [`io::ErrorKind::UnexpectedEof`] if the stream ends before that.
/// * [`io::ErrorKind::TimedOut`] if that takes longer than `patience`, even if bytes still arrive.
/// * [`io::ErrorKind::FileTooLarge`] beyond `most` bytes.
/// * [`io::ErrorKind::InvalidData`] with the error of `complete`.
pub fn read_until(
    from: impl AsFd,
    most: usize,
    patience: Duration,
    mut complete: impl FnMut(&[u8]) -> Result<Option<usize>, &'static str>,
) -> io::Result<Vec<u8>> {
    let (fd, start) = (from.as_fd(), Instant::now());
    let mut bytes = Vec::new();
    loop {
        let left = patience.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        if !is_in(fd, left)? {
            continue;
        }
        if bytes.len() >= most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let before = bytes.len();
        bytes.resize(before + before.clamp(PIECE, PIECES), 0);
        let read = match rustix::io::read(fd, &mut bytes[before..]) {
            Ok(read) => Some(read),
            Err(Errno::INTR | Errno::AGAIN) => None,
            Err(err) => return Err(err.into()),
        };
        bytes.truncate(before + read.unwrap_or(0));
        match read {
            None => continue,
            Some(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Some(_) => {}
        }
        if let Some(length) =
            complete(&bytes).map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))?
        {
            bytes.truncate(length);
            return Ok(bytes);
        }
    }
}

/// Waits until a read does not block, because there are bytes, an error, or the end of the stream.
fn is_in(fd: BorrowedFd<'_>, most: Duration) -> io::Result<bool> {
    let mut asked = [PollFd::new(&fd, PollFlags::IN)];
    let limit = Timespec::try_from(most).map_err(|_| io::ErrorKind::InvalidInput)?;
    match poll(&mut asked, Some(&limit)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(err) => Err(err.into()),
    }
}

/// Returns the number of unread bytes in the pipe. Only Linux provides it at the writing end.
fn unread(fd: BorrowedFd<'_>) -> io::Result<u64> {
    if cfg!(target_os = "linux") { Ok(rustix::io::ioctl_fionread(fd)?) } else { Ok(0) }
}

/// Returns true if no process can read from the stream any more.
pub fn is_abandoned(stream: impl AsFd) -> bool {
    let fd = stream.as_fd();
    let mut asked = [PollFd::new(&fd, PollFlags::OUT)];
    let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut asked, Some(&zero)).is_ok()
        && asked[0].revents().intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL)
}

/// Waits until a write does not block, because there is space, or an error.
fn is_ready(fd: BorrowedFd<'_>, most: Duration) -> io::Result<bool> {
    let mut asked = [PollFd::new(&fd, PollFlags::OUT)];
    let limit = Timespec { tv_sec: 0, tv_nsec: most.subsec_nanos().into() };
    match poll(&mut asked, Some(&limit)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(err) => Err(err.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::thread;

    use super::*;

    #[test]
    fn everything_arrives_however_slow_the_reader() {
        let (mut reader, writer) = io::pipe().unwrap();
        let bytes: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let sent = bytes.clone();
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                assert!(write_all(&writer, &sent, &stop).unwrap());
                drop(writer);
            });
            thread::sleep(Duration::from_millis(120));
            let mut got = Vec::new();
            reader.read_to_end(&mut got).unwrap();
            assert_eq!(got, bytes);
        });
    }

    /// EV-03
    #[test]
    fn what_nobody_has_read_is_not_drained() {
        let (mut reader, mut writer) = io::pipe().unwrap();
        let (run, stop) = (AtomicBool::new(false), AtomicBool::new(true));
        assert!(wait_drained(&writer, &run).unwrap());
        writer.write_all(b"four").unwrap();
        assert!(!wait_drained(&writer, &stop).unwrap());
        thread::scope(|scope| {
            let waiting = scope.spawn(|| wait_drained(&writer, &run).unwrap());
            reader.read_exact(&mut [0; 3]).unwrap();
            assert!(!waiting.is_finished());
            reader.read_exact(&mut [0; 1]).unwrap();
            assert!(waiting.join().unwrap());
        });
        writer.write_all(b"x").unwrap();
        drop(reader);
        assert!(!wait_drained(&writer, &run).unwrap());
        assert!(wait_drained(std::fs::File::open("/dev/null").unwrap(), &run).unwrap());
    }

    /// EV-04
    #[test]
    fn a_stalled_reader_does_not_hold_up_the_end() {
        let (reader, writer) = io::pipe().unwrap();
        let stop = AtomicBool::new(true);
        assert!(!write_all(&writer, &vec![0; 1 << 20], &stop).unwrap());
        assert!(!is_abandoned(&writer));
        drop(reader);
        assert!(is_abandoned(&writer));
        let gone = write_all(&writer, b"x", &stop).unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::BrokenPipe);
    }
}
