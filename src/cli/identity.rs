//! Between processes as the system shows them and as records name them.

use crate::domain::process::ProcessKey;
use crate::os::process::{Identity, PidSpace};

impl From<Identity> for ProcessKey {
    fn from(found: Identity) -> Self {
        let Identity { pid, start_time, boot_id, host, space } = found;
        Self { pid: pid.into(), start_time, boot_id, host, space: space.map(|space| space.to_string()) }
    }
}

impl Identity {
    /// Returns the process that a record means; `None` for a number that stands for a group or for all
    /// processes.
    pub fn recorded(key: &ProcessKey) -> Option<Self> {
        Some(Self {
            pid: i32::try_from(key.pid).ok().filter(|pid| *pid > 0)?,
            start_time: key.start_time,
            boot_id: key.boot_id.clone(),
            host: key.host.clone(),
            space: key.space.as_deref().map(PidSpace::read),
        })
    }
}
