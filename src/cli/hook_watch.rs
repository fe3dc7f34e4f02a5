//! The hidden command that watches over one run of a hook, so that nobody waits for it.

use std::path::PathBuf;

use super::verb::Verb;
use super::{Answer, Cx};
use crate::app::Error;
use crate::app::effects::HOOK_LIMIT;
use crate::os::hook;

/// Run a project's hook, fed from stdin, and end it when its time is over
#[derive(Debug, clap::Parser)]
pub(super) struct HookWatch {
    hook: PathBuf,
    project: PathBuf,
}

impl Verb for HookWatch {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let end = hook::watch(&self.hook, &self.project, HOOK_LIMIT).map_err(|source| Error::File {
            what: "running hook",
            path: self.hook,
            source,
        })?;
        cx.out.info(format_args!("hook: {end:?}"));
        Ok(Answer::Yes)
    }
}
