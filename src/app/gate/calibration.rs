//! Calibration files: tiers that were learned from past gate decisions.

use std::io;
use std::path::Path;

use crate::app::{CommandContext, Error};
use crate::ops::gate::Calibration;
use crate::os::files;

/// Age from which a calibration file is ignored, in seconds.
const MAX_AGE_SECONDS: i64 = 24 * 3600;

/// Reads a calibration file. A file that does not exist, or is older than a day, counts as none.
///
/// # Errors
/// [`Error::File`] if the file cannot be read, [`Error::Input`] if its content is not valid.
pub(crate) fn load(cx: &CommandContext, path: Option<&Path>) -> Result<Option<Calibration>, Error> {
    let Some(path) = path else { return Ok(None) };
    let text = match files::read_to_string(&cx.cwd()?.join(path)) {
        Ok(text) => text,
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(Error::File { what: "reading --calibration-file", path: path.to_owned(), source });
        }
    };
    let calibration: Calibration = serde_json::from_str(&text)
        .map_err(|err| Error::Input(format!("--calibration-file {}: {err}", path.display())))?;
    if cx.stamp.secs() - calibration.created_at > MAX_AGE_SECONDS {
        cx.warn("gate calibration file is stale, ignoring it");
        return Ok(None);
    }
    Ok(Some(calibration))
}
