//! Operations for files of other programs: reading without a trace, rows of any shape, and taking a file out
//! of use.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Map, Value as Json};

use super::{Conn, map};
use crate::db::error::DbError;
use crate::db::value::Value;

impl Conn {
    /// Opens an existing file for reading only; its log is read and not changed. With `immutable` no lock is
    /// taken and no file is created beside it: the caller knows that no process changes the file.
    pub(in crate::db) fn open_read_only(
        path: &Path,
        immutable: bool,
        busy_timeout: Duration,
    ) -> Result<Self, DbError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let inner = if immutable {
            let mut uri = b"file:".to_vec();
            for &byte in path.as_os_str().as_encoded_bytes() {
                match byte {
                    b'%' | b'?' | b'#' => uri.extend(format!("%{byte:02x}").bytes()),
                    _ => uri.push(byte),
                }
            }
            uri.extend(b"?immutable=1");
            Connection::open_with_flags(OsStr::from_bytes(&uri), flags | OpenFlags::SQLITE_OPEN_URI)
        } else {
            Connection::open_with_flags(path, flags)
        };
        let conn = Self::set_up(inner.map_err(|err| map(path, err))?, path, busy_timeout)?;
        conn.never_checkpoint()?;
        Ok(conn)
    }

    /// Does the same as [`Conn::query`] for a file of another program, with each row as an object. A value
    /// that JSON cannot represent is an object with the bytes as hexadecimal digits.
    pub(in crate::db) fn query_objects<E: From<DbError>>(
        &self,
        sql: &str,
        params: &[Value],
        each: &mut dyn FnMut(Map<String, Json>) -> Result<bool, E>,
    ) -> Result<(), E> {
        let failed = |err| E::from(map(&self.path, err));
        let mut statement = self.inner.prepare_cached(sql).map_err(failed)?;
        let columns: Vec<String> = statement.column_names().map(ToOwned::to_owned).collect();
        let mut rows = statement.query(rusqlite::params_from_iter(params)).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let mut object = Map::new();
            for (at, column) in columns.iter().enumerate() {
                object.insert(column.clone(), json(row.get_ref(at).map_err(failed)?));
            }
            if !each(object)? {
                break;
            }
        }
        Ok(())
    }

    /// Moves the log into the file and turns it off, which works only if no other process has the file open.
    ///
    /// # Errors
    /// [`DbError::Busy`] at once if one has: SQLite does not call the busy handler here.
    pub(in crate::db) fn leave_wal(&self) -> Result<(), DbError> {
        let set =
            self.inner.pragma_update_and_check(None, "journal_mode", "delete", |row| row.get::<_, String>(0));
        match set.map_err(|err| map(&self.path, err))? {
            mode if mode == "delete" => Ok(()),
            _ => Err(DbError::Busy),
        }
    }

    /// Returns true if the file has a write-ahead log.
    pub(in crate::db) fn is_wal(&self) -> Result<bool, DbError> {
        let mode = self.inner.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0));
        mode.map(|mode| mode == "wal").map_err(|err| map(&self.path, err))
    }
}

fn json(value: ValueRef<'_>) -> Json {
    let hex = |bytes: &[u8]| serde_json::json!({ "hex": crate::domain::text::hex(bytes) });
    match value {
        ValueRef::Null => Json::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => {
            serde_json::Number::from_f64(number).map_or_else(|| number.to_string().into(), Json::Number)
        }
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).map_or_else(|_| hex(bytes), Json::from),
        ValueRef::Blob(bytes) => hex(bytes),
    }
}
