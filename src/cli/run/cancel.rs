//! `ic run cancel`

use std::io::{self, Write};

use serde_json::json;

use crate::app::Error;
use crate::cli::dispatch;
use crate::cli::output::View;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx};
use crate::domain::ids::RunId;
use crate::ops::cancel::{self, Cancelled};

/// Call a run off, with its dispatches and agents
///
/// Live dispatches are cancelled and their processes asked to end; active agents are marked failed. A portfolio's active
/// children are called off with it. A cancelled run stays cancelled.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic run cancel \"$run\"")]
pub(in crate::cli) struct Cancel {
    /// The run
    id: RunId,
    /// Leave the processes of cancelled dispatches alone
    #[arg(long)]
    no_signal: bool,
}

impl Verb for Cancel {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let stamp = cx.stamp.clone();
        let done = cx.write(|tx| cancel::cancel(tx, &self.id, !self.no_signal, &stamp))?;
        let signalled =
            if self.no_signal || done.dispatches.is_empty() { 0 } else { dispatch::stop_processes(cx)? };
        cx.out.show(&Shown { id: self.id, done, signalled })?;
        Ok(Answer::Yes)
    }
}

struct Shown {
    id: RunId,
    done: Cancelled,
    signalled: usize,
}

impl serde::Serialize for Shown {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = json!({
            "id": self.id,
            "status": "cancelled",
            "cancelled_dispatches": self.done.dispatches.len(),
            "signalled": self.signalled,
        });
        if self.done.portfolio {
            map["children"] = json!(self.done.children);
        }
        map.serialize(serializer)
    }
}

impl View for Shown {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        if self.done.portfolio {
            writeln!(w, "cancelled (portfolio + {} children)", self.done.children.len())
        } else {
            writeln!(w, "cancelled")
        }
    }
}
