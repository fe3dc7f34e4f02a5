//! The repository that holds the overrides: the file in it, and the rules of the project.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::refused;
use super::roster::Roster;
use crate::app::{CommandContext, Error};
use crate::domain::interspect::file::Overrides;
use crate::domain::interspect::policy::{Protected, Thresholds};
use crate::domain::interspect::{DEFAULT_PATH, override_path};
use crate::domain::text::hex;
use crate::ops::interspect::Refusal;
use crate::os::git::Repository;
use crate::os::{files, paths};

/// The directory of the project's rules, relative to the top of the repository.
const SETTINGS: &str = ".clavain/interspect";
/// The largest size of a file that is read.
const MAX_BYTES: u64 = 4 << 20;

/// Where the overrides and the agents are, as far as the caller says.
#[derive(Clone, Debug, Default)]
pub(crate) struct RepoOptions {
    /// The file, relative to the top of the repository.
    pub path: Option<String>,
    /// Directories in which agents are defined.
    pub roster: Vec<PathBuf>,
}

/// A repository with its overrides.
pub(super) struct OverrideRepo {
    pub repo: Repository,
    /// The top of the working tree, as text.
    pub top: String,
    /// The file, relative to the top, without symlinks.
    pub path: String,
    /// The same, absolute.
    pub file: PathBuf,
    pub roster: Roster,
    pub thresholds: Thresholds,
}

impl OverrideRepo {
    /// Finds the repository from the working directory.
    ///
    /// # Errors
    /// A usage error for a path that is absolute or leads upwards; [`Refusal::Outside`] for a path that leads
    /// out of the repository through a symlink; an error if there is no repository, or if a setting cannot be
    /// read.
    pub(super) fn find(cx: &CommandContext, options: &RepoOptions) -> Result<Self, Error> {
        let given = match (&options.path, cx.env.var("FLUX_ROUTING_OVERRIDES_PATH")) {
            (Some(path), _) => path.clone(),
            (None, Some(path)) => override_path(&path)
                .map_err(|err| Error::usage(format!("FLUX_ROUTING_OVERRIDES_PATH {err}")))?,
            (None, None) => DEFAULT_PATH.to_owned(),
        };
        let cwd = cx.cwd()?;
        let repo = Repository::discover(&cwd)?;
        let outside = || refused(Refusal::Outside(given.clone()));
        let file = paths::canonical_key(&repo.top().join(&given));
        let inside = file.strip_prefix(repo.top()).ok().and_then(Path::to_str).map(ToOwned::to_owned);
        // Resolving leaves a dangling symlink as it is.
        let path = inside.filter(|path| !path.is_empty() && !file.is_symlink()).ok_or_else(outside)?;
        let top = repo.top().to_str().map(ToOwned::to_owned).ok_or_else(outside)?;
        let roster = Roster::find(&cx.env, &options.roster, repo.top(), &cwd);
        let thresholds = thresholds(&repo.top().join(SETTINGS).join("confidence.json"), cx)?;
        Ok(Self { repo, top, path, file, roster, thresholds })
    }

    /// Returns the content of the file and its hash, or `None` if the file does not exist.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] for what is not text, is not a file, or cannot be read.
    pub(super) fn read(&self) -> Result<Option<(String, String)>, Error> {
        let malformed = |why: String| refused(Refusal::Malformed { path: self.path.clone(), why });
        let bytes = files::content(&self.file, MAX_BYTES).map_err(|err| malformed(err.to_string()))?;
        let Some(bytes) = bytes else { return Ok(None) };
        let hash = hash(&bytes);
        let text = String::from_utf8(bytes).map_err(|_| malformed("it is not UTF-8".to_owned()))?;
        Ok(Some((text, hash)))
    }

    /// Returns the content that the branch must have for a change of a file that was read as `text`: the same
    /// content. An empty file stands for a file without entries, which the branch may have.
    ///
    /// # Errors
    /// [`Error::Git`] if git fails.
    pub(super) fn base_of(&self, text: Option<&str>) -> Result<Option<Vec<u8>>, Error> {
        let read = text.map(|text| text.as_bytes().to_vec());
        if text.is_none_or(|text| !text.trim().is_empty()) {
            return Ok(read);
        }
        let Some(head) = self.repo.head()? else { return Ok(None) };
        let committed = self.repo.content(&head, Path::new(&self.path))?;
        let is_empty = |bytes: &[u8]| {
            let text = std::str::from_utf8(bytes).unwrap_or("{");
            Overrides::parse(text).ok() == Overrides::parse("").ok()
        };
        Ok(if committed.as_deref().is_none_or(is_empty) { committed } else { read })
    }

    /// Reads the overrides.
    ///
    /// # Errors
    /// [`Refusal::Malformed`].
    pub(super) fn overrides(&self) -> Result<Overrides, Error> {
        let text = self.read()?.map_or_else(String::new, |(text, _)| text);
        let malformed = |why| refused(Refusal::Malformed { path: self.path.clone(), why });
        Overrides::parse(&text).map_err(malformed)
    }

    /// Checks that the project allows changes of the file. Returns whether they have to be proposed first.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`], also if the project has no rules, or rules that cannot be read.
    pub(super) fn check_allowed(&self) -> Result<bool, Error> {
        let rules = self.repo.top().join(SETTINGS).join("protected-paths.json");
        let forbidden = |why: String| refused(Refusal::Forbidden { path: self.path.clone(), why });
        let unreadable = |why: &dyn Display| forbidden(format!("protected-paths.json: {why}"));
        let bytes = files::content(&rules, MAX_BYTES).map_err(|err| unreadable(&err))?;
        let bytes = bytes.ok_or_else(|| forbidden("the project has no protected-paths.json".to_owned()))?;
        let text = String::from_utf8(bytes).map_err(|err| unreadable(&err))?;
        let rules = Protected::parse(&text).map_err(|err| unreadable(&err))?;
        match rules.forbids(&self.path) {
            Some(why) => Err(forbidden(why.to_owned())),
            None => Ok(rules.needs_proposal(&self.path)),
        }
    }
}

/// Returns the hash by which the content of a file is compared.
pub(super) fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn thresholds(path: &Path, cx: &CommandContext) -> Result<Thresholds, Error> {
    let unreadable = |why: String| Error::Input(format!("{SETTINGS}/confidence.json: {why}"));
    let Some(bytes) = files::content(path, MAX_BYTES).map_err(|err| unreadable(err.to_string()))? else {
        return Ok(Thresholds::default());
    };
    let text = String::from_utf8(bytes).map_err(|_| unreadable("it is not UTF-8".to_owned()))?;
    let (thresholds, warnings) = Thresholds::parse(&text).map_err(unreadable)?;
    for warning in warnings {
        cx.warn(format_args!("confidence.json: {warning}"));
    }
    Ok(thresholds)
}
