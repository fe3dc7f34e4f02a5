//! The identity of processes in records.

/// The process of a record. A pid alone is reused by the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessKey {
    /// The pid in its namespace.
    pub pid: i64,
    /// The start time in the unit of its operating system; 0 if unknown.
    pub start_time: i64,
    /// The boot of the machine.
    pub boot_id: String,
    /// The name of its machine, for display. It identifies the machine only in records of older versions.
    pub host: String,
    /// The machine and PID namespace of its pid: `MACHINE/NAMESPACE`. `None` in records of older versions.
    pub space: Option<String>,
}
