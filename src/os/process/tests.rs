//! Identity, liveness and signals, on real processes that the tests start themselves.

use std::io::{BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::*;

/// A child that does not outlive its test.
struct Own(Child);

impl Own {
    fn sleeper() -> Self {
        Self(Command::new("sleep").arg("100").spawn().unwrap())
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.0.id()).unwrap()
    }

    fn identity(&self) -> Identity {
        identify(self.pid()).unwrap().unwrap()
    }

    fn runs(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn eventually(what: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(10) {
        if what() {
            return true;
        }
        thread::sleep(Duration::from_millis(2));
    }
    false
}

#[test]
fn an_identity_is_stable() {
    let child = Own::sleeper();
    let (first, second) = (child.identity(), child.identity());
    assert_eq!(first, second);
    assert_eq!((first.pid, first.host.clone()), (child.pid(), this_host()));
    assert_eq!(first.liveness(), Liveness::Alive);
}

#[test]
fn the_parent_is_identified() {
    let raw = getppid().map_or(0, Pid::as_raw_pid);
    let found = parent().unwrap();
    assert_eq!(found.map(|identity| identity.pid), (raw > 1).then_some(raw));
}

#[test]
fn a_zombie_is_gone() {
    let child = Own(Command::new("sleep").arg("0.2").spawn().unwrap()); // ends, and is not waited for
    let identity = child.identity();
    assert!(eventually(|| identity.liveness() == Liveness::Gone));
    assert_eq!(identify(child.pid()).unwrap(), None);
    assert_eq!(signal(&identity, Signal::Kill).unwrap(), Signalled::Gone);
}

#[test]
fn a_reaped_process_is_gone() {
    let mut child = Own::sleeper();
    let identity = child.identity();
    child.0.kill().unwrap();
    child.0.wait().unwrap();
    assert_eq!(identity.liveness(), Liveness::Gone);
    assert_eq!(signal(&identity, Signal::Kill).unwrap(), Signalled::Gone);
}

#[test]
fn a_reused_pid_is_gone_and_spared() {
    let mut child = Own::sleeper();
    let mut identity = child.identity();
    identity.start_time -= 1;
    assert_eq!(identity.liveness(), Liveness::Gone);
    assert_eq!(signal(&identity, Signal::Kill).unwrap(), Signalled::Gone);
    assert!(child.runs());
}

#[test]
fn another_boot_is_gone_and_spared_and_no_name_is_no_other_boot() {
    let mut child = Own::sleeper();
    let identity = child.identity();
    let earlier = Identity { boot_id: "earlier".to_owned(), ..identity.clone() };
    assert_eq!(earlier.liveness(), Liveness::Gone);
    assert_eq!(signal(&earlier, Signal::Kill).unwrap(), Signalled::Gone);
    assert!(child.runs());
    let unnamed = Identity { boot_id: String::new(), ..identity };
    assert_eq!(unnamed.liveness(), Liveness::Alive);
}

/// K-25: neither another machine's process nor that of another namespace is judged or signalled; records
/// without a space go by the host.
#[test]
fn what_is_elsewhere_is_foreign_and_spared() {
    let mut child = Own::sleeper();
    let own = child.identity();
    let space = own.space.clone().unwrap();
    let machine = PidSpace { machine: Some("other".to_owned()), ..space.clone() };
    let namespace = PidSpace { namespace: Some("1".to_owned()), ..space.clone() };
    let unknown = PidSpace { namespace: None, ..space };
    let other_host = Some(format!("not-{}", this_host()));
    for (host, space) in
        [(None, Some(machine)), (None, Some(namespace)), (None, Some(unknown)), (other_host.clone(), None)]
    {
        let far = Identity { host: host.unwrap_or_else(this_host), space, ..own.clone() };
        assert_eq!(far.liveness(), Liveness::Foreign);
        assert_eq!(signal(&far, Signal::Kill).unwrap(), Signalled::Foreign);
    }
    for (host, space) in [(other_host, own.space.clone()), (None, None)] {
        let near = Identity { host: host.unwrap_or_else(this_host), space, ..own.clone() };
        assert_eq!(near.liveness(), Liveness::Alive);
        assert_eq!(Identity { start_time: own.start_time - 1, ..near }.liveness(), Liveness::Gone);
    }
    assert!(child.runs());
}

/// K-25: of a process whose start is unknown only its pid tells: while a process has it, that is no proof.
#[test]
fn an_unknown_start_is_gone_with_its_pid() {
    let mut child = Own::sleeper();
    let unknown = Identity { start_time: UNKNOWN_START, ..child.identity() };
    assert_eq!(unknown.liveness(), Liveness::Alive);
    assert_eq!(signal(&unknown, Signal::Kill).unwrap(), Signalled::Gone, "it cannot be verified");
    assert!(child.runs());
    drop(child);
    assert_eq!(unknown.liveness(), Liveness::Gone);
}

#[test]
fn a_single_process_gets_the_signal_asked_for() {
    for (asked, number) in [(Signal::Term, 15), (Signal::Kill, 9)] {
        let mut child = Own::sleeper();
        assert_eq!(signal(&child.identity(), asked).unwrap(), Signalled::Sent);
        assert_eq!(child.0.wait().unwrap().signal(), Some(number));
    }
}

#[test]
fn a_group_dies_with_its_leader() {
    let script = "sleep 100 & echo $!; wait";
    let mut command = Command::new("sh");
    command.args(["-c", script]).process_group(0).stdout(Stdio::piped());
    let mut leader = Own(command.spawn().unwrap());
    let mut line = String::new();
    BufReader::new(leader.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let grandchild = identify(line.trim().parse().unwrap()).unwrap().unwrap();

    assert_eq!(signal(&leader.identity(), Signal::Term).unwrap(), Signalled::Sent);
    assert_eq!(leader.0.wait().unwrap().signal(), Some(15));
    assert!(eventually(|| grandchild.liveness() == Liveness::Gone));
}

#[test]
fn a_member_dies_alone() {
    let mut command = Command::new("sleep");
    let mut leader = Own(command.arg("100").process_group(0).spawn().unwrap());
    let mut command = Command::new("sleep");
    let mut member = Own(command.arg("100").process_group(leader.pid()).spawn().unwrap());
    assert_eq!(signal(&member.identity(), Signal::Kill).unwrap(), Signalled::Sent);
    assert_eq!(member.0.wait().unwrap().signal(), Some(9));
    assert!(leader.runs());
}

#[test]
fn init_and_groups_are_refused() {
    for pid in [1, 0, -1, -70, i32::MIN] {
        let err = identify(pid).unwrap_err();
        assert_eq!(err.kind(), io::ErrorKind::InvalidInput);
        assert_eq!(err.to_string(), "pid must be greater than 1");
        let forged = Identity::here(pid, -1);
        assert_eq!(forged.liveness(), Liveness::Gone);
        assert_eq!(signal(&forged, Signal::Term).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}

#[test]
fn a_pid_that_nobody_has_is_gone() {
    assert_eq!(identify(i32::MAX).unwrap(), None, "above the kernel's limit");
}
