//! Who holds a lock: what `owner.json` says, and whether that still holds.

use serde::{Deserialize, Serialize};

use crate::os::process::{self, Identity, Liveness};

/// How old a lock is, in seconds, before its owner's death counts: owners written a moment ago are given the time to be
/// what they say.
const SETTLED: i64 = 5;

/// The content of `owner.json`. The first four members are those that other programs write and read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The owner's process; 0 if none is known.
    pub pid: i64,
    /// The machine it runs on.
    pub host: String,
    /// What the owner calls itself.
    pub owner: String,
    /// When the lock was taken, Unix seconds, rounded up.
    pub created: i64,
    /// When the process started, as its machine counts; tells it from another with its pid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<i64>,
    /// The boot of the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
    /// How long the lock lasts at most, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<i64>,
}

/// Who asks for a lock, or for its release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    text: String,
    pid: i64,
    host: String,
    process: Option<Identity>,
}

impl Owner {
    /// The owner that `text` names: `PID:HOST` is that process; any other word, or none, stands for the process that
    /// started this one, which is still there when this one has ended (CL-05).
    pub fn new(text: Option<&str>) -> Self {
        let named = text.and_then(split).filter(|(pid, _)| *pid > 0);
        if let Some((pid, host)) = named {
            let local = i32::try_from(pid).ok().filter(|_| is_here(host));
            let process = local.and_then(|pid| {
                let caller = process::caller().filter(|caller| caller.pid == pid);
                caller.or_else(|| process::identify(pid).ok().flatten())
            });
            return Self { text: text.unwrap_or_default().to_owned(), pid, host: host.to_owned(), process };
        }
        let process = process::caller();
        let host = process::this_host();
        let pid = process.as_ref().map_or(0, |process| i64::from(process.pid));
        Self { text: text.map_or_else(|| format!("{pid}:{host}"), ToOwned::to_owned), pid, host, process }
    }

    /// What the owner calls itself.
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
            boot_id: process.map(|process| process.boot_id.clone()).filter(|id| !id.is_empty()),
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

    /// Whether the lock may be broken: its time is over, or it has settled and its owner is gone.
    pub fn is_stale(&self, now: i64) -> bool {
        self.has_expired(now) || self.age(now) >= SETTLED && self.is_gone(now)
    }

    /// Whether nobody holds the lock any more.
    pub(super) fn is_over(&self, now: i64) -> bool {
        self.has_expired(now) || self.is_gone(now)
    }

    /// For how many whole seconds it has been held at least.
    pub(super) fn age(&self, now: i64) -> i64 {
        now.saturating_sub(self.created).max(0)
    }

    fn has_expired(&self, now: i64) -> bool {
        self.ttl.is_some_and(|ttl| ttl > 0 && self.age(now) >= ttl)
    }

    /// Whether the owner's process is known to have ended. Of another machine's nobody knows.
    pub fn is_gone(&self, now: i64) -> bool {
        let foreign = split(&self.owner).is_some_and(|(_, host)| !is_here(host));
        let (false, Ok(pid @ 1..)) = (foreign || !is_here(&self.host), i32::try_from(self.pid)) else {
            return false;
        };
        let Some(start_time) = self.start_time else {
            // A bare pid: a process that started after the lock was taken is another one. Two seconds for the clocks.
            return !process::may_be_older_than(pid, self.age(now).saturating_sub(2));
        };
        let boot_id = self.boot_id.clone().unwrap_or_default();
        let recorded = Identity { pid, start_time, boot_id, host: process::this_host() };
        match process::caller() {
            Some(caller) if caller == recorded => false,
            _ if pid == 1 => !process::is_init(&recorded),
            _ => recorded.liveness() == Liveness::Gone,
        }
    }

    /// Whether `owner` is the one that took the lock: the same name and, where both name a process, the same process.
    pub(super) fn belongs_to(&self, owner: &Owner) -> bool {
        let same_process = match (self.start_time, &owner.process) {
            (Some(start_time), Some(process)) if split(&owner.text).is_some() => {
                start_time == process.start_time
            }
            _ => true,
        };
        self.owner == owner.text && same_process
    }
}

/// The pid and host of an owner that calls itself `PID:HOST`.
fn split(owner: &str) -> Option<(i64, &str)> {
    let (pid, host) = owner.split_once(':')?;
    Some((pid.parse().ok()?, host)).filter(|(_, host)| !host.is_empty())
}

/// Whether a host's name is this machine's, in its long or its short form.
fn is_here(host: &str) -> bool {
    let here = process::this_host();
    let first = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    !host.is_empty() && (host == here || host == first(&here) || first(host) == here)
}
