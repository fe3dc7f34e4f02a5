//! `ic interspect blacklist`, `unblock`, `canary check`, `import`

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use serde::Serialize;

use super::Where;
use super::site::{Site, refused};
use crate::app::Error;
use crate::cli::output::View;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx};
use crate::db::Peer;
use crate::domain::routing::bare;
use crate::domain::routing::canary::{CanaryStatus, thousandths};
use crate::domain::text::{Required, one_line};
use crate::ops::routing::Refusal;
use crate::ops::routing::canary::{self, Watched};
use crate::os::paths;
use crate::store::routing::{self as store, Blacklisted, Imported};

/// Where the shell version keeps its evidence, below the repository's top.
const EVIDENCE: &str = ".clavain/interspect/interspect.db";

/// What may not be proposed any more
///
/// Without a pattern, lists them. With one, usually an agent, it may not be proposed or applied from now on.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic interspect blacklist fd-safety --reason='we need it'")]
pub(in crate::cli) struct Blacklist {
    /// An agent, or any other name of a pattern
    #[arg(value_name = "PATTERN")]
    pattern: Option<Required>,
    /// Why, free text
    #[arg(long, value_name = "TEXT", requires = "pattern")]
    reason: Option<Required>,
}

#[derive(Serialize)]
#[serde(transparent)]
struct List(Vec<Blacklisted>);

impl View for List {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        for Blacklisted { pattern_key, reason, .. } in &self.0 {
            writeln!(w, "{}\t{}", one_line(pattern_key), one_line(reason))?;
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct Put {
    pattern_key: String,
    blacklisted: bool,
    changed: bool,
}

impl View for Put {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        let pattern = one_line(&self.pattern_key);
        match (self.blacklisted, self.changed) {
            (true, true) => writeln!(w, "SUCCESS: Blacklisted {pattern}."),
            (true, false) => writeln!(w, "INFO: {pattern} is blacklisted for this reason already"),
            (false, _) => writeln!(w, "SUCCESS: Unblocked {pattern}."),
        }
    }
}

impl Verb for Blacklist {
    const KEPT: &'static [&'static str] = &["pattern", "reason"];

    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let Some(pattern) = self.pattern else {
            let list = cx.read(store::blacklist)?;
            cx.out.show(&List(list))?;
            return Ok(Answer::Yes);
        };
        let key = key(&pattern);
        let reason = self.reason.as_ref().map_or("blacklisted", Required::as_str);
        let stamp = cx.stamp.clone();
        let changed = cx.write(|tx| store::put_blacklisted(tx, &key, reason, &stamp))?;
        cx.out.show(&Put { pattern_key: key, blacklisted: true, changed })?;
        Ok(Answer::Yes)
    }
}

/// An agent is one under all its names.
fn key(pattern: &Required) -> String {
    let text = pattern.as_str();
    if bare(text).starts_with("fd-") { bare(text).to_owned() } else { text.to_owned() }
}

/// Let a pattern be proposed again
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic interspect unblock fd-safety")]
pub(in crate::cli) struct Unblock {
    /// As it is on the blacklist
    #[arg(value_name = "PATTERN")]
    pattern: Required,
}

impl Verb for Unblock {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let key = key(&self.pattern);
        let stamp = cx.stamp.clone();
        if !cx.write(|tx| store::remove_blacklisted(tx, &key, &stamp))? {
            return Err(refused(Refusal::NotBlacklisted(key)));
        }
        cx.out.show(&Put { pattern_key: key, blacklisted: false, changed: true })?;
        Ok(Answer::Yes)
    }
}

/// Judge the overrides whose window is over
///
/// An override is watched for so many sessions or days. It has passed if nothing got worse than before; otherwise there is
/// an alert, which is told until the override is reverted (exit code 1).
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic interspect canary check")]
pub(in crate::cli) struct Check {
    #[command(flatten)]
    place: Where,
}

#[derive(Serialize)]
#[serde(transparent)]
struct Canaries(Vec<Watched>);

impl View for Canaries {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        self.0.iter().try_for_each(|one| line(one, w))
    }
}

/// A canary on a line.
pub(super) fn line(one: &Watched, w: &mut dyn Write) -> io::Result<()> {
    let Watched { agent, status, uses, window_uses, rates, .. } = one;
    let [overrides, wrong, density] =
        [rates.override_rate, rates.fp_rate, rates.finding_density].map(thousandths);
    let why = one.verdict.as_deref().unwrap_or("");
    writeln!(w, "{agent}\t{status}\t{uses}/{window_uses}\t{overrides}\t{wrong}\t{density}\t{}", one_line(why))
}

impl Verb for Check {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let site = Site::find(&self.place, cx)?;
        let stamp = cx.stamp.clone();
        let found = cx.write(|tx| canary::check(tx, &site.top, &site.path, &site.thresholds, &stamp))?;
        let alert = found.iter().any(|one| one.applied && one.status == CanaryStatus::Alert.as_str());
        cx.out.show(&Canaries(found))?;
        Ok(if alert { Answer::No } else { Answer::Yes })
    }
}

/// Take over the evidence of an interspect.db
///
/// Every row becomes a recorded event, as if `ic interspect record` had been called for it, with the time at which it was
/// noticed. What is here already is left out, so that it can be done again. The file is not touched.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic interspect import --from=.clavain/interspect/interspect.db")]
pub(in crate::cli) struct Import {
    /// The file [default: .clavain/interspect/interspect.db of the repository]
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
}

#[derive(Serialize)]
struct Took(Imported);

impl View for Took {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        let Imported { read, written, known, left_out } = self.0;
        writeln!(w, "{read} rows: {written} recorded, {known} known already, {left_out} left out")
    }
}

impl Verb for Import {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let cwd = cx.cwd()?;
        let top = || paths::git_top_level(&cwd).unwrap_or_else(|| cwd.clone());
        let from = self.from.unwrap_or_else(|| top().join(EVIDENCE));
        let unusable =
            |what: &dyn std::fmt::Display| Error::Input(format!("--from {}: {what}", from.display()));
        let other = Peer::open(&paths::clean(&from, &cwd), cx.options.timeout);
        let other = other.map_err(|err| unusable(&err))?;
        if !other.has_table("evidence").map_err(|err| unusable(&err))? {
            return Err(unusable(&"it has no table `evidence`"));
        }
        let stamp = cx.stamp.clone();
        let took = cx.write(|tx| {
            let took = store::import(tx, &other, &seconds, &stamp)?;
            other.require_unchanged()?;
            Ok::<_, crate::store::StoreError>(took)
        })?;
        cx.out.show(&Took(took))?;
        Ok(Answer::Yes)
    }
}

/// A time as SQLite and the shell version write it, both in UTC, as Unix seconds.
fn seconds(text: &str) -> Option<i64> {
    let time = humantime::parse_rfc3339_weak(text).ok()?;
    i64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()
}
