//! `ic version`

use std::env::consts;
use std::io::{self, Write};

use serde_json::json;

use super::output::View;
use super::verb::Verb;
use super::{Answer, Cx};
use crate::app::Error;

/// The commit that this program was built from, if the builder said (`IC_COMMIT` at build time).
const COMMIT: Option<&str> = option_env!("IC_COMMIT");

/// Print the version of the program and of the local database
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic version --json")]
pub(super) struct Version {}

impl Verb for Version {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        // A database that is missing or cannot be used is no reason to hide the version.
        let schema = cx.existing().ok().map(|db| db.schema());
        cx.out.show(&Shown { schema })?;
        Ok(Answer::Yes)
    }
}

struct Shown {
    schema: Option<i64>,
}

impl serde::Serialize for Shown {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "commit": COMMIT.unwrap_or("unstamped"),
            "source": if COMMIT.is_some() { "build" } else { "unknown" },
            "os": consts::OS,
            "arch": consts::ARCH,
        });
        if let Some(schema) = self.schema {
            map["schema"] = json!(schema);
        }
        map.serialize(serializer)
    }
}

impl View for Shown {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "ic {}", env!("CARGO_PKG_VERSION"))?;
        writeln!(w, "commit: {}", COMMIT.unwrap_or("unstamped (built without VCS info)"))?;
        writeln!(w, "target: {}/{}", consts::OS, consts::ARCH)?;
        match self.schema {
            Some(schema) => writeln!(w, "schema: v{schema} (local database)"),
            None => writeln!(w, "schema: unknown (no database)"),
        }
    }
}
