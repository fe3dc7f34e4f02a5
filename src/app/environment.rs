//! What a call finds around it, as a value: variables and the working directory.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::PathBuf;

use super::Error;
use crate::os::paths;

/// The environment of one call.
///
/// The process's own environment is read variable by variable, because a short call needs few of them. A call that runs
/// beside others in one process brings its own values.
#[derive(Clone, Debug, Default)]
pub(crate) enum Environment {
    /// The environment of this process.
    #[default]
    Process,
    /// Values that replace it altogether.
    #[cfg_attr(not(test), expect(dead_code, reason = "calls that share a process bring their own values"))]
    Values {
        /// The variables.
        variables: BTreeMap<OsString, OsString>,
        /// The working directory, absolute.
        cwd: PathBuf,
    },
}

impl Environment {
    /// Returns the value of a variable that is set and not empty.
    pub(crate) fn var_os(&self, name: &str) -> Option<OsString> {
        let found = match self {
            Self::Process => std::env::var_os(name),
            Self::Values { variables, .. } => variables.get(OsStr::new(name)).cloned(),
        };
        found.filter(|value| !value.is_empty())
    }

    /// Returns the value of a variable that is set, not empty, and valid UTF-8.
    pub(crate) fn var(&self, name: &str) -> Option<String> {
        self.var_os(name)?.into_string().ok()
    }

    /// Returns the value of a variable that names a path.
    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        self.var_os(name).map(PathBuf::from)
    }

    /// Returns the paths of a variable that holds a list of them, as `PATH` does.
    pub(crate) fn paths(&self, name: &str) -> Option<Vec<PathBuf>> {
        self.var_os(name).map(|paths| std::env::split_paths(&paths).collect())
    }

    /// Returns the path of this program. It does not depend on the variables.
    ///
    /// # Errors
    /// Fails where the system does not tell.
    pub(crate) fn program() -> io::Result<PathBuf> {
        std::env::current_exe()
    }

    /// Returns the working directory by the name that the caller knows it under.
    ///
    /// # Errors
    /// [`Error::File`] if the directory was removed or cannot be read.
    pub(crate) fn cwd(&self) -> Result<PathBuf, Error> {
        match self {
            Self::Process => paths::logical_cwd().map_err(|source| Error::File {
                what: "finding",
                path: PathBuf::from("the working directory"),
                source,
            }),
            Self::Values { cwd, .. } => Ok(cwd.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_replace_the_environment_of_the_process() {
        let variables = [("A", "1"), ("EMPTY", "")].map(|(name, value)| (name.into(), value.into()));
        let env = Environment::Values { variables: variables.into(), cwd: "/work".into() };
        assert_eq!(env.var("A").as_deref(), Some("1"));
        assert_eq!(env.var("EMPTY"), None);
        assert_eq!(env.var("PATH"), None);
        assert_eq!(env.cwd().unwrap(), PathBuf::from("/work"));
    }
}
