use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::*;
use crate::os::process;

const NOW: i64 = 1_700_000_000;
const KEY: (&str, &str) = ("n", "s");

fn root() -> (tempfile::TempDir, Root) {
    let dir = tempfile::tempdir().unwrap();
    let root = Root::new(dir.path().join("deep/locks"));
    (dir, root)
}

fn take(root: &Root, owner: &Owner, now: i64) -> bool {
    matches!(root.acquire(KEY, owner, None, now * 1000, Duration::ZERO).unwrap(), Taken::Yes(_))
}

/// A process that has ended.
fn ended() -> i64 {
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    i64::from(child.id())
}

/// Writes a lock as another program would: no more than the four members.
fn written(root: &Root, pid: i64, host: &str, owner: &str, created: i64) {
    let dir = root.place(KEY.0, KEY.1);
    fs::create_dir_all(&dir).unwrap();
    let text = format!(r#"{{"pid":{pid},"host":"{host}","owner":"{owner}","created":{created}}}"#);
    fs::write(dir.join(OWNER), text).unwrap();
}

fn me() -> Owner {
    Owner::new(Some(&format!("{}:{}", std::process::id(), process::this_host())))
}

#[test]
fn a_lock_is_taken_once_and_released_by_its_owner() {
    let (_dir, root) = root();
    let (one, other) = (Owner::new(Some("one")), Owner::new(Some("other")));
    assert_eq!(root.release(KEY, &one).unwrap(), Released::NotHeld);
    assert_eq!(root.list().unwrap(), []);
    assert!(take(&root, &one, NOW) && !take(&root, &one, NOW) && !take(&root, &other, NOW));
    let place = root.place(KEY.0, KEY.1);
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&place), mode(&place.join(OWNER))), (0o700, 0o600));
    assert!(matches!(root.release(KEY, &other).unwrap(), Released::NotOwner(Some(_))));
    assert!(place.join(OWNER).exists(), "a refused release removes nothing");
    assert_eq!(root.release(KEY, &one).unwrap(), Released::Yes);
    assert_eq!(fs::read_dir(place.parent().unwrap()).unwrap().count(), 0);
    assert!(take(&root, &other, NOW));
}

#[test]
fn a_dead_owner_counts_from_five_seconds_on() {
    for age in [0, 4, 5, 100] {
        let (_dir, root) = root();
        written(&root, ended(), &process::this_host(), "x", NOW - age);
        assert_eq!(take(&root, &me(), NOW), age >= 5, "{age}");
    }
}

#[test]
fn the_living_and_the_foreign_are_never_broken() {
    let here = process::this_host();
    for (pid, host, owner) in [
        (ended(), "elsewhere", "x"),
        (ended(), &here, "99998:remote-host"),
        (ended(), "", "x"),
        (0, &here, "x"),
        (-1, &here, "x"),
    ] {
        let (_dir, root) = root();
        written(&root, pid, host, owner, NOW - 1_000_000);
        assert!(!take(&root, &me(), NOW), "{pid} {host} {owner}");
        assert_eq!(root.clean(5, NOW).unwrap(), 0, "{pid} {host} {owner}");
    }
    let (_dir, root) = root();
    assert!(take(&root, &me(), NOW));
    assert_eq!((take(&root, &me(), NOW + 1000), root.clean(0, NOW + 1000).unwrap()), (false, 0));
}

/// A bare pid is no proof: a process younger than the lock is not its owner.
#[test]
#[cfg(target_os = "linux")]
fn a_reused_pid_is_found_out() {
    let here = process::this_host();
    let (_dir, root) = root();
    // This very process, as if it had the pid of one that took the lock long before the machine started.
    written(&root, i64::from(std::process::id()), &here, "x", NOW - 1_000_000_000);
    assert!(take(&root, &me(), NOW));
    // With a start time, which is another one.
    let dir = root.place(KEY.0, KEY.1);
    let mut record = Record::parse(&fs::read(dir.join(OWNER)).unwrap()).unwrap();
    assert!(!record.is_stale(NOW + 1_000_000), "the real owner lives");
    record.start_time = record.start_time.map(|start| start - 1);
    fs::write(dir.join(OWNER), record.to_json()).unwrap();
    assert!(matches!(root.release(KEY, &me()).unwrap(), Released::NotOwner(_)));
    assert!(!take(&root, &me(), NOW + 4) && take(&root, &me(), NOW + 5));
}

