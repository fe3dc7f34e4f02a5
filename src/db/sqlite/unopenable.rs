//! Finding out why the engine could not open a file.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;

use rustix::io::Errno;

use crate::db::error::DbError;

/// Returns the reason why the engine could not open an existing database file, or create the files beside it.
/// The engine does not tell.
pub(super) fn reason(path: &Path) -> DbError {
    // The engine opens three files: database, log, index.
    let spare: Result<Vec<_>, _> = (0..3).map(|_| File::open("/dev/null")).collect();
    let too_many = |err: &io::Error| {
        let code = err.raw_os_error().map(Errno::from_raw_os_error);
        code == Some(Errno::MFILE) || code == Some(Errno::NFILE)
    };
    if spare.as_ref().is_err_and(too_many) {
        return DbError::TooManyFiles;
    }
    drop(spare);
    match tempfile::tempfile_in(path.parent().unwrap_or(Path::new("/"))) {
        Err(err) if err.kind() == ErrorKind::StorageFull || err.kind() == ErrorKind::QuotaExceeded => {
            DbError::Full
        }
        _ => DbError::ReadOnly(path.to_owned()),
    }
}
