//! Database work that must not be lost to a busy database or a full disk.

use std::thread;
use std::time::Duration;

use crate::app::{Code, CommandContext, Error};
use crate::db::{DbError, WriteTx};
use crate::domain::time::Stamp;

/// How often an attempt is repeated.
const MAX_RETRIES: u32 = 20;
/// The first pause between two attempts; each further one is longer by the same amount.
const BACKOFF: Duration = Duration::from_millis(100);

/// Writes, and repeats the attempt as [`insist`] does.
pub(super) fn persist<T, E>(
    cx: &mut CommandContext,
    mut f: impl FnMut(&WriteTx<'_>, &Stamp) -> Result<T, E>,
) -> Result<T, Error>
where
    E: From<DbError>,
    Error: From<E>,
{
    insist(|| {
        let stamp = cx.now();
        cx.write(|tx| f(tx, &stamp))
    })
}

/// Repeats an attempt, for minutes if need be, while the database is busy, or its disk is full or fails. An
/// attempt whose outcome is in doubt is repeated too, so it must be harmless to make it twice.
pub(super) fn insist<T>(mut attempt: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    let mut retries = 0;
    loop {
        match attempt() {
            Err(err)
                if matches!(err.code(), Code::DbBusy | Code::DbFull | Code::DbError | Code::DbInDoubt)
                    && retries < MAX_RETRIES =>
            {
                retries += 1;
                thread::sleep(BACKOFF * retries);
            }
            done => return done,
        }
    }
}
