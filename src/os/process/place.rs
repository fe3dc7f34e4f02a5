//! The machine and the PID namespace of processes, and whether one can be judged from those of another.

use std::fmt;

/// A PID namespace of a machine. Processes of one boot in equal spaces see each other under the same pids.
///
/// Its text is `MACHINE/NAMESPACE`: the machine's id, empty if that is unknown, and the number of the
/// namespace, empty on a system that has no namespaces and `?` if the number is unknown. The column
/// `pid_namespace` and the owner files of directory locks keep that text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PidSpace {
    /// The id of the machine, if known.
    pub machine: Option<String>,
    /// The number of the namespace, if known.
    pub namespace: Option<String>,
}

impl PidSpace {
    /// Reads the text of a space. An invalid text stands for an unknown namespace of an unknown machine,
    /// which is equal to no other.
    pub fn read(text: &str) -> Self {
        let (machine, namespace) = text.split_once('/').unwrap_or(("", UNKNOWN));
        Self {
            machine: Some(machine.to_owned()).filter(|machine| !machine.is_empty()),
            namespace: Some(namespace.to_owned()).filter(|namespace| namespace != UNKNOWN),
        }
    }
}

/// The text of an unknown number.
const UNKNOWN: &str = "?";

impl fmt::Display for PidSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machine = self.machine.as_deref().unwrap_or_default();
        write!(f, "{machine}/{}", self.namespace.as_deref().unwrap_or(UNKNOWN))
    }
}

/// The place of a process that judges another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vantage {
    /// The name of its machine.
    pub host: String,
    /// The boot of its machine; empty if the system has no id for it.
    pub boot_id: String,
    pub space: PidSpace,
}

/// How far a recorded process can be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Its pid is valid here: the process table decides.
    Here,
    /// It ran before the last boot of the machine, and is gone.
    Past,
    /// It belongs to another machine or namespace, and cannot be judged.
    Elsewhere,
}

impl Vantage {
    /// Determines how far a process can be judged that was recorded with this boot, host and space.
    ///
    /// A namespace's number is reused only after all its processes have exited, so an equal number with an
    /// unknown boot is as good as with an equal one. If a machine has no id, an equal boot means the same
    /// machine.
    pub fn reach(&self, boot_id: &str, host: &str, space: Option<&PidSpace>) -> Reach {
        let both_named = !boot_id.is_empty() && !self.boot_id.is_empty();
        let other_boot = both_named && boot_id != self.boot_id;
        let same_boot = both_named && !other_boot;
        let Some(space) = space else {
            return match (host == self.host, other_boot) {
                (false, _) => Reach::Elsewhere,
                (true, true) => Reach::Past,
                (true, false) => Reach::Here,
            };
        };
        let same_machine = match (&space.machine, &self.space.machine) {
            (Some(recorded), Some(here)) => recorded == here,
            _ => same_boot,
        };
        let same_namespace = space.namespace.is_some() && space.namespace == self.space.namespace;
        match (same_machine, other_boot, same_namespace) {
            (true, true, _) => Reach::Past,
            (true, false, true) => Reach::Here,
            _ => Reach::Elsewhere,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(machine: &str, namespace: &str) -> PidSpace {
        PidSpace::read(&format!("{machine}/{namespace}"))
    }

    /// K-25: every combination of machine, boot and namespace, for a record of this version and for one of an
    /// older version.
    #[test]
    fn only_proof_counts() {
        use Reach::{Elsewhere, Here, Past};
        let here = Vantage { host: "h".into(), boot_id: "b1".into(), space: space("m", "7") };
        for (machine, boot, namespace, expected) in [
            ("m", "b1", "7", Here),
            ("m", "b1", "8", Elsewhere),
            ("m", "b1", "?", Elsewhere),
            ("m", "b1", "", Elsewhere),
            ("m", "b0", "7", Past),
            ("m", "b0", "8", Past),
            ("m", "b0", "?", Past),
            ("m", "", "7", Here),
            ("m", "", "8", Elsewhere),
            ("n", "b1", "7", Elsewhere),
            ("n", "b1", "8", Elsewhere),
            ("n", "b0", "7", Elsewhere),
            ("n", "", "7", Elsewhere),
            ("", "b1", "7", Here),
            ("", "b1", "8", Elsewhere),
            ("", "b1", "?", Elsewhere),
            ("", "b0", "7", Elsewhere),
            ("", "", "7", Elsewhere),
        ] {
            // The host is a name for people.
            for host in ["h", "elsewhere"] {
                let found = here.reach(boot, host, Some(&space(machine, namespace)));
                assert_eq!(found, expected, "{machine} {boot} {namespace} {host}");
            }
        }
        for (host, boot, expected) in [
            ("h", "b1", Here),
            ("h", "", Here),
            ("h", "b0", Past),
            ("elsewhere", "b1", Elsewhere),
            ("elsewhere", "b0", Elsewhere),
            ("", "b1", Elsewhere),
        ] {
            assert_eq!(here.reach(boot, host, None), expected, "{host} {boot}");
        }
    }

    /// K-25: a reader that does not know where it runs takes no process for gone, unless the machine was
    /// started anew.
    #[test]
    fn an_unknown_place_proves_nothing() {
        let records = [space("m", "7"), space("", "7"), space("m", "?"), space("", "?")];
        let blind = Vantage { host: "h".into(), boot_id: String::new(), space: space("m", "?") };
        let lost = Vantage { space: space("", "?"), ..blind.clone() };
        for recorded in &records {
            for boot in ["b1", ""] {
                assert_eq!(blind.reach(boot, "h", Some(recorded)), Reach::Elsewhere, "{recorded} {boot}");
                assert_eq!(lost.reach(boot, "h", Some(recorded)), Reach::Elsewhere, "{recorded} {boot}");
            }
        }
        let dated = Vantage { boot_id: "b1".into(), ..blind };
        assert_eq!(dated.reach("b0", "h", Some(&records[0])), Reach::Past);
        assert_eq!(dated.reach("b1", "h", Some(&records[0])), Reach::Elsewhere);
        // A system without namespaces has one, whose number is empty.
        let one = Vantage { space: space("m", ""), ..dated };
        assert_eq!(one.reach("b1", "h", Some(&space("m", ""))), Reach::Here);
        assert_eq!(one.reach("b1", "h", Some(&space("m", "7"))), Reach::Elsewhere);
    }

    #[test]
    fn a_space_has_one_text() {
        for text in ["m/7", "/7", "m/", "m/?", "/?", "/"] {
            assert_eq!(PidSpace::read(text).to_string(), text);
        }
        assert_eq!(PidSpace::read("what is this").to_string(), "/?");
    }
}
