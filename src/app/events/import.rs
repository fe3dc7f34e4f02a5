//! Importing an exported log.

use std::io::Read;
use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::log_file::{EventRecord, LogReader};
use crate::app::{CommandContext, Error, Reply};
use crate::ops::import_log::Import;
use crate::os::files;

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LogImported {
    /// The number of events in the imported log.
    pub events: i64,
    /// Number and hash of the last event, as `ID:HASH`.
    pub head: String,
    /// The number of events that the log here did not have.
    pub new: i64,
}

/// Imports the log from a file, or from `stdin` if the file is `-`: all of it, or nothing if it does not
/// verify. The log here has to be its beginning.
///
/// # Errors
/// * [`Error::Input`] if the file is not an exported log; [`Error::File`] if it cannot be read.
/// * [`Error::Ops`] if its chain is broken, or the log here is not its beginning.
pub(crate) fn import(
    cx: &mut CommandContext,
    path: &Path,
    stdin: &mut dyn Read,
) -> Result<Reply<LogImported>, Error> {
    let failed = |source| Error::File { what: "reading", path: path.to_owned(), source };
    // The writer of a pipe may be slow, and must not be waited for under the write lock.
    let mut file = if path == Path::new("-") {
        files::spooled(stdin).map_err(failed)?
    } else {
        files::open_spooled(path).map_err(failed)?
    };
    let (_, header) = LogReader::start(&mut file, failed)?;
    let (head, new) = cx.write(|tx| {
        let (mut lines, _) = LogReader::start(&mut file, failed)?;
        let mut import = Import::new(tx)?;
        while let Some(record) = lines.next::<EventRecord>(failed)? {
            let event = record.into_event().map_err(|problem| lines.invalid(&problem))?;
            import.take(&event)?;
        }
        Ok::<_, Error>(import.finish(&header.head)?)
    })?;
    Ok(Reply::yes(LogImported { events: head.id, head: head.to_string(), new }))
}
