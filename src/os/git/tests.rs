use std::cell::{Cell, RefCell};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::*;

/// A repository with one commit, and a way to make another.
struct Place {
    _root: tempfile::TempDir,
    dir: PathBuf,
}

impl Place {
    fn empty() -> Self {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().canonicalize().unwrap().join("repo");
        fs::create_dir(&dir).unwrap();
        let place = Self { _root: root, dir };
        place.git(&["init", "--quiet", "--initial-branch=main"]);
        // Whatever the machine's own configuration says.
        for (key, value) in [
            ("user.name", "Somebody"),
            ("user.email", "somebody@example.org"),
            ("commit.gpgsign", "false"),
            ("core.hooksPath", ".git/hooks"),
            ("core.autocrlf", "false"),
        ] {
            place.git(&["config", key, value]);
        }
        place
    }

    fn new() -> Self {
        let place = Self::empty();
        place.write("a", "1\n");
        place.write("other", "1\n");
        place.git(&["add", "a", "other"]);
        place.git(&["commit", "--quiet", "-m", "first"]);
        place
    }

    fn git(&self, args: &[&str]) -> String {
        let output = Command::new("git").args(args).current_dir(&self.dir).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {args:?}: {said}");
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    fn write(&self, path: &str, content: &str) {
        fs::write(self.dir.join(path), content).unwrap();
    }

    fn hook(&self, name: &str, script: &str) {
        let path = self.dir.join(".git/hooks").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn repository(&self) -> Repository {
        Repository::discover(&self.dir).unwrap()
    }

    fn commit(&self, path: &str, content: Content<'_>) -> Result<Committed, GitError> {
        self.commit_with(path, content, Hooks::Run(Duration::from_secs(10)), &|_| {})
    }

    fn commit_with(
        &self,
        path: &str,
        content: Content<'_>,
        hooks: Hooks,
        step: &dyn Fn(Step),
    ) -> Result<Committed, GitError> {
        let changes = [Change { path: Path::new(path), content }];
        let trailer = Some(("Mark", "m1"));
        let message = "subject\n\nbody '; $(touch x) \"";
        self.repository().commit(&Commit {
            changes: &changes,
            message,
            trailer,
            hooks,
            detached: false,
            step,
        })
    }

    /// Everything that must not change when there is no commit.
    fn state(&self) -> [String; 4] {
        let head = self.git(&["for-each-ref"]);
        let status = self.git(&["status", "--porcelain=v2", "--untracked-files=all"]);
        let index = self.git(&["ls-files", "--stage"]);
        let mut left: Vec<_> = fs::read_dir(self.dir.join(".git"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with("intercore") || name == "index.lock")
            .collect();
        left.sort();
        [head, status, index, left.join(" ")]
    }

    /// Returns what a commit changed, as `M path` and so on.
    fn changed(&self, commit: &str) -> String {
        self.git(&["show", "--format=", "--name-status", commit])
    }
}

/// IS-14: whatever else is staged or changed stays exactly so.
#[test]
fn only_the_named_path_is_committed() {
    let place = Place::new();
    place.write("other", "staged\n");
    place.write("staged", "new\n");
    place.git(&["add", "other", "staged"]);
    place.write("other", "and changed again\n");
    place.write("loose", "x\n");
    place.write("a", "2\n");
    let before = place.git(&["status", "--porcelain"]);
    let done = place.commit("a", Content::WorkTree).unwrap();
    assert_eq!(place.changed(&done.commit), "M\ta");
    assert_eq!(place.git(&["rev-parse", "HEAD"]), done.commit);
    assert_eq!(Some(place.git(&["rev-parse", "HEAD~1"])), done.parent);
    let after = place.git(&["status", "--porcelain"]);
    assert_eq!(before.replace(" M a\n", ""), after);
    assert_eq!(after, "MM other\nA  staged\n?? loose");
    let message = place.git(&["log", "-1", "--format=%B"]);
    assert_eq!(message, "subject\n\nbody '; $(touch x) \"\nMark: m1");
    assert!(!place.dir.join("x").exists());
    assert_eq!(place.git(&["reflog", "-1", "--format=%gs"]), "commit: subject");
    // The user's next commit has what the user staged, and nothing of ours is taken back.
    place.git(&["commit", "--quiet", "-m", "theirs"]);
    assert_eq!(place.changed("HEAD"), "M\tother\nA\tstaged");
    assert_eq!(place.git(&["show", "HEAD:a"]), "2");
    assert_eq!(place.state()[3], "", "nothing is left in the git directory");
}

#[test]
fn bytes_are_committed_without_a_look_at_the_working_tree() {
    let place = Place::new();
    fs::set_permissions(place.dir.join("a"), fs::Permissions::from_mode(0o755)).unwrap();
    place.git(&["commit", "--quiet", "-am", "executable"]);
    place.write(".gitattributes", "*.txt text eol=crlf\n");
    place.commit("a", Content::Bytes(b"bytes\n")).unwrap();
    assert_eq!(place.git(&["ls-tree", "HEAD", "a"])[..6], *"100755", "the mode stays");
    assert_eq!(place.git(&["status", "--porcelain", "a"]), " M a");
    let done = place.commit("new dir/é\"\n.txt", Content::Bytes(b"x\r\n")).unwrap();
    let path = Path::new("new dir/é\"\n.txt");
    let repository = place.repository();
    assert_eq!(place.git(&["show", "HEAD:new dir/é\"\n.txt"]), "x", "as the filters want it");
    assert_eq!(repository.content(&done.commit, path).unwrap().unwrap(), b"x\r\n", "and back");
    assert_eq!(repository.content(&done.commit, Path::new("none")).unwrap(), None);
}

#[test]
fn a_removed_file_is_committed_as_removed() {
    let place = Place::new();
    fs::remove_file(place.dir.join("a")).unwrap();
    let done = place.commit("a", Content::WorkTree).unwrap();
    assert_eq!(place.changed(&done.commit), "D\ta");
    assert_eq!(place.git(&["status", "--porcelain"]), "");
    assert!(matches!(place.commit("a", Content::WorkTree), Err(GitError::Nothing)));
}

#[test]
fn a_branch_without_a_commit_gets_its_first() {
    let place = Place::empty();
    assert_eq!((place.repository().head().unwrap(), head(&place.dir)), (None, None));
    place.write("b", "staged\n");
    place.git(&["add", "b"]);
    assert_eq!(place.repository().find(("Mark", "m1"), None).unwrap(), None);
    let done = place.commit("a", Content::Bytes(b"1\n")).unwrap();
    assert_eq!(done.parent, None);
    assert_eq!(place.git(&["ls-tree", "--name-only", "HEAD"]), "a");
    assert_eq!(place.git(&["status", "--porcelain"]), " D a\nA  b");
    assert_eq!(head(&place.dir), Some(done.commit));
}

/// IS-02: a refusal leaves everything as it was.
#[test]
fn without_a_commit_nothing_changes() {
    let refused = |place: &Place, wanted: &str| {
        let before = place.state();
        let err = place.commit("a", Content::Bytes(b"2\n")).unwrap_err().to_string();
        assert!(err.contains(wanted), "{err}");
        assert_eq!(place.state(), before, "{wanted}");
    };
    let place = Place::new();
    place.write("other", "staged\n");
    place.git(&["add", "other"]);
    place.hook("pre-commit", "echo no such luck; git diff --cached --name-only; exit 3");
    refused(&place, "the pre-commit hook refused the commit: no such luck\na");
    place.hook("pre-commit", "echo more > other; git add other");
    let before = place.git(&["ls-files", "--stage"]);
    let err = place.commit("a", Content::Bytes(b"2\n")).unwrap_err();
    assert!(matches!(err, GitError::HookMeddled), "{err}");
    assert_eq!(place.git(&["ls-files", "--stage"]), before);
    place.hook("pre-commit", "sleep 60");
    let hooks = Hooks::Run(Duration::from_millis(200));
    let err = place.commit_with("a", Content::Bytes(b"2\n"), hooks, &|_| {}).unwrap_err();
    assert!(matches!(err, GitError::TimedOut(_)), "{err}");
    place.hook("pre-commit", "exit 0");
    place.hook("commit-msg", "grep -q subject \"$1\" && exit 1");
    refused(&place, "the commit-msg hook refused");
    place.hook("commit-msg", "exit 0");
    place.write("../signer", "#!/bin/sh\necho the key is away >&2\nexit 1\n");
    fs::set_permissions(place.dir.join("../signer"), fs::Permissions::from_mode(0o755)).unwrap();
    place.git(&["config", "gpg.program", place.dir.join("../signer").to_str().unwrap()]);
    place.git(&["config", "commit.gpgsign", "true"]);
    refused(&place, "git could not make the commit: error: gpg failed to sign the data:\nthe key is away");
    place.git(&["config", "commit.gpgsign", "false"]);
    place.write(".git/refs/heads/main.lock", "");
    refused(&place, "git could not move the branch");
    fs::remove_file(place.dir.join(".git/refs/heads/main.lock")).unwrap();
    place.write(".git/MERGE_HEAD", &place.git(&["rev-parse", "HEAD"]));
    refused(&place, "a merge is in progress");
    fs::remove_file(place.dir.join(".git/MERGE_HEAD")).unwrap();
    fs::create_dir(place.dir.join(".git/rebase-merge")).unwrap();
    refused(&place, "a rebase is in progress");
    fs::remove_dir(place.dir.join(".git/rebase-merge")).unwrap();
    place.write(".git/info/exclude", "a2\n");
    let err = place.commit("a2", Content::Bytes(b"")).unwrap_err();
    assert!(matches!(err, GitError::Ignored(_)), "{err}");
    place.git(&["checkout", "--quiet", "--detach"]);
    refused(&place, "HEAD is detached");
}

#[test]
fn a_locked_index_is_waited_for() {
    let place = Place::new();
    place.write(".git/index.lock", "");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(100));
            fs::remove_file(place.dir.join(".git/index.lock")).unwrap();
        });
        place.commit("a", Content::Bytes(b"2\n")).unwrap();
    });
    let scratch = Scratch::new(&place.dir.join(".git")).unwrap();
    place.write(".git/index.lock", "");
    let err = scratch.lock(&place.repository().lock_path(), Duration::from_millis(5)).err().unwrap();
    assert!(matches!(err, GitError::IndexLocked(_)), "{err}");
}

