//! Where overrides are kept: the repository, the file in it, and what the project allows.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::Where;
use super::roster::Roster;
use crate::app::Error;
use crate::cli::Cx;
use crate::domain::chain::hex;
use crate::domain::routing::file::Overrides;
use crate::domain::routing::policy::{Protected, Thresholds};
use crate::domain::routing::{DEFAULT_PATH, override_path};
use crate::ops::OpsError;
use crate::ops::routing::Refusal;
use crate::os::git::Repository;
use crate::os::{files, paths};

/// Below the top of the repository.
const SETTINGS: &str = ".clavain/interspect";
/// Bytes of a file of ours beyond which it is none.
const MOST: u64 = 4 << 20;

/// A repository with its overrides.
pub(super) struct Site {
    /// The repository.
    pub repo: Repository,
    /// Its top, as text.
    pub top: String,
    /// The file, relative to the top, without symlinks.
    pub path: String,
    /// The same, absolute.
    pub file: PathBuf,
    /// Who there is.
    pub roster: Roster,
    /// What the project asks for.
    pub thresholds: Thresholds,
}

impl Site {
    /// Finds it from the working directory.
    ///
    /// # Errors
    /// A usage error for a path that is absolute or leads upwards, whoever said it (IS-17); [`Refusal::Outside`] for one
    /// that leads out of the repository (IS-11); where there is no repository, or a setting that cannot be read.
    pub(super) fn find(given: &Where, cx: &Cx) -> Result<Self, Error> {
        let set = std::env::var("FLUX_ROUTING_OVERRIDES_PATH").ok().filter(|path| !path.is_empty());
        let asked = match (&given.path, set) {
            (Some(path), _) => path.clone(),
            (None, Some(path)) => override_path(&path)
                .map_err(|err| Error::usage(format!("FLUX_ROUTING_OVERRIDES_PATH {err}")))?,
            (None, None) => DEFAULT_PATH.to_owned(),
        };
        let cwd = cx.cwd()?;
        let repo = Repository::discover(&cwd)?;
        let outside = || refused(Refusal::Outside(asked.clone()));
        let file = paths::canonical_key(&repo.top().join(&asked));
        let inside = file.strip_prefix(repo.top()).ok().and_then(Path::to_str).map(ToOwned::to_owned);
        // A symlink that leads nowhere is left as it is by resolving.
        let path = inside.filter(|path| !path.is_empty() && !file.is_symlink()).ok_or_else(outside)?;
        let top = repo.top().to_str().map(ToOwned::to_owned).ok_or_else(outside)?;
        let roster = Roster::find(given, repo.top(), &cwd);
        let thresholds = thresholds(&repo.top().join(SETTINGS).join("confidence.json"), cx)?;
        Ok(Self { repo, top, path, file, roster, thresholds })
    }

    /// The file's content and a hash of it; `None` if there is none.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] for what is no text, no file, or cannot be read.
    pub(super) fn read(&self) -> Result<Option<(String, String)>, Error> {
        let malformed = |why: String| refused(Refusal::Malformed { path: self.path.clone(), why });
        let Some(bytes) = files::content(&self.file, MOST).map_err(|err| malformed(err.to_string()))? else {
            return Ok(None);
        };
        let hash = hash(&bytes);
        let text = String::from_utf8(bytes).map_err(|_| malformed("it is not UTF-8".to_owned()))?;
        Ok(Some((text, hash)))
    }

    /// Returns what the branch must have for a change of a file that was read as `text`: the same. A file of
    /// nothing stands for one without entries, which the branch may have.
    ///
    /// # Errors
    /// If git cannot be asked.
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

    /// The overrides as they are.
    ///
    /// # Errors
    /// [`Refusal::Malformed`].
    pub(super) fn overrides(&self) -> Result<Overrides, Error> {
        let text = self.read()?.map_or_else(String::new, |(text, _)| text);
        let malformed = |why| refused(Refusal::Malformed { path: self.path.clone(), why });
        Overrides::parse(&text).map_err(malformed)
    }

    /// What the project says of changes of the file: whether they have to be proposed first.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`]; also where the project says nothing, or nothing that can be read.
    pub(super) fn allowed(&self) -> Result<bool, Error> {
        let rules = self.repo.top().join(SETTINGS).join("protected-paths.json");
        let forbidden = |why: String| refused(Refusal::Forbidden { path: self.path.clone(), why });
        let unreadable = |why: &dyn std::fmt::Display| forbidden(format!("protected-paths.json: {why}"));
        let bytes = files::content(&rules, MOST).map_err(|err| unreadable(&err))?;
        let bytes = bytes.ok_or_else(|| forbidden("the project has no protected-paths.json".to_owned()))?;
        let text = String::from_utf8(bytes).map_err(|err| unreadable(&err))?;
        let rules = Protected::parse(&text).map_err(|err| unreadable(&err))?;
        match rules.forbids(&self.path) {
            Some(why) => Err(forbidden(why.to_owned())),
            None => Ok(rules.wants_a_proposal(&self.path)),
        }
    }
}

/// A refusal of ours.
pub(super) fn refused(refusal: Refusal) -> Error {
    OpsError::from(refusal).into()
}

/// What a file's content is known by.
pub(super) fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn thresholds(path: &Path, cx: &Cx) -> Result<Thresholds, Error> {
    let unreadable = |why: String| Error::Input(format!("{SETTINGS}/confidence.json: {why}"));
    let Some(bytes) = files::content(path, MOST).map_err(|err| unreadable(err.to_string()))? else {
        return Ok(Thresholds::default());
    };
    let text = String::from_utf8(bytes).map_err(|_| unreadable("it is not UTF-8".to_owned()))?;
    let (found, odd) = Thresholds::parse(&text).map_err(unreadable)?;
    for odd in odd {
        cx.out.warn(format_args!("confidence.json: {odd}"));
    }
    Ok(found)
}
