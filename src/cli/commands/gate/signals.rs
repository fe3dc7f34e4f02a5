//! `ic gate signals`

use std::io::{self, Write};

use crate::app::gate::signals::{self, GateSignals};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::domain::text::one_line;

/// Show how past gate decisions turned out, as JSON
///
/// A block that was not overridden is a true positive (tp), a failure that was passed all the same a false
/// positive (fp), a pass a true negative (tn), and a pass that was rolled back later a false negative (fn).
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic gate signals --since-id=120")]
pub(in crate::cli) struct Signals {
    /// Only decisions after this event
    #[arg(long, value_name = "ID", default_value_t = 0)]
    since_id: i64,
}

impl Command for Signals {
    type Answer = GateSignals;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<GateSignals>, Error> {
        signals::signals(cx, self.since_id)
    }
}

impl Text for GateSignals {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        for signal in &self.signals {
            let (from, to) = (one_line(&signal.from_phase), one_line(&signal.to_phase));
            writeln!(w, "{}\t{from} → {to}\t{}", signal.signal_type, one_line(&signal.check_type))?;
        }
        Ok(())
    }
}
