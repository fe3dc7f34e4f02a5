//! The order of changes that are under way at the same time.

use std::thread;
use std::time::{Duration, Instant};

use super::intent::{KIND, is_alive};
use super::rewrite::Rewrite;
use crate::app::{CommandContext, Error};
use crate::store::intent::{self, Intent};

/// The time between two looks, for each change ahead: those further back can wait longer.
const POLL_INTERVAL: Duration = Duration::from_millis(3);

/// The longest time between two looks.
const MAX_POLL_INTERVAL: Duration = Duration::from_millis(60);

/// The time that a stalled earlier change keeps its turn before later ones overtake it. Overtaking is safe:
/// the files are compared again before anything is renamed.
const FAIRNESS_WINDOW: Duration = Duration::from_secs(1);

/// Waits until the earlier changes of running processes are done, because a change that is computed while
/// others are under way has to be computed again. Returns whether there were any: then the files have
/// changed.
pub(super) fn await_turn(cx: &mut CommandContext, rewrite: &Rewrite) -> Result<bool, Error> {
    let own = rewrite.intent();
    let (mut stalled, mut first, mut since) = (Vec::new(), None, Instant::now());
    loop {
        let intents = cx.read(|tx| intent::on(tx, KIND, &own.resource))?;
        let earlier = intents.iter().take_while(|other| other.id != own.id);
        let ahead: Vec<&Intent> = earlier.filter(|other| !stalled.contains(&other.id)).collect();
        let Some(next) = ahead.iter().find(|other| is_alive(&other.process)) else {
            return Ok(first.is_some());
        };
        if first.as_ref() != Some(&next.id) {
            (first, since) = (Some(next.id.clone()), Instant::now());
        } else if since.elapsed() > FAIRNESS_WINDOW {
            stalled.push(next.id.clone());
        }
        let places = u32::try_from(ahead.len()).unwrap_or(u32::MAX);
        thread::sleep(POLL_INTERVAL.saturating_mul(places).min(MAX_POLL_INTERVAL));
    }
}
