//! `ic task errors`

use std::borrow::Cow;
use std::io::{self, Write};

use crate::app::task::query::{self, TaskErrors};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::domain::text::one_line;

/// List the problems of past changes of tasks, with what to do about each
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic task errors 320")]
pub(in crate::cli) struct Errors {
    /// List only the problems of this task
    task: Option<u64>,
    /// The maximum number of problems, counted from the last one
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u16,
}

impl Command for Errors {
    type Answer = TaskErrors;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<TaskErrors>, Error> {
        query::errors(cx, self.task, self.limit.into())
    }
}

impl Text for TaskErrors {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        fn word(text: Option<&String>) -> Cow<'_, str> {
            one_line(text.map_or("-", String::as_str))
        }
        for error in &self.errors {
            let task = error.task.map_or_else(|| "null".to_owned(), |task| task.to_string());
            writeln!(
                w,
                "{}\t{task}\t{}\t{}\t{}. {}.",
                error.timestamp,
                word(error.severity.as_ref()),
                word(error.code.as_ref()),
                word(error.message.as_ref()),
                word(error.recommendation.as_ref()),
            )?;
        }
        Ok(())
    }
}
