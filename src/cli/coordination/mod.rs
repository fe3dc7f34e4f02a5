//! `ic coordination …`: who holds which files, and which names.

mod around;
pub(super) mod end;
pub(super) mod explain;
pub(super) mod look;
pub(super) mod mirror;
pub(super) mod reserve;
mod wait;

use std::borrow::Cow;
use std::path::Path;

use serde::Serialize;

use super::error::CliError;
use super::{Cx, locate};
use crate::db::WriteTx;
use crate::domain::coordination::{Lock, LockKind};
use crate::domain::glob::Pattern;
use crate::domain::process::ProcessKey;
use crate::domain::text::escaped;
use crate::domain::time::{Stamp, secs_up};
use crate::ops::OpsError;
use crate::ops::coordination::{self, Held};
use crate::os::paths;
use crate::os::process::{self, Identity};
use crate::store::coordination::Waiter;

pub(in crate::cli) use around::Around;

/// Reads an owner or a scope: text on one line.
pub(super) fn word(text: &str) -> Result<String, String> {
    match text.len() {
        0 => Err("must not be empty".to_owned()),
        1..=4096 if text.chars().any(char::is_control) => {
            Err("must not contain control characters".to_owned())
        }
        1..=4096 => Ok(text.to_owned()),
        _ => Err("must have at most 4096 bytes".to_owned()),
    }
}

/// The canonical name of a scope: of a path that exists, the top of its repository or else the directory itself, without
/// symlinks; anything else as it is (CO-13).
pub(super) fn scope(given: &str) -> Result<String, CliError> {
    Ok(canonical(given, &locate::cwd()?))
}

fn canonical(given: &str, cwd: &Path) -> String {
    let path = paths::clean(Path::new(given), cwd);
    if !path.is_dir() {
        return given.to_owned();
    }
    let real = paths::canonical_key(&path);
    let top = paths::git_top_level(&real).unwrap_or(real);
    top.to_str().map_or_else(|| given.to_owned(), ToOwned::to_owned)
}

/// Reads what is to be held in a canonical scope.
pub(super) fn held(command: &str, kind: LockKind, scope: &str, pattern: &str) -> Result<Held, CliError> {
    if kind.is_named() {
        return word(pattern)
            .map(Held::Name)
            .map_err(|err| CliError::usage(format!("coordination {command}: --pattern {err}")));
    }
    // Not a matter of usage alone: callers of old take 2 for a pattern that cannot be used.
    Pattern::parse_in(scope, &resolved(scope, pattern))
        .map(|pattern| Held::Paths(seen(scope, pattern)))
        .map_err(|err| CliError::Input(format!("coordination {command}: invalid pattern: {err}")))
}

/// A pattern whose plain beginning goes through symlinks, by the names without them: a file has one name. What leads out of the
/// scope, or is not there, stays as it is written.
pub(super) fn resolved(scope: &str, pattern: &str) -> String {
    let plain = |segment: &&&str| !segment.contains(['*', '?', '[', '\\']);
    let mut segments: Vec<&str> = pattern.split('/').collect();
    let rest = segments.split_off(segments.iter().take_while(plain).count());
    let begin = segments.join("/");
    let wanted = Path::new(scope).join(&begin);
    let Some(real) = wanted.canonicalize().ok().filter(|_| scope.starts_with('/') && !begin.is_empty())
    else {
        return pattern.to_owned();
    };
    match real.strip_prefix(scope).ok().and_then(Path::to_str).map(Pattern::escaped) {
        Some(within) if !within.is_empty() => {
            let slash = if rest.is_empty() && pattern.ends_with('/') { "/" } else { "" };
            let all: Vec<&str> = std::iter::once(within.as_str()).chain(rest).collect();
            format!("{}{slash}", all.join("/"))
        }
        _ => pattern.to_owned(),
    }
}

/// A plain path that is a file now holds nothing below: who edits `src/main.rs` is not in the way of `**/*.md`.
fn seen(scope: &str, pattern: Pattern) -> Pattern {
    let is_file = pattern.path().is_some_and(|path| around::is_file(scope, path));
    if is_file { pattern.of_file() } else { pattern }
}

/// Returns the process that is given, which must exist, or the one that an owner names as `PID:host`, also
/// when it is gone: then a sweep frees the lock.
pub(super) fn lives_with(owner: &str, pid: Option<i32>) -> Result<Option<ProcessKey>, CliError> {
    if let Some(pid) = pid {
        let found = process::identify(pid).ok().flatten().ok_or(CliError::NoProcess(pid.into()))?;
        return Ok(Some(found.into()));
    }
    let named = owner.split_once(':').and_then(|(pid, host)| {
        let pid: i32 = pid.parse().ok().filter(|pid| *pid > 1)?;
        (host == process::this_host()).then_some(pid)
    });
    let gone = |pid: i32| Identity::here(pid, -1).into();
    Ok(named.and_then(|pid| match process::identify(pid) {
        Ok(Some(found)) => Some(found.into()),
        Ok(None) => Some(gone(pid)),
        Err(_) => None,
    }))
}

/// Changes locks in one transaction, once those are known that other programs have inserted.
pub(in crate::cli) fn change<T>(
    cx: &mut Cx,
    f: impl Fn(&WriteTx<'_>, &Stamp) -> Result<T, OpsError>,
) -> Result<T, CliError> {
    let (around, clock) = (Around::here()?, cx.clock());
    around.with(|outside| {
        cx.write(|tx| {
            let stamp = clock();
            coordination::meet(tx, outside, &stamp)?;
            f(tx, &stamp)
        })
    })
}

/// A lock as callers see it; what is empty is left out.
#[derive(Serialize)]
pub(super) struct LockView {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    pub owner: String,
    pub scope: String,
    pub pattern: String,
    exclusive: bool,
    fence: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl_seconds: Option<i64>,
    pub created_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    released_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dispatch_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<String>,
    pub state: &'static str,
    /// The columns that cannot be understood.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<&'static str>,
}

impl LockView {
    /// A place in the queue: `waiting` while a process waits there, `left` as long as it is kept for its owner.
    fn waiter(waiter: Waiter) -> Self {
        Self {
            id: format!("ticket-{}", waiter.ticket),
            kind: waiter.kind.as_str().into(),
            expires_at: Some(secs_up(waiter.kept_until())),
            owner: waiter.owner,
            scope: waiter.scope,
            pattern: waiter.pattern,
            exclusive: waiter.exclusive,
            fence: 0,
            reason: None,
            ttl_seconds: None,
            created_at: waiter.created_at,
            released_at: None,
            dispatch_id: None,
            run_id: None,
            state: if waiter.left_at.is_some() { "left" } else { "waiting" },
            unreadable: Vec::new(),
        }
    }

    pub(super) fn new(lock: Lock, cx: &Cx) -> Self {
        let state = lock.state(&cx.stamp);
        let kind = match lock.unreadable("type") {
            Some(found) => escaped(&found.bytes).into(),
            None => lock.kind.as_str().into(),
        };
        Self {
            id: lock.id,
            kind,
            owner: lock.owner,
            scope: lock.scope,
            pattern: lock.pattern,
            exclusive: lock.exclusive,
            fence: lock.fence,
            reason: lock.reason.filter(|reason| !reason.is_empty()),
            ttl_seconds: lock.ttl_seconds.filter(|ttl| *ttl != 0),
            created_at: lock.created_at,
            expires_at: lock.expires_at,
            released_at: lock.released_at,
            dispatch_id: lock.dispatch_id,
            run_id: lock.run_id,
            state,
            unreadable: lock.unreadable.iter().map(|one| one.column).collect(),
        }
    }
}
