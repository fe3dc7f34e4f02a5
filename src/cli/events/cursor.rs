//! `ic events cursor …`: how far each consumer has read.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::json;

use crate::app::Error;
use crate::cli::output::View;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx};
use crate::db::ReadTx;
use crate::domain::ids::RunId;
use crate::domain::text::one_line;
use crate::ops::consume::{self, Consumer};
use crate::store::cursor::Cursor;
use crate::store::{self, StoreError};

/// Reads the name of a consumer.
pub(in crate::cli) fn consumer(text: &str) -> Result<String, String> {
    match text.len() {
        0 => Err("must not be empty".to_owned()),
        1..=200 if text.chars().any(char::is_control) => {
            Err("must not contain control characters".to_owned())
        }
        1..=200 => Ok(text.to_owned()),
        _ => Err("must have at most 200 bytes".to_owned()),
    }
}

/// Whose cursor.
#[derive(Clone, Debug, clap::Args)]
struct Whose {
    /// The consumer
    #[arg(value_parser = consumer)]
    consumer: String,
    /// Its cursor of this run's events, not of all
    #[arg(long, value_name = "ID")]
    run: Option<RunId>,
}

impl From<Whose> for Consumer {
    fn from(whose: Whose) -> Self {
        let run_id = whose.run.map_or_else(String::new, |run| run.as_str().to_owned());
        Self { name: whose.consumer, run_id }
    }
}

/// List the cursors of all consumers
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic events cursor list --json")]
pub(in crate::cli) struct List {}

#[derive(Serialize)]
struct Shown {
    scope: String,
    consumer: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    run_id: String,
    position: i64,
    durable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    expired: bool,
    updated_at: i64,
}

impl Shown {
    fn new(cursor: Cursor, cx: &Cx) -> Self {
        let expired = consume::has_expired(&cursor, &cx.stamp);
        let scope = if cursor.run_id.is_empty() {
            cursor.consumer.clone()
        } else {
            format!("{}:{}", cursor.consumer, cursor.run_id)
        };
        Self {
            scope,
            consumer: cursor.consumer,
            run_id: cursor.run_id,
            position: cursor.position,
            durable: cursor.durable,
            expires_at: cursor.expires_at,
            expired,
            updated_at: cursor.updated_at,
        }
    }
}

/// Cursors as older callers know them: a number of each source, which is the same number for all of them now.
struct Table(Vec<Shown>);

impl Serialize for Table {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl View for Table {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        for cursor in &self.0 {
            let at = cursor.position;
            let payload = json!({ "position": at, "phase": at, "dispatch": at, "interspect": at, "discovery": at,
                "review": at, "coordination": at });
            writeln!(w, "{}\t{payload}", one_line(&cursor.scope))?;
        }
        Ok(())
    }
}

impl Verb for List {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let cursors = cx.read(store::cursor::list)?;
        let shown = cursors.into_iter().map(|cursor| Shown::new(cursor, cx)).collect();
        cx.out.show(&Table(shown))?;
        Ok(Answer::Yes)
    }
}

/// Print how far a consumer has read
///
/// The number of the last event that it has seen. A consumer that is not known, whose time is over or that is ahead of the
/// log is exit code 1.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic events tail --all --since=\"$(ic events cursor get dashboard)\"")]
pub(in crate::cli) struct Get {
    #[command(flatten)]
    whose: Whose,
}

impl View for Shown {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{}", self.position)
    }
}

impl Verb for Get {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let consumer = Consumer::from(self.whose);
        let stamp = cx.stamp.clone();
        let cursor = cx.read(|tx| {
            let cursor = require(tx, &consumer)?;
            consume::position(tx, &consumer, &stamp)?;
            Ok::<_, Error>(cursor)
        })?;
        cx.out.show(&Shown::new(cursor, cx))?;
        Ok(Answer::Yes)
    }
}

fn require(tx: &ReadTx<'_>, consumer: &Consumer) -> Result<Cursor, StoreError> {
    consume::find(tx, consumer)?.ok_or_else(|| StoreError::CursorNotFound(consumer.name.clone()))
}

/// Say how far a consumer has read
///
/// With `ic events tail --ack` this is what moves the cursor: pass the number of the last event that was dealt with. Going
/// back needs --force.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic events cursor set dashboard 120")]
pub(in crate::cli) struct Set {
    #[command(flatten)]
    whose: Whose,
    /// Number of the last event that it has seen
    #[arg(value_parser = clap::value_parser!(i64).range(0..))]
    position: i64,
    /// Also go back
    #[arg(long)]
    force: bool,
}

impl Verb for Set {
    const KEPT: &'static [&'static str] = &["consumer", "run"];

    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let consumer = Consumer::from(self.whose);
        let stamp = cx.stamp.clone();
        let cursor = cx.write(|tx| {
            consume::set(tx, &consumer, self.position, self.force, &stamp)?;
            Ok::<_, Error>(require(tx, &consumer)?)
        })?;
        cx.out.show(&Shown::new(cursor, cx))?;
        Ok(Answer::Yes)
    }
}

/// Make a consumer known
///
/// A new one starts before the first event. One that is known keeps its position; one whose time was over goes on where it
/// stopped. A cursor is kept for a day after it was moved; a durable one for ever.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic events cursor register dashboard --durable")]
pub(in crate::cli) struct Register {
    #[command(flatten)]
    whose: Whose,
    /// Keep the cursor for ever
    #[arg(long)]
    durable: bool,
}

#[derive(Serialize)]
struct Registered {
    consumer: String,
    durable: bool,
}

impl View for Registered {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        let kept = if self.durable { "durable" } else { "ttl: 24h" };
        writeln!(w, "registered {} ({kept})", one_line(&self.consumer))
    }
}

impl Verb for Register {
    const KEPT: &'static [&'static str] = &["consumer", "run"];

    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let consumer = Consumer::from(self.whose);
        let stamp = cx.stamp.clone();
        let durable = cx.write(|tx| consume::register(tx, &consumer, self.durable, &stamp))?;
        cx.out.show(&Registered { consumer: consumer.name, durable })?;
        Ok(Answer::Yes)
    }
}

/// Forget how far a consumer has read
///
/// It starts again before the first event. A cursor of one run's events is named CONSUMER:RUN, or with --run.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic events cursor reset dashboard")]
pub(in crate::cli) struct Reset {
    #[command(flatten)]
    whose: Whose,
}

#[derive(Serialize)]
struct Forgotten {
    reset: bool,
}

impl View for Forgotten {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{}", if self.reset { "reset" } else { "not found" })
    }
}

impl Verb for Reset {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let named = Consumer::from(self.whose);
        let split = named.name.rsplit_once(':').filter(|_| named.run_id.is_empty());
        let of_run = split.map(|(name, run)| (name.to_owned(), run.to_owned()));
        let reset = cx.write(|tx| {
            if store::cursor::remove(tx, &named.name, &named.run_id)? {
                return Ok(true);
            }
            of_run.as_ref().map_or(Ok(false), |(name, run)| store::cursor::remove(tx, name, run))
        })?;
        cx.out.show(&Forgotten { reset })?;
        Ok(Answer::Yes)
    }
}