#[test]
fn paths_that_lead_elsewhere_are_refused() {
    let place = Place::new();
    fs::create_dir_all(place.dir.join("sub/.git")).unwrap();
    symlink("/tmp", place.dir.join("link")).unwrap();
    for path in ["", "/a", "../a", "./a", "b/../a", ".git/config", "x/.GIT/y", "sub/a", "link/a"] {
        let err = place.commit(path, Content::Bytes(b"")).unwrap_err();
        assert!(matches!(err, GitError::BadPath { .. }), "{path}: {err}");
    }
    let nowhere = tempfile::tempdir().unwrap();
    for dir in [nowhere.path(), &nowhere.path().join("none"), &place.dir.join(".git")] {
        assert!(Repository::discover(dir).is_err(), "{}", dir.display());
    }
}

/// IS-15: a commit of another process is neither lost nor taken for ours.
#[test]
fn a_commit_of_somebody_else_stays() {
    let place = Place::new();
    let theirs = Cell::new(0);
    let step = |step| {
        if step == Step::Made && theirs.get() < 3 {
            theirs.set(theirs.get() + 1);
            place.write("other", &theirs.get().to_string());
            place.git(&["commit", "--quiet", "-am", "theirs"]);
        }
    };
    let done = place.commit_with("a", Content::Bytes(b"2\n"), Hooks::Skip, &step).unwrap();
    assert_eq!(place.git(&["log", "--format=%s"]), "subject\ntheirs\ntheirs\ntheirs\nfirst");
    assert_eq!(place.changed(&done.commit), "M\ta");
    assert_eq!(place.git(&["show", "HEAD:other"]), "3");
    // Under the lock no other writer gets between.
    let refused = Cell::new(false);
    let step = |step| {
        if step == Step::Locked {
            let mut add = Command::new("git");
            add.args(["add", "other"]).current_dir(&place.dir).stderr(Stdio::null());
            refused.set(!add.status().unwrap().success());
        }
    };
    place.write("other", "4");
    place.commit_with("a", Content::Bytes(b"3\n"), Hooks::Skip, &step).unwrap();
    assert!(refused.get());
}

