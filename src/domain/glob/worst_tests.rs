//! The cost of the slowest pairs.

use super::Pattern;
use std::time::{Duration, Instant};

/// Admissible pairs that are made to be slow.
fn worst() -> Vec<(&'static str, String, String)> {
    let rep = |text: &str, n: usize| text.repeat(n);
    vec![
        ("long piece, almost everywhere", format!("*{}b*", rep("a", 2040)), format!("?{}", rep("a", 4094))),
        (
            "the same in short segments",
            format!("**/{}b/**", rep("a/", 1020)),
            format!("?/{}a", rep("a/", 2045)),
        ),
        ("wildcards that always fit", "*a?a?a?a?a?a?a?ab*".to_owned(), format!("?{}", rep("a", 4094))),
        (
            "wildcards far apart",
            format!("*{}b*", rep(&format!("{}?", rep("a", 250)), 8)),
            rep(&format!("{}?", rep("a", 400)), 10),
        ),
        (
            "large sets",
            format!(
                "*{}b*",
                rep(
                    &format!(
                        "[{}]",
                        (0..100).map(|i| char::from_u32(0x3000 + 2 * i).unwrap()).collect::<String>()
                    ),
                    8
                )
            ),
            format!("?{}", rep("\u{3000}", 1364)),
        ),
        (
            "many stars",
            format!("{}b*", rep(&format!("*{}", rep("a", 200)), 9)),
            format!("?{}", rep("a", 4094)),
        ),
        (
            "wild segments",
            format!("**/{}b/**", rep(&format!("*{}*/", rep("a", 400)), 3)),
            format!("{}?", rep(&format!("{}/", rep("a", 400)), 10)),
        ),
        (
            "wild segments that always fit",
            format!("**/{}b/**", "a/?/".repeat(6)),
            format!("?/{}a", rep("a/", 2046)),
        ),
        (
            "starred segments that always fit",
            format!("**/{}b/**", "a/*a/".repeat(6)),
            format!("?/{}a", rep("a/", 2046)),
        ),
        (
            "wildcards, then a long run",
            format!("*{}{}b*", "a?".repeat(8), rep("a", 1000)),
            format!("{}{}", "?a".repeat(10), rep("a", 4076)),
        ),
        ("characters of three bytes", format!("*{}b*", "あ?".repeat(8)), format!("?{}", rep("あ", 1365))),
        ("sets against sets", set(1), set(0)),
        ("long ends", format!("*{}", rep("aé", 1365)), format!("*{}", rep("aé", 1300))),
        ("segments, pair by pair", rep("a/", 2048), format!("**/{}b", rep("a/", 2040))),
    ]
}

/// Ten sets of characters, those with one `odd` and those with another apart but for the last.
fn set(odd: u32) -> String {
    let one: String = (0..120).filter_map(|i| char::from_u32(0x4000 + 2 * i + odd)).collect();
    format!("{}[{one}z]", format!("[{one}y]").repeat(9))
}

/// CO-20: the best of some runs, since others share the machine. A debug build is allowed to be slow.
#[test]
fn the_worst_pairs_are_fast() {
    let limit = Duration::from_millis(if cfg!(debug_assertions) { 200 } else { 1 });
    for (name, a, b) in worst() {
        let (x, y) = (Pattern::parse(&a).unwrap(), Pattern::parse(&b).unwrap());
        let best = |run: &dyn Fn() -> bool| {
            (0..7)
                .map(|_| {
                    let start = Instant::now();
                    std::hint::black_box(run());
                    start.elapsed()
                })
                .min()
                .unwrap()
        };
        let compared = best(&|| x.overlaps(&y));
        let parsed = best(&|| Pattern::parse(&a).is_ok());
        assert!(compared < limit && parsed < limit, "{name}: compared in {compared:?}, parsed in {parsed:?}");
    }
}
