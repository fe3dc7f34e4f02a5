//! JSON in lines.

use serde::Serialize;

use crate::app::Error;
use crate::domain::text::escaped_json;

/// Appends a value as one line of JSON, in which control characters are escaped: they must not steer a
/// terminal.
///
/// # Errors
/// [`Error::Unexpected`] if the value has no JSON form.
pub(crate) fn append(value: &impl Serialize, out: &mut Vec<u8>) -> Result<(), Error> {
    let text = serde_json::to_string(value).map_err(|err| Error::Unexpected(err.into()))?;
    out.extend_from_slice(escaped_json(&text).as_bytes());
    out.push(b'\n');
    Ok(())
}
