//! External commands: programs on `PATH` that are called as if they were commands of this program.

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::locate;
use super::{CommandContext, Environment, Error};
use crate::os::{paths, programs};
use crate::store;

/// The beginning of the names of external commands.
const PREFIX: &str = "ic-";

/// Returns the program of the external command `noun`, if there is one.
pub(crate) fn find(env: &Environment, noun: &OsStr) -> Option<PathBuf> {
    if noun.is_empty() {
        return None;
    }
    let mut name = OsString::from(PREFIX);
    name.push(noun);
    programs::find(&env.var_os("PATH")?, &name)
}

/// Returns the nouns of all external commands, sorted.
pub(crate) fn nouns(env: &Environment) -> Vec<OsString> {
    let path = env.var_os("PATH").unwrap_or_default();
    programs::names_with_prefix(&path, PREFIX).into_iter().collect()
}

/// Replaces this process with an external command, which is handed the database and the run.
///
/// # Errors
/// [`Error::DbPath`] if `--db` names no database, [`Error::File`] if the program cannot be started.
pub(crate) fn exec(cx: &mut CommandContext, program: &Path, args: &[OsString]) -> Result<Infallible, Error> {
    let mut variables = Vec::new();
    if let Some(database) = database(cx)? {
        variables.push(("INTERCORE_DB", database.into_os_string()));
    }
    if cx.env.var_os("IC_RUN_ID").is_none()
        && let Some(run) = current_run(cx)
    {
        variables.push(("IC_RUN_ID", run.into()));
    }
    let source = programs::replace_process(program, args, &variables);
    Err(Error::File { what: "running", path: program.to_owned(), source })
}

/// Returns the database that the caller names, else the project's, if it exists.
fn database(cx: &CommandContext) -> Result<Option<PathBuf>, Error> {
    let located = locate::locate(cx)?;
    let is_named = locate::given(cx)?.is_some();
    Ok(Some(located.path).filter(|path| is_named || path.exists()))
}

/// Returns the project's newest active run. A database that cannot be read keeps no external command from running: it
/// reports that itself, if it needs the database.
fn current_run(cx: &mut CommandContext) -> Option<String> {
    let project = paths::canonical_key(&cx.cwd().ok()?);
    let key = project.to_str()?.to_owned();
    let run = cx.read(|tx| store::run::current(tx, &key, None)).ok()??;
    Some(run.id.to_string())
}
