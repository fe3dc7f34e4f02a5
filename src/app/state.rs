//! Values that scripts keep between calls.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::{Code, CommandContext, Error, Reply};
use crate::domain::state::{self, Key, MAX_PAYLOAD, PayloadError, Scope};
use crate::os::{files, paths};
use crate::store;

/// The bytes of a payload that are read: enough for the check to see that it is too large.
pub(crate) const READ_LIMIT: u64 = 2 * MAX_PAYLOAD as u64;

/// A value to store.
#[derive(Debug)]
pub(crate) struct SetRequest {
    pub key: Key,
    pub scope: Scope,
    pub payload: PayloadSource,
    pub format: PayloadFormat,
    /// The value is kept until it is deleted if this is not given.
    pub ttl_seconds: Option<i64>,
}

#[derive(Debug)]
pub(crate) enum PayloadSource {
    Bytes(Vec<u8>),
    /// A file below the working directory.
    File(PathBuf),
}

/// Which payloads are accepted, and how they are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PayloadFormat {
    /// JSON without the space around it; any other text as it is.
    Any,
    /// JSON without the space around it, and nothing else.
    Json,
    /// Any text as it is, also if it is JSON.
    Raw,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct StateStored {
    /// Always `stored`.
    pub status: &'static str,
    /// Unix seconds, rounded up. Missing if the value does not expire.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
}

/// The value of a key in a scope.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum StateValue {
    /// A payload. Text that is not JSON is a string.
    Found(#[serde(serialize_with = "json_or_text")] String),
    /// No value is stored, or it has expired.
    Missing {},
}

impl JsonSchema for StateValue {
    fn schema_name() -> Cow<'static, str> {
        "StateValue".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The value, which may be any JSON; text that is not JSON is a string. Without a value, an object \
                            with a `code`, and exit code 1.",
        })
    }
}

fn json_or_text<S: Serializer>(payload: &str, serializer: S) -> Result<S::Ok, S::Error> {
    match serde_json::from_str::<Value>(payload) {
        Ok(value) => value.serialize(serializer),
        Err(_) => payload.serialize(serializer),
    }
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum StateDeleted {
    /// In one scope: whether there was a value.
    Scope { deleted: bool },
    /// In every scope: the number of values.
    All { deleted: usize },
}

/// Scopes in order.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct Scopes(pub Vec<String>);

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Pruned {
    pub pruned: usize,
}

/// Stores a value. It replaces the payload and the expiry of an earlier one.
///
/// # Errors
/// * [`Error::Input`] if the payload is not accepted, or lies outside the working directory.
/// * [`Error::File`] if its file cannot be read.
pub(crate) fn set(cx: &mut CommandContext, request: SetRequest) -> Result<Reply<StateStored>, Error> {
    let SetRequest { key, scope, payload, format, ttl_seconds } = request;
    let payload = match payload {
        PayloadSource::Bytes(bytes) => bytes,
        PayloadSource::File(path) => read_file(cx, &path)?,
    };
    let payload =
        String::from_utf8(payload).map_err(|_| Error::Input("state set: payload is not UTF-8".into()))?;
    let payload = accepted(&payload, format).map_err(|err| Error::Input(format!("state set: {err}")))?;
    let clock = cx.clock();
    let expires_at = cx.write(|tx| store::state::set(tx, &key, &scope, payload, ttl_seconds, &clock()))?;
    Ok(Reply::yes(StateStored { status: "stored", expires_at }))
}

/// Returns the part of a payload that is stored.
fn accepted(payload: &str, format: PayloadFormat) -> Result<&str, PayloadError> {
    let trimmed = payload.trim();
    if format == PayloadFormat::Raw {
        return state::check_raw(payload).map(|()| payload);
    }
    match state::check_json(trimmed) {
        Err(PayloadError::NotJson) if format == PayloadFormat::Any && !trimmed.is_empty() => {
            state::check_text(payload).map(|()| payload)
        }
        checked => checked.map(|()| trimmed),
    }
}

/// Reads a file that lies below the working directory, also after symlinks are resolved.
fn read_file(cx: &CommandContext, path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::File { what: "reading", path: path.to_owned(), source };
    let cwd = cx.cwd()?;
    let file = cwd.join(path).canonicalize().map_err(failed)?;
    if !file.starts_with(paths::canonical_key(&cwd)) {
        return Err(Error::Input(format!(
            "state set: file path must be under current directory: {}",
            path.display()
        )));
    }
    files::beginning(&file, READ_LIMIT).map_err(failed)
}

/// Returns the value of a key in a scope; the negative if there is none or it has expired.
///
/// # Errors
/// [`Error::Ops`] if the database cannot be read.
pub(crate) fn get(cx: &mut CommandContext, key: &Key, scope: &Scope) -> Result<Reply<StateValue>, Error> {
    let stamp = cx.stamp.clone();
    let found = cx.read(|tx| store::state::get(tx, key, scope, &stamp))?;
    Ok(match found {
        Some(payload) => Reply::yes(StateValue::Found(payload)),
        None => Reply::no(StateValue::Missing {}, Code::StateNotFound),
    })
}

/// Deletes the value of a key in one scope, or without a scope its values in every scope.
///
/// # Errors
/// [`Error::Ops`] if the database cannot be used.
pub(crate) fn delete(
    cx: &mut CommandContext,
    key: &Key,
    scope: Option<&Scope>,
) -> Result<Reply<StateDeleted>, Error> {
    Ok(Reply::yes(match scope {
        Some(scope) => StateDeleted::Scope { deleted: cx.write(|tx| store::state::delete(tx, key, scope))? },
        None => StateDeleted::All { deleted: cx.write(|tx| store::state::delete_all(tx, key))? },
    }))
}

/// Returns the scopes in which a key has a value that has not expired.
///
/// # Errors
/// [`Error::Ops`] if the database cannot be read.
pub(crate) fn list(cx: &mut CommandContext, key: &Key) -> Result<Reply<Scopes>, Error> {
    let stamp = cx.stamp.clone();
    Ok(Reply::yes(Scopes(cx.read(|tx| store::state::scopes(tx, key, &stamp))?)))
}

/// Deletes the values that have expired.
///
/// # Errors
/// [`Error::Ops`] if the database cannot be used.
pub(crate) fn prune(cx: &mut CommandContext) -> Result<Reply<Pruned>, Error> {
    let stamp = cx.stamp.clone();
    Ok(Reply::yes(Pruned { pruned: cx.write(|tx| store::state::prune(tx, &stamp))? }))
}
