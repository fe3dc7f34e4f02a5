//! Importing the tables that have events: runs and what belongs to them, dispatches, locks.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::column::Columns;
use super::{Count, Import, Made};
use crate::db::{Column, ReadTx, Row};
use crate::domain::action::{ActionMode, ActionType};
use crate::domain::agent::AgentStatus;
use crate::domain::artifact::ArtifactStatus;
use crate::domain::dispatch::DispatchStatus;
use crate::domain::event::Source as EventSource;
use crate::domain::ids::RunId;
use crate::domain::metadata;
use crate::domain::phase::Chain;
use crate::domain::rules::GateRules;
use crate::domain::run::RunStatus;
use crate::params;
use crate::store::StoreError;
use crate::store::cells::{self, Cells};

/// The duration of a named lock without an end, in seconds.
const NAMED_LOCK_TTL: i64 = 300;

/// The phase of rows without one.
const NO_PHASE: &str = "unknown";

/// Skips in force by run and phase, as rows.
pub(super) type Skips = BTreeMap<(String, String), Cells>;

type Object = Map<String, Json>;

impl Import<'_, '_> {
    /// Imports the runs, parents before their children.
    pub(super) fn runs(&mut self) -> Result<(), StoreError> {
        let mut count = Count { table: "runs".to_owned(), read: 0, written: 0, only_in_log: 0 };
        let mut waiting: Vec<Object> = Vec::new();
        self.source.clone().rows("runs", &mut |row| {
            count.read += 1;
            if self.awaits_parent(&row)? {
                waiting.push(row);
            } else if self.run_row(row)? {
                count.written += 1;
            }
            Ok(())
        })?;
        while !waiting.is_empty() {
            let before = waiting.len();
            for row in std::mem::take(&mut waiting) {
                if self.awaits_parent(&row)? {
                    waiting.push(row);
                } else if self.run_row(row)? {
                    count.written += 1;
                }
            }
            if waiting.len() == before {
                // Parents form a circle: following them from any run leads into it, and one run in it loses
                // its parent.
                let above = |at: usize| {
                    let parent = waiting[at].get("parent_run_id");
                    waiting.iter().position(|row| row.get("id") == parent)
                };
                let at = (0..before).try_fold(0, |at, _| above(at)).unwrap_or(0);
                let row = waiting.remove(at);
                count.written += i64::from(self.run_row(row)?);
            }
        }
        count.only_in_log = count.read - count.written;
        self.report.tables.push(count);
        Ok(())
    }

    /// Returns true if the parent of a run was not imported yet.
    fn awaits_parent(&self, row: &Object) -> Result<bool, StoreError> {
        let Some(parent) = row.get("parent_run_id").and_then(Json::as_str) else { return Ok(false) };
        Ok(self.runs.contains(parent) && phase_of(self.tx, parent)?.is_none())
    }

