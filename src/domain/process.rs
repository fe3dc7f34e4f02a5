//! Processes, as records name them.

/// Which process a record means: never a bare pid, which the system hands out again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessKey {
    /// Process id, as its namespace counts.
    pub pid: i64,
    /// When it started, in the unit of its operating system; 0 if that could not be found out.
    pub start_time: i64,
    /// Which boot of the machine.
    pub boot_id: String,
    /// The name of its machine. People read it; it identifies the machine in records of older versions only.
    pub host: String,
    /// In which PID namespace of which machine its pid has its meaning: `MACHINE/NAMESPACE`. `None` in
    /// records of older versions.
    pub space: Option<String>,
}
