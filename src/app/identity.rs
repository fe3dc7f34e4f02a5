//! Between processes as the system shows them and as records name them.

use crate::domain::process::ProcessKey;
use crate::os::process::Identity;

impl From<Identity> for ProcessKey {
    fn from(found: Identity) -> Self {
        let Identity { pid, start_time, boot_id, host } = found;
        Self { pid: pid.into(), start_time, boot_id, host }
    }
}

impl Identity {
    /// The process that a record means. `None` for a number that stands for init, a group or everybody: that is nobody's
    /// process (DI-09).
    pub fn recorded(key: &ProcessKey) -> Option<Self> {
        Some(Self {
            pid: i32::try_from(key.pid).ok().filter(|pid| *pid > 1)?,
            start_time: key.start_time,
            boot_id: key.boot_id.clone(),
            host: key.host.clone(),
        })
    }
}
