//! `ic restore`

use std::io::{self, Write};
use std::path::PathBuf;

use serde::Serialize;

use super::output::View;
use super::verb::Verb;
use super::{Answer, Cx};
use crate::app::Error;
use crate::app::git_exclude::exclude_from_git;
use crate::app::locate;
use crate::db::{self, Db, DbError, Draft, Replaced};
use crate::domain::secret::redact;
use crate::domain::text::one_line;
use crate::domain::time;
use crate::ops::restore;
use crate::os::paths;
use crate::store::event::Head;
use crate::store::{self, StoreError};

/// Put a backup in the place of the database
///
/// A sound database is replaced in one transaction while others use it, and a backup of it is kept beside it. A damaged
/// one is replaced only when nobody uses it, and is kept as it is. The log goes on from the backup with an event of source
/// `log`; consumers that had read further are told so (`cursor_ahead`).
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic restore ~/backups/ic-2026-11-20.db")]
pub(super) struct Restore {
    /// A file that `ic backup` made, or a backup that a migration kept; it stays as it is
    #[arg(value_name = "FILE")]
    from: PathBuf,
}

impl Verb for Restore {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let path = locate::for_init(cx)?;
        let from = paths::clean(&self.from, &cx.cwd()?);
        if paths::canonical_key(&from) == paths::canonical_key(&path) {
            return Err(Error::usage(format!("{} is the database itself", from.display())));
        }
        let unusable = |source| DbError::Unusable { path: from.clone(), source: Box::new(source) };
        let mut draft = Draft::of_file(&from, &path, cx.options.timeout)?;
        draft.db().check().map_err(unusable)?;
        verify(draft.db()).map_err(|err| unusable(DbError::Corrupt(err.to_string())))?;
        if path.try_exists().is_ok_and(|exists| !exists) {
            exclude_from_git(cx, &path);
        }
        let label = time::compact_time(cx.stamp.secs());
        let (stamp, out) = (cx.stamp.clone(), cx.out);
        // The log keeps where it came from, but no secret (K-16).
        let told = redact(&from.display().to_string()).into_owned();
        let seal = |draft: &mut Db, old: Option<&db::ReadTx<'_>>, replaced: &Replaced| {
            // Sound pages may hold a schema that is not: then nothing can be carried over, which must not keep the
            // backup out.
            let old = old.map_or_else(restore::Old::default, |old| {
                restore::read_old(old).unwrap_or_else(|err| {
                    out.remark(format_args!("the cursors of what was there cannot be read: {err}"));
                    restore::Old::default()
                })
            });
            let kept = kept(replaced);
            draft.write(|tx| restore::seal(tx, &old, &told, kept.as_deref(), &stamp))
        };
        let (head, replaced) = db::restore(draft, &path, cx.options.timeout, &label, seal)?;
        cx.mark_committed();
        // What stood there may have been another program's file until now.
        exclude_from_git(cx, &path);
        if let Replaced::Damaged(_, why) = &replaced {
            cx.out.remark(format_args!("what was there was damaged: {why}"));
        }
        let kept = kept(&replaced);
        if let Some(kept) = &kept {
            cx.out.remark(format_args!("what was there is kept in {kept}"));
        }
        let shown = Shown {
            path: path.display().to_string(),
            from: from.display().to_string(),
            events: head.id,
            head: head.to_string(),
            kept,
        };
        cx.out.show(&shown)?;
        Ok(Answer::Yes)
    }
}

fn kept(replaced: &Replaced) -> Option<String> {
    match replaced {
        Replaced::Nothing => None,
        Replaced::Sound(file) | Replaced::Damaged(file, _) => Some(file.display().to_string()),
    }
}

/// Walks the whole hash chain; answers its head.
pub(super) fn verify(db: &Db) -> Result<Head, Error> {
    let verdict = db.read(store::event::verify)?;
    Ok(verdict.map_err(StoreError::ChainBroken)?)
}

#[derive(Serialize)]
struct Shown {
    path: String,
    from: String,
    events: i64,
    head: String,
    kept: Option<String>,
}

impl View for Shown {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        let (path, from) = (one_line(&self.path), one_line(&self.from));
        writeln!(w, "{path} restored from {from}: {} events, head {}", self.events, self.head)
    }
}
