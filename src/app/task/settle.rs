//! Changes whose process died before it finished them: they are completed, or forgotten if no file was
//! changed.

use serde_json::json;

use super::files::TaskDirectory;
use super::intent::{FileDigests, IntentDetail, KIND, digest, is_dead};
use super::rewrite::{Rewrite, RewriteError, file_changes};
use crate::app::{CommandContext, Error};
use crate::db::WriteTx;
use crate::domain::task::change::change;
use crate::domain::task::problem::{Kind, Problem};
use crate::domain::task::request::Request;
use crate::domain::time::Stamp;
use crate::ops::task::{self, Changed};
use crate::os::{atomic, files};
use crate::store::intent::{self, Intent};

/// Settles the unfinished changes of dead processes in a directory. Returns one note for each change that was
/// finished.
pub(super) fn settle_leftovers(
    cx: &mut CommandContext,
    directory: &TaskDirectory,
) -> Result<Vec<Problem>, Error> {
    let resource = directory.resource();
    // Most of the time there are none, and a read is enough to see that.
    cx.writable()?;
    let intents = cx.read(|tx| intent::on(tx, KIND, &resource))?;
    if !intents.iter().any(|intent| is_dead(&intent.process)) {
        return Ok(Vec::new());
    }
    let stamp = cx.stamp.clone();
    match cx.exclusive(|tx| settle_within(tx, directory, &stamp)) {
        Ok(notes) => Ok(notes),
        // The next change meets the intent again, and reports the failure then.
        Err(RewriteError::Write(_) | RewriteError::Split(_)) => Ok(Vec::new()),
        Err(RewriteError::Other(err)) => Err(err),
    }
}

/// Settles as [`settle_leftovers`] does, in a transaction that holds the write lock: no other process renames
/// files meanwhile.
pub(super) fn settle_within(
    tx: &WriteTx<'_>,
    directory: &TaskDirectory,
    stamp: &Stamp,
) -> Result<Vec<Problem>, RewriteError> {
    let mut notes = Vec::new();
    for intent in intent::on(tx, KIND, &directory.resource())? {
        if is_dead(&intent.process) {
            notes.extend(settle(tx, directory, &intent, stamp)?);
        }
    }
    Ok(notes)
}

/// The content of a file, compared with an intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Old,
    New,
    Other,
}

impl Content {
    fn of(file: &FileDigests) -> Self {
        match files::read(&file.path).map(|content| digest(&content)) {
            Ok(found) if found == file.new => Self::New,
            Ok(found) if found == file.old => Self::Old,
            _ => Self::Other,
        }
    }
}

fn settle(
    tx: &WriteTx<'_>,
    directory: &TaskDirectory,
    intent: &Intent,
    stamp: &Stamp,
) -> Result<Option<Problem>, RewriteError> {
    // An intent is complete before anything is done, so one that cannot be parsed was never acted on.
    let Some(detail) = IntentDetail::parse(&intent.detail) else {
        intent::settle(tx, &intent.id)?;
        return Ok(None);
    };
    let temp = |file: &FileDigests| atomic::beside(&file.path, intent.id.as_str());
    let is_prepared =
        |file: &FileDigests| files::read(&temp(file)).is_ok_and(|content| digest(&content) == file.new);
    let contents: Vec<Content> = detail.files.iter().map(Content::of).collect();
    let has_begun = contents.contains(&Content::New);
    let can_complete = detail.files.iter().zip(&contents).all(|(file, content)| match content {
        Content::New => true,
        Content::Old => is_prepared(file),
        Content::Other => false,
    });
    let mut outcome = None;
    if has_begun && can_complete {
        for (file, _) in detail.files.iter().zip(&contents).filter(|(_, content)| **content == Content::Old) {
            atomic::replace(&temp(file), &file.path)
                .and_then(|()| atomic::sync_directory(&file.path))
                .map_err(|err| RewriteError::Write(format!("{} could not be replaced: {err}", file.name)))?;
        }
        outcome = Some("was completed");
    } else if has_begun || is_split(directory, &detail) {
        // The files were edited since: the change is computed anew from their present contents.
        outcome = Some(redo(directory, &detail, intent.clone())?);
    }
    for file in &detail.files {
        let _ = atomic::discard(&temp(file));
    }
    intent::settle(tx, &intent.id)?;
    let Some(outcome) = outcome else { return Ok(None) };
    let IntentDetail { request, from, to, .. } = detail;
    let message = format!("task {}: a change that was interrupted ({from} → {to}) {outcome}", request.task);
    let note = Problem::new(Kind::InterruptedChangeSettled, message);
    let change = Changed {
        task: request.task,
        run: None,
        from,
        to,
        reason: request.reason.clone(),
        data: task::data(&[
            ("dir", json!(request.dir)),
            ("artifacts", json!(request.artifacts)),
            ("settled", json!(outcome)),
        ]),
    };
    task::changed(tx, change, stamp)?;
    task::went_wrong(tx, request.task, std::slice::from_ref(&note), stamp)?;
    Ok(Some(note))
}

/// Checks whether exactly one of the two files has the new status.
fn is_split(directory: &TaskDirectory, detail: &IntentDetail) -> bool {
    let Ok(texts) = directory.read(None) else { return false };
    let made = change(texts.as_texts(), &forced(&detail.request, &detail.to));
    made.is_ok_and(|made| (made.from == detail.to) != (made.todo == texts.todo))
}

/// Returns the request without the checks that it passed when it was made.
fn forced(request: &Request, to: &str) -> Request {
    Request { to: to.parse().ok(), force: true, strict: false, ..request.clone() }
}

/// Makes the change again on the present contents of the files.
fn redo(
    directory: &TaskDirectory,
    detail: &IntentDetail,
    intent: Intent,
) -> Result<&'static str, RewriteError> {
    let plan = detail.plan.as_deref().map(|plan| directory.plan(plan));
    let files = directory.read(plan.as_ref()).and_then(|texts| {
        let made = change(texts.as_texts(), &forced(&detail.request, &detail.to))?;
        Ok(file_changes(directory, plan.as_ref(), &texts, &made))
    });
    let Ok(files) = files else { return Ok("cannot be completed: the files were changed since") };
    let rewrite = Rewrite::of(intent);
    rewrite.prepare(&files).map_err(RewriteError::Write)?;
    rewrite.rename(&files, &mut 0)?;
    Ok("was made again")
}
