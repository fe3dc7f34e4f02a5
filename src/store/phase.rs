//! The phase of a run: moves along its chain, and skips.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::cells::{self, Cells};
pub use super::phase_event::{PhaseEvent, note};
use super::{StoreError, event, run};
use crate::db::{Column, ReadTx, Row, WriteTx};
use crate::domain::phase::Phase;
use crate::domain::run::{Run, RunStatus};
use crate::domain::time::Stamp;
use crate::params;

/// The state of a run after a move.
#[derive(Clone, Debug)]
pub struct Place {
    pub phase: Phase,
    pub status: RunStatus,
    /// The time of its end, if it has ended.
    pub completed_at: Option<i64>,
}

/// Moves a run, or ends it in its phase, and appends the event. Returns the event's number.
///
/// `seen` is the run as the caller read it: if it is no longer in that phase and status, nothing changes.
/// This is the only statement that changes a run's phase or status.
///
/// # Errors
/// * [`StoreError::Terminal`] if the run has ended.
/// * [`StoreError::StalePhase`] if the run is no longer in that phase.
pub fn transit(
    tx: &WriteTx<'_>,
    seen: &Run,
    place: &Place,
    event: PhaseEvent<'_>,
    stamp: &Stamp,
) -> Result<i64, StoreError> {
    let before: Cells = vec![
        ("phase", seen.phase.encode()),
        ("status", seen.status.encode()),
        ("completed_at", seen.completed_at.encode()),
        ("updated_at", seen.updated_at.encode()),
    ];
    let after: Cells = vec![
        ("phase", place.phase.encode()),
        ("status", place.status.encode()),
        ("completed_at", place.completed_at.encode()),
        ("updated_at", stamp.secs().encode()),
    ];
    let changed = tx.execute(
        "UPDATE runs SET phase = $1, status = $2, completed_at = $3, updated_at = $4 \
         WHERE id = $5 AND phase = $6 AND status = $7",
        params![
            place.phase,
            place.status,
            place.completed_at,
            stamp.secs(),
            seen.id,
            seen.phase,
            seen.status
        ],
    )?;
    if changed == 0 {
        return Err(run::moved_on(tx, seen)?);
    }
    let mut data = event.data;
    data.extend(cells::changed(&before, &after));
    note(tx, seen, &PhaseEvent { data, ..event }, stamp)
}

/// The events whose numbers are above `after` and below `before`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The number of the event before the first one.
    pub after: i64,
    /// The number of the event after the last one; `i64::MAX` if there is none yet.
    pub before: i64,
}

/// Returns the parts of the log that are the run's latest stay in `phase`, newest first. There are none if
/// the run has not been there, or if its stay was undone by a rollback.
///
/// A stay lasts from the move into the phase to the next move. A rollback that was itself undone interrupts a
/// stay and does not end it, which is why a stay may have several parts.
///
/// # Errors
/// Fails if the log cannot be read.
pub fn stay(tx: &ReadTx<'_>, run: &Run, phase: &Phase) -> Result<Vec<Span>, StoreError> {
    let chain = run.chain();
    let mut here = run.phase.as_str().to_owned();
    let (mut spans, mut before) = (Vec::new(), i64::MAX);
    while let Some(event) = event::last_move(tx, &run.id, before)? {
        spans.push(Span { after: event.id, before });
        let undone =
            event.data().get("undoes").and_then(Json::as_i64).filter(|rollback| *rollback < event.id);
        before = undone.unwrap_or(event.id);
        if undone.is_some() {
            continue;
        }
        if here == phase.as_str() {
            return Ok(spans);
        }
        let target = event.to.parse().ok().and_then(|to: Phase| chain.index(&to));
        if event.kind == "rollback" && chain.index(phase) > target {
            return Ok(Vec::new());
        }
        here = event.from;
        spans.clear();
    }
    if here != phase.as_str() {
        return Ok(Vec::new());
    }
    let first = event::first_of_run(tx, &run.id)?.unwrap_or(0);
    spans.push(Span { after: first - 1, before });
    Ok(spans)
}

/// A skip in force.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Skip {
    pub reason: String,
    /// The caller; [`AUTO`] for the kernel itself.
    pub actor: Option<String>,
}

/// The actor of skips that `run create --auto-skip` records: a rollback leaves those in force.
pub const AUTO: &str = "auto";

impl Skip {
    fn cells(&self, run: &Run, phase: &Phase) -> Cells {
        vec![
            ("run_id", run.id.encode()),
            ("phase", phase.encode()),
            ("reason", self.reason.encode()),
            ("actor", self.actor.encode()),
        ]
    }

    fn event_reason(&self) -> String {
        self.actor
            .as_ref()
            .map_or_else(|| self.reason.clone(), |actor| format!("actor={actor}: {}", self.reason))
    }
}

/// Returns the skips in force of a run, by phase.
pub fn skips(tx: &ReadTx<'_>, run: &Run) -> Result<BTreeMap<Phase, Skip>, StoreError> {
    let skip = |row: &Row| {
        Ok::<_, StoreError>((
            row.get("phase")?,
            Skip { reason: row.get("reason")?, actor: row.get("actor")? },
        ))
    };
    let sql = "SELECT phase, reason, actor FROM phase_skips WHERE run_id = $1 ORDER BY phase";
    let mut skips = BTreeMap::new();
    skips.extend(tx.query(sql, params![run.id], skip)?);
    Ok(skips)
}

/// Inserts a skip. Returns the event's number. The caller has checked that the phase may be skipped and is
/// not skipped yet.
pub fn add_skip(
    tx: &WriteTx<'_>,
    run: &Run,
    phase: &Phase,
    skip: &Skip,
    cause: Option<i64>,
    stamp: &Stamp,
) -> Result<i64, StoreError> {
    let cells = skip.cells(run, phase);
    cells::insert(tx, "phase_skips", &cells)?;
    let mut data = cells::created(&cells);
    data.extend(cause.map(|id| ("cause".to_owned(), id.into())));
    let event =
        PhaseEvent { to: phase, reason: Some(skip.event_reason()), data, ..PhaseEvent::here("skip", run) };
    note(tx, run, &event, stamp)
}

/// Removes a skip. Returns the event's number. `reason` is the reason of the removal; `cause` is the event
/// that caused it, if no caller did.
pub fn clear_skip(
    tx: &WriteTx<'_>,
    run: &Run,
    phase: &Phase,
    skip: &Skip,
    reason: Option<String>,
    cause: Option<i64>,
    stamp: &Stamp,
) -> Result<i64, StoreError> {
    tx.execute("DELETE FROM phase_skips WHERE run_id = $1 AND phase = $2", params![run.id, *phase])?;
    let mut data = cells::removed(&skip.cells(run, phase));
    data.extend(cause.map(|id| ("cause".to_owned(), id.into())));
    let event = PhaseEvent { to: phase, reason, data, ..PhaseEvent::here("unskip", run) };
    note(tx, run, &event, stamp)
}
