//! Where the database is (K-09, K-13).

use std::fs;

use intercore::newest;

use crate::support::{Sandbox, render, run};

fn in_dir(sandbox: &Sandbox, dir: &str, args: &[&str], env: &[(&str, &str)]) -> (i32, String, String) {
    let dir = sandbox.dir().join(dir);
    let mut command = sandbox.command(args);
    command.current_dir(&dir).env("PWD", &dir).envs(env.iter().copied());
    let output = run(command);
    let code = output.status.code().unwrap_or_else(|| panic!("{}", render(&output)));
    (code, String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// K-09
#[test]
fn the_nearest_database_upwards_is_used() {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.dir().join("a/b")).unwrap();
    let (code, id, _) = in_dir(&sandbox, "a/b", &["run", "create", "--goal=g"], &[]);
    assert_eq!(code, 0);
    assert_eq!(sandbox.ok(["run", "list"]).split('\t').next().unwrap(), id.trim());
    assert_eq!(
        in_dir(&sandbox, "a/b", &["init"], &[]).1,
        format!("initialized {} (schema v{})\n", sandbox.db_path().display(), newest())
    );
    // A `.clavain` of the directory's own is where `init` goes.
    fs::create_dir(sandbox.dir().join("a/.clavain")).unwrap();
    in_dir(&sandbox, "a", &["init"], &[]);
    assert!(sandbox.dir().join("a/.clavain/intercore.db").exists());
    assert_eq!(in_dir(&sandbox, "a/b", &["run", "list"], &[]).1, "");
}

/// K-09: the first write creates a database in the nearest `.clavain` up to the top of the repository, and not beyond.
#[test]
fn the_first_write_stays_within_the_repository() {
    let sandbox = Sandbox::bare();
    fs::create_dir_all(sandbox.dir().join("repo/deep/er")).unwrap();
    fs::create_dir(sandbox.dir().join(".clavain")).unwrap();
    fs::create_dir(sandbox.dir().join("repo/.git")).unwrap();
    let create = ["run", "create", "--goal=g"];
    let (code, _, stderr) = in_dir(&sandbox, "repo/deep/er", &create, &[]);
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("ic init"), "{stderr}");
    fs::create_dir(sandbox.dir().join("repo/.clavain")).unwrap();
    assert_eq!(in_dir(&sandbox, "repo/deep/er", &["run", "list"], &[]).0, 2, "a read creates nothing");
    assert_eq!(in_dir(&sandbox, "repo/deep/er", &create, &[]).0, 0);
    assert!(sandbox.dir().join("repo/.clavain/intercore.db").exists());
    assert!(!sandbox.dir().join(".clavain/intercore.db").exists());
    // Without a repository only the working directory itself counts.
    fs::create_dir_all(sandbox.dir().join("plain/sub")).unwrap();
    fs::create_dir(sandbox.dir().join("plain/.clavain")).unwrap();
    assert_eq!(in_dir(&sandbox, "plain/sub", &create, &[]).0, 2);
    assert_eq!(in_dir(&sandbox, "plain", &create, &[]).0, 0);
}

/// K-13: the environment names the database; the command line comes first.
#[test]
fn the_environment_names_the_database_and_the_command_line_comes_first() {
    let sandbox = Sandbox::new();
    let elsewhere = Sandbox::new();
    let far = elsewhere.db_path();
    let env = [("INTERCORE_DB", far.to_str().unwrap())];
    let (code, id, _) = in_dir(&sandbox, "", &["run", "create", "--goal=g"], &env);
    assert_eq!(code, 0);
    assert_eq!(elsewhere.ok(["run", "status", id.trim(), "--json"]).matches(id.trim()).count(), 1);
    assert_eq!(sandbox.count("SELECT count(*) FROM runs"), 0);
    let (_, listed, _) = in_dir(&sandbox, "", &["--db", ".clavain/intercore.db", "run", "list"], &env);
    assert_eq!(listed, "");
    // The same path may be given on the command line.
    let given = format!("--db={}", far.display());
    assert_eq!(in_dir(&sandbox, "", &[&given, "run", "list"], &env).0, 0);
    assert_eq!(
        in_dir(&sandbox, "", &["--db=", "run", "list"], &env).1.len(),
        listed.len() + id.trim().len() + 1 + "active\tbrainstorm\tg\n".len()
    );
}

#[test]
fn a_path_from_the_command_line_stays_below_the_working_directory() {
    let sandbox = Sandbox::bare();
    fs::create_dir(sandbox.dir().join("in")).unwrap();
    for (path, expected) in [
        ("x.sqlite", "db path must have .db extension: x.sqlite"),
        ("../x.db", "db path must not contain '..': ../x.db"),
        ("in/../../x.db", "db path must not contain '..'"),
        ("/tmp/x.db", "db path must be under current directory: /tmp/x.db resolves to /tmp/x.db"),
    ] {
        for command in [&["init"][..], &["run", "list"]] {
            let (_, stderr) = sandbox.fails([&["--db", path], command].concat(), 2);
            assert!(stderr.contains(expected), "{stderr}");
        }
    }
    let absolute = sandbox.dir().join("in/foo..bar.db");
    sandbox.ok(["init", &format!("--db={}", absolute.display())]);
    sandbox.ok(["--db=in/foo..bar.db", "health"]);
    let (_, stderr) = sandbox.fails(["--db=in/new.db", "run", "create", "--goal=g"], 2);
    assert!(stderr.contains("ic init"), "only init makes a database of that name: {stderr}");
    sandbox.fails(["run", "list", "--db"], 3);
}

#[test]
fn version_and_health_answer_with_and_without_a_database() {
    let sandbox = Sandbox::bare();
    assert!(sandbox.ok(["version"]).ends_with("schema: unknown (no database)"));
    sandbox.fails(["health"], 2);
    sandbox.ok(["init"]);
    assert_eq!(sandbox.json(["version"])["schema"], newest());
    assert_eq!(sandbox.ok(["--version"]), sandbox.ok(["version"]));
    assert_eq!(sandbox.ok(["health"]), "ok");
    assert_eq!(sandbox.json(["health"])["status"], "ok");
    assert_eq!(sandbox.json(["init"])["status"], "current");
}
