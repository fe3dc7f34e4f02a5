//! Where a run is: moves along its chain, and skips.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::cells::{self, Cells};
use super::{StoreError, event, run};
use crate::db::{Column, ReadTx, Row, WriteTx};
use crate::domain::envelope::{self, Writer};
use crate::domain::event::{NewEvent, Source};
use crate::domain::gate::Verdict;
use crate::domain::phase::Phase;
use crate::domain::run::{Run, RunStatus};
use crate::domain::time::Stamp;
use crate::params;

/// A phase event about to be written.
#[derive(Clone, Debug)]
pub struct PhaseEvent<'a> {
    /// `advance`, `block`, `skip`, …
    pub kind: &'static str,
    /// The phase that the run is in.
    pub from: &'a Phase,
    /// The phase that it enters, or meant to enter.
    pub to: &'a Phase,
    /// Why.
    pub reason: Option<String>,
    /// The gate's true verdict, where one was asked.
    pub gate: Option<&'a Verdict>,
    /// More of what happened.
    pub data: Map<String, Json>,
    /// More for the envelope.
    pub envelope: Map<String, Json>,
}

impl<'a> PhaseEvent<'a> {
    /// An event of a run that stays in its phase.
    pub fn here(kind: &'static str, run: &'a Run) -> Self {
        Self {
            kind,
            from: &run.phase,
            to: &run.phase,
            reason: None,
            gate: None,
            data: Map::new(),
            envelope: Map::new(),
        }
    }
}

/// Where a move leaves a run.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its phase.
    pub phase: Phase,
    /// Its status.
    pub status: RunStatus,
    /// When it ended, if it did.
    pub completed_at: Option<i64>,
}

/// Moves a run, or ends it where it is, and appends the event that says so; answers the event's number.
///
/// `seen` is the run as the caller read it: if it is no longer in that phase and status, nothing changes. This is the only
/// statement that changes a run's phase or status.
///
/// # Errors
/// * [`StoreError::Terminal`] if the run ended meanwhile.
/// * [`StoreError::StalePhase`] if the run is no longer in that phase.
///
/// Source: seed 000, findings 1, 2, 5 and 7 (PH-01, PH-02).
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

/// Appends a phase event of a run, and nothing else; answers the event's number.
///
/// # Errors
/// What the engine says.
pub fn note(tx: &WriteTx<'_>, run: &Run, event: &PhaseEvent<'_>, stamp: &Stamp) -> Result<i64, StoreError> {
    let (from, to) = (event.from.as_str(), event.to.as_str());
    let mut envelope = envelope::build(
        &Writer {
            policy_version: "phase-machine/v1",
            caller_identity: "phase.store",
            capability_scope: &format!("run:{}", run.id),
            trace_id: run.id.as_str(),
            span: &format!("phase:{}", event.kind),
            parent_span_id: Some(&format!("phase-state:{from}")),
            input: &format!("phase:{from}"),
            output: &format!("phase:{to}"),
        },
        stamp,
    );
    envelope.extend(event.envelope.clone());
    let mut data = event.data.clone();
    if let Some(gate) = event.gate {
        let told = json!({ "result": gate.result, "tier": gate.tier, "conditions": gate.conditions });
        data.insert("gate".to_owned(), told);
    }
    let new = NewEvent {
        run_id: Some(run.id.clone()),
        source: Source::PHASE,
        kind: event.kind.to_owned(),
        subject: run.id.to_string(),
        from: from.to_owned(),
        to: to.to_owned(),
        reason: event.reason.clone(),
        data,
        envelope,
    };
    event::append(tx, &new, stamp)
}

/// The events whose numbers are above `after` and below `before`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The number of the event before the first one.
    pub after: i64,
    /// The number of the event after the last one; `i64::MAX` where there is none yet.
    pub before: i64,
}

/// Returns the parts of the log that are the run's latest stay in `phase`, newest first. There are none if the run has
/// not been there, or if its stay was undone by a rollback.
///
/// A stay lasts from the move into the phase to the next move. A rollback that was itself undone interrupts a stay and
/// does not end it, which is why a stay may have several parts.
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
    /// Why.
    pub reason: String,
    /// Who asked; [`AUTO`] for the kernel itself.
    pub actor: Option<String>,
}

/// The actor of skips that `run create --auto-skip` records: a rollback leaves those in force (PH-12).
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

/// The skips in force of a run, by phase.
///
/// # Errors
/// What the engine says.
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

/// Puts a skip in force; answers the event's number. The caller has checked that the phase may be skipped and is not yet.
///
/// # Errors
/// What the engine says.
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

/// Takes a skip back; answers the event's number. `reason` is why it is taken back; `cause` is the event that brought it
/// about, if not a caller.
///
/// # Errors
/// What the engine says.
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
