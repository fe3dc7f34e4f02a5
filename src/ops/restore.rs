//! Completing a copy that replaces a database: the origin of its log, and the positions of consumers.

use serde_json::{Map, Value, json};

use super::OpsError;
use crate::db::{ReadTx, WriteTx};
use crate::domain::event::{NewEvent, Source};
use crate::domain::time::Stamp;
use crate::store::cursor::Cursor;
use crate::store::event::Head;
use crate::store::{self, StoreError};

/// The content of the replaced database that the copy takes over.
#[derive(Debug, Default)]
pub struct Old {
    /// The end of its log.
    pub head: Option<Head>,
    /// The cursors of its consumers.
    pub cursors: Option<Vec<Cursor>>,
}

/// Reads the content to take over from a readable database.
pub fn read_old(tx: &ReadTx<'_>) -> Result<Old, StoreError> {
    Ok(Old { head: Some(store::event::head(tx)?), cursors: Some(store::cursor::list(tx)?) })
}

/// Appends the event that begins a new epoch of the log, and takes over the cursors. Returns the new head.
///
/// The cursors of the replaced database say what consumers have seen. Those after the end of the restored log
/// fail with `cursor_ahead` from then on.
pub fn seal(
    tx: &WriteTx<'_>,
    old: &Old,
    from: &str,
    kept: Option<&str>,
    stamp: &Stamp,
) -> Result<Head, OpsError> {
    let head = store::event::head(tx)?;
    let mut data = Map::new();
    data.insert("backup".to_owned(), from.into());
    data.insert("backup_head".to_owned(), end(&head));
    data.insert("replaced_head".to_owned(), old.head.as_ref().map_or(Value::Null, end));
    data.insert("kept".to_owned(), json!(kept));
    let event = NewEvent {
        run_id: None,
        source: Source::LOG,
        kind: "restore".to_owned(),
        subject: String::new(),
        from: String::new(),
        to: String::new(),
        reason: None,
        data,
        envelope: Map::new(),
    };
    store::event::append(tx, &event, stamp)?;
    if let Some(cursors) = &old.cursors {
        store::cursor::replace_all(tx, cursors)?;
    }
    Ok(store::event::head(tx)?)
}

fn end(head: &Head) -> Value {
    head.to_string().into()
}
