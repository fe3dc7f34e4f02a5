//! The identity of processes in records.

/// The identity of a process in a record. A pid alone is not enough, because the system reuses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessKey {
    /// The process id in its namespace.
    pub pid: i64,
    /// The start time, in the unit of its operating system; 0 if it is unknown.
    pub start_time: i64,
    /// The boot of the machine.
    pub boot_id: String,
    /// The name of its machine, for display. It identifies the machine in records of older versions only.
    pub host: String,
    /// The machine and the PID namespace of its pid: `MACHINE/NAMESPACE`. `None` in records of older
    /// versions.
    pub space: Option<String>,
}
