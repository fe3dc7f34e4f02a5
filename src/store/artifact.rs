//! Artifacts of a run.

use serde_json::Map;

use super::cells::{self, Cells};
use super::{StoreError, event};
use crate::db::{Column, ReadTx, Row, WriteTx};
use crate::domain::artifact::{Artifact, ArtifactStatus};
use crate::domain::event::{NewEvent, Source};
use crate::domain::ids::{ArtifactId, DispatchId, RunId};
use crate::domain::phase::Phase;
use crate::domain::time::Stamp;
use crate::params;

/// An artifact to file.
#[derive(Clone, Debug, serde::Serialize)]
pub struct NewArtifact {
    /// The run that produced it.
    pub run_id: RunId,
    /// The phase to file it under.
    pub phase: Phase,
    /// Its path as given.
    pub path: String,
    pub kind: String,
    /// `sha256:<hex>` of the file.
    pub content_hash: Option<String>,
    /// The dispatch that made it.
    pub dispatch_id: Option<DispatchId>,
}

/// Files an artifact.
///
/// # Errors
/// If there is no such run.
pub fn insert(tx: &WriteTx<'_>, new: &NewArtifact, stamp: &Stamp) -> Result<Artifact, StoreError> {
    let id = ArtifactId::fresh(|id| cells::taken(tx, "run_artifacts", id))?;
    let cells: Cells = vec![
        ("id", id.encode()),
        ("run_id", new.run_id.encode()),
        ("phase", new.phase.encode()),
        ("path", new.path.encode()),
        ("type", new.kind.encode()),
        ("content_hash", new.content_hash.encode()),
        ("status", ArtifactStatus::Active.encode()),
        ("dispatch_id", new.dispatch_id.encode()),
        ("created_at", stamp.secs().encode()),
    ];
    cells::insert(tx, "run_artifacts", &cells)?;
    let created = NewEvent {
        run_id: Some(new.run_id.clone()),
        source: Source::ARTIFACT,
        kind: "add".to_owned(),
        subject: id.to_string(),
        from: String::new(),
        to: ArtifactStatus::Active.to_string(),
        reason: None,
        data: cells::created(&cells),
        envelope: Map::new(),
    };
    event::append(tx, &created, stamp)?;
    get(tx, &id)
}

/// Returns one artifact by id.
///
/// # Errors
/// Fails with [`StoreError::ArtifactNotFound`] if there is none.
pub fn get(tx: &ReadTx<'_>, id: &ArtifactId) -> Result<Artifact, StoreError> {
    tx.query_opt("SELECT * FROM run_artifacts WHERE id = $1", params![*id], from_row)?
        .ok_or_else(|| StoreError::ArtifactNotFound(id.clone()))
}

/// Returns the artifacts of a run in the order they were filed, all or of one phase.
pub fn list(tx: &ReadTx<'_>, run_id: &RunId, phase: Option<&Phase>) -> Result<Vec<Artifact>, StoreError> {
    match phase {
        None => {
            tx.query("SELECT * FROM run_artifacts WHERE run_id = $1 ORDER BY seq", params![*run_id], from_row)
        }
        Some(phase) => tx.query(
            "SELECT * FROM run_artifacts WHERE run_id = $1 AND phase = $2 ORDER BY seq",
            params![*run_id, *phase],
            from_row,
        ),
    }
}

/// Returns the number of artifacts under a phase that count.
pub fn count_active(tx: &ReadTx<'_>, run_id: &RunId, phase: &Phase) -> Result<i64, StoreError> {
    let sql = "SELECT count(*) FROM run_artifacts WHERE run_id = $1 AND phase = $2 AND status = 'active'";
    Ok(tx.scalar(sql, params![*run_id, *phase])?)
}

/// Returns the path of the newest artifact of a kind that counts, for templates.
pub fn newest_path(tx: &ReadTx<'_>, run_id: &RunId, kind: &str) -> Result<Option<String>, StoreError> {
    let path = |row: &Row| Ok::<_, StoreError>(row.get("path")?);
    tx.query_opt(
        "SELECT path FROM run_artifacts WHERE run_id = $1 AND type = $2 AND status = 'active' ORDER BY seq DESC LIMIT 1",
        params![*run_id, kind.to_owned()],
        path,
    )
}

/// Changes whether an artifact counts. `cause` is the event that caused it.
pub fn set_status(
    tx: &WriteTx<'_>,
    artifact: &Artifact,
    status: ArtifactStatus,
    reason: Option<String>,
    cause: i64,
    stamp: &Stamp,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE run_artifacts SET status = $1 WHERE id = $2 AND status = $3",
        params![status, artifact.id, artifact.status],
    )?;
    let old: Cells = vec![("status", artifact.status.encode())];
    let new: Cells = vec![("status", status.encode())];
    let mut data = cells::changed(&old, &new);
    data.insert("cause".to_owned(), cause.into());
    let changed = NewEvent {
        run_id: Some(artifact.run_id.clone()),
        source: Source::ARTIFACT,
        kind: "status_change".to_owned(),
        subject: artifact.id.to_string(),
        from: artifact.status.to_string(),
        to: status.to_string(),
        reason,
        data,
        envelope: Map::new(),
    };
    event::append(tx, &changed, stamp)?;
    Ok(())
}

fn from_row(row: &Row) -> Result<Artifact, StoreError> {
    Ok(Artifact {
        id: row.get("id")?,
        run_id: row.get("run_id")?,
        phase: row.get("phase")?,
        path: row.get("path")?,
        kind: row.get("type")?,
        content_hash: row.get("content_hash")?,
        status: row.get("status")?,
        dispatch_id: row.get("dispatch_id")?,
        created_at: row.get("created_at")?,
    })
}
