//! Values that are kept, and must not hold a secret.

use std::fmt::{self, Display};
use std::ops::Deref;
use std::str::FromStr;

use super::state::holds_secret;

/// A value that was read from text without a likely secret in it.
///
/// The database and the events have many readers, and an event is kept forever. Arguments that are kept have
/// this type, whose parser refuses a secret.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct Stored<T = String>(T);

/// The reason to refuse a text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoredError {
    /// It contains a likely secret. The message does not repeat it.
    #[error("contains a likely secret value")]
    Secret,
    /// It is not a valid value.
    #[error("{0}")]
    Invalid(String),
}

impl<T> Stored<T> {
    /// Parses a value with `parse`, after a check that the text holds no secret.
    ///
    /// # Errors
    /// [`StoredError`].
    pub fn read<E: Display>(
        text: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Self, StoredError> {
        if holds_secret(text) {
            return Err(StoredError::Secret);
        }
        parse(text).map(Self).map_err(|err| StoredError::Invalid(err.to_string()))
    }

    /// Returns the value.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T: FromStr<Err: Display>> FromStr for Stored<T> {
    type Err = StoredError;

    fn from_str(text: &str) -> Result<Self, StoredError> {
        Self::read(text, T::from_str)
    }
}

impl<T> Deref for Stored<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Display> Display for Stored<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// K-16
    #[test]
    fn a_secret_is_refused_before_it_is_read() {
        let secret = "ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6";
        let read = Stored::<i64>::from_str(secret);
        assert_eq!(read, Err(StoredError::Secret));
        assert!(!read.unwrap_err().to_string().contains("ghp_"));
        assert_eq!(Stored::<i64>::from_str("7").map(Stored::into_inner), Ok(7));
        assert!(matches!(Stored::<i64>::from_str("x"), Err(StoredError::Invalid(_))));
    }
}
