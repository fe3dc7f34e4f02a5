//! One row of the old database, column by column. The import goes on whatever a column holds: a value that is
//! invalid here is replaced by a valid one, the original is kept in the event, and a remark reports it.

use std::str::FromStr;

use serde_json::{Map, Value as Json};

use super::Remark;

/// The columns of a row that were not read yet.
pub(super) struct Columns<'a> {
    table: &'a str,
    key: String,
    row: Map<String, Json>,
    originals: Map<String, Json>,
    remarks: &'a mut Vec<Remark>,
}

impl<'a> Columns<'a> {
    /// Wraps a row. `keys` are the columns that identify it in remarks.
    pub(super) fn new(
        table: &'a str,
        keys: &[&str],
        row: Map<String, Json>,
        remarks: &'a mut Vec<Remark>,
    ) -> Self {
        let key = keys.iter().filter_map(|key| row.get(*key).map(shown)).collect::<Vec<_>>().join("/");
        Self { table, key, row, originals: Map::new(), remarks }
    }

    /// Returns the identification of the row in remarks.
    pub(super) fn key(&self) -> String {
        self.key.clone()
    }

    pub(super) fn remark(&mut self, column: &str, said: impl Into<String>) {
        self.remarks.push(Remark {
            table: self.table.to_owned(),
            row: self.key.clone(),
            column: column.to_owned(),
            said: said.into(),
        });
    }

    /// Reports that a value was replaced, and keeps the original.
    pub(super) fn refuse(&mut self, column: &str, original: impl Into<Json>, said: impl Into<String>) {
        self.originals.insert(column.to_owned(), original.into());
        self.remark(column, said);
    }

    fn take(&mut self, column: &str) -> Option<Json> {
        self.row.remove(column).filter(|value| !value.is_null())
    }

    /// Returns a text, if there is one.
    pub(super) fn text(&mut self, column: &str) -> Option<String> {
        match self.take(column)? {
            Json::String(text) => Some(text),
            Json::Number(number) => Some(number.to_string()),
            other => {
                self.refuse(column, other, "not text: left out");
                None
            }
        }
    }

    /// Returns a text that is not empty, if there is one.
    pub(super) fn word(&mut self, column: &str) -> Option<String> {
        self.text(column).filter(|text| !text.is_empty())
    }

    /// Returns a required text.
    pub(super) fn required(&mut self, column: &str, otherwise: &str) -> String {
        let found = self.word(column);
        if found.is_none() {
            self.remark(column, format!("missing: \"{otherwise}\" taken"));
        }
        found.unwrap_or_else(|| otherwise.to_owned())
    }

    /// Returns a whole number, if there is one.
    pub(super) fn int(&mut self, column: &str) -> Option<i64> {
        let value = self.take(column)?;
        let number = value.as_i64();
        if number.is_none() {
            self.refuse(column, value, "not a whole number: left out");
        }
        number
    }

    /// Returns a required point in time.
    pub(super) fn time(&mut self, column: &str) -> i64 {
        let found = self.int(column);
        if found.is_none() {
            self.remark(column, "no time: 0 taken");
        }
        found.unwrap_or(0)
    }

    pub(super) fn flag(&mut self, column: &str, otherwise: bool) -> bool {
        self.int(column).map_or(otherwise, |number| number != 0)
    }

    /// Returns a word of `T`: `missing` if there is none, `unknown` for an unknown word.
    pub(super) fn one_of<T: FromStr + std::fmt::Display>(
        &mut self,
        column: &str,
        missing: T,
        unknown: T,
    ) -> T {
        let Some(text) = self.word(column) else { return missing };
        if let Ok(known) = text.parse() {
            return known;
        }
        self.refuse(column, text.clone(), format!("\"{text}\" is not known here: {unknown} taken"));
        unknown
    }

    /// Returns a text that `check` accepts. Any other is left out, and its error reported.
    pub(super) fn checked(
        &mut self,
        column: &str,
        check: &dyn Fn(&str) -> Result<(), String>,
    ) -> Option<String> {
        let text = self.word(column)?;
        match check(&text) {
            Ok(()) => Some(text),
            Err(why) => {
                self.refuse(column, text, format!("left out: {why}"));
                None
            }
        }
    }

    /// Returns a JSON document, if there is one.
    pub(super) fn json(&mut self, column: &str) -> Option<String> {
        self.checked(column, &is_json)
    }

    /// Does the same as [`Self::rest`], without the columns that were read otherwise.
    pub(super) fn without(mut self, taken: &[&str]) -> Map<String, Json> {
        self.row.retain(|name, _| !taken.contains(&name.as_str()));
        self.rest()
    }

    /// Returns the columns that were not read and are not empty, and the originals of replaced values.
    pub(super) fn rest(self) -> Map<String, Json> {
        let mut rest = self.row;
        rest.retain(|_, value| !value.is_null());
        rest.extend(self.originals);
        rest
    }
}

/// Checks that a text is a JSON document.
pub(super) fn is_json(text: &str) -> Result<(), String> {
    serde_json::from_str::<serde::de::IgnoredAny>(text).map(drop).map_err(|err| format!("not JSON, {err}"))
}

/// Returns any value as text.
pub(super) fn shown(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}
