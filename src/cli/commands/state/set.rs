//! `ic state set`

use std::io::{self, Read, Write};
use std::path::PathBuf;

use crate::app::state::{self, PayloadFormat, PayloadSource, READ_LIMIT, SetRequest, StateStored};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::args;
use crate::cli::command::{Access, Command, Text};
use crate::domain::state::{Key, Scope};
use crate::domain::stored::Stored;
use crate::domain::text::one_line;

/// Store a value under a key and a scope
///
/// The payload comes from stdin or from a file. JSON is stored without the space around it; any other text is
/// stored unchanged, byte for byte, unless --strict-json refuses it. A new value replaces the payload and the
/// expiry of the earlier one. The default scope is `global`.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: echo '{\"step\":3}' | ic state set sprint.checkpoint s42 --ttl=24h")]
pub(in crate::cli) struct Set {
    /// The key
    key: Stored<Key>,
    /// The scope, or @FILE
    scope: Option<Stored>,
    /// A file below the working directory that holds the payload; - for stdin, also after a scope that starts
    /// with @
    #[arg(value_name = "@FILE")]
    file: Option<String>,
    /// Time to keep the value, at least a second; 0 for ever
    #[arg(long, value_name = "DURATION", value_parser = args::ttl)]
    ttl: Option<i64>,
    /// Store the text unchanged, also if it is JSON
    #[arg(long)]
    raw: bool,
    /// Refuse text that is not JSON
    #[arg(long)]
    strict_json: bool,
}

impl Command for Set {
    type Answer = StateStored;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<StateStored>, Error> {
        let format = match (self.raw, self.strict_json) {
            (true, true) => return Err(Error::usage("state set: want --raw or --strict-json, not both")),
            (true, false) => PayloadFormat::Raw,
            (false, true) => PayloadFormat::Json,
            (false, false) => PayloadFormat::Any,
        };
        // A second word that starts with @ is the file, and the scope is `global`.
        let (scope, file) = match (self.scope.map(Stored::into_inner), self.file) {
            (Some(word), None) if word.starts_with('@') => (None, Some(word)),
            other => other,
        };
        let scope = scope
            .map_or(Ok(Scope::global()), |scope| scope.parse())
            .map_err(|err| Error::usage(format!("state set: scope {err}")))?;
        let payload = match file.as_deref() {
            None | Some("-") => PayloadSource::Bytes(read_stdin()?),
            Some(word) => match word.strip_prefix('@').filter(|path| !path.is_empty()) {
                Some(path) => PayloadSource::File(PathBuf::from(path)),
                None => {
                    return Err(Error::usage(format!(
                        "state set: expected @FILE or -, got {}",
                        one_line(word)
                    )));
                }
            },
        };
        let ttl_seconds = self.ttl.filter(|secs| *secs > 0);
        state::set(cx, SetRequest { key: self.key.into_inner(), scope, payload, format, ttl_seconds })
    }
}

fn read_stdin() -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let read = io::stdin().lock().take(READ_LIMIT).read_to_end(&mut bytes);
    read.map_err(|source| Error::File { what: "reading", path: PathBuf::from("stdin"), source })?;
    Ok(bytes)
}

impl Text for StateStored {
    fn text(&self, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}