/// IS-15: linked working trees and submodules commit to their own branch.
#[test]
fn linked_trees_and_submodules() {
    let place = Place::new();
    let linked = place.dir.join("../linked");
    place.git(&["worktree", "add", "--quiet", "-b", "side", linked.to_str().unwrap()]);
    let main = place.git(&["rev-parse", "main"]);
    let side = Place { _root: tempfile::tempdir().unwrap(), dir: linked.canonicalize().unwrap() };
    let done = side.commit("a", Content::Bytes(b"side\n")).unwrap();
    assert_eq!((place.git(&["rev-parse", "side"]), place.git(&["rev-parse", "main"])), (done.commit, main));
    assert_eq!(side.git(&["status", "--porcelain"]), " M a");

    let lib = Place::new();
    let add =
        ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", lib.dir.to_str().unwrap(), "lib"];
    place.git(&add);
    let sub = Place { _root: tempfile::tempdir().unwrap(), dir: place.dir.join("lib") };
    sub.git(&["config", "user.name", "Somebody"]);
    sub.git(&["config", "user.email", "somebody@example.org"]);
    fs::create_dir(sub.dir.join("deep")).unwrap();
    let repository = Repository::discover(&sub.dir.join("deep")).unwrap();
    assert_eq!(repository.top(), sub.dir);
    let done = sub.commit("a", Content::Bytes(b"sub\n")).unwrap();
    assert_eq!(sub.git(&["rev-parse", "HEAD"]), done.commit);
    assert_ne!(place.git(&["rev-parse", "HEAD"]), done.commit);
}

