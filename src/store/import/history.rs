//! The tables of events, merged by time into the one log: by the second of their creation, within a second
//! table by table in the order below, within a table by number.

use crate::domain::order;
use serde_json::{Map, Value as Json, json};

use super::column::Columns;
use super::keep::Cursor;
use super::rows::Skips;
use super::source::{Shape, quoted};
use super::{Count, Import, about};
use crate::db::{Column, Value};
use crate::domain::event::{NewEvent, Origin, Source as EventSource};
use crate::domain::time::Stamp;
use crate::store::cells::{self, Cells};
use crate::store::{StoreError, event};

/// The conversion of a table of events. A column that is not named here goes into the event's data.
struct Spec {
    table: &'static str,
    /// The source of its events, which is also the name of its position in a cursor.
    source: &'static str,
    kind: &'static str,
    /// The type of events without one.
    otherwise: &'static str,
    subject: &'static str,
    from: &'static str,
    to: &'static str,
    reason: &'static str,
    /// Whether only the kernel wrote its events, and no caller.
    kernel: bool,
    /// Whether cursors count its events.
    followed: bool,
}

const PLAIN: Spec = Spec {
    table: "",
    source: "",
    kind: "event_type",
    otherwise: "event",
    subject: "",
    from: "",
    to: "",
    reason: "",
    kernel: false,
    followed: false,
};

const SPECS: [Spec; 10] = [
    Spec {
        table: "phase_events",
        source: "phase",
        otherwise: "advance",
        subject: "run_id",
        from: "from_phase",
        to: "to_phase",
        reason: "reason",
        kernel: true,
        followed: true,
        ..PLAIN
    },
    Spec {
        table: "dispatch_events",
        source: "dispatch",
        otherwise: "status_change",
        subject: "dispatch_id",
        from: "from_status",
        to: "to_status",
        reason: "reason",
        kernel: true,
        followed: true,
        ..PLAIN
    },
    Spec {
        table: "coordination_events",
        source: "coordination",
        subject: "lock_id",
        from: "owner",
        to: "pattern",
        reason: "reason",
        kernel: true,
        followed: true,
        ..PLAIN
    },
    Spec {
        table: "review_events",
        source: "review",
        otherwise: "disagreement_resolved",
        subject: "finding_id",
        from: "finding_id",
        to: "resolution",
        reason: "agents_json",
        followed: true,
        ..PLAIN
    },
    Spec {
        table: "interspect_events",
        source: "interspect",
        subject: "agent_name",
        from: "agent_name",
        reason: "override_reason",
        followed: true,
        ..PLAIN
    },
    Spec {
        table: "discovery_events",
        source: "discovery",
        subject: "discovery_id",
        from: "from_status",
        to: "to_status",
        reason: "payload",
        followed: true,
        ..PLAIN
    },
    Spec {
        table: "intent_events",
        source: "intent",
        kind: "intent_type",
        subject: "bead_id",
        reason: "error_detail",
        ..PLAIN
    },
    Spec { table: "agency_events", source: "agency", subject: "agency_name", to: "stage", ..PLAIN },
    Spec { table: "lane_events", source: "lane", subject: "lane_id", ..PLAIN },
    Spec { table: "audit_log", source: "audit", subject: "target", from: "actor", ..PLAIN },
];

/// The positions of a cursor in each table.
pub(super) struct Waiting {
    /// The run whose events it counts, if not all.
    pub run: Option<String>,
    /// The last number that was read, by source.
    pub positions: Map<String, Json>,
}

/// A table to be merged.
struct Table {
    name: String,
    source: EventSource,
    spec: &'static Spec,
    count: Count,
}

/// Returns true if a table is one of events: a known one, or any other named like one.
pub(super) fn is_history(name: &str, shape: &Shape) -> bool {
    source_of(name).is_some() && shape.is_numbered()
}

fn spec_of(name: &str) -> &'static Spec {
    SPECS.iter().find(|spec| spec.table == name).unwrap_or(&PLAIN)
}

fn source_of(name: &str) -> Option<EventSource> {
    let spec = spec_of(name);
    let word = if spec.source.is_empty() { name.strip_suffix("_events")? } else { spec.source };
    word.parse().ok()
}

impl Import<'_, '_> {
    /// Appends the history. Returns the skips that it leaves in force, and the cursors with their positions.
    pub(super) fn history(
        &mut self,
        cursors: Vec<(Cursor, Waiting)>,
    ) -> Result<(Skips, Vec<Cursor>), StoreError> {
        let mut tables = self.history_tables();
        let (mut cursors, waiting): (Vec<_>, Vec<_>) = cursors.into_iter().unzip();
        let mut waiting: Vec<_> = waiting.into_iter().enumerate().collect();
        let mut skips = Skips::new();
        let mut last = 0;
        let Some(sql) = self.merged(&tables) else { return Ok((skips, cursors)) };
        let source = self.source.clone();
        source.query(&sql, &[], &mut |place| {
            let number = |name: &str| place.get(name).and_then(Json::as_i64);
            let at = usize::try_from(number("place").unwrap_or(0)).unwrap_or(0);
            let Some((table, n)) = tables.get_mut(at).zip(number("n")) else { return Ok(true) };
            table.count.read += 1;
            let one = format!("SELECT * FROM {} WHERE rowid = $1", quoted(&table.name));
            source.query(&one, &[Value::Int(n)], &mut |row| {
                // A row without a time gets that of its predecessor.
                last = number("at").unwrap_or(last);
                let (id, run) = self.append(table, n, row, last, &mut skips)?;
                table.count.written += 1;
                waiting.retain(|(at, cursor)| {
                    let of_run = cursor.run.is_none() || cursor.run == run;
                    let read = cursor.positions.get(table.spec.source).and_then(Json::as_i64).unwrap_or(0);
                    let unread = table.spec.followed && of_run && n > read;
                    if unread {
                        cursors[*at].unread_after(id - 1);
                    }
                    !unread
                });
                Ok(false)
            })?;
            Ok(true)
        })?;
        for table in tables {
            self.report.history += table.count.written;
            self.report.tables.push(table.count);
        }
        Ok((skips, cursors))
    }

