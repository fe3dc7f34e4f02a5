//! `ic config`: settings of the project.

pub(in crate::cli) mod get;
pub(in crate::cli) mod list;
pub(in crate::cli) mod set;

use std::io::{self, Write};

use crate::app::config::Setting;
use crate::cli::command::Text;
use crate::cli::tree::{Node, command};
use crate::domain::text::one_line;

/// The verbs of `ic config`.
pub(in crate::cli) const NODES: &[Node] =
    &[command::<set::Set>("set"), command::<get::Get>("get"), command::<list::List>("list")];

impl Text for Setting {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        match &self.value {
            Some(value) => writeln!(w, "{} = {}", self.key, one_line(&value.to_string())),
            None => writeln!(w, "{}: not set", self.key),
        }
    }
}