#[test]
fn the_trailer_is_found_again() {
    let place = Place::new();
    place.hook("commit-msg", "echo replaced > \"$1\"");
    let first = place.repository().head().unwrap();
    let done = place.commit("a", Content::Bytes(b"2\n")).unwrap();
    assert_eq!(place.git(&["log", "-1", "--format=%B"]), "replaced\nMark: m1");
    place.hook("commit-msg", "exit 0");
    place.git(&["commit", "--quiet", "--allow-empty", "-m", "later"]);
    let repository = place.repository();
    let find = |value: &str, since: Option<&str>| repository.find(("Mark", value), since).unwrap();
    assert_eq!(find("m1", first.as_deref()), Some(done.commit.clone()));
    assert_eq!(find("m1", None), Some(done.commit.clone()));
    assert_eq!(find("m1", Some(&done.commit)), None);
    assert_eq!(find("m1", Some(&"0".repeat(40))), Some(done.commit), "a commit that is gone");
    assert_eq!(find("m2", None), None);
}

/// IS-03, IS-14: what a killed process left is put in order by the next call.
#[test]
fn what_was_left_half_done_is_finished() {
    let place = Place::new();
    place.write("other", "staged\n");
    place.git(&["add", "other"]);
    // A process that is gone: its scratch directory, kept by copies, under a name of one that never was.
    let git_dir = place.dir.join(".git");
    let saved = RefCell::new(None);
    let wanted = Cell::new(Step::Moved);
    let step = |now| {
        if now == wanted.get() {
            let index = fs::read(git_dir.join("index")).unwrap();
            let entry = fs::read_dir(&git_dir).unwrap().map(Result::unwrap);
            let scratch = entry
                .map(|entry| entry.path())
                .find(|path| path.file_name().unwrap().to_str().unwrap().starts_with("intercore."));
            let record = fs::read(scratch.unwrap().join("record")).ok();
            *saved.borrow_mut() = Some((index, record));
        }
    };
    let kill = |content: &[u8], at: Step| {
        wanted.set(at);
        place.commit_with("a", Content::Bytes(content), Hooks::Skip, &step).unwrap();
        let (index, record) = saved.borrow_mut().take().unwrap();
        fs::write(git_dir.join("index"), index).unwrap();
        let this = crate::os::process::this_host();
        let dir = git_dir.join(format!("intercore.0.2147483646.1..{this}"));
        fs::create_dir(&dir).unwrap();
        if let Some(record) = record {
            fs::write(dir.join("record"), record).unwrap();
        }
        fs::write(dir.join("lock"), "").unwrap();
        fs::hard_link(dir.join("lock"), git_dir.join("index.lock")).unwrap();
    };
    kill(b"2\n", Step::Moved);
    assert_eq!(place.git(&["diff", "--cached", "--name-only"]), "a\nother", "the index is behind");
    place.repository().recover().unwrap();
    assert_eq!(place.git(&["diff", "--cached", "--name-only"]), "other");
    assert_eq!(place.state()[3], "");
    // Before the branch moved there is nothing to bring after it.
    kill(b"3\n", Step::Locked);
    place.git(&["update-ref", "HEAD", "HEAD~1"]);
    place.commit("a", Content::Bytes(b"4\n")).unwrap();
    assert_eq!(place.git(&["diff", "--cached", "--name-only"]), "other");
    assert_eq!(place.git(&["show", "HEAD:a"]), "4");
    // What the user has staged since then is the user's; and a lock of another process stays.
    kill(b"5\n", Step::Moved);
    fs::remove_file(git_dir.join("index.lock")).unwrap();
    place.write("a", "mine\n");
    place.git(&["add", "a"]);
    place.repository().recover().unwrap();
    assert_eq!(place.git(&["show", ":a"]), "mine");
    fs::write(git_dir.join("index.lock"), "").unwrap();
    fs::create_dir(git_dir.join(format!("intercore.0.2147483646.1..{}", crate::os::process::this_host())))
        .unwrap();
    place.repository().recover().unwrap();
    assert_eq!(place.state()[3], "index.lock", "that one is somebody else's");
}

#[test]
fn records_are_read_as_they_were_written() {
    let entry = |mode: &str| Some((mode.to_owned(), "abc".to_owned()));
    let path = |name: &str| PathBuf::from(name);
    let record = record::Record {
        commit: "c0ffee".into(),
        before: [(path("a\nb"), None), (path("c"), entry("100644"))].into(),
        after: [(path("a\nb"), entry("100755")), (path("c"), None)].into(),
    };
    assert_eq!(record::Record::from_bytes(&record.to_bytes()), Some(record));
    assert_eq!(record::Record::from_bytes(b"half"), None);
}
