//! Parameters and cells of statements, independent of the engine.

use std::rc::Rc;

use super::error::DbError;
use crate::domain::TextColumn;
use crate::domain::phase::Chain;
use crate::domain::text::escaped;

/// One cell, or one bound parameter. Booleans are 0 and 1, times are integers, JSON is text.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    /// A 64-bit integer.
    Int(i64),
    /// UTF-8 text.
    Text(String),
    /// Text that is not UTF-8, or a blob. Bound to a statement it is text, as it is.
    Bytes(Vec<u8>),
    /// A cell of a type that no column of ours has, with the reason. Only read, never bound. Decoding the
    /// cell returns the error, so that one damaged cell does not hide the others.
    Unreadable(String),
}

impl Value {
    /// Returns the value as JSON: text stays text, also where it holds JSON.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Null | Self::Unreadable(_) => serde_json::Value::Null,
            Self::Int(number) => (*number).into(),
            Self::Bytes(bytes) => escaped(bytes).into(),
            Self::Text(text) => text.as_str().into(),
        }
    }
}

/// Describes a cell that is not what was expected.
fn found(value: &Value) -> String {
    match value {
        Value::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(_) => format!("a blob of {} bytes", bytes.len()),
            Err(err) => err.to_string(),
        },
        other => format!("{other:?}"),
    }
}

/// A type that a column can hold.
pub trait Column: Sized {
    /// Returns the cell of the value.
    fn encode(&self) -> Value;
    /// Decodes a cell. The error says what is wrong with it.
    fn decode(value: &Value) -> Result<Self, String>;
}

impl Column for i64 {
    fn encode(&self) -> Value {
        Value::Int(*self)
    }
    fn decode(value: &Value) -> Result<Self, String> {
        match value {
            Value::Int(number) => Ok(*number),
            other => Err(format!("expected an integer, found {}", found(other))),
        }
    }
}

impl Column for bool {
    fn encode(&self) -> Value {
        Value::Int(i64::from(*self))
    }
    fn decode(value: &Value) -> Result<Self, String> {
        i64::decode(value).map(|number| number != 0)
    }
}

impl Column for String {
    fn encode(&self) -> Value {
        Value::Text(self.clone())
    }
    fn decode(value: &Value) -> Result<Self, String> {
        match value {
            Value::Text(text) => Ok(text.clone()),
            other => Err(format!("expected text, found {}", found(other))),
        }
    }
}

impl<T: Column> Column for Option<T> {
    fn encode(&self) -> Value {
        self.as_ref().map_or(Value::Null, Column::encode)
    }
    fn decode(value: &Value) -> Result<Self, String> {
        match value {
            Value::Null => Ok(None),
            some => T::decode(some).map(Some),
        }
    }
}

/// A type of the domain is stored as the text that `Display` writes and `FromStr` reads back.
impl<T: TextColumn> Column for T {
    fn encode(&self) -> Value {
        Value::Text(self.to_string())
    }
    fn decode(value: &Value) -> Result<Self, String> {
        match value {
            Value::Text(text) => text.parse().map_err(|err| format!("{err}")),
            other => Err(format!("expected text, found {}", found(other))),
        }
    }
}

impl Column for Chain {
    fn encode(&self) -> Value {
        Value::Text(self.to_json())
    }
    fn decode(value: &Value) -> Result<Self, String> {
        String::decode(value)?.parse().map_err(|err| format!("{err}"))
    }
}

/// One row of a result, read by column name.
#[derive(Debug)]
pub struct Row {
    columns: Rc<[String]>,
    values: Vec<Value>,
}

impl Row {
    pub(super) fn new(columns: Rc<[String]>, values: Vec<Value>) -> Self {
        Self { columns, values }
    }

    /// Returns the cell called `name`, decoded.
    ///
    /// # Errors
    /// [`DbError::Decode`] naming the column if its content is not what the type expects.
    pub fn get<T: Column>(&self, name: &str) -> Result<T, DbError> {
        T::decode(self.cell(name)?).map_err(|problem| DbError::Decode { column: name.to_owned(), problem })
    }

    /// Returns the cell called `name`, whatever its type.
    ///
    /// # Errors
    /// [`DbError::Decode`] if there is no such column.
    pub fn cell(&self, name: &str) -> Result<&Value, DbError> {
        let at = self.columns.iter().position(|column| column == name);
        at.and_then(|at| self.values.get(at)).ok_or_else(|| DbError::Decode {
            column: name.to_owned(),
            problem: "there is no such column".to_owned(),
        })
    }

    /// Returns every column with its cell, in the statement's order.
    pub fn cells(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.columns.iter().map(String::as_str).zip(&self.values)
    }
}

/// The parameters of a statement, `$1` first.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::db::Column::encode(&$value)),*] };
}
