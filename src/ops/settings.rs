//! Changing the settings of a run.

use serde_json::{Map, Value, json};

use super::OpsError;
use crate::db::WriteTx;
use crate::domain::autonomy::{Delegation, Level};
use crate::domain::ids::RunId;
use crate::domain::metadata;
use crate::domain::time::Stamp;
use crate::store;
use crate::store::run::Settings;

/// The settings to change; `None` leaves one as it is.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Size of the work.
    pub complexity: Option<i64>,
    /// Whether `advance` moves by itself.
    pub auto_advance: Option<bool>,
    /// Whether automatic skips are off.
    pub force_full: Option<bool>,
    /// The maximum number of dispatches at a time, 0 for no limit.
    pub max_dispatches: Option<i64>,
    /// Members to merge into the metadata.
    pub metadata: Option<Map<String, Value>>,
}

/// A remark about a change that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overridden {
    /// The level whose implication was overridden.
    pub level: Level,
    /// The new `auto_advance`.
    pub auto_advance: bool,
}

/// Changes settings. Of a run that has ended, only the metadata may change.
///
/// # Errors
/// [`StoreError`](store::StoreError) for an unknown run, [`OpsError::OnlyMetadata`] for one that has ended,
/// [`OpsError::SealedMetadata`] for metadata that a close gate has sealed.
pub fn set(
    tx: &WriteTx<'_>,
    id: &RunId,
    request: &Request,
    stamp: &Stamp,
) -> Result<Option<Overridden>, OpsError> {
    let run = store::run::get(tx, id)?;
    let more_than_metadata = request.complexity.is_some()
        || request.auto_advance.is_some()
        || request.force_full.is_some()
        || request.max_dispatches.is_some();
    if run.status.is_terminal() && more_than_metadata {
        return Err(OpsError::OnlyMetadata(run.id));
    }
    let Delegation { level, declared } = super::config::delegation(tx, stamp)?;
    let overridden = request
        .auto_advance
        .filter(|wanted| *wanted != level.auto_advance())
        .map(|auto_advance| Overridden { level, auto_advance });
    let mut changes = request.metadata.clone();
    if let Some(Overridden { auto_advance, level }) = &overridden {
        let note = json!({
            "auto_advance": auto_advance,
            "implied_by_level": level.auto_advance(),
            "delegation_level": level.number(),
            "delegation_name": level.name(),
            "delegation_declared": declared,
            "delegation_source": if declared { "config" } else { "default" },
            "recorded_at": stamp.secs(),
        });
        changes.get_or_insert_default().insert("autonomy_override".to_owned(), note);
    }
    let metadata = changes.map(|changes| merged(&run, changes)).transpose()?;
    let settings = Settings {
        complexity: request.complexity,
        auto_advance: request.auto_advance,
        force_full: request.force_full,
        max_dispatches: request.max_dispatches,
        metadata,
    };
    store::run::set(tx, &run, &settings, stamp)?;
    Ok(overridden)
}

fn merged(run: &crate::domain::run::Run, changes: Map<String, Value>) -> Result<String, OpsError> {
    let mut base = match &run.metadata {
        None => Map::new(),
        Some(text) => metadata::parse(text).map_err(|_| OpsError::StoredMetadata(run.id.clone()))?,
    };
    let before = base.clone();
    metadata::merge(&mut base, changes);
    if let Some(member) = metadata::broken_seal(&before, &base) {
        return Err(OpsError::SealedMetadata(member));
    }
    Ok(Value::from(base).to_string())
}
