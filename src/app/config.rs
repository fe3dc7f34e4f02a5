//! Settings of the project.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Code, CommandContext, Error, Reply};
use crate::domain::config::{self, KNOWN, Known};
use crate::domain::secret;
use crate::domain::state::{self, Key, Scope};
use crate::ops::config::{PREFIX, state_key};
use crate::store;

/// A setting's name, together with the key of state that holds it.
#[derive(Clone, Debug)]
pub(crate) struct SettingName {
    name: String,
    key: Key,
}

impl std::str::FromStr for SettingName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Self { key: state_key(text)?, name: text.to_owned() })
    }
}

/// A setting and its value.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Setting {
    pub key: String,
    /// Null if the setting is not set.
    pub value: Option<Value>,
}

/// Settings by key.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct Settings {
    pub set: Map<String, Value>,
    /// Known settings that are not set; listed on request only.
    #[serde(skip)]
    pub unset: Vec<Known>,
}

/// Sets a setting. Known settings are checked, others take any JSON.
///
/// # Errors
/// [`Error::Usage`] if the value is not one of the setting's, or holds a likely secret.
pub(crate) fn set(
    cx: &mut CommandContext,
    setting: SettingName,
    value: &str,
) -> Result<Reply<Setting>, Error> {
    let SettingName { name, key } = setting;
    let wrong = |err: String| Error::usage(format!("config set: {name}: {err}"));
    let value = config::parse(&name, value).map_err(wrong)?;
    let text = value.to_string();
    state::check_json(&text).map_err(|err| wrong(err.to_string()))?;
    if value.as_str().is_some_and(|text| secret::is_secret_member(&name, text)) {
        return Err(wrong(state::PayloadError::Secret.to_string()));
    }
    let stamp = cx.stamp.clone();
    cx.write(|tx| store::state::set(tx, &key, &Scope::global(), &text, None, &stamp))?;
    Ok(Reply::yes(Setting { key: name, value: Some(value) }))
}

/// Returns a setting; the negative if it is not set.
pub(crate) fn get(cx: &mut CommandContext, setting: SettingName) -> Result<Reply<Setting>, Error> {
    let SettingName { name, key } = setting;
    let stamp = cx.stamp.clone();
    let found = cx.read(|tx| store::state::get(tx, &key, &Scope::global(), &stamp))?;
    let value = found.map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text)));
    let is_set = value.is_some();
    Ok(Reply::of(Setting { key: name, value }, is_set, Code::NotSet))
}

/// Returns the settings that are set, and with `--verbose` the known ones that are not.
pub(crate) fn list(cx: &mut CommandContext) -> Result<Reply<Settings>, Error> {
    let stamp = cx.stamp.clone();
    let found = cx.read(|tx| store::state::with_prefix(tx, PREFIX, &Scope::global(), &stamp))?;
    let value = |text: String| serde_json::from_str(&text).unwrap_or(Value::String(text));
    let set: Map<_, _> =
        found.into_iter().map(|(key, text)| (key[PREFIX.len()..].to_owned(), value(text))).collect();
    let is_unset = |known: &&Known| cx.is_verbose() && !set.contains_key(known.key);
    let unset = KNOWN.iter().filter(is_unset).copied().collect();
    Ok(Reply::yes(Settings { set, unset }))
}
