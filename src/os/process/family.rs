//! The processes that belong to a child: its group, its orphans, and all that carry its mark.
//!
//! A process can leave its group with `setsid`, and its parent can exit. But its initial environment stays
//! readable, and its parent is then the nearest subreaper. Together these criteria find what one alone would
//! miss. Without `/proc` only the group is known.

use super::Identity;

/// The criteria of a family, each of which makes a process a member.
#[derive(Clone, Debug)]
pub struct Family {
    /// `NAME=value` in the initial environment.
    pub mark: String,
    /// The process group of the child.
    pub group: Option<i32>,
    /// The subreaper that becomes the parent of its orphans, if there is one.
    pub guardian: Option<i32>,
    /// A variable in the initial environment that excludes a process, whatever the other criteria say.
    pub stranger: String,
}

impl Family {
    /// Returns the running members but this process.
    pub fn members(&self) -> Vec<Identity> {
        self.scan()
    }

    #[cfg(target_os = "linux")]
    fn scan(&self) -> Vec<Identity> {
        let me = i32::try_from(std::process::id()).unwrap_or(0);
        let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
        let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
        pids.filter(|pid| *pid > 1 && *pid != me)
            .filter_map(|pid| {
                let seen = super::table::look_up(pid).ok()??;
                let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
                let has =
                    |wanted: &str| environment.split(|b| *b == 0).any(|entry| entry == wanted.as_bytes());
                let near = Some(seen.group) == self.group || Some(seen.parent) == self.guardian;
                let ours = !has(&self.stranger) && (near || has(&self.mark));
                ours.then(|| Identity::here(pid, seen.start_time))
            })
            .collect()
    }

    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unused_self, reason = "the signature is Linux's")]
    fn scan(&self) -> Vec<Identity> {
        Vec::new()
    }
}
