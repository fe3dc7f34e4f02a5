//! Sixty-four workers who reserve what overlaps, some killed at random, checked afterwards from the log alone by rules of its
//! own: no pattern of the product is compared here.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Output, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::Value;

use crate::support::{Sandbox, render, run, worker_rng};

const WORKERS: usize = 64;
const LASTS: Duration = Duration::from_secs(30);
const SCOPES: usize = 16;
const PATTERNS: [&str; 12] =
    ["a", "a/b", "a/*", "**/x.r", "a/**", "*/b", "b/x.r", "[ab]/x.r", "**", "b/**/x.r", "c", "?/y.r"];

/// Every path of up to four names.
fn paths() -> Vec<Vec<&'static str>> {
    let names = ["a", "b", "c", "x.r", "y.r"];
    let mut all: Vec<Vec<&str>> = Vec::new();
    let mut last: Vec<Vec<&str>> = vec![Vec::new()];
    for _ in 0..4 {
        last = last
            .iter()
            .flat_map(|path| names.iter().map(move |name| [path.as_slice(), &[*name]].concat()))
            .collect();
        all.extend(last.clone());
    }
    all
}

fn name_matches(pattern: &str, name: &str) -> bool {
    match pattern {
        "*" => true,
        "[ab]" => name == "a" || name == "b",
        "?" => name.len() == 1,
        plain => plain == name,
    }
}

fn matches(pattern: &[&str], path: &[&str]) -> bool {
    match pattern.split_first() {
        None => path.is_empty(),
        Some((&"**", rest)) => {
            let least = usize::from(rest.is_empty());
            (least..=path.len()).any(|at| matches(rest, &path[at..]))
        }
        Some((first, rest)) => {
            path.split_first().is_some_and(|(name, more)| name_matches(first, name) && matches(rest, more))
        }
    }
}

fn covers(pattern: &str, path: &[&str]) -> bool {
    let segments: Vec<&str> = pattern.split('/').collect();
    let plain = !pattern.contains(['*', '?', '[']);
    if plain { path.starts_with(&segments) } else { matches(&segments, path) }
}

/// One call, killed perhaps; what it said.
fn call(sandbox: &Sandbox, words: &[String], rng: &mut StdRng) -> Output {
    let mut command = sandbox.command(words);
    command.env_remove("IC_TEST_NOW").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    if rng.random_range(0..10) == 0 {
        thread::sleep(Duration::from_micros(rng.random_range(0..12_000)));
        child.kill().unwrap();
    }
    child.wait_with_output().unwrap()
}

fn words(owner: &str, held: &mut Vec<String>, rng: &mut StdRng) -> Vec<String> {
    let pattern = PATTERNS[rng.random_range(0..PATTERNS.len())];
    let scope = rng.random_range(0..SCOPES);
    let line = match rng.random_range(0..10) {
        0 if !held.is_empty() => format!("renew {} --ttl=2", held[rng.random_range(0..held.len())]),
        1..=4 if !held.is_empty() => format!("release {}", held.swap_remove(rng.random_range(0..held.len()))),
        5 => format!("transfer --from={owner} --to=w{} --scope=s{scope}", rng.random_range(0..WORKERS)),
        6 => "sweep".to_owned(),
        _ => {
            let ttl = rng.random_range(1..4);
            let exclusive = rng.random_range(0..3) > 0;
            let wait = if rng.random_range(0..2) == 0 { " --wait=150ms --grace=1" } else { "" };
            format!(
                "reserve --owner={owner} --scope=s{scope} --pattern={pattern} --ttl={ttl} --exclusive={exclusive}{wait}"
            )
        }
    };
    // Sixty-four writers on a busy machine may wait for longer than a call does by default. That is not what is tested here.
    let rest = ["--timeout=60s", "--json"];
    ["coordination"].into_iter().chain(line.split(' ')).chain(rest).map(ToOwned::to_owned).collect()
}

/// A lock as the log tells of it.
struct Held {
    owner: String,
    scope: String,
    pattern: String,
    exclusive: bool,
    /// Unix seconds.
    ends: i64,
}

