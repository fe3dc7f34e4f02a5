//! Checking the hash chain of the event log.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::Serialize;

use crate::app::{CommandContext, Error, Reply};
use crate::db::ReadTx;
use crate::domain::chain::GENESIS;
use crate::store;

/// Which events are checked, and against what.
#[derive(Debug)]
pub(crate) struct VerifyRequest {
    pub head: Option<KeptHead>,
    /// The first event to check, 1 or more; the hash of the one before it is trusted.
    pub from: i64,
    /// The last event to check; `None` for the last one of the log.
    pub to: Option<i64>,
}

/// A head that the caller kept elsewhere: the number and the hash of an event.
#[derive(Clone, Debug)]
pub(crate) struct KeptHead {
    id: i64,
    hash: String,
}

impl FromStr for KeptHead {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let head = text.split_once(':').and_then(|(id, hash)| {
            let is_hash = hash.len() == GENESIS.len() && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
            let id = id.parse().ok().filter(|id| *id >= 0)?;
            is_hash.then(|| Self { id, hash: hash.to_ascii_lowercase() })
        });
        head.ok_or_else(|| "want ID:HASH as `ic events verify` prints it".to_owned())
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LogVerified {
    pub ok: bool,
    /// The number of events that were checked.
    pub events: i64,
    /// Number and hash of the last event that was checked, as `ID:HASH`.
    pub head: String,
}

/// Checks the chain, or a part of it, and the whole log against a head that was kept elsewhere.
///
/// # Errors
/// * [`Error::Usage`] if the log does not have the part.
/// * [`Error::ChainBroken`] with the first event that is not what was written.
pub(crate) fn verify(cx: &mut CommandContext, request: &VerifyRequest) -> Result<Reply<LogVerified>, Error> {
    let &VerifyRequest { ref head, from, to } = request;
    cx.read(|tx| {
        let end = store::event::head(tx)?.id;
        let last = to.unwrap_or(end.max(from));
        if last < from || (from > 1 || to.is_some()) && last > end {
            let message = format!("events verify: no events {from} to {last}: the log ends at {end}");
            return Err(Error::usage(message));
        }
        let checked = match store::event::verify_range(tx, from, to.unwrap_or(i64::MAX))? {
            Ok(checked) => checked,
            Err(found) => return Err(broken(found.id, found.problem)),
        };
        if let Some(kept) = head {
            require_kept(tx, end, kept)?;
        }
        let events = checked.id - from + 1;
        Ok(Reply::yes(LogVerified { ok: true, events, head: checked.to_string() }))
    })
}

/// Checks that a log that ends at event `end` still has a head that was kept elsewhere.
fn require_kept(tx: &ReadTx<'_>, end: i64, kept: &KeptHead) -> Result<(), Error> {
    let hash = match kept.id {
        id if id > end => {
            let problem = format!("the log ends at {end}, expected at least {id}: its tail was cut");
            return Err(broken(id, &problem));
        }
        0 => GENESIS.to_owned(),
        id => store::event::get(tx, id)?.hash,
    };
    if hash == kept.hash { Ok(()) } else { Err(broken(kept.id, "its hash is not that of the kept head")) }
}

fn broken(id: i64, problem: &str) -> Error {
    Error::ChainBroken(format!("event {id}: {problem}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// K-17
    #[test]
    fn a_head_is_a_number_and_a_hash() {
        let head: KeptHead = format!("12:{}", GENESIS.replace('0', "A")).parse().expect("a head");
        assert_eq!((head.id, head.hash), (12, GENESIS.replace('0', "a")));
        for bad in ["", "12", "12:", "x:00", ":", &format!("-1:{GENESIS}"), &format!("1:{GENESIS}0")] {
            assert!(bad.parse::<KeptHead>().is_err(), "{bad}");
        }
    }
}
