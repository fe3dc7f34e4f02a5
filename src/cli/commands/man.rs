//! `ic man`: a manual page for every command.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::builder::Resettable;
use roff::{Roff, roman};
use schemars::JsonSchema;
use serde::Serialize;

use super::help;
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::cli::tree;

/// Write a manual page for every command into a directory
///
/// The directory is created if it does not exist; pages of the same name are replaced. Prints the number of pages.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic man ~/.local/share/man/man1 && man ic-run-advance")]
pub(in crate::cli) struct Man {
    /// The directory
    dir: PathBuf,
}

/// The manual pages that were written.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::cli) struct WrittenPages {
    /// The number of pages.
    pages: usize,
}

impl Command for Man {
    type Answer = WrittenPages;
    const ACCESS: Access = Access::Write;

    fn run(self, _: &mut CommandContext) -> Result<Reply<WrittenPages>, Error> {
        std::fs::create_dir_all(&self.dir).map_err(failed("making the directory", &self.dir))?;
        let pages = write(&tree::described(), "ic", &self.dir)?;
        Ok(Reply::yes(WrittenPages { pages }))
    }
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::File { what, path: path.to_owned(), source }
}

/// Writes the pages of a command and of all commands below it, and returns their number.
fn write(command: &clap::Command, name: &str, dir: &Path) -> Result<usize, Error> {
    let path = dir.join(format!("{name}.1"));
    let page = page(command, name).map_err(|err| Error::Unexpected(err.into()))?;
    std::fs::write(&path, page).map_err(failed("writing", &path))?;
    let mut pages = 1;
    for below in command.get_subcommands() {
        pages += write(below, &format!("{name}-{}", below.get_name()), dir)?;
    }
    Ok(pages)
}

fn page(command: &clap::Command, name: &str) -> io::Result<Vec<u8>> {
    let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    // The examples would be filled into one paragraph; `lines` below keeps their lines apart.
    let shown = command.clone().display_name(name.to_owned()).after_help(Resettable::Reset);
    let mut page = Vec::new();
    clap_mangen::Man::new(shown)
        .title(name)
        .source(concat!("ic ", env!("CARGO_PKG_VERSION")))
        .render(&mut page)?;
    let mut more = Roff::new();
    if name == "ic" {
        lines(&mut more, "EXIT STATUS", under_heading(help::EXIT_CODES));
        lines(&mut more, "ENVIRONMENT", under_heading(help::ENVIRONMENT));
    } else {
        if let Some(examples) = after.strip_prefix("Example: ").or_else(|| after.strip_prefix("Examples:\n"))
        {
            lines(&mut more, "EXAMPLES", examples);
        }
        more.control("SH", ["SEE ALSO"]).text([roman("ic(1) has the global options.")]);
    }
    more.to_writer(&mut page)?;
    Ok(page)
}

/// Adds a section whose lines are kept as they are.
fn lines(page: &mut Roff, heading: &str, text: &str) {
    page.control("SH", [heading]).control("nf", []);
    for line in text.trim_matches('\n').lines() {
        page.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
    }
    page.control("fi", []);
}

fn under_heading(text: &str) -> &str {
    text.split_once("\n\n").map_or(text, |(_, text)| text)
}

impl Text for WrittenPages {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{} pages", self.pages)
    }
}
