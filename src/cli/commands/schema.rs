//! `ic schema`

use std::io::{self, Write};

use schemars::Schema;

use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::cli::tree;

/// Print the JSON Schema of a command's answer
///
/// The schema describes what the command prints with --json; of a command that prints a stream, one line of it. Without a
/// command, prints one object with the schemas of all commands.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Examples:\n  ic schema run status\n  ic schema > schemas.json")]
pub(in crate::cli) struct SchemaOf {
    /// The command's words
    words: Vec<String>,
}

impl Command for SchemaOf {
    type Answer = Schema;
    const ACCESS: Access = Access::Read;

    fn run(self, _: &mut CommandContext) -> Result<Reply<Schema>, Error> {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        let schema = if words.is_empty() { Some(tree::schemas()) } else { tree::schema(&words) };
        schema.map(Reply::yes).ok_or_else(|| Error::Usage {
            message: format!("schema: <WORDS>: no command `{}`", words.join(" ")),
            hint: Some("`ic --help` lists the commands".to_owned()),
        })
    }
}

impl Text for Schema {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *w, self)?;
        writeln!(w)
    }
}
