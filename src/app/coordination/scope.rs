//! What scopes and patterns mean in the file system, and which process a lock lives with.

use std::path::Path;

use super::surroundings::is_file;
use crate::app::{CommandContext, Error};
use crate::domain::coordination::LockKind;
use crate::domain::glob::Pattern;
use crate::domain::process::ProcessKey;
use crate::ops::coordination::Held;
use crate::os::paths;
use crate::os::process::{self, Identity};

/// Returns the canonical name of a scope: for a directory that exists, the top of its repository or else the directory
/// itself, without symlinks; any other name unchanged.
///
/// # Errors
/// As [`CommandContext::cwd`].
pub(crate) fn scope(cx: &CommandContext, given: &str) -> Result<String, Error> {
    Ok(canonical(given, &cx.cwd()?))
}

pub(super) fn canonical(given: &str, cwd: &Path) -> String {
    let path = paths::clean(Path::new(given), cwd);
    if !path.is_dir() {
        return given.to_owned();
    }
    let real = paths::canonical_key(&path);
    let top = paths::git_top_level(&real).unwrap_or(real);
    top.to_str().map_or_else(|| given.to_owned(), ToOwned::to_owned)
}

/// Reads the pattern or the name that is to be held in a canonical scope.
///
/// # Errors
/// [`Error::Usage`] for a name that is not one, [`Error::Input`] for a pattern that cannot be used. The latter is exit
/// code 2, which older callers expect.
pub(crate) fn held(command: &str, kind: LockKind, scope: &str, pattern: &str) -> Result<Held, Error> {
    if kind.is_named() {
        return crate::domain::coordination::word(pattern)
            .map(Held::Name)
            .map_err(|err| Error::usage(format!("coordination {command}: --pattern {err}")));
    }
    Pattern::parse_in(scope, &resolved(scope, pattern))
        .map(|pattern| Held::Paths(narrowed(scope, pattern)))
        .map_err(|err| Error::Input(format!("coordination {command}: invalid pattern: {err}")))
}

/// Replaces symlinks in the literal beginning of a pattern by what they lead to, so that a file has one name. A beginning
/// that leads out of the scope, or does not exist, is returned unchanged.
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

/// Narrows a literal path that is a file to that file: it holds nothing below, so an edit of `src/main.rs` does not
/// conflict with `**/*.md`.
fn narrowed(scope: &str, pattern: Pattern) -> Pattern {
    let is_file = pattern.path().is_some_and(|path| is_file(scope, path));
    if is_file { pattern.of_file() } else { pattern }
}

/// Returns the process that a lock lives with: the one with `pid`, which has to exist, or the one that the owner names as
/// `PID:host`. The latter may be gone already; then a sweep frees the lock.
///
/// # Errors
/// [`Error::NoProcess`] if no process has `pid`.
pub(crate) fn lives_with(owner: &str, pid: Option<i32>) -> Result<Option<ProcessKey>, Error> {
    if let Some(pid) = pid {
        let found = process::identify(pid).ok().flatten().ok_or(Error::NoProcess(pid.into()))?;
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
