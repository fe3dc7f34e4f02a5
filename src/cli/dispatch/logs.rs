//! `ic dispatch logs`

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use super::{launch, settle};
use crate::cli::error::CliError;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx};
use crate::domain::ids::DispatchId;
use crate::os::{child, stream};
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
    fn run(self, cx: &mut Cx) -> Result<Answer, CliError> {
        settle::settle(cx)?;
        cx.read(|tx| store::dispatch::get(tx, &self.id))?;
        let db = cx.existing()?.path().to_owned();
        let (stdout, stderr) = launch::logs(&db, &self.id)?;
        let path = if self.stderr { stderr } else { stdout };
        let stop = stream::stop_flag().map_err(|err| CliError::Unexpected(err.into()))?;
        let mut reading = Reading { path, file: None };
        if let Ok(mut older) = File::open(child::older(&reading.path)) {
            copy(cx, &mut older, &reading.path, &stop)?;
        }
        loop {
            // Before reading: what is written between the two is read in the next round.
            let over = cx.read(|tx| store::dispatch::get(tx, &self.id))?.status.is_terminal();
            reading.catch_up(cx, &stop)?;
            if !self.follow || over || stop.load(Ordering::Relaxed) || cx.out.is_abandoned() {
                return Ok(Answer::Yes);
            }
            thread::sleep(GLANCE);
        }
    }
}

/// A log that may be turned over while it is read.
struct Reading {
    path: PathBuf,
    file: Option<File>,
}

impl Reading {
    fn catch_up(&mut self, cx: &Cx, stop: &std::sync::atomic::AtomicBool) -> Result<(), CliError> {
        use std::os::unix::fs::MetadataExt;
        loop {
            if let Some(file) = &mut self.file {
                copy(cx, file, &self.path, stop)?;
                let here = file.metadata().ok().map(|found| found.ino());
                if here.is_some() && self.path.metadata().ok().map(|found| found.ino()) == here {
                    return Ok(());
                }
                // Turned over: the rest of the old one was read, the new one begins.
                copy(cx, file, &self.path, stop)?;
            }
            match File::open(&self.path) {
                Ok(file) => self.file = Some(file),
                Err(err) if err.kind() == std::io::ErrorKind::NotFound => return Ok(()),
                Err(source) => {
                    return Err(CliError::File { what: "reading", path: self.path.clone(), source });
                }
            }
        }
    }
}

/// Copies the rest of the file to stdout.
fn copy(cx: &Cx, file: &mut File, path: &Path, stop: &std::sync::atomic::AtomicBool) -> Result<(), CliError> {
    let failed = |source| CliError::File { what: "reading", path: path.to_owned(), source };
    let mut piece = vec![0; PIECE];
    loop {
        let length = file.read(&mut piece).map_err(failed)?;
        if length == 0 {
            return Ok(());
        }
        if !cx.out.stream(&piece[..length], stop)? {
            return Ok(());
        }
    }
}
