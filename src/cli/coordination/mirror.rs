//! `ic coordination mirror`

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::around::Around;
use crate::cli::error::CliError;
use crate::cli::output::View;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx};
use crate::domain::text::Required;
use crate::ops::coordination::{self, Changes};

/// Take in what another program has reserved
///
/// Copies the reservations that hold in another program's database (its table `file_reservations`), under their identifiers,
/// and ends those that were given back there. Doing it again changes nothing. A scope is a path, or the name of the
/// repository around; other names are explained with --map. Where `INTERMUTE_DB` names such a database, every reserve, check
/// and hook does the same by itself.
#[derive(Debug, clap::Parser)]
#[command(
    after_help = "Example: ic coordination mirror --from=$HOME/.intermute/intermute.db --map Sylveste=/src/sylveste"
)]
pub(in crate::cli) struct Mirror {
    /// The other program's database
    #[arg(long, value_name = "FILE")]
    from: Required,
    /// What a name of a scope means there; may be repeated
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

#[derive(Serialize)]
struct Shown {
    added: usize,
    renewed: usize,
    ended: usize,
}

impl View for Shown {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{} added, {} renewed, {} ended", self.added, self.renewed, self.ended)
    }
}

impl Verb for Mirror {
    fn run(self, cx: &mut Cx) -> Result<Answer, CliError> {
        let around = Around::onto(self.map, Path::new(self.from.as_str()), cx)
            .map_err(|err| CliError::Input(format!("coordination mirror: --from: {err}")))?;
        let stamp = cx.stamp.clone();
        let Changes { added, renewed, ended } =
            around.with(|outside| cx.write(|tx| coordination::mirror(tx, outside, &stamp)))?;
        cx.out.show(&Shown { added, renewed, ended })?;
        Ok(Answer::Yes)
    }
}
