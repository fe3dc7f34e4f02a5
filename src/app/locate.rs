//! Where the project's database is.

use std::path::{Component, Path, PathBuf};

use super::{CommandContext, Error};
use crate::os::paths;

/// Below a project's directory.
pub(crate) const RELATIVE: &str = ".clavain/intercore.db";

/// A database's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Located {
    /// Absolute.
    pub path: PathBuf,
    /// Whether the first command that writes may create it.
    pub may_create: bool,
}

/// Finds the database: `--db`, else `INTERCORE_DB`, else the nearest `.clavain/intercore.db` upwards from the working
/// directory, else a place for one in the nearest `.clavain/` up to the git top level.
pub(crate) fn locate(cx: &CommandContext) -> Result<Located, Error> {
    match given(cx)? {
        Some(given) => Ok(given),
        None => Ok(above(&cx.cwd()?)),
    }
}

/// Finds the database of a file or directory, which is absolute and without symlinks: the one nearest above
/// it. `cwd` is where the caller is, whose own `.clavain/` may be the place for a new one. `--db` comes
/// first; `INTERCORE_DB` does for what lies in the repository of that database, and for what has no database
/// above it.
pub(crate) fn locate_for(cx: &CommandContext, file: &Path, cwd: &Path) -> Result<Located, Error> {
    let given = given(cx)?;
    if let Some(given) =
        given.as_ref().filter(|given| cx.options.path.is_some() || is_home_of(&given.path, file))
    {
        return Ok(given.clone());
    }
    let found = above(file.ancestors().find(|dir| dir.is_dir()).unwrap_or(file));
    if exists(&found.path) {
        return Ok(found);
    }
    Ok(match given {
        Some(given) => given,
        None if !found.may_create && file.starts_with(cwd) => above(cwd),
        None => found,
    })
}

/// Returns whether a file lies in the repository that a database belongs to, and not in another one within
/// it.
fn is_home_of(database: &Path, file: &Path) -> bool {
    let database = paths::canonical_key(database);
    let Some(dir) = database.parent() else { return false };
    let project = || dir.parent().filter(|_| dir.ends_with(".clavain")).map(Path::to_owned);
    let Some(home) = paths::git_top_level(dir).or_else(project) else { return false };
    file.starts_with(&home) && paths::git_top_level(file).is_none_or(|top| home.starts_with(top))
}

/// Finds the nearest `.clavain/intercore.db` upwards from a directory, else a place for one.
fn above(from: &Path) -> Located {
    if let Some(found) = from.ancestors().map(|dir| dir.join(RELATIVE)).find(|path| exists(path)) {
        return Located { path: found, may_create: false };
    }
    // Without a repository around it, only the directory itself is looked at: a `.clavain` further up, say in
    // a home directory, belongs to something else.
    let top = paths::git_top_level(from).unwrap_or_else(|| from.to_owned());
    let within = from.ancestors().take_while(|dir| dir.starts_with(&top));
    let home = within.map(|dir| dir.join(RELATIVE)).find(|path| parent_is_clavain(path));
    let may_create = home.is_some();
    Located { path: home.unwrap_or_else(|| from.join(RELATIVE)), may_create }
}

/// Where `init` creates or migrates a database: as [`locate`], but a `.clavain/` of the working directory itself comes
/// before a database further up.
pub(crate) fn for_init(cx: &CommandContext) -> Result<PathBuf, Error> {
    if let Some(given) = explicit(cx)? {
        return Ok(given);
    }
    let cwd = cx.cwd()?;
    let own = cwd.join(RELATIVE);
    if parent_is_clavain(&own) {
        return Ok(own);
    }
    Ok(cwd.ancestors().map(|dir| dir.join(RELATIVE)).find(|path| exists(path)).unwrap_or(own))
}

fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

fn parent_is_clavain(path: &Path) -> bool {
    path.parent().is_some_and(|dir| dir.file_name().is_some_and(|name| name == ".clavain") && dir.is_dir())
}

/// Returns the database that the command line or the environment names.
pub(crate) fn given(cx: &CommandContext) -> Result<Option<Located>, Error> {
    let named = explicit(cx)?;
    Ok(named.map(|path| Located { may_create: parent_is_clavain(&path), path }))
}

/// Returns the path that the caller names, if one is named. The working directory is needed for a relative path
/// only.
fn explicit(cx: &CommandContext) -> Result<Option<PathBuf>, Error> {
    let from_environment = cx.env.path("INTERCORE_DB");
    let given = cx.options.path.as_deref();
    for (name, path) in [("--db", given), ("INTERCORE_DB", from_environment.as_deref())] {
        if let Some(scheme) = path.and_then(scheme) {
            return Err(Error::DbUrl { name, scheme });
        }
    }
    let Some(given) = given else {
        let clean = |path: PathBuf| {
            let base = if path.is_absolute() { PathBuf::new() } else { cx.cwd()? };
            Ok(paths::clean(&path, &base))
        };
        return from_environment.map(clean).transpose();
    };
    let cwd = cx.cwd()?;
    let absolute = paths::clean(given, &cwd);
    let same = from_environment.is_some_and(|path| paths::clean(&path, &cwd) == absolute);
    if !same {
        fence(given, &absolute, &cwd)?;
    }
    Ok(Some(absolute))
}

/// The scheme of a URL; no more of it, because it may hold a password.
fn scheme(path: &Path) -> Option<String> {
    let (scheme, _) = path.to_str()?.split_once("://")?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    (scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && scheme.bytes().all(plain))
        .then(|| scheme.to_owned())
}

/// Refuses a path from the command line that leaves the working directory: the source of the line may not be trusted.
fn fence(given: &Path, absolute: &Path, cwd: &Path) -> Result<(), Error> {
    let shown = given.display();
    if given.extension().is_none_or(|extension| extension != "db") {
        return Err(Error::DbPath(format!("db path must have .db extension: {shown}")));
    }
    if given.components().any(|part| part == Component::ParentDir) {
        return Err(Error::DbPath(format!("db path must not contain '..': {shown}")));
    }
    let under = |base: &Path| absolute.starts_with(base) && absolute != base;
    if !under(cwd) && !under(&paths::canonical_key(cwd)) {
        let resolved = absolute.display();
        return Err(Error::DbPath(format!(
            "db path must be under current directory: {shown} resolves to {resolved}"
        )));
    }
    Ok(())
}
