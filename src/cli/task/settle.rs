//! What a process left half done that died at it: finished, or forgotten if it had not begun (TS-30).

use serde_json::json;

use super::place::{Directory, Held};
use super::write::{Detail, Failed, KIND, Mark, Work, digest, files, is_dead};
use crate::app::Error;
use crate::cli::Cx;
use crate::db::WriteTx;
use crate::domain::task::change::change;
use crate::domain::task::problem::{Kind, Problem};
use crate::domain::task::request::Request;
use crate::domain::time::Stamp;
use crate::ops::task::{self, Changed};
use crate::os::swap;
use crate::store::intent::{self, Intent};

/// Looks for what dead processes left in a directory, and settles it. Answers what there is to say of it.
pub(super) fn leftovers(cx: &mut Cx, place: &Directory) -> Result<Vec<Problem>, Error> {
    let resource = place.resource();
    // Most of the time there is nothing, and no lock is needed to see that.
    cx.writable()?;
    let found = cx.read(|tx| intent::on(tx, KIND, &resource))?;
    if !found.iter().any(|intent| is_dead(&intent.process)) {
        return Ok(Vec::new());
    }
    let stamp = cx.stamp.clone();
    let settled = cx.exclusive(|tx| within(tx, place, &stamp));
    match settled {
        Ok(notes) => Ok(notes),
        // Whoever changes something next meets it again, and says so then.
        Err(Failed::Write(_) | Failed::Split(_)) => Ok(Vec::new()),
        Err(Failed::Other(err)) => Err(err),
    }
}

/// As [`leftovers`], under the write lock: nobody renames anything meanwhile.
pub(super) fn within(tx: &WriteTx<'_>, place: &Directory, stamp: &Stamp) -> Result<Vec<Problem>, Failed> {
    let mut notes = Vec::new();
    for intent in intent::on(tx, KIND, &place.resource())? {
        if is_dead(&intent.process) {
            notes.extend(settle(tx, place, &intent, stamp)?);
        }
    }
    Ok(notes)
}

/// What a file holds, compared with what it was to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Now {
    Old,
    New,
    Other,
}

fn now(mark: &Mark) -> Now {
    match swap::read(&mark.path).map(|content| digest(&content)) {
        Ok(found) if found == mark.new => Now::New,
        Ok(found) if found == mark.old => Now::Old,
        _ => Now::Other,
    }
}

fn settle(
    tx: &WriteTx<'_>,
    place: &Directory,
    intent: &Intent,
    stamp: &Stamp,
) -> Result<Option<Problem>, Failed> {
    // What cannot be read was never acted on: it is written before anything else is.
    let Some(detail) = Detail::read(&intent.detail) else {
        intent::settle(tx, &intent.id)?;
        return Ok(None);
    };
    let temp = |mark: &Mark| swap::beside(&mark.path, intent.id.as_str());
    let ready = |mark: &Mark| swap::read(&temp(mark)).is_ok_and(|content| digest(&content) == mark.new);
    let found: Vec<Now> = detail.files.iter().map(now).collect();
    let begun = found.contains(&Now::New);
    let simple = detail.files.iter().zip(&found).all(|(mark, now)| match now {
        Now::New => true,
        Now::Old => ready(mark),
        Now::Other => false,
    });
    let mut how = None;
    if begun && simple {
        for (mark, _) in detail.files.iter().zip(&found).filter(|(_, now)| **now == Now::Old) {
            let replaced =
                swap::replace(&temp(mark), &mark.path).and_then(|()| swap::sync_directory(&mark.path));
            replaced.map_err(|err| Failed::Write(format!("{} could not be replaced: {err}", mark.shown)))?;
        }
        how = Some("was completed");
    } else if begun || is_split(place, &detail) {
        // Somebody else has edited the files since: the change is worked out anew from what is there now.
        how = Some(again(place, &detail, intent.clone())?);
    }
    for mark in &detail.files {
        let _ = swap::discard(&temp(mark));
    }
    intent::settle(tx, &intent.id)?;
    let Some(how) = how else { return Ok(None) };
    let Detail { request, from, to, .. } = detail;
    let message = format!("task {}: a change that was interrupted ({from} → {to}) {how}", request.task);
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
            ("settled", json!(how)),
        ]),
    };
    task::changed(tx, change, stamp)?;
    task::went_wrong(tx, request.task, std::slice::from_ref(&note), stamp)?;
    Ok(Some(note))
}

/// Whether one of the two files has the status that was to be written, and the other has not.
fn is_split(place: &Directory, detail: &Detail) -> bool {
    let Ok(held) = place.read(None) else { return false };
    let to = change(held.texts(), &again_as(&detail.request, &detail.to)).map(|made| {
        let state = made.from == detail.to;
        state != (made.todo == held.todo)
    });
    to.unwrap_or(false)
}

/// The same request, whatever the table of transitions says by now.
fn again_as(request: &Request, to: &str) -> Request {
    Request { to: to.parse().ok(), force: true, strict: false, ..request.clone() }
}

/// Makes the change again on what the files hold now.
fn again(place: &Directory, detail: &Detail, intent: Intent) -> Result<&'static str, Failed> {
    let plan = detail.plan.as_deref().map(|plan| place.plan(plan));
    let made = place.read(plan.as_ref()).and_then(|held: Held| {
        let made = change(held.texts(), &again_as(&detail.request, &detail.to))?;
        Ok(files(place, plan.as_ref(), &held, &made))
    });
    // Nobody can say any more what it was about.
    let Ok(files) = made else { return Ok("cannot be completed: the files were changed since") };
    let work = Work::of(intent);
    work.prepare(&files).map_err(Failed::Write)?;
    work.rename(&files, &mut 0)?;
    Ok("was made again")
}
