//! `ic run tokens`

use std::io::{self, Write};

use serde_json::json;

use crate::app::Error;
use crate::cli::args::{RunRef, Wanted};
use crate::cli::output::View;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx};
use crate::store;
use crate::store::dispatch::Usage;

/// Add up the tokens that a run's dispatches have used
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic run tokens \"$run\" --json")]
pub(in crate::cli) struct Tokens {
    #[command(flatten)]
    run: RunRef,
}

impl Verb for Tokens {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let wanted = self.run.wanted()?;
        let shown = cx.read(|tx| {
            // A grouping that is no run has tokens too, once some dispatch carries it.
            if let Wanted::Id(id) = &wanted {
                let usage = store::dispatch::usage(tx, id.as_str())?;
                if usage.dispatches > 0 {
                    return Ok::<_, Error>(Shown { id: id.to_string(), usage });
                }
            }
            let id = wanted.find(tx)?.id.to_string();
            Ok(Shown { usage: store::dispatch::usage(tx, &id)?, id })
        })?;
        cx.out.show(&shown)?;
        Ok(Answer::Yes)
    }
}

struct Shown {
    id: String,
    usage: Usage,
}

impl Shown {
    /// Share of the input that came from a cache, in percent; `None` where nothing was read.
    fn cache_ratio(&self) -> Option<f64> {
        let Usage { input, cache, .. } = self.usage;
        let whole = input.saturating_add(cache);
        #[expect(clippy::cast_precision_loss, reason = "a percentage for people")]
        let ratio = cache as f64 * 100.0 / whole as f64;
        (whole > 0).then_some(ratio)
    }
}

impl serde::Serialize for Shown {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Usage { input, output, cache, .. } = self.usage;
        let mut map = json!({
            "run_id": self.id,
            "input_tokens": input,
            "output_tokens": output,
            "cache_hits": cache,
            "total_tokens": input.saturating_add(output),
        });
        if let Some(ratio) = self.cache_ratio() {
            map["cache_ratio"] = json!(ratio);
        }
        map.serialize(serializer)
    }
}

impl View for Shown {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        let Usage { input, output, cache, .. } = self.usage;
        writeln!(w, "Run: {}", crate::domain::text::one_line(&self.id))?;
        writeln!(w, "  Input tokens:  {input}")?;
        writeln!(w, "  Output tokens: {output}")?;
        writeln!(w, "  Cache hits:    {cache}")?;
        if let Some(ratio) = self.cache_ratio() {
            writeln!(w, "  Cache ratio:   {ratio:.1}%")?;
        }
        writeln!(w, "  Total tokens:  {}", input.saturating_add(output))
    }
}