    fn run_row(&mut self, row: Object) -> Result<bool, StoreError> {
        let orphan = match row.get("parent_run_id").and_then(Json::as_str) {
            Some(parent) if !self.runs.contains(parent) => Some("there is no such run"),
            Some(parent) if phase_of(self.tx, parent)?.is_none() => Some("it is itself below this run"),
            _ => None,
        };
        let mut columns = Columns::new("runs", &["id"], row, &mut self.report.remarks);
        let id = columns.word("id").unwrap_or_default();
        let dir = columns.text("project_dir").unwrap_or_default();
        let chain_text =
            columns.checked("phases", &|text| text.parse::<Chain>().map(drop).map_err(|err| err.to_string()));
        let chain: Chain = chain_text.as_ref().and_then(|text| text.parse().ok()).unwrap_or_default();
        let phase = columns.required("phase", chain.first().as_str());
        if !chain.phases().iter().any(|known| known.as_str() == phase) {
            columns.remark(
                "phase",
                format!("\"{phase}\" is not in the chain: the run can be read, and not advanced"),
            );
        }
        let rules = |text: &str| GateRules::parse(text, &chain).map(drop).map_err(|err| err.to_string());
        let object = |text: &str| metadata::parse(text).map(drop).map_err(|err| err.to_string());
        let parent = |_: &str| orphan.map_or(Ok(()), |why| Err(why.to_owned()));
        let cells: Cells = vec![
            ("id", id.encode()),
            ("project_key", if dir.is_empty() { String::new() } else { (self.key)(&dir) }.encode()),
            ("project_dir", dir.encode()),
            ("goal", columns.text("goal").unwrap_or_default().encode()),
            ("status", columns.one_of("status", RunStatus::Active, RunStatus::Failed).encode()),
            ("phase", phase.encode()),
            ("complexity", columns.int("complexity").unwrap_or(3).encode()),
            ("force_full", columns.flag("force_full", false).encode()),
            ("auto_advance", columns.flag("auto_advance", true).encode()),
            ("created_at", columns.time("created_at").encode()),
            ("updated_at", columns.time("updated_at").encode()),
            ("completed_at", columns.int("completed_at").encode()),
            ("scope_id", columns.text("scope_id").encode()),
            ("metadata", columns.checked("metadata", &object).encode()),
            ("phases", chain_text.encode()),
            ("token_budget", columns.int("token_budget").encode()),
            ("budget_warn_pct", columns.int("budget_warn_pct").unwrap_or(80).encode()),
            ("parent_run_id", columns.checked("parent_run_id", &parent).encode()),
            ("goal_id", columns.text("goal_id").encode()),
            ("max_dispatches", columns.int("max_dispatches").unwrap_or(0).encode()),
            ("budget_enforce", columns.flag("budget_enforce", false).encode()),
            ("max_agents", columns.int("max_agents").unwrap_or(0).encode()),
            ("gate_rules", columns.checked("gate_rules", &rules).encode()),
        ];
        let rest = columns.rest();
        let made = Made {
            cells,
            telemetry: Vec::new(),
            source: EventSource::RUN,
            run_id: id.parse().ok(),
            subject: id,
            from: String::new(),
            to: phase,
        };
        self.put("runs", made, rest)
    }

    /// Inserts the skips that the history leaves in force.
    pub(super) fn skips(&mut self, skips: Skips) -> Result<(), StoreError> {
        let read = i64::try_from(skips.len()).unwrap_or(i64::MAX);
        for cells in skips.into_values() {
            cells::insert(self.tx, "phase_skips", &cells)?;
        }
        self.report.tables.push(Count {
            table: "phase_skips".to_owned(),
            read,
            written: read,
            only_in_log: 0,
        });
        Ok(())
    }

    pub(super) fn agent(&mut self, row: Object) -> Result<bool, StoreError> {
        let mut columns = Columns::new("run_agents", &["id"], row, &mut self.report.remarks);
        let id = columns.word("id").unwrap_or_default();
        let run = columns.word("run_id").unwrap_or_default();
        // The old table does not have its phase. With the run's own, the next rollback fails it if it is
        // still active, as the Go program would have done.
        let phase = phase_of(self.tx, &run)?.unwrap_or_else(|| NO_PHASE.to_owned());
        let status = columns.one_of("status", AgentStatus::Active, AgentStatus::Failed);
        let cells: Cells = vec![
            ("id", id.encode()),
            ("run_id", run.encode()),
            ("agent_type", columns.text("agent_type").unwrap_or_else(|| "claude".to_owned()).encode()),
            ("name", columns.text("name").encode()),
            ("status", status.encode()),
            ("phase", phase.encode()),
            ("dispatch_id", columns.word("dispatch_id").encode()),
            ("created_at", columns.time("created_at").encode()),
            ("updated_at", columns.time("updated_at").encode()),
        ];
        let rest = columns.rest();
        self.put("run_agents", of_run(EventSource::AGENT, cells, id, &run, status.as_str()), rest)
    }

