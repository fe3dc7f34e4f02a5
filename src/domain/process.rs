//! Processes, as records name them.

/// Which process a record means: never a bare pid, which the system hands out again (DI-03).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessKey {
    /// Process id.
    pub pid: i64,
    /// When it started, in the unit of its operating system.
    pub start_time: i64,
    /// Which boot of the machine.
    pub boot_id: String,
    /// Which machine.
    pub host: String,
}
