//! `ic dispatch logs`

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use super::{launch, settle};
use crate::app::Error;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx};
use crate::domain::ids::DispatchId;
use crate::os::rotated::Reader;
use crate::os::stream;
use crate::store;

/// Bytes read at a time.
const PIECE: usize = 64 * 1024;
/// How often a follower looks for more.
const GLANCE: Duration = Duration::from_millis(30);

/// Show what the child of a dispatch has written
///
/// Its stdout, or with --stderr its stderr, as it was written. Of each the last 8 to 16 MB are kept.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic dispatch logs w8d2f5gh -f")]
pub(in crate::cli) struct Logs {
    /// The dispatch
    id: DispatchId,
    /// What it wrote to stderr
    #[arg(long)]
    stderr: bool,
    /// Go on until the dispatch ends
    #[arg(long, short)]
    follow: bool,
}

impl Verb for Logs {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        settle::settle(cx)?;
        cx.read(|tx| store::dispatch::get(tx, &self.id))?;
        let db = cx.existing()?.path().to_owned();
        let (stdout, stderr) = launch::logs(&db, &self.id)?;
        let path = if self.stderr { stderr } else { stdout };
        let stop = stream::stop_flag().map_err(|err| Error::Unexpected(err.into()))?;
        let mut reader = Reader::new(path.clone());
        let mut piece = vec![0; PIECE];
        loop {
            // Before reading: what is written between the two is read in the next round.
            let over = cx.read(|tx| store::dispatch::get(tx, &self.id))?.status.is_terminal();
            loop {
                let failed = |source| Error::File { what: "reading", path: path.clone(), source };
                let length = reader.read(&mut piece).map_err(failed)?;
                if length == 0 || !cx.out.stream(&piece[..length], &stop)? {
                    break;
                }
            }
            if !self.follow || over || stop.load(Ordering::Relaxed) || cx.out.is_abandoned() {
                return Ok(Answer::Yes);
            }
            thread::sleep(GLANCE);
        }
    }
}
