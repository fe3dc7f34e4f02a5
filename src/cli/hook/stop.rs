//! `ic hook stop`

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{Call, fail_open, fence, hurry};
use crate::app::Error;
use crate::app::git_exclude::{Effort, warn_if_tracked};
use crate::app::locate::{self, Located};
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx};
use crate::domain::coordination::Lock;
use crate::ops::coordination::{self, Held};
use crate::os::{git, paths};

/// Release what the hooks reserved for a session
///
/// For an agent's `SessionEnd` hook: the call comes as a JSON object on stdin. Releases every file that
/// `pre-edit` and `post-edit` reserved for the owner. At the end of a turn (`Stop`, `SubagentStop`, or a call
/// that names no event), and when a session is cleared or resumed, it releases only files that git tracks and
/// that are as they were committed, and none while a background task runs: work that is not committed stays
/// reserved. It never releases what the owner reserved with `ic coordination reserve`, nor the lock that
/// `INTERCORE_FENCE` names.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic hook stop <call.json")]
pub(in crate::cli) struct Stop {}

impl Verb for Stop {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        match release(cx) {
            Ok(()) => Ok(Answer::Yes),
            Err(err) => fail_open(cx, &err),
        }
    }
}

fn release(cx: &mut Cx) -> Result<(), Error> {
    hurry(cx);
    let call = Call::read()?;
    let Some(owner) = call.owner() else { return Ok(()) };
    // One that cannot be read could be any of them.
    let fence = fence()?;
    let all = call.ends_session();
    if !all && call.is_busy() {
        return Ok(());
    }
    for place in places(cx, &call)? {
        cx.turn_to(place);
        let database = cx.writable()?.path().to_owned();
        warn_if_tracked(cx, &database, Effort::All);
        let mut ending = cx.read(|tx| coordination::automatic(tx, &owner))?;
        ending.retain(|lock| fence.as_ref().is_none_or(|(fenced, _)| *fenced != lock.id));
        if !all {
            ending = clean(ending);
        }
        if !ending.is_empty() {
            let stamp = cx.stamp.clone();
            cx.write(|tx| coordination::release_unchanged(tx, &ending, &stamp))?;
        }
    }
    Ok(())
}

/// The databases in which the session may have reserved files, as far as the call tells: a file is reserved
/// in the database nearest above it.
fn places(cx: &Cx, call: &Call) -> Result<Vec<Located>, Error> {
    let cwd = paths::canonical_key(&call.cwd()?);
    let given = locate::given(cx)?;
    let mut found: Vec<Located> = given.into_iter().collect();
    found.push(locate::locate_for(cx, &cwd, &cwd)?);
    found.push(locate::locate(cx)?);
    let mut seen = BTreeSet::new();
    found.retain(|place| place.path.exists() && seen.insert(paths::canonical_key(&place.path)));
    Ok(found)
}

/// Returns the locks of files that git calls clean. Where git cannot be asked, there are none.
fn clean(locks: Vec<Lock>) -> Vec<Lock> {
    let mut by_scope: BTreeMap<String, Vec<(PathBuf, Lock)>> = BTreeMap::new();
    for lock in locks {
        if let Held::Paths(pattern) = Held::of(&lock)
            && let Some(path) = pattern.path()
        {
            by_scope.entry(lock.scope.clone()).or_default().push((PathBuf::from(path), lock));
        }
    }
    let mut found = Vec::new();
    for (scope, files) in by_scope {
        let named: Vec<PathBuf> = files.iter().map(|(path, _)| path.clone()).collect();
        let clean = git::clean(Path::new(&scope), &named).unwrap_or_default();
        found.extend(files.into_iter().filter(|(path, _)| clean.contains(path)).map(|(_, lock)| lock));
    }
    found
}