/// CO-01, CO-06, CO-07, CO-09, CO-10, CO-16, K-01: at no moment two live locks that overlap of which one is exclusive; every
/// grant ends once; nothing that was acknowledged is missing.
#[test]
fn no_two_hold_what_overlaps() {
    let sandbox = Sandbox::new();
    let granted = Mutex::new(Vec::new());
    let until = Instant::now() + LASTS;
    thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (sandbox, granted) = (&sandbox, &granted);
            scope.spawn(move || {
                let owner = format!("w{worker}");
                let mut held = Vec::new();
                let mut rng = worker_rng(worker);
                while Instant::now() < until {
                    let words = words(&owner, &mut held, &mut rng);
                    let output = call(sandbox, &words, &mut rng);
                    let said = render(&output);
                    assert!(matches!(output.status.code(), None | Some(0 | 1)), "{words:?}: {said}");
                    if output.status.code() == Some(0) && words[1] == "reserve" {
                        let lock: Value = serde_json::from_slice(&output.stdout).unwrap();
                        let id = lock["lock"]["id"].as_str().unwrap().to_owned();
                        granted.lock().unwrap().push(id.clone());
                        held.push(id);
                    }
                }
            });
        }
    });
    sandbox.check_integrity();
    // Far in the future everything is over.
    let mut last = sandbox.command(["coordination", "sweep"]);
    last.env("IC_TEST_NOW", "4000000000");
    assert!(run(last).status.success());
    judge(&sandbox, &granted.into_inner().unwrap());
}

fn judge(sandbox: &Sandbox, granted: &[String]) {
    let paths = paths();
    let covered: BTreeMap<&str, BTreeSet<usize>> = PATTERNS
        .iter()
        .map(|pattern| (*pattern, (0..paths.len()).filter(|at| covers(pattern, &paths[*at])).collect()))
        .collect();
    let mut live: BTreeMap<String, Held> = BTreeMap::new();
    let mut ended = BTreeSet::new();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (at, event) in sandbox.events().iter().enumerate() {
        assert_eq!(event["id"], at + 1, "gapless, in order");
        let id = event["subject"].as_str().unwrap().to_owned();
        let kind = event["type"].as_str().unwrap().trim_start_matches("coordination.").to_owned();
        let new = &event["data"]["new"];
        let now = new["created_at"].as_i64();
        match kind.as_str() {
            "acquired" => {
                let held = Held {
                    owner: new["owner"].as_str().unwrap().to_owned(),
                    scope: new["scope"].as_str().unwrap().to_owned(),
                    pattern: new["pattern"].as_str().unwrap().to_owned(),
                    exclusive: new["exclusive"] == 1,
                    ends: new["expires_at"].as_i64().unwrap(),
                };
                for (other, there) in &live {
                    let alone = held.exclusive || there.exclusive;
                    let both = !covered[held.pattern.as_str()].is_disjoint(&covered[there.pattern.as_str()]);
                    let still = there.ends > now.unwrap();
                    let apart = held.owner == there.owner || held.scope != there.scope;
                    let apart = apart || !alone || !both || !still;
                    assert!(apart, "{id} was granted while {other} held: {event}");
                }
                assert!(live.insert(id, held).is_none());
            }
            "renewed" | "upgraded" => {
                let exclusive = new["exclusive"] == 1;
                let ends = new["expires_at"].as_i64().unwrap();
                let held = live.get_mut(&id).unwrap_or_else(|| panic!("{id} is not live: {event}"));
                (held.exclusive, held.ends) = (exclusive, ends);
            }
            "transferred" => {
                let held = live.get_mut(&id).unwrap_or_else(|| panic!("{id} is not live: {event}"));
                new["owner"].as_str().unwrap().clone_into(&mut held.owner);
            }
            "released" | "expired" => {
                assert!(live.remove(&id).is_some(), "{id} ended twice, or never began: {event}");
                ended.insert(id);
            }
            "conflict" => {}
            other => panic!("an event nobody expects: {other}"),
        }
        *counts.entry(kind).or_default() += 1;
    }
    assert!(live.is_empty(), "every grant has an end");
    for id in granted {
        assert!(ended.contains(id), "{id} was acknowledged and is lost");
    }
    let locks = "SELECT count(*) FROM coordination_locks";
    assert_eq!(sandbox.count(locks), i64::try_from(ended.len()).unwrap());
    assert_eq!(sandbox.count(&format!("{locks} WHERE released_at IS NULL")), 0);
    for kind in ["acquired", "released", "expired", "renewed", "conflict"] {
        assert!(counts.get(kind).is_some_and(|n| *n > 0), "too little happened: {counts:?}");
    }
    println!("the storm: {counts:?}");
}