/// K-25: an owner in another namespace is not gone, and its name is no other process's; a record without one
/// goes by host.
#[test]
fn an_owner_elsewhere_is_not_judged() {
    let gone = Owner::new(Some(&format!("{}:{}", ended(), process::this_host())));
    let record = Record::new(&gone, NOW, None);
    assert_eq!(record.start_time, None);
    assert_eq!(record.pid_namespace, Some(process::here().space.to_string()));
    assert!(record.is_gone(NOW + 100), "no process has its pid");
    for elsewhere in ["other/7", "/?", "what is this"] {
        for start_time in [None, Some(7)] {
            let far = Record { pid_namespace: Some(elsewhere.to_owned()), start_time, ..record.clone() };
            assert!(!far.is_gone(NOW + 1_000_000) && !far.belongs_to(&gone), "{elsewhere}");
        }
    }
    // A name that is a word may be shared.
    let word = Owner::new(Some("word"));
    let far = Record { pid_namespace: Some("other/7".to_owned()), ..Record::new(&word, NOW, None) };
    assert!(far.belongs_to(&word));
    // Another boot, seen by the machine's own id.
    let past = Record { boot_id: Some("earlier".to_owned()), host: "renamed".to_owned(), ..record.clone() };
    assert!(past.is_gone(NOW));
    let plain = Record { pid_namespace: None, boot_id: None, ..record };
    assert!(plain.is_gone(NOW + 100));
    assert!(!Record { host: "renamed".to_owned(), ..plain }.is_gone(NOW + 100));
}

#[test]
fn a_ttl_ends_a_lock_whatever_becomes_of_its_owner() {
    let (_dir, root) = root();
    let remote = Owner::new(Some("7:elsewhere"));
    assert!(matches!(
        root.acquire(KEY, &remote, Some(2), NOW * 1000, Duration::ZERO).unwrap(),
        Taken::Yes(Record { ttl: Some(2), pid: 7, start_time: None, .. })
    ));
    assert!(!take(&root, &me(), NOW + 1) && take(&root, &me(), NOW + 2));
}

#[test]
fn ghosts_are_left_to_the_cleaner() {
    let (_dir, root) = root();
    let dir = root.place(KEY.0, KEY.1);
    fs::create_dir_all(&dir).unwrap();
    let since = dir.metadata().unwrap().mtime();
    for content in ["", "{", "[]", r#"{"pid":"x"}"#] {
        fs::write(dir.join(OWNER), content).unwrap();
        assert!(!take(&root, &me(), since + 1000), "{content}");
        assert!(matches!(root.release(KEY, &me()).unwrap(), Released::NotOwner(None)), "{content}");
    }
    assert_eq!(root.list().unwrap().len(), 1);
    assert_eq!(root.clean(60, since + 30).unwrap(), 0);
    fs::write(dir.join("..owner-1"), "").unwrap();
    fs::create_dir(dir.with_file_name("..gone-1")).unwrap();
    assert_eq!(root.clean(60, since + 90).unwrap(), 1);
    assert_eq!(fs::read_dir(dir.parent().unwrap()).unwrap().count(), 0);
}

#[test]
fn files_of_others_are_not_deleted() {
    let (_dir, root) = root();
    assert!(take(&root, &me(), NOW));
    let dir = root.place(KEY.0, KEY.1);
    fs::write(dir.join("notes.txt"), "x").unwrap();
    assert_eq!(root.release(KEY, &me()).unwrap_err().kind(), ErrorKind::DirectoryNotEmpty);
    assert!(dir.join(OWNER).exists() && dir.join("notes.txt").exists());
}

/// A breaker that saw one owner must not remove the next one.
#[test]
fn what_has_changed_meanwhile_is_put_back() {
    let (_dir, root) = root();
    assert!(take(&root, &me(), NOW));
    let dir = root.place(KEY.0, KEY.1);
    assert!(!remove(&dir, Some(b"what was seen before")).unwrap());
    assert!(dir.join(OWNER).exists());
    assert_eq!(fs::read_dir(dir.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn an_owner_without_a_name_is_the_caller() {
    let owner = Owner::new(None);
    let caller = process::caller();
    let pid = caller.as_ref().map_or(0, |caller| i64::from(caller.pid));
    assert_eq!(owner.text(), format!("{pid}:{}", process::this_host()));
    assert!(Record::new(&owner, NOW, None).belongs_to(&Owner::new(Some(owner.text()))));
    assert_eq!(Record::new(&owner, NOW, None).start_time, caller.map(|caller| caller.start_time));
}

/// Many who take, release, and die holding it: never two at a time, and none loses what it holds to a
/// breaker.
#[test]
fn breakers_never_break_the_next_owner() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let (_dir, root) = root();
    let (inside, dead) = (AtomicUsize::new(0), ended());
    let gone = Owner::new(Some(&format!("{dead}:{}", process::this_host())));
    let work = |number: usize| {
        let me = Owner::new(Some(&format!("worker {number}")));
        for round in 0..1500 {
            if !take(&root, &me, NOW) {
                continue;
            }
            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two hold it");
            thread::yield_now();
            inside.fetch_sub(1, Ordering::SeqCst);
            if round % 3 == 0 {
                assert_eq!(root.release(KEY, &me).unwrap(), Released::Yes, "it was taken away");
            } else {
                let dir = root.place(KEY.0, KEY.1);
                write_owner(&dir, &Record::new(&gone, NOW - 10, None)).unwrap();
            }
        }
    };
    thread::scope(|scope| {
        for number in 0..16 {
            let work = &work;
            scope.spawn(move || work(number));
        }
    });
}