    pub(super) fn artifact(&mut self, row: Object) -> Result<bool, StoreError> {
        let mut columns = Columns::new("run_artifacts", &["id"], row, &mut self.report.remarks);
        let id = columns.word("id").unwrap_or_default();
        let run = columns.word("run_id").unwrap_or_default();
        let status = columns.one_of("status", ArtifactStatus::Active, ArtifactStatus::RolledBack);
        let cells: Cells = vec![
            ("id", id.encode()),
            ("run_id", run.encode()),
            ("phase", columns.required("phase", NO_PHASE).encode()),
            ("path", columns.text("path").unwrap_or_default().encode()),
            ("type", columns.text("type").unwrap_or_else(|| "file".to_owned()).encode()),
            ("content_hash", columns.text("content_hash").encode()),
            ("status", status.encode()),
            ("dispatch_id", columns.word("dispatch_id").encode()),
            ("created_at", columns.time("created_at").encode()),
        ];
        let rest = columns.rest();
        self.put("run_artifacts", of_run(EventSource::ARTIFACT, cells, id, &run, status.as_str()), rest)
    }

    pub(super) fn action(&mut self, row: Object) -> Result<bool, StoreError> {
        let mut columns = Columns::new("phase_actions", &["id"], row, &mut self.report.remarks);
        let id = columns.int("id");
        let run = columns.word("run_id").unwrap_or_default();
        let cells: Cells = vec![
            ("id", id.encode()),
            ("run_id", run.encode()),
            ("phase", columns.required("phase", NO_PHASE).encode()),
            ("action_type", columns.one_of("action_type", ActionType::Command, ActionType::Command).encode()),
            ("command", columns.text("command").unwrap_or_default().encode()),
            ("args", columns.text("args").encode()),
            ("mode", columns.one_of("mode", ActionMode::Interactive, ActionMode::Interactive).encode()),
            ("priority", columns.int("priority").unwrap_or(0).encode()),
            ("created_at", columns.time("created_at").encode()),
            ("updated_at", columns.time("updated_at").encode()),
        ];
        let rest = columns.rest();
        let subject = id.map(|id| id.to_string()).unwrap_or_default();
        self.put("phase_actions", of_run(EventSource::ACTION, cells, subject, &run, ""), rest)
    }

    pub(super) fn dispatch(&mut self, row: Object) -> Result<bool, StoreError> {
        let has_pid = row.get("pid").is_some_and(|pid| !pid.is_null());
        let mut columns = Columns::new("dispatches", &["id"], row, &mut self.report.remarks);
        let id = columns.word("id").unwrap_or_default();
        let status = columns.one_of("status", DispatchStatus::Spawned, DispatchStatus::Failed);
        if has_pid && !status.is_terminal() {
            // A pid alone is not an identity: it is kept in the event, and never signalled.
            columns.remark("pid", "a process known by its number alone is not followed");
        }
        let scope = columns.text("scope_id");
        let cells: Cells = vec![
            ("id", id.encode()),
            ("agent_type", columns.text("agent_type").unwrap_or_else(|| "codex".to_owned()).encode()),
            ("status", status.encode()),
            ("project_dir", columns.text("project_dir").unwrap_or_default().encode()),
            ("prompt_file", columns.text("prompt_file").encode()),
            ("prompt_hash", columns.text("prompt_hash").encode()),
            ("output_file", columns.text("output_file").encode()),
            ("verdict_file", columns.text("verdict_file").encode()),
            ("name", columns.text("name").encode()),
            ("model", columns.text("model").encode()),
            ("sandbox", columns.text("sandbox").encode()),
            ("sandbox_spec", columns.json("sandbox_spec").encode()),
            ("sandbox_effective", columns.json("sandbox_effective").encode()),
            ("timeout_sec", columns.int("timeout_sec").encode()),
            ("scope_id", scope.encode()),
            ("parent_id", columns.text("parent_id").encode()),
            ("parent_dispatch_id", columns.word("parent_dispatch_id").encode()),
            ("spawn_depth", columns.int("spawn_depth").unwrap_or(0).encode()),
            ("base_repo_commit", columns.text("base_repo_commit").encode()),
            ("retry_count", columns.int("retry_count").unwrap_or(0).encode()),
            ("verdict_status", columns.text("verdict_status").encode()),
            ("verdict_summary", columns.text("verdict_summary").encode()),
            ("exit_code", columns.int("exit_code").encode()),
            ("error_message", columns.text("error_message").encode()),
            ("created_at", columns.time("created_at").encode()),
            ("started_at", columns.int("started_at").encode()),
            ("completed_at", columns.int("completed_at").encode()),
        ];
        let mut telemetry: Cells = ["turns", "commands", "messages", "input_tokens", "output_tokens"]
            .map(|name| (name, columns.int(name).unwrap_or(0).encode()))
            .into();
        telemetry.push(("cache_hits", columns.int("cache_hits").encode()));
        let rest = columns.rest();
        let run = scope.filter(|scope| self.runs.contains(scope)).unwrap_or_default();
        let made = of_run(EventSource::DISPATCH, cells, id, &run, status.as_str());
        self.put("dispatches", Made { telemetry, ..made }, rest)
    }

