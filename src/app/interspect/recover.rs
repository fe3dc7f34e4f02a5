//! Recovery of changes whose process has exited: forward if their commit is in the history, otherwise back.

use std::path::Path;

use super::commit::{TRAILER, prepare, replace};
use super::refused;
use super::repo::{OverrideRepo, hash};
use crate::app::{CommandContext, Error};
use crate::ops::interspect::{self, INTENT, IntentDetail, Refusal, lock};
use crate::os::atomic::Replacement;
use crate::os::process::{Identity, Liveness};
use crate::store::intent::{self, Intent};

/// Settles the intents that earlier processes have left.
///
/// # Errors
/// [`Refusal::Held`] if the process of an intent still runs.
pub(super) fn recover(cx: &mut CommandContext, repo: &OverrideRepo) -> Result<(), Error> {
    let resource = interspect::resource(&repo.top, &repo.path);
    for left in cx.read(|tx| intent::on(tx, INTENT, &resource))? {
        if !is_abandoned(&left, cx.stamp.secs()) {
            let holder = format!("{}:{}", left.process.pid, left.process.host);
            return Err(refused(Refusal::Held { holder, waited: 0 }));
        }
        let detail = IntentDetail::of(&left)?;
        repo.repo.recover()?;
        let found = repo.repo.find((TRAILER, left.id.as_str()), detail.base.as_deref())?;
        let stamp = cx.now();
        let failed = |source| Error::File { what: "removing", path: repo.file.clone(), source };
        Replacement::discard_left(&repo.file).map_err(failed)?;
        let Some(commit) = found else {
            let why = "its process ended before the commit";
            cx.write(|tx| interspect::abandon(tx, &left, &detail, why, None, &stamp))?;
            continue;
        };
        roll_forward(cx, repo, &detail, &commit)?;
        cx.write(|tx| interspect::settle(tx, &left, &detail, &commit, None, &stamp))?;
        cx.remark(format_args!(
            "finished what an earlier call had committed: {} {}",
            detail.action, detail.agent
        ));
    }
    Ok(())
}

/// Checks whether the process of an intent will not continue it. A process that cannot be judged from here
/// counts as alive until the lease of its lock is over.
fn is_abandoned(intent: &Intent, now: i64) -> bool {
    match Identity::recorded(&intent.process).map(|process| process.liveness()) {
        None | Some(Liveness::Gone) => true,
        Some(Liveness::Alive) => false,
        Some(Liveness::Foreign) => intent.created_at.saturating_add(lock::LEASE_SECONDS) <= now,
    }
}

/// Gives the file in the working tree the content of the commit, if it is still what it was before the
/// change.
fn roll_forward(
    cx: &CommandContext,
    repo: &OverrideRepo,
    detail: &IntentDetail,
    commit: &str,
) -> Result<(), Error> {
    let Some(content) = repo.repo.content(commit, Path::new(&detail.path))? else { return Ok(()) };
    let now = repo.read()?.map(|(_, hash)| hash);
    if now.as_ref() == Some(&hash(&content)) {
        return Ok(());
    }
    let content = String::from_utf8_lossy(&content);
    let new = prepare(repo, &content)?;
    replace(cx, repo, detail, &content, new)
}
