//! `ic events verify`: is the log what was written? (K-17)

use std::io::{self, Write};
use std::str::FromStr;

use serde::Serialize;

use crate::app::Error;
use crate::cli::output::View;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx};
use crate::db::ReadTx;
use crate::domain::chain::GENESIS;
use crate::store::{self, StoreError};

/// Check the hash chain of the event log
///
/// Finds the first event that was altered, removed or inserted, and prints the head otherwise. A cut tail, or a chain
/// computed anew, shows only against a head that was kept elsewhere: pass it as --head. A part of the log is checked with
/// --from and --to.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic events verify --head=\"$(cat ~/ic-head)\"")]
pub(in crate::cli) struct Verify {
    /// A head printed earlier, kept elsewhere
    #[arg(long, value_name = "ID:HASH")]
    head: Option<Known>,
    /// The first event to check; the one before it is taken at its word
    #[arg(long, value_name = "ID", default_value_t = 1, value_parser = clap::value_parser!(i64).range(1..))]
    from: i64,
    /// The last event to check [default: the last one]
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(i64).range(1..))]
    to: Option<i64>,
}

/// A head that the caller kept.
#[derive(Clone, Debug)]
struct Known {
    id: i64,
    hash: String,
}

impl FromStr for Known {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = text.split_once(':').and_then(|(id, hash)| {
            let plain = hash.len() == GENESIS.len() && hash.bytes().all(|b| b.is_ascii_hexdigit());
            let id = id.parse().ok().filter(|id| *id >= 0)?;
            plain.then(|| Self { id, hash: hash.to_ascii_lowercase() })
        });
        known.ok_or_else(|| "want ID:HASH as `ic events verify` prints it".to_owned())
    }
}

#[derive(Serialize)]
struct Sound {
    ok: bool,
    events: i64,
    head: String,
}

impl View for Sound {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "ok: {} events, head {}", self.events, self.head)
    }
}

#[derive(Serialize)]
struct Broken {
    ok: bool,
    id: i64,
    problem: String,
}

impl View for Broken {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "broken at event {}: {}", self.id, self.problem)
    }
}

impl Verb for Verify {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        match cx.read(|tx| self.check(tx))? {
            Ok(sound) => {
                cx.out.show(&sound)?;
                Ok(Answer::Yes)
            }
            Err(broken) => {
                cx.out.show(&broken)?;
                Err(Error::ChainBroken(format!("event {}: {}", broken.id, broken.problem)))
            }
        }
    }
}

impl Verify {
    fn check(&self, tx: &ReadTx<'_>) -> Result<Result<Sound, Broken>, Error> {
        let end = store::event::head(tx)?.id;
        let to = self.to.unwrap_or(end.max(self.from));
        if to < self.from || (self.from > 1 || self.to.is_some()) && to > end {
            return Err(Error::usage(format!(
                "events verify: no events {} to {to}: the log ends at {end}",
                self.from
            )));
        }
        let head = match store::event::verify_range(tx, self.from, self.to.unwrap_or(i64::MAX))? {
            Ok(head) => head,
            Err(found) => {
                return Ok(Err(Broken { ok: false, id: found.id, problem: found.problem.to_owned() }));
            }
        };
        let sound = Sound { ok: true, events: head.id - self.from + 1, head: head.to_string() };
        Ok(against(tx, end, self.head.as_ref())?.map_or(Ok(sound), Err))
    }
}

/// Compares with a head that was kept elsewhere.
/// A log that ends at event `end` is compared; not only the part of it that was walked.
fn against(tx: &ReadTx<'_>, end: i64, known: Option<&Known>) -> Result<Option<Broken>, StoreError> {
    let broken = |id, problem: String| Ok(Some(Broken { ok: false, id, problem }));
    if let Some(known) = known {
        let hash = match known.id {
            id if id > end => {
                let problem = format!("the log ends at {end}, expected at least {id}: its tail was cut");
                return broken(id, problem);
            }
            0 => GENESIS.to_owned(),
            id => store::event::get(tx, id)?.hash,
        };
        if hash != known.hash {
            return broken(
                known.id,
                format!("event {} has another hash than the head kept elsewhere", known.id),
            );
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// K-17
    #[test]
    fn a_head_is_a_number_and_a_hash() {
        let known: Known = format!("12:{}", GENESIS.replace('0', "A")).parse().expect("a head");
        assert_eq!((known.id, known.hash), (12, GENESIS.replace('0', "a")));
        for bad in ["", "12", "12:", "x:00", ":", &format!("-1:{GENESIS}"), &format!("1:{GENESIS}0")] {
            assert!(bad.parse::<Known>().is_err(), "{bad}");
        }
    }
}