    pub(super) fn lock(&mut self, row: Object) -> Result<bool, StoreError> {
        let mut columns = Columns::new("coordination_locks", &["id"], row, &mut self.report.remarks);
        let id = columns.word("id").unwrap_or_default();
        let known = |text: &str| match text {
            "file_reservation" | "named_lock" | "write_set" => Ok(()),
            other => Err(format!("\"{other}\" is not a type of lock: file_reservation taken")),
        };
        let kind = columns.checked("type", &known).unwrap_or_else(|| "file_reservation".to_owned());
        let (owner, pattern) =
            (columns.text("owner").unwrap_or_default(), columns.text("pattern").unwrap_or_default());
        let created_at = columns.time("created_at");
        let released_at = columns.int("released_at");
        let mut ttl = columns.int("ttl_seconds");
        let mut expires_at = columns.int("expires_at");
        if kind == "named_lock" && expires_at.is_none() {
            // A lock that is held expires later than it would have, so that its owner has time to renew it.
            // Its own end has precedence.
            let held = released_at.is_none() && ttl.is_none();
            let from = if held { self.stamp.secs() } else { created_at };
            let lasts = *ttl.get_or_insert(NAMED_LOCK_TTL);
            expires_at = Some(from.saturating_add(lasts));
            columns.refuse(
                "expires_at",
                Json::Null,
                format!("a named lock has to end: {lasts} seconds taken"),
            );
        }
        let run = columns.word("run_id");
        let cells: Cells = vec![
            ("id", id.encode()),
            ("type", kind.encode()),
            ("owner", owner.encode()),
            ("scope", columns.text("scope").unwrap_or_default().encode()),
            ("pattern", pattern.encode()),
            ("exclusive", columns.flag("exclusive", true).encode()),
            ("reason", columns.text("reason").encode()),
            ("ttl_seconds", ttl.encode()),
            ("created_at", created_at.encode()),
            ("expires_at", expires_at.encode()),
            ("released_at", released_at.encode()),
            ("dispatch_id", columns.word("dispatch_id").encode()),
            ("run_id", run.encode()),
            ("fence", 0_i64.encode()),
        ];
        let rest = columns.rest();
        let made = of_run(EventSource::COORDINATION, cells, id, &run.unwrap_or_default(), &pattern);
        self.put("coordination_locks", Made { from: owner, ..made }, rest)
    }
}

/// Creates a row that may belong to a run.
fn of_run(source: EventSource, cells: Cells, subject: String, run: &str, to: &str) -> Made {
    Made {
        cells,
        telemetry: Vec::new(),
        source,
        run_id: run.parse::<RunId>().ok(),
        subject,
        from: String::new(),
        to: to.to_owned(),
    }
}

/// Returns the phase of an imported run.
fn phase_of(tx: &ReadTx<'_>, run: &str) -> Result<Option<String>, StoreError> {
    let phase = |row: &Row| Ok::<_, StoreError>(row.get("phase")?);
    tx.query_opt("SELECT phase FROM runs WHERE id = $1", params![run.to_owned()], phase)
}
