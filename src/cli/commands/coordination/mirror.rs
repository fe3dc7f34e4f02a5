//! `ic coordination mirror`

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::app::coordination::release::{self, MirrorAnswer};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::domain::text::Required;

/// Copy the reservations of another program
///
/// Copies the reservations that hold in another program's database (its table `file_reservations`), under their identifiers,
/// and ends those that were released there. A second call changes nothing. A scope is a path, or the name of the surrounding
/// repository; --map explains other names. Where `INTERMUTE_DB` names such a database, every reserve, check and hook reads it
/// without this command.
#[derive(Debug, clap::Parser)]
#[command(
    after_help = "Example: ic coordination mirror --from=$HOME/.intermute/intermute.db --map Sylveste=/src/sylveste"
)]
pub(in crate::cli) struct Mirror {
    /// The other program's database
    #[arg(long, value_name = "FILE")]
    from: Required,
    /// The path that the name of a scope means there; may be repeated
    #[arg(long, value_name = "NAME=PATH", value_parser = name)]
    map: Vec<(String, PathBuf)>,
}

fn name(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && Path::new(path).is_absolute() => {
            Ok((name.to_owned(), PathBuf::from(path)))
        }
        _ => Err("want a name and an absolute path, as Sylveste=/src/sylveste".to_owned()),
    }
}

impl Command for Mirror {
    type Answer = MirrorAnswer;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<MirrorAnswer>, Error> {
        release::mirror(cx, Path::new(self.from.as_str()), self.map)
    }
}

impl Text for MirrorAnswer {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{} added, {} renewed, {} ended", self.added, self.renewed, self.ended)
    }
}
