//! Ending reservations: by release, sweep or transfer; taking in those of another program.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use super::scope::scope;
use super::{Surroundings, change};
use crate::app::{Code, CommandContext, Error, Reply};
use crate::ops::coordination::{self, Changes};

/// Which locks are released.
#[derive(Debug)]
pub(crate) enum ReleaseRequest {
    /// One lock; with an owner, only if it is that owner's.
    Lock { id: String, owner: Option<String> },
    /// Every lock and place in the queue that an owner has in a scope.
    Owner { owner: String, scope: String },
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Released {
    pub released: usize,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Swept {
    /// Locks whose time is over.
    pub expired: usize,
    /// The same and those whose process is gone.
    pub total: usize,
    #[serde(skip)]
    pub dry_run: bool,
}

/// The outcome of a transfer.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum TransferAnswer {
    Transferred { transferred: usize },
    Refused { conflict: TransferConflict },
}

/// Two locks that overlap, so that one owner cannot have both.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TransferConflict {
    pub pattern: String,
    pub blocker_id: String,
    pub blocker_pattern: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct MirrorAnswer {
    pub added: usize,
    pub renewed: usize,
    pub ended: usize,
}

/// Releases locks. A lock that was released before counts as none.
///
/// # Errors
/// [`Error::Ops`] if the lock does not exist or is another owner's.
pub(crate) fn release(cx: &mut CommandContext, request: &ReleaseRequest) -> Result<Reply<Released>, Error> {
    let released = match request {
        ReleaseRequest::Lock { id, owner } => {
            change(cx, |tx, stamp| coordination::release(tx, id, owner.as_deref(), stamp))?
        }
        ReleaseRequest::Owner { owner, scope: given } => {
            let scope = scope(cx, given)?;
            change(cx, |tx, stamp| coordination::release_all(tx, owner, &scope, stamp))?
        }
    };
    Ok(Reply::yes(Released { released }))
}

/// Ends locks whose time has been over for `older_than` seconds, and those whose process is gone.
///
/// # Errors
/// [`Error::Ops`] if the database cannot be used.
pub(crate) fn sweep(cx: &mut CommandContext, older_than: i64, dry_run: bool) -> Result<Reply<Swept>, Error> {
    let (surroundings, stamp) = (Surroundings::with_foreign_locks(cx)?, cx.stamp.clone());
    let found = surroundings.with(|outside| {
        if dry_run {
            cx.read(|tx| coordination::would_sweep(tx, older_than, outside, &stamp))
        } else {
            cx.write(|tx| coordination::sweep(tx, older_than, outside, &stamp))
        }
    })?;
    let total = found.expired + found.abandoned;
    Ok(Reply::yes(Swept { expired: found.expired, total, dry_run }))
}

/// Hands every live lock that an owner has in a scope to another owner, with new tokens.
///
/// # Errors
/// [`Error::Ops`] if the database cannot be used.
pub(crate) fn transfer(
    cx: &mut CommandContext,
    from: &str,
    to: &str,
    given_scope: &str,
    force: bool,
) -> Result<Reply<TransferAnswer>, Error> {
    let scope = scope(cx, given_scope)?;
    let moved = change(cx, |tx, stamp| coordination::transfer(tx, from, to, &scope, force, stamp))?;
    Ok(match moved {
        Ok(transferred) => Reply::yes(TransferAnswer::Transferred { transferred }),
        Err((lock, other)) => {
            let conflict = TransferConflict {
                pattern: lock.pattern,
                blocker_id: other.id,
                blocker_pattern: other.pattern,
            };
            Reply::no(TransferAnswer::Refused { conflict }, Code::LockConflict)
        }
    })
}

/// Takes in the reservations of another program from its database file. `names` maps the names of its scopes to paths.
///
/// # Errors
/// [`Error::Input`] if the file cannot be read.
pub(crate) fn mirror(
    cx: &mut CommandContext,
    file: &Path,
    names: Vec<(String, PathBuf)>,
) -> Result<Reply<MirrorAnswer>, Error> {
    let surroundings = Surroundings::of_file(names, file, cx)
        .map_err(|err| Error::Input(format!("coordination mirror: --from: {err}")))?;
    let stamp = cx.stamp.clone();
    let Changes { added, renewed, ended } =
        surroundings.with(|outside| cx.write(|tx| coordination::mirror(tx, outside, &stamp)))?;
    Ok(Reply::yes(MirrorAnswer { added, renewed, ended }))
}
