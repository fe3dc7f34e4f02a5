//! The owner of a lock: the content of `owner.json`, and whether the owner still runs.

use serde::{Deserialize, Serialize};

use crate::os::process::{self, Identity, Liveness, PidSpace, Reach, UNKNOWN_START};

/// The age, in seconds, from which a lock can be stale. The owner of a younger lock may not have started
/// completely.
const SETTLED: i64 = 5;

/// The content of `owner.json`. The first four members are those that other programs write and read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The owner's process; 0 if none is known.
    pub pid: i64,
    /// The machine it runs on.
    pub host: String,
    /// The owner's own name.
    pub owner: String,
    /// When the lock was taken, Unix seconds, rounded up.
    pub created: i64,
    /// The start time of the process in the units of its machine, which tells it from another process with
    /// the same pid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<i64>,
    /// The boot of the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
    /// The namespace of the pid: the text of a [`PidSpace`]. Missing in records of other programs and older
    /// versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid_namespace: Option<String>,
    /// The maximum duration of the lock, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<i64>,
}

/// The owner for which a lock is taken or released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    text: String,
    pid: i64,
    host: String,
    process: Option<Identity>,
    /// Whether the pid is one of our own PID namespace.
    local: bool,
}

impl Owner {
    /// Returns the owner that `text` names: `PID:HOST` is that process; any other text, or none, means the
    /// process that started this one, which still runs when this one has exited.
    pub fn new(text: Option<&str>) -> Self {
        let named = text.and_then(split).filter(|(pid, _)| *pid > 0);
        if let Some((pid, host)) = named {
            let local = i32::try_from(pid).ok().filter(|_| is_here(host));
            let process = local.and_then(|pid| {
                let caller = process::caller().filter(|caller| caller.pid == pid);
                caller.or_else(|| process::identify(pid).ok().flatten())
            });
            let (text, host, local) = (text.unwrap_or_default().to_owned(), host.to_owned(), local.is_some());
            return Self { text, pid, host, process, local };
        }
        let process = process::caller();
        let host = process::this_host();
        let pid = process.as_ref().map_or(0, |process| i64::from(process.pid));
        let text = text.map_or_else(|| format!("{pid}:{host}"), ToOwned::to_owned);
        Self { text, pid, host, process, local: true }
    }

    #[cfg(test)]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Record {
    pub(super) fn new(owner: &Owner, created: i64, ttl: Option<i64>) -> Self {
        let process = owner.process.as_ref();
        Self {
            pid: owner.pid,
            host: owner.host.clone(),
            owner: owner.text.clone(),
            created,
            start_time: process.map(|process| process.start_time),
            boot_id: owner.local.then(|| process::here().boot_id.clone()).filter(|id| !id.is_empty()),
            pid_namespace: owner.local.then(|| process::here().space.to_string()),
            ttl,
        }
    }

    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    pub(super) fn to_json(&self) -> Vec<u8> {
        // A record of numbers and text always has a JSON form.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Returns true if the lock may be broken: it has expired, or it is old enough and its owner is gone.
    pub fn is_stale(&self, now: i64) -> bool {
        self.has_expired(now) || self.age(now) >= SETTLED && self.is_gone(now)
    }

    /// Returns true if the lock is not held any more.
    pub(super) fn is_over(&self, now: i64) -> bool {
        self.has_expired(now) || self.is_gone(now)
    }

    /// Returns the whole seconds for which it has been held.
    pub(super) fn age(&self, now: i64) -> i64 {
        now.saturating_sub(self.created).max(0)
    }

    fn has_expired(&self, now: i64) -> bool {
        self.ttl.is_some_and(|ttl| ttl > 0 && self.age(now) >= ttl)
    }

    /// Returns true if the owner's process is known to have exited. Of a process of another machine or PID
    /// namespace this is not known.
    pub fn is_gone(&self, now: i64) -> bool {
        let Ok(pid @ 1..) = i32::try_from(self.pid) else { return false };
        let space = self.space();
        // Without a namespace the host name decides, in its long or short form.
        let foreign = || !is_here(&self.host) || split(&self.owner).is_some_and(|(_, host)| !is_here(host));
        if space.is_none() && foreign() {
            return false;
        }
        let (host, boot_id) = (process::this_host(), self.boot_id.clone().unwrap_or_default());
        if let Some(start_time) = self.start_time {
            return Identity { pid, start_time, boot_id, host, space }.liveness() == Liveness::Gone;
        }
        match process::here().reach(&boot_id, &host, space.as_ref()) {
            Reach::Elsewhere => false,
            Reach::Past => true,
            // A bare pid: a process that started after the lock was taken is another one. Two seconds allow
            // for the precision of the clocks.
            Reach::Here => !process::may_be_older_than(pid, self.age(now).saturating_sub(2)),
        }
    }

    fn space(&self) -> Option<PidSpace> {
        self.pid_namespace.as_deref().map(PidSpace::read)
    }

    /// Returns true if `owner` took the lock: the same name and, if the name is that of a process, the same
    /// process.
    pub(super) fn belongs_to(&self, owner: &Owner) -> bool {
        if self.owner != owner.text {
            return false;
        }
        if split(&owner.text).is_none() {
            return true;
        }
        let start_time = owner.process.as_ref().map(|process| process.start_time);
        let same_start = match (self.start_time, start_time) {
            (Some(UNKNOWN_START), _) | (_, Some(UNKNOWN_START)) => true,
            (Some(recorded), Some(asking)) => recorded == asking,
            _ => true,
        };
        let space = self.space().filter(|_| owner.local);
        same_start && space.is_none_or(|space| space == process::here().space)
    }
}

/// Returns the pid and host of an owner that calls itself `PID:HOST`.
fn split(owner: &str) -> Option<(i64, &str)> {
    let (pid, host) = owner.split_once(':')?;
    Some((pid.parse().ok()?, host)).filter(|(_, host)| !host.is_empty())
}

/// Returns true if a host name is that of this machine, in its long or short form.
fn is_here(host: &str) -> bool {
    let here = process::this_host();
    let first = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    !host.is_empty() && (host == here || host == first(&here) || first(host) == here)
}
