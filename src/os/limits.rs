//! Limits that the caller has set for this process.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustix::process::{Resource, getrlimit};
use signal_hook::consts::SIGXFSZ;

/// Makes a write beyond the file size limit (`ulimit -f`) fail with an error. By default it would end the
/// process.
///
/// A handler is used, because programs that are started later inherit an ignored signal, but not a handler.
/// Without a limit the signal never comes, and asking for the limit costs less than installing a handler.
pub fn fail_beyond_file_size() {
    if getrlimit(Resource::Fsize).current.is_some() {
        // Without the handler the default stays: the signal kills the process without a message.
        let _ = signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
    }
}
