//! What the system outside the database knows: what a scope means, which processes are gone, what another program holds.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use super::scope::{canonical, resolved};
use crate::app::{CommandContext, Error};
use crate::db::Peer;
use crate::domain::coordination::{Lock, LockKind, Unreadable};
use crate::domain::process::ProcessKey;
use crate::domain::time;
use crate::ops::coordination::{Outside, Theirs};
use crate::os::paths;
use crate::os::process::{Identity, Liveness};
use crate::store::coordination::{Mirrored, reservations};

/// Names of scopes that the caller has explained, with the paths that they mean.
type Names = Vec<(String, PathBuf)>;

/// The surroundings of one call.
pub(crate) struct Surroundings {
    cwd: PathBuf,
    /// The top of the repository that contains the working directory.
    here: PathBuf,
    names: Names,
    theirs: Vec<Theirs>,
}

impl Surroundings {
    /// Reads the surroundings, and the file that `INTERMUTE_DB` names: after the call has begun, so that no reservation is
    /// missed that was committed there before.
    ///
    /// # Errors
    /// [`Error::Ops`] if the file cannot be read. A file that does not exist yet holds nothing.
    pub(crate) fn with_foreign_locks(cx: &CommandContext) -> Result<Self, Error> {
        let mut surroundings = Self::here(cx)?;
        if let Some(path) = cx.env.path("INTERMUTE_DB") {
            match surroundings.read(&path, cx) {
                Err(Error::Ops(err)) if err.is_missing_database() => {}
                read => surroundings.theirs = read?,
            }
        }
        Ok(surroundings)
    }

    /// Reads the surroundings without the file of another program.
    ///
    /// # Errors
    /// As [`CommandContext::cwd`].
    pub(crate) fn here(cx: &CommandContext) -> Result<Self, Error> {
        Self::without_foreign_locks(cx, Names::new())
    }

    /// Reads the surroundings and the file that is named, whose program may call scopes by these names.
    ///
    /// # Errors
    /// As [`Self::with_foreign_locks`]; the file has to exist.
    pub(super) fn of_file(names: Names, file: &Path, cx: &CommandContext) -> Result<Self, Error> {
        let mut surroundings = Self::without_foreign_locks(cx, names)?;
        surroundings.theirs = surroundings.read(file, cx)?;
        Ok(surroundings)
    }

    fn without_foreign_locks(cx: &CommandContext, mut names: Names) -> Result<Self, Error> {
        let cwd = cx.cwd()?;
        let real = paths::canonical_key(&cwd);
        let here = paths::git_top_level(&real).unwrap_or(real);
        if let Some(project) = cx.env.var("INTERMUTE_PROJECT") {
            names.push((project, here.clone()));
        }
        Ok(Self { cwd, here, names, theirs: Vec::new() })
    }

    /// Hands the surroundings to a use case.
    pub(crate) fn with<T>(&self, f: impl FnOnce(Outside<'_>) -> T) -> T {
        let canonical = |given: &str| self.meaning(given);
        f(Outside { canonical: &canonical, is_file: &is_file, is_gone: &is_gone, theirs: &self.theirs })
    }

    /// Returns the canonical form of a scope that another program wrote. A directory is resolved as by
    /// [`super::scope::scope`]. The bare name of the surrounding repository means that repository, also after the directory
    /// in which a server happened to run. Any other name is returned without such a directory; it overlaps with every
    /// repository of that name.
    fn meaning(&self, given: &str) -> String {
        if let Some((_, path)) = self.names.iter().find(|(name, _)| name == given) {
            return canonical(&path.to_string_lossy(), &self.cwd);
        }
        let path = Path::new(given);
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or(given);
        let bare = name == given;
        if !bare && paths::clean(path, &self.cwd).is_dir() {
            return canonical(given, &self.cwd);
        }
        match self.here.to_str() {
            Some(here) if (bare || path.is_absolute()) && self.here.ends_with(name) => here.to_owned(),
            _ if path.is_absolute() => name.to_owned(),
            _ => given.to_owned(),
        }
    }

    fn read(&self, path: &Path, cx: &CommandContext) -> Result<Vec<Theirs>, Error> {
        let since = time::rfc3339(cx.now().millis());
        let since = since.get(..19).unwrap_or_default();
        let peer = Peer::open(path, cx.options.timeout)?;
        let rows = peer.read(|tx| reservations(tx, since))?;
        Ok(rows.into_iter().map(|row| self.theirs(row)).collect())
    }

    fn theirs(&self, row: Mirrored) -> Theirs {
        // A reservation whose time cannot be read must not be missed: it holds until it is released.
        let expires_at = seconds(&row.expires_at);
        let created_at = seconds(&row.created_at).unwrap_or(0);
        let (released, mut unreadable) = (row.released, row.unreadable);
        if expires_at.is_none() {
            unreadable.push(Unreadable { column: "expires_at", bytes: Vec::new() });
        }
        let odd = |column: &str| unreadable.iter().any(|one| one.column == column);
        let scope = if odd("scope") { row.project.clone() } else { self.meaning(&row.project) };
        let pattern = if odd("pattern") { row.pattern } else { resolved(&scope, &row.pattern) };
        let lock = Lock {
            id: row.id,
            kind: LockKind::FileReservation,
            owner: row.owner,
            pattern,
            scope,
            file: false,
            exclusive: row.exclusive,
            reason: row.reason,
            ttl_seconds: expires_at.map(|end| end.saturating_sub(created_at)),
            created_at,
            expires_at,
            expires_at_ms: None,
            released_at: None,
            dispatch_id: None,
            run_id: None,
            fence: 0,
            process: None,
            unreadable,
            mirrored: true,
            automatic: false,
        };
        Theirs { lock, project: row.project, released }
    }
}

/// Reads a time in RFC 3339 as Unix seconds, rounded up, so that no reservation ends early.
fn seconds(text: &str) -> Option<i64> {
    let since = humantime::parse_rfc3339(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from((since + Duration::from_nanos(999_999_999)).as_secs()).ok()
}

/// Checks whether a path in a scope that is a directory is a file.
pub(super) fn is_file(scope: &str, path: &str) -> bool {
    scope.starts_with('/') && Path::new(scope).join(path).is_file()
}

/// Checks whether a process is known to have ended.
fn is_gone(key: &ProcessKey) -> bool {
    Identity::recorded(key).is_some_and(|process| process.liveness() == Liveness::Gone)
}
