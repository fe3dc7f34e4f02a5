//! What only the system around knows: what a scope means, which processes are gone, what another program holds (CO-08,
//! CO-11, CO-19).

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use super::canonical;
use crate::cli::error::CliError;
use crate::cli::{Cx, locate, output};
use crate::db::Peer;
use crate::domain::coordination::{Lock, LockKind, Unreadable};
use crate::domain::process::ProcessKey;
use crate::ops::coordination::{Outside, Theirs};
use crate::os::paths;
use crate::os::process::{Identity, Liveness};
use crate::store::coordination::{Mirrored, reservations};

/// Names of scopes that the caller has explained, with what they mean.
pub(super) type Names = Vec<(String, PathBuf)>;

/// What is known around this call.
pub(in crate::cli) struct Around {
    cwd: PathBuf,
    /// The top of the repository that this call is in.
    here: PathBuf,
    names: Names,
    theirs: Vec<Theirs>,
}

impl Around {
    /// Looks around, and into the file that `INTERMUTE_DB` names: after this call has begun, so that nothing is missed that
    /// was committed there before (CO-08).
    pub(in crate::cli) fn look(cx: &Cx) -> Result<Self, CliError> {
        let mut around = Self::here()?;
        if let Some(path) = std::env::var_os("INTERMUTE_DB").filter(|path| !path.is_empty()) {
            match around.read(Path::new(&path), cx) {
                // Nobody has made it yet.
                Err(CliError::Ops(err)) if err.is_missing_database() => {}
                read => around.theirs = read?,
            }
        }
        Ok(around)
    }

    /// Looks around, and into no other program's file.
    pub(in crate::cli) fn here() -> Result<Self, CliError> {
        Self::without_theirs(Names::new())
    }

    /// The same with the file that is named, whose program may call scopes by these names.
    pub(super) fn onto(names: Names, file: &Path, cx: &Cx) -> Result<Self, CliError> {
        let mut around = Self::without_theirs(names)?;
        around.theirs = around.read(file, cx)?;
        Ok(around)
    }

    fn without_theirs(mut names: Names) -> Result<Self, CliError> {
        let cwd = locate::cwd()?;
        let real = paths::canonical_key(&cwd);
        let here = paths::git_top_level(&real).unwrap_or(real);
        if let Ok(project) = std::env::var("INTERMUTE_PROJECT")
            && !project.is_empty()
        {
            names.push((project, here.clone()));
        }
        Ok(Self { cwd, here, names, theirs: Vec::new() })
    }

    /// For a use case to ask.
    pub(in crate::cli) fn with<T>(&self, f: impl FnOnce(Outside<'_>) -> T) -> T {
        let canonical = |given: &str| self.meaning(given);
        f(Outside { canonical: &canonical, is_file: &is_file, is_gone: &is_gone, theirs: &self.theirs })
    }

    /// What a scope means that another program wrote: a directory as [`super::scope`], and the bare name of the repository
    /// around means that, also behind the directory that a server happened to run in. Any other name stays as it is, without
    /// such a directory; it meets every repository of that name (CO-19).
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

    /// What the other program holds in its file.
    fn read(&self, path: &Path, cx: &Cx) -> Result<Vec<Theirs>, CliError> {
        let since = output::rfc3339(cx.now().millis());
        let since = since.get(..19).unwrap_or_default();
        let peer = Peer::open(path, cx.globals.timeout)?;
        let rows = peer.read(|tx| reservations(tx, since))?;
        Ok(rows.into_iter().map(|row| self.theirs(row)).collect())
    }

    fn theirs(&self, row: Mirrored) -> Theirs {
        // A time that cannot be read is no reason to miss the reservation, or any other: it holds until it is released.
        let expires_at = seconds(&row.expires_at);
        let created_at = seconds(&row.created_at).unwrap_or(0);
        let (released, mut unreadable) = (row.released, row.unreadable);
        if expires_at.is_none() {
            unreadable.push(Unreadable { column: "expires_at", bytes: Vec::new() });
        }
        let odd = |column: &str| unreadable.iter().any(|one| one.column == column);
        let scope = if odd("scope") { row.project.clone() } else { self.meaning(&row.project) };
        let pattern = if odd("pattern") { row.pattern } else { super::resolved(&scope, &row.pattern) };
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

/// Unix seconds of a time in RFC 3339, in UTC. A part of a second counts as a whole one: nothing ends early.
fn seconds(text: &str) -> Option<i64> {
    let since = humantime::parse_rfc3339(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from((since + Duration::from_nanos(999_999_999)).as_secs()).ok()
}

/// Whether there is a file in a scope that is a directory.
pub(super) fn is_file(scope: &str, path: &str) -> bool {
    scope.starts_with('/') && Path::new(scope).join(path).is_file()
}

/// Returns whether a process is known to be gone.
pub(in crate::cli) fn is_gone(key: &ProcessKey) -> bool {
    Identity::recorded(key).is_some_and(|process| process.liveness() == Liveness::Gone)
}
