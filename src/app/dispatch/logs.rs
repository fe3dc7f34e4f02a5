//! The output of a child as a stream, once or as it grows.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use super::{launch, settle};
use crate::app::reply::{Flow, Sink};
use crate::app::{CommandContext, Error, Verdict};
use crate::domain::ids::DispatchId;
use crate::os::rotated::Reader;
use crate::store;

/// Bytes read at a time.
const PIECE_BYTES: usize = 64 * 1024;
/// How often a follower checks for more output.
const POLL_INTERVAL: Duration = Duration::from_millis(30);

/// The output that is to be streamed.
#[derive(Debug)]
pub(crate) struct LogsRequest {
    pub id: DispatchId,
    /// Stream stderr instead of stdout.
    pub stderr: bool,
    /// Go on until the dispatch ends.
    pub follow: bool,
}

/// Streams the output of a child, as it was written.
///
/// # Errors
/// [`Error::Ops`] if the dispatch does not exist, [`Error::File`] if its log cannot be read,
/// [`Error::Output`] if the stream cannot be written.
pub(crate) fn logs(
    cx: &mut CommandContext,
    request: &LogsRequest,
    sink: &mut dyn Sink<Vec<u8>>,
) -> Result<Verdict, Error> {
    settle::settle(cx)?;
    cx.read(|tx| store::dispatch::get(tx, &request.id))?;
    let db = cx.existing()?.path().to_owned();
    let (stdout, stderr) = launch::log_paths(&db, &request.id)?;
    let path = if request.stderr { stderr } else { stdout };
    let stop = cx.stop_flag()?;
    let mut reader = Reader::new(path.clone());
    let mut piece = Vec::new();
    loop {
        // Before reading: output that is written between the two is read in the next round.
        let is_over = cx.read(|tx| store::dispatch::get(tx, &request.id))?.status.is_terminal();
        loop {
            piece.resize(PIECE_BYTES, 0);
            let failed = |source| Error::File { what: "reading", path: path.clone(), source };
            let length = reader.read(&mut piece).map_err(failed)?;
            if length == 0 {
                break;
            }
            piece.truncate(length);
            sink.put(&piece)?;
            if sink.deliver(&stop)? == Flow::Stop {
                break;
            }
        }
        if !request.follow || is_over || stop.load(Ordering::Relaxed) || sink.is_abandoned() {
            return Ok(Verdict::Yes);
        }
        thread::sleep(POLL_INTERVAL);
    }
}
