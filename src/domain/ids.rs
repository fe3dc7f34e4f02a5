//! Identifiers: eight characters of `a-z0-9`, drawn from the system's cryptographic source.
//!
//! Any text that is not empty is accepted as an id: one that cannot exist must lead to "not found", not
//! "usage".

use std::fmt;
use std::str::FromStr;

use rand::TryRng;
use rand::rngs::SysRng;

const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
const LENGTH: usize = 8;
/// The number of draws after which the search for a free id fails. With 36^8 ids, two clashes are unlikely.
const TRIES: usize = 16;

/// The reason why an identifier could not be made.
#[derive(Debug, thiserror::Error)]
pub enum IdError {
    /// The system's random source failed.
    #[error("the system's random source failed: {0}")]
    Random(String),
    /// Every candidate was taken.
    #[error("no free identifier after {TRIES} draws")]
    Exhausted,
}

/// Text that is empty where an identifier is needed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must not be empty")]
pub struct EmptyId;

fn draw() -> Result<String, IdError> {
    // 252 = 7 * 36: a byte from 252 up would favour the first letters, so it is discarded.
    const UNBIASED: u8 = 252;
    let mut id = String::with_capacity(LENGTH);
    let mut bytes = [0_u8; 16];
    while id.len() < LENGTH {
        SysRng.try_fill_bytes(&mut bytes).map_err(|err| IdError::Random(err.to_string()))?;
        let letters =
            bytes.iter().filter(|&&byte| byte < UNBIASED).map(|&byte| ALPHABET[usize::from(byte) % 36]);
        id.extend(letters.take(LENGTH - id.len()).map(char::from));
    }
    Ok(id)
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
        )]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Draws a new identifier that `taken` does not know yet, and retries on a clash.
            ///
            /// # Errors
            /// The error of `taken`, or [`IdError`] if the random source fails or nothing is free.
            pub fn fresh<E: From<IdError>>(mut taken: impl FnMut(&Self) -> Result<bool, E>) -> Result<Self, E> {
                for _ in 0..TRIES {
                    let candidate = Self(draw()?);
                    if !taken(&candidate)? {
                        return Ok(candidate);
                    }
                }
                Err(IdError::Exhausted.into())
            }

            #[allow(dead_code, reason = "used of most kinds of identifiers")]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl super::TextColumn for $name {}

        impl FromStr for $name {
            type Err = EmptyId;

            fn from_str(text: &str) -> Result<Self, EmptyId> {
                if text.is_empty() { Err(EmptyId) } else { Ok(Self(text.to_owned())) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// Identifies a run.
    RunId
);
id!(
    /// Identifies an agent of a run.
    AgentId
);
id!(
    /// Identifies an artifact of a run.
    ArtifactId
);
id!(
    /// Identifies a dispatch: one child process and its record.
    DispatchId
);
id!(
    /// Identifies a lock on files or on a name.
    LockId
);
id!(
    /// Identifies work in progress outside the database.
    IntentId
);
id!(
    /// Identifies an override that was applied.
    ModificationId
);

#[cfg(test)]
mod tests {
    use super::*;

    /// K-14
    #[test]
    fn an_id_is_eight_letters_or_digits() {
        let id = RunId::fresh(|_| Ok::<_, IdError>(false)).unwrap();
        assert_eq!(id.as_str().len(), 8);
        assert!(id.as_str().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
    }

    /// K-14
    #[test]
    fn a_clash_is_drawn_again() {
        let mut seen = Vec::new();
        let id = RunId::fresh(|candidate| {
            seen.push(candidate.clone());
            Ok::<_, IdError>(seen.len() < 3)
        })
        .unwrap();
        assert_eq!(seen.len(), 3);
        assert_eq!(seen.last(), Some(&id));
        assert!(matches!(RunId::fresh(|_| Ok::<_, IdError>(true)), Err(IdError::Exhausted)));
    }
}
