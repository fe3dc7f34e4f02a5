//! Completing a copy that takes the place of a database: where the log comes from, and who had read how far.

use serde_json::{Map, Value, json};

use super::OpsError;
use crate::db::{ReadTx, WriteTx};
use crate::domain::event::{NewEvent, Source};
use crate::domain::time::Stamp;
use crate::store::cursor::Cursor;
use crate::store::event::Head;
use crate::store::{self, StoreError};

/// What the database that is replaced knew and the copy does not.
#[derive(Debug, Default)]
pub struct Old {
    /// Where its log ended.
    pub head: Option<Head>,
    /// How far its consumers had read.
    pub cursors: Option<Vec<Cursor>>,
}

/// Reads what has to be carried over from a database that can still be read.
pub fn read_old(tx: &ReadTx<'_>) -> Result<Old, StoreError> {
    Ok(Old { head: Some(store::event::head(tx)?), cursors: Some(store::cursor::list(tx)?) })
}

/// Appends the event that begins a new epoch of the log, and carries the cursors over. Returns the new head.
///
/// The cursors of the replaced database are the ones that tell what consumers have seen; those that lie
/// behind the end of the restored log are answered `cursor_ahead` from then on.
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
