//! The hook at the end of a session or of a turn.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use super::call::HookCall;
use super::fence;
use super::{HookAnswer, cap_timeout};
use crate::app::git_exclude::{Effort, warn_if_tracked};
use crate::app::locate::{self, Located};
use crate::app::{CommandContext, Error, Reply};
use crate::domain::coordination::Lock;
use crate::ops::coordination::{self, Held};
use crate::os::{git, paths};

/// Releases the files that the hooks reserved for a session: all of them at its end, those without changes
/// at the end of a turn.
pub(crate) fn stop(cx: &mut CommandContext, stdin: BorrowedFd<'_>) -> Reply<HookAnswer> {
    let answer = match release(cx, stdin) {
        Ok(()) => HookAnswer::default(),
        Err(err) => HookAnswer::fail_open(cx, &err),
    };
    answer.reply()
}

fn release(cx: &mut CommandContext, stdin: BorrowedFd<'_>) -> Result<(), Error> {
    cap_timeout(cx);
    let call = HookCall::read(stdin)?;
    let Some(owner) = call.owner(cx) else { return Ok(()) };
    // A fence that cannot be read could be any of the locks.
    let fence = fence::of_session(&cx.env)?;
    let all = call.ends_session();
    if !all && call.is_busy() {
        return Ok(());
    }
    for database in databases(cx, &call)? {
        cx.turn_to(database);
        let path = cx.writable()?.path().to_owned();
        warn_if_tracked(cx, &path, Effort::All);
        let mut ending = cx.read(|tx| coordination::automatic(tx, &owner))?;
        ending.retain(|lock| fence.as_ref().is_none_or(|fence| fence.lock != lock.id));
        if !all {
            ending = unchanged(ending);
        }
        if !ending.is_empty() {
            let stamp = cx.stamp.clone();
            cx.write(|tx| coordination::release_unchanged(tx, &ending, &stamp))?;
        }
    }
    Ok(())
}

/// Returns the databases in which the session may have reserved files, as far as the call tells: a file is
/// reserved in the database nearest above it.
fn databases(cx: &CommandContext, call: &HookCall) -> Result<Vec<Located>, Error> {
    let cwd = paths::canonical_key(&call.cwd(cx)?);
    let given = locate::given(cx)?;
    let mut found: Vec<Located> = given.into_iter().collect();
    found.push(locate::locate_for(cx, &cwd, &cwd)?);
    found.push(locate::locate(cx)?);
    let mut seen = BTreeSet::new();
    found.retain(|place| place.path.exists() && seen.insert(paths::canonical_key(&place.path)));
    Ok(found)
}

/// Returns the locks of files that git reports as clean. Where git cannot be asked, there are none.
fn unchanged(locks: Vec<Lock>) -> Vec<Lock> {
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