    fn history_tables(&self) -> Vec<Table> {
        let mut tables: Vec<Table> = self
            .source
            .tables()
            .filter(|(name, shape)| is_history(name, shape))
            .filter_map(|(name, _)| {
                let count = Count { table: name.to_owned(), read: 0, written: 0, only_in_log: 0 };
                Some(Table { name: name.to_owned(), source: source_of(name)?, spec: spec_of(name), count })
            })
            .collect();
        let rank =
            |table: &Table| SPECS.iter().position(|spec| spec.table == table.name).unwrap_or(SPECS.len());
        order::by_key(&mut tables, rank);
        tables
    }

    /// Returns the query of the merged order; `None` without a table of events.
    fn merged(&self, tables: &[Table]) -> Option<String> {
        let has_time =
            |name: &str| self.source.tables().any(|(known, shape)| known == name && shape.has("created_at"));
        let parts: Vec<_> = tables
            .iter()
            .enumerate()
            .map(|(at, table)| {
                let time = if has_time(&table.name) { "created_at" } else { "NULL" };
                format!("SELECT {time} AS at, {at} AS place, rowid AS n FROM {}", quoted(&table.name))
            })
            .collect();
        (!parts.is_empty()).then(|| format!("{} ORDER BY at, place, n", parts.join(" UNION ALL ")))
    }

    /// Appends one event. Returns its number and its run.
    fn append(
        &mut self,
        table: &Table,
        number: i64,
        row: Map<String, Json>,
        secs: i64,
        skips: &mut Skips,
    ) -> Result<(i64, Option<String>), StoreError> {
        let spec = table.spec;
        let mut columns = Columns::new(&table.name, &["id"], row, &mut self.report.remarks);
        let run = columns.word("run_id");
        let created = columns.int("created_at");
        if created.is_none() {
            columns.remark("created_at", format!("no time: {secs} taken"));
        }
        let kind = columns.word(spec.kind).unwrap_or_else(|| spec.otherwise.to_owned());
        let from = columns.text(spec.from);
        let to = columns.text(spec.to).unwrap_or_default();
        let reason = columns.word(spec.reason);
        let subject = match spec.subject {
            "run_id" => run.clone(),
            same if same == spec.from => from.clone(),
            other => columns.text(other),
        };
        let from = from.unwrap_or_default();
        let mut data = Map::new();
        if table.source == EventSource::PHASE {
            let told =
                reason.as_deref().and_then(|text| serde_json::from_str::<Map<String, Json>>(text).ok());
            let mut told = told.unwrap_or_default();
            let (result, tier) = (columns.text("gate_result"), columns.text("gate_tier"));
            if result.is_some() || tier.is_some() {
                let conditions = told.remove("conditions").filter(Json::is_array).unwrap_or(json!([]));
                data.insert(
                    "gate".into(),
                    json!({ "result": result, "tier": tier, "conditions": conditions }),
                );
            }
            data.extend(told.remove_entry("override_category"));
            let known = run.as_ref().filter(|run| self.runs.contains(*run) && !to.is_empty());
            if let (Some(run), "skip") = (known, kind.as_str()) {
                let cells = skip(run, &to, reason.as_deref().unwrap_or_default());
                data.extend(cells::created(&cells));
                skips.insert((run.clone(), to.clone()), cells);
            }
        }
        let envelope = match columns.text("envelope_json").map(|text| (serde_json::from_str(&text), text)) {
            Some((Ok(Json::Object(envelope)), _)) => envelope,
            Some((_, text)) if !text.is_empty() => {
                columns.refuse("envelope_json", text, "not a JSON object: left out");
                Map::new()
            }
            _ => Map::new(),
        };
        let mut rest = columns.rest();
        rest.insert("id".to_owned(), number.into());
        data.insert("imported".to_owned(), about(&table.name, rest).into());
        let told = NewEvent {
            run_id: run.as_ref().and_then(|run| run.parse().ok()),
            source: table.source.clone(),
            kind,
            subject: subject.unwrap_or_default(),
            from,
            to,
            reason,
            data,
            envelope,
        };
        let origin = if spec.kernel { Origin::Kernel } else { Origin::External };
        Ok((event::append_as(self.tx, origin, &told, &Stamp::at(secs))?, run))
    }
}

/// Returns a skip in force as a row. The Go program stores it only as an event.
fn skip(run: &str, phase: &str, reason: &str) -> Cells {
    let by = reason.strip_prefix("actor=").and_then(|rest| rest.split_once(": "));
    let (actor, reason) = by.map_or((None, reason), |(actor, reason)| (Some(actor.to_owned()), reason));
    vec![
        ("run_id", run.to_owned().encode()),
        ("phase", phase.to_owned().encode()),
        ("reason", reason.to_owned().encode()),
        ("actor", actor.encode()),
    ]
}
