//! Finding runs and projects by the names that callers give them.

use std::path::Path;

use crate::app::{Environment, Error};
use crate::db::ReadTx;
use crate::domain::ids::RunId;
use crate::domain::run::Run;
use crate::os::paths;
use crate::store;

pub(crate) use crate::ops::create::Project;

/// A run as a caller names it.
#[derive(Clone, Debug, Default)]
pub(crate) struct RunSelector {
    /// The run; without one, the current run of the project is meant.
    pub id: Option<RunId>,
    /// Limits the current run to a scope.
    pub scope: Option<String>,
    /// The project's directory; without one, the working directory.
    pub project: Option<String>,
}

/// A run that can be looked up inside a transaction.
#[derive(Clone, Debug)]
pub(crate) enum RunTarget {
    Id(RunId),
    /// The newest active run of a project.
    Current {
        project: Project,
        scope: Option<String>,
    },
}

impl RunSelector {
    /// Resolves the project's directory, if the run is not named by its id.
    ///
    /// # Errors
    /// As [`project`].
    pub(crate) fn resolve(self, env: &Environment) -> Result<RunTarget, Error> {
        if let Some(id) = self.id {
            return Ok(RunTarget::Id(id));
        }
        Ok(RunTarget::Current { project: project(self.project.as_deref(), env)?, scope: self.scope })
    }
}

impl RunTarget {
    /// Returns the run.
    ///
    /// # Errors
    /// [`Error::NoCurrentRun`] if the project has no active run; [`Error::Ops`] if there is no run with the
    /// id.
    pub(crate) fn find(&self, tx: &ReadTx<'_>) -> Result<Run, Error> {
        match self {
            Self::Id(id) => Ok(store::run::get(tx, id)?),
            Self::Current { project, scope } => store::run::current(tx, &project.key, scope.as_deref())?
                .ok_or_else(|| Error::NoCurrentRun(scope.clone().unwrap_or_else(|| project.dir.clone()))),
        }
    }
}

/// Returns a project by its directory, absolute, with and without its symlinks. Without a directory, or with
/// an empty one, the project is that of the working directory.
///
/// # Errors
/// [`Error::Usage`] if the path is not valid UTF-8, [`Error::File`] if the working directory cannot be read.
pub(crate) fn project(dir: Option<&str>, env: &Environment) -> Result<Project, Error> {
    let dir = project_dir(dir, env)?;
    let key = utf8(&paths::canonical_key(Path::new(&dir)))?;
    Ok(Project { dir, key })
}

/// Returns the directory of a project, absolute, as [`project`] does.
///
/// # Errors
/// As [`project`].
pub(crate) fn project_dir(dir: Option<&str>, env: &Environment) -> Result<String, Error> {
    let cwd = env.cwd()?;
    let dir = match dir.filter(|dir| !dir.is_empty()) {
        Some(dir) => paths::clean(Path::new(dir), &cwd),
        None => cwd,
    };
    utf8(&dir)
}

fn utf8(path: &Path) -> Result<String, Error> {
    path.to_str().map(ToOwned::to_owned).ok_or_else(|| Error::Usage {
        message: format!("the path {} is not valid UTF-8", path.display()),
        hint: Some("rename the directory: paths are stored as text".to_owned()),
    })
}
