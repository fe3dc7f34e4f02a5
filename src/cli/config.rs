//! `ic config …`: settings of the project.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::error::CliError;
use super::output::View;
use super::verb::Verb;
use super::{Answer, Cx};
use crate::domain::config::{self, KNOWN};
use crate::domain::secret;
use crate::domain::state::{self, Key, Scope};
use crate::domain::text::one_line;
use crate::ops::config::{PREFIX, state_key};
use crate::store;

/// A setting's name, together with where it is kept.
#[derive(Clone, Debug)]
struct Setting {
    name: String,
    key: Key,
}

impl std::str::FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Self { key: state_key(text)?, name: text.to_owned() })
    }
}

/// Set a setting of the project
///
/// Known settings are checked: autonomy.delegation_level (0 to 5), global_max_dispatches, max_spawn_depth. Any other key
/// takes any JSON.
#[derive(Debug, clap::Parser)]
#[expect(clippy::doc_markdown, reason = "shown as help, where back quotes would be seen")]
#[command(after_help = "Example: ic config set autonomy.delegation_level L1")]
pub(super) struct Set {
    /// The key
    key: Setting,
    /// The value
    #[arg(allow_negative_numbers = true)]
    value: String,
}

impl Verb for Set {
    const KEPT: &'static [&'static str] = &["key"];

    fn run(self, cx: &mut Cx) -> Result<Answer, CliError> {
        let Setting { name, key } = self.key;
        let wrong = |err: String| CliError::usage(format!("config set: {name}: {err}"));
        let value = config::parse(&name, &self.value).map_err(wrong)?;
        let text = value.to_string();
        state::check_json(&text).map_err(|err| wrong(err.to_string()))?;
        if value.as_str().is_some_and(|text| secret::is_secret_member(&name, text)) {
            return Err(wrong(state::PayloadError::Secret.to_string()));
        }
        let stamp = cx.stamp.clone();
        cx.write(|tx| store::state::set(tx, &key, &Scope::global(), &text, None, &stamp))?;
        cx.out.show(&Shown { name, value: Some(value) })?;
        Ok(Answer::Yes)
    }
}

/// Print a setting of the project
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic config get max_spawn_depth")]
pub(super) struct Get {
    /// The key
    key: Setting,
}

impl Verb for Get {
    fn run(self, cx: &mut Cx) -> Result<Answer, CliError> {
        let Setting { name, key } = self.key;
        let stamp = cx.stamp.clone();
        let found = cx.read(|tx| store::state::get(tx, &key, &Scope::global(), &stamp))?;
        let value = found.map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text)));
        let answer = if value.is_some() { Answer::Yes } else { Answer::No };
        cx.out.show(&Shown { name, value })?;
        Ok(answer)
    }
}

struct Shown {
    name: String,
    value: Option<Value>,
}

impl serde::Serialize for Shown {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        json!({ "key": self.name, "value": self.value }).serialize(serializer)
    }
}

impl View for Shown {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        match &self.value {
            Some(value) => writeln!(w, "{} = {}", self.name, one_line(&value.to_string())),
            None => writeln!(w, "{}: not set", self.name),
        }
    }
}

/// List the settings of the project that are set
///
/// With --verbose also those that are known and not set, with what they do.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic config list --verbose")]
pub(super) struct List {}

impl Verb for List {
    fn run(self, cx: &mut Cx) -> Result<Answer, CliError> {
        let stamp = cx.stamp.clone();
        let found = cx.read(|tx| store::state::with_prefix(tx, PREFIX, &Scope::global(), &stamp))?;
        let value = |text: String| serde_json::from_str(&text).unwrap_or(Value::String(text));
        let set =
            found.into_iter().map(|(key, text)| (key[PREFIX.len()..].to_owned(), value(text))).collect();
        cx.out.show(&Settings { set, all: cx.out.is_verbose() })?;
        Ok(Answer::Yes)
    }
}

struct Settings {
    set: Map<String, Value>,
    all: bool,
}

impl serde::Serialize for Settings {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.set.serialize(serializer)
    }
}

impl View for Settings {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        if self.set.is_empty() && !self.all {
            return writeln!(w, "no config values set (use --verbose to see available keys)");
        }
        for (name, value) in &self.set {
            writeln!(w, "{name:<25} = {}", one_line(&value.to_string()))?;
        }
        let mut unset = KNOWN.iter().filter(|known| self.all && !self.set.contains_key(known.key));
        unset.try_for_each(|known| writeln!(w, "{:<25}   (not set) — {}", known.key, known.description))
    }
}
