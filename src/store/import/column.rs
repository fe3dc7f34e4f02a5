//! One row of the old database, taken apart column by column. Whatever a column holds, the import goes on: a
//! value that has no meaning here is replaced by one that has, the original stays with the event, and a
//! remark says so.

use std::str::FromStr;

use serde_json::{Map, Value as Json};

use super::Remark;

/// What is left of a row.
pub(super) struct Columns<'a> {
    table: &'a str,
    key: String,
    row: Map<String, Json>,
    originals: Map<String, Json>,
    remarks: &'a mut Vec<Remark>,
}

impl<'a> Columns<'a> {
    /// `keys` are the columns that name the row in remarks.
    pub(super) fn new(
        table: &'a str,
        keys: &[&str],
        row: Map<String, Json>,
        remarks: &'a mut Vec<Remark>,
    ) -> Self {
        let key = keys.iter().filter_map(|key| row.get(*key).map(shown)).collect::<Vec<_>>().join("/");
        Self { table, key, row, originals: Map::new(), remarks }
    }

    /// Returns what names the row in remarks.
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

    /// Says that a value was not taken as it was, and keeps it.
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

    /// Returns a text that has to be there.
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

    /// Returns a point in time that has to be there.
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

    /// One of the words of `T`: `missing` where there is none, `unknown` for a word that `T` does not know.
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

    /// Returns a text that `check` accepts; it says what is wrong with any other, which is left out.
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

    /// As [`Self::rest`], without the columns that were taken by other means.
    pub(super) fn without(mut self, taken: &[&str]) -> Map<String, Json> {
        self.row.retain(|name, _| !taken.contains(&name.as_str()));
        self.rest()
    }

    /// Returns what nobody took, without what is empty, and the originals of what was not taken as it was.
    pub(super) fn rest(self) -> Map<String, Json> {
        let mut rest = self.row;
        rest.retain(|_, value| !value.is_null());
        rest.extend(self.originals);
        rest
    }
}

/// Returns whether a text is a JSON document.
pub(super) fn is_json(text: &str) -> Result<(), String> {
    serde_json::from_str::<serde::de::IgnoredAny>(text).map(drop).map_err(|err| format!("not JSON, {err}"))
}

/// Returns a value as text, whatever it is.
pub(super) fn shown(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}
