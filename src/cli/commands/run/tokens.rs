//! `ic run tokens`

use std::io::{self, Write};

use crate::app::run::tokens::{self, TokenUsage};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::args::RunRef;
use crate::cli::command::{Access, Command, Text};
use crate::domain::text::one_line;

/// Add up the tokens that a run's dispatches have used
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic run tokens \"$run\" --json")]
pub(in crate::cli) struct Tokens {
    #[command(flatten)]
    run: RunRef,
}

impl Command for Tokens {
    type Answer = TokenUsage;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<TokenUsage>, Error> {
        tokens::tokens(cx, self.run.into())
    }
}

impl Text for TokenUsage {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "Run: {}", one_line(&self.run_id))?;
        writeln!(w, "  Input tokens:  {}", self.input_tokens)?;
        writeln!(w, "  Output tokens: {}", self.output_tokens)?;
        writeln!(w, "  Cache hits:    {}", self.cache_hits)?;
        if let Some(ratio) = self.cache_ratio {
            writeln!(w, "  Cache ratio:   {ratio:.1}%")?;
        }
        writeln!(w, "  Total tokens:  {}", self.total_tokens)
    }
}
