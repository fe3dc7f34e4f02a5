//! `ic lock`: locks that are directories, and need no database.

pub(in crate::cli) mod acquire;
pub(in crate::cli) mod clean;
pub(in crate::cli) mod list;
pub(in crate::cli) mod release;
pub(in crate::cli) mod stale;

use std::io::{self, Write};

use crate::app::lock::{HeldLocks, LockAnswer, LockRef};
use crate::cli::command::Text;
use crate::cli::tree::{Node, command};
use crate::domain::lock::{Name, age};
use crate::domain::state::Scope;
use crate::domain::text::one_line;

/// The verbs of `ic lock`.
pub(in crate::cli) const NODES: &[Node] = &[
    command::<acquire::Acquire>("acquire"),
    command::<release::Release>("release"),
    command::<list::List>("list"),
    command::<stale::Stale>("stale"),
    command::<clean::Clean>("clean"),
];

#[derive(Debug, clap::Args)]
struct LockArgs {
    /// The name of the lock
    name: Name,
    /// The scope of the lock, such as a project
    scope: Name,
    /// The owner: PID:HOST for that process, or any other word [default: the calling process]
    #[arg(long)]
    owner: Option<Scope>,
}

impl From<LockArgs> for LockRef {
    fn from(LockArgs { name, scope, owner }: LockArgs) -> Self {
        Self { name, scope, owner }
    }
}

impl Text for LockAnswer {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        if !self.has_text {
            return Ok(());
        }
        writeln!(w, "{} {}/{}", self.status.as_str(), one_line(&self.name), one_line(&self.scope))
    }
}

impl Text for HeldLocks {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        self.0.iter().try_for_each(|lock| {
            let (name, scope) = (one_line(&lock.name), one_line(&lock.scope));
            match &lock.owner {
                None => writeln!(w, "{name}\t{scope}\t\t"),
                Some(owner) => writeln!(w, "{name}\t{scope}\t{}\t{}", one_line(owner), age(lock.age_seconds)),
            }
        })
    }
}
