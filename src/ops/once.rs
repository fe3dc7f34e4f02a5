//! Commands that take effect once per key of the caller.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::OpsError;
use crate::db::WriteTx;
use crate::domain::text::hex;
use crate::domain::time::Stamp;
use crate::store::idempotency::{self, Given};

/// Names the form of the digests below. A digest without it, or with another one, was made by another version
/// of the program and says nothing about the arguments that are at hand.
const FORM: &str = "v2:";

/// A caller's key for one call of one command.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// The command. The same key of two commands is two keys.
    pub command: &'static str,
    /// The key; without one nothing is stored.
    pub key: Option<&'a str>,
}

/// Runs `act` and stores its answer under the key. A repeat with the same `arguments` returns the stored
/// answer and does nothing. So does a repeat of a call whose digest has another form, whatever its arguments:
/// refusing it would turn every retry across an upgrade into a conflict.
///
/// # Errors
/// * [`OpsError::IdempotencyConflict`] if the key was used with other arguments.
/// * Any error of `act`; a failure is not stored.
pub fn once<A: Serialize + DeserializeOwned>(
    tx: &WriteTx<'_>,
    key: Key<'_>,
    arguments: &impl Serialize,
    stamp: &Stamp,
    act: impl FnOnce() -> Result<A, OpsError>,
) -> Result<A, OpsError> {
    let Some(name) = key.key else { return act() };
    let unreadable = |_| OpsError::IdempotencyAnswer(name.to_owned());
    let digest = digest(arguments).map_err(unreadable)?;
    if let Some(given) = idempotency::find(tx, key.command, name, stamp)? {
        if given.digest.starts_with(FORM) && given.digest != digest {
            return Err(OpsError::IdempotencyConflict(name.to_owned()));
        }
        return serde_json::from_str(&given.answer).map_err(unreadable);
    }
    let answer = act()?;
    let given = Given { digest, answer: serde_json::to_string(&answer).map_err(unreadable)? };
    idempotency::keep(tx, key.command, name, &given, stamp)?;
    Ok(answer)
}

/// Returns the tagged digest of the arguments as canonical JSON: a `Value` keeps the members of its objects
/// sorted, so the order in which a struct declares its fields does not count.
fn digest(arguments: &impl Serialize) -> serde_json::Result<String> {
    let canonical = serde_json::to_value(arguments)?.to_string();
    Ok(format!("{FORM}{}", hex(&Sha256::digest(canonical.as_bytes()))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Db;

    const KEY: Key<'static> = Key { command: "test", key: Some("k") };

    #[derive(Serialize)]
    struct Arguments {
        goal: &'static str,
        nested: Nested,
    }

    #[derive(Serialize)]
    struct Nested {
        a: i64,
        b: Option<i64>,
    }

    #[derive(Serialize)]
    struct Reordered {
        nested: ReorderedNested,
        goal: &'static str,
    }

    #[derive(Serialize)]
    struct ReorderedNested {
        b: Option<i64>,
        a: i64,
    }

    fn answer(tx: &WriteTx<'_>, arguments: &impl Serialize, new: i64) -> Result<i64, OpsError> {
        once(tx, KEY, arguments, &Stamp::at(5), || Ok(new))
    }

    /// K-12
    #[test]
    fn the_order_of_fields_does_not_count() {
        let mut db = Db::in_memory().unwrap();
        db.write(|tx| {
            let first = Arguments { goal: "g", nested: Nested { a: 1, b: None } };
            let same = Reordered { nested: ReorderedNested { b: None, a: 1 }, goal: "g" };
            let other = Reordered { nested: ReorderedNested { b: None, a: 2 }, goal: "g" };
            assert_eq!(answer(tx, &first, 1)?, 1);
            assert_eq!(answer(tx, &first, 2)?, 1);
            assert_eq!(answer(tx, &same, 2)?, 1);
            assert!(matches!(answer(tx, &other, 2), Err(OpsError::IdempotencyConflict(_))));
            Ok::<_, OpsError>(())
        })
        .unwrap();
    }

    /// K-12: a row of an earlier version has a digest without a tag.
    #[test]
    fn a_digest_of_another_form_is_not_compared() {
        for digest in ["5f70bf18a086007016e948b04aed3b82", "v1:5f70bf18", ""] {
            let mut db = Db::in_memory().unwrap();
            db.write(|tx| {
                let before = Given { digest: digest.to_owned(), answer: "7".to_owned() };
                idempotency::keep(tx, KEY.command, "k", &before, &Stamp::at(5))?;
                assert_eq!(answer(tx, &"anything", 8)?, 7, "{digest}");
                let of_another = Key { command: "other", ..KEY };
                assert_eq!(once(tx, of_another, &"anything", &Stamp::at(5), || Ok(8))?, 8);
                Ok::<_, OpsError>(())
            })
            .unwrap();
        }
    }
}
