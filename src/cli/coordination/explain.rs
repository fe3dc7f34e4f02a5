//! `ic coordination explain`

use std::io::{self, Write};

use serde::Serialize;

use crate::cli::error::CliError;
use crate::cli::output::View;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx};
use crate::domain::glob::Pattern;
use crate::domain::text::one_line;

/// Do two patterns overlap, and where?
///
/// Prints a path that both cover. Exit code 1 if there is none.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic coordination explain 'src/**' '**/*.rs'")]
pub(in crate::cli) struct Explain {
    /// A pattern
    a: String,
    /// Another one
    b: String,
}

#[derive(Serialize)]
struct Shown {
    overlap: bool,
    a: String,
    b: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    witness: Option<String>,
}

impl View for Shown {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        match &self.witness {
            Some(path) => writeln!(w, "overlap: {}", one_line(path)),
            None => writeln!(w, "no overlap"),
        }
    }
}

impl Verb for Explain {
    fn run(self, cx: &mut Cx) -> Result<Answer, CliError> {
        let read = |name: &str, text: &str| {
            Pattern::parse(text)
                .map_err(|err| CliError::Input(format!("coordination explain: <{name}>: {err}")))
        };
        let (a, b) = (read("A", &self.a)?, read("B", &self.b)?);
        let witness = a.witness(&b);
        let overlap = witness.is_some();
        cx.out.show(&Shown { overlap, a: a.as_str().to_owned(), b: b.as_str().to_owned(), witness })?;
        Ok(if overlap { Answer::Yes } else { Answer::No })
    }
}
