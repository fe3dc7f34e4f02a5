//! The processes that belong to a child: its group, what it left behind, and all that carry its mark.
//!
//! A group can be left with `setsid`, a parent can end; what a process was given as its first environment
//! stays readable, and the system hands orphans to the nearest subreaper. Together they find what one alone
//! would miss. Without `/proc` only the group is known.

use super::Identity;

/// How the members of a family are recognised: any one of these.
#[derive(Clone, Debug)]
pub struct Family {
    /// `NAME=value`, in the environment that a process was started with.
    pub mark: String,
    /// The process group of the child.
    pub group: Option<i32>,
    /// The process that its orphans are handed to, if that is a subreaper.
    pub guardian: Option<i32>,
    /// Processes whose first environment has this are somebody else's, whatever else points to them.
    pub stranger: String,
}

impl Family {
    /// Returns the living members, this process left out.
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
