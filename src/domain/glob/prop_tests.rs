//! Random patterns against a very simple matcher, and against another program's.

use super::*;
use proptest::prelude::*;
use std::sync::LazyLock;

/// Returns true if a raw pattern covers a path. Tries everything, straight from the grammar.
fn covers(pattern: &str, path: &str) -> bool {
    let segments: Vec<_> = pattern.split('/').filter(|s| !matches!(*s, "" | ".")).collect();
    let names: Vec<_> = path.split('/').collect();
    let plain = |s: &&str| !s.replace("\\a", "a").contains(['*', '?', '[']);
    let below = pattern.ends_with('/') || pattern.ends_with("/.") || segments.iter().all(plain);
    segments_match(&segments, &names, below)
}

fn segments_match(segments: &[&str], names: &[&str], below: bool) -> bool {
    match segments {
        [] => below || names.is_empty(),
        ["**"] => !names.is_empty(),
        ["**", rest @ ..] => (0..=names.len()).any(|n| segments_match(rest, &names[n..], below)),
        [first, rest @ ..] => {
            let [name, names @ ..] = names else { return false };
            let first: Vec<char> = first.chars().collect();
            let name: Vec<char> = name.chars().collect();
            name_matches(&first, &name) && segments_match(rest, names, below)
        }
    }
}

fn name_matches(segment: &[char], name: &[char]) -> bool {
    match segment {
        [] => name.is_empty(),
        ['*', rest @ ..] => (0..=name.len()).any(|n| name_matches(rest, &name[n..])),
        ['?', rest @ ..] => !name.is_empty() && name_matches(rest, &name[1..]),
        ['[', rest @ ..] => {
            let end = rest.iter().position(|c| *c == ']').unwrap();
            let (negated, members) = match &rest[..end] {
                ['!' | '^', members @ ..] => (true, members),
                members => (false, members),
            };
            let Some(c) = name.first() else { return false };
            let inside = match members {
                [low, '-', high] => low <= c && c <= high,
                members => members.contains(c),
            };
            inside != negated && name_matches(&rest[end + 1..], &name[1..])
        }
        ['\\', c, rest @ ..] | [c, rest @ ..] => name.first() == Some(c) && name_matches(rest, &name[1..]),
    }
}

/// All paths of up to two names of up to three characters, and deeper ones of shorter names.
static PATHS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut names = vec![String::new()];
    let mut all = Vec::new();
    for _ in 0..3 {
        names = names.iter().flat_map(|name| ["a", "b", "."].map(|c| format!("{name}{c}"))).collect();
        all.extend(names.iter().filter(|name| !matches!(name.as_str(), "." | "..")).cloned());
    }
    let below = |paths: &[String], names: &[&str]| -> Vec<String> {
        paths.iter().flat_map(|path| names.iter().map(move |name| format!("{path}/{name}"))).collect()
    };
    let refs: Vec<&str> = all.iter().map(String::as_str).collect();
    let mut paths = all.clone();
    paths.extend(below(&all, &refs));
    let mut deep: Vec<String> = ["a", "b", "ab", "ba"].map(str::to_owned).to_vec();
    for depth in 2..=5 {
        deep = below(&deep, if depth < 4 { &["a", "b", "ab"] } else { &["a", "b"] });
        paths.extend(deep.iter().cloned());
    }
    paths
});

/// Patterns over `a`, `b` and the full stop.
fn text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        6 => "[ab.]",
        3 => Just("*".to_owned()),
        2 => Just("?".to_owned()),
        1 => Just("[ab]".to_owned()),
        1 => Just("[!a]".to_owned()),
        1 => Just("[^.b]".to_owned()),
        1 => Just("[.-a]".replace('-', "")),
        1 => Just("[a-z]".to_owned()),
        1 => Just("\\a".to_owned()),
    ];
    let segment = prop_oneof![
        6 => prop::collection::vec(part, 1..5).prop_map(|parts| parts.concat()),
        2 => Just("**".to_owned()),
        2 => Just("*".to_owned()),
        1 => Just(".".to_owned()),
    ];
    let slash = prop_oneof![8 => Just("/"), 1 => Just("//"), 1 => Just("/./")];
    let end = prop_oneof![5 => Just(""), 1 => Just("/")];
    (prop::collection::vec((segment, slash), 1..6), end).prop_map(|(segments, end)| {
        let mut text = String::new();
        for (at, (segment, slash)) in segments.iter().enumerate() {
            text.push_str(if at == 0 { "" } else { slash });
            text.push_str(segment);
        }
        text + end
    })
}

/// Patterns that are allowed, with their text.
fn allowed() -> impl Strategy<Value = (String, Pattern)> {
    text().prop_filter_map("refused", |text| Some((text.clone(), Pattern::parse(&text).ok()?)))
}

/// Returns true if one of two keys equals the other or lies above it, by the queries of a store.
fn related(a: &Key, b: &Key) -> bool {
    a.ancestors().any(|key| key == b.as_str()) || a.below().contains(b.as_str())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    /// CO-05: a path that both cover is there or not, whichever way it is asked. Each pattern overlaps with
    /// itself.
    #[test]
    fn overlap_is_exact((a, x) in allowed(), (b, y) in allowed()) {
        prop_assert!(x.overlaps(&x) && covers(&a, &x.witness(&x).unwrap()));
        prop_assert_eq!(x.overlaps(&y), y.overlaps(&x));
        prop_assert_eq!(x.witness(&y).is_some(), x.overlaps(&y));
        if x.overlaps(&y) {
            let path = x.witness(&y).unwrap();
            prop_assert!(path.split('/').all(|name| !matches!(name, "" | "." | "..")), "{}", path);
            prop_assert!(covers(&a, &path) && covers(&b, &path), "{}", path);
            prop_assert!(x.covers(&path) && y.covers(&path), "{}", path);
        } else {
            let both = PATHS.iter().find(|path| covers(&a, path) && covers(&b, path));
            prop_assert_eq!(both, None);
        }
    }

    /// CO-14
    #[test]
    fn covering_is_exact((a, x) in allowed(), at in any::<prop::sample::Index>()) {
        for path in PATHS.iter().skip(at.index(20)).step_by(20) {
            prop_assert_eq!(x.covers(path), covers(&a, path), "{}", path);
        }
    }

    /// CO-13: the canonical text is read as itself, and means the same.
    #[test]
    fn the_canonical_text_is_stable((a, x) in allowed(), at in any::<prop::sample::Index>()) {
        let again = Pattern::parse(x.as_str()).unwrap();
        prop_assert_eq!(again.as_str(), x.as_str());
        let path = at.get(&PATHS);
        prop_assert_eq!(again.covers(path), covers(&a, path), "{}", path);
        prop_assert_eq!(again.keys(), x.keys());
    }

    /// CO-05, CO-14: what meets a file covers its path, and nothing else does.
    #[test]
    fn a_file_meets_what_covers_it((_, x) in allowed(), (_, y) in allowed()) {
        let file = x.clone().of_file();
        if let Some(path) = x.path() {
            prop_assert_eq!(file.overlaps(&y), y.covers(path));
            prop_assert_eq!(y.overlaps(&file), y.covers(path));
            prop_assert_eq!(file.overlaps(&y.clone().of_file()), y.of_file().covers(path));
        } else {
            prop_assert_eq!(file.overlaps(&y), x.overlaps(&y));
        }
    }

    /// CO-18: patterns that overlap are found by either key.
    #[test]
    fn keys_find_what_overlaps((_, x) in allowed(), (_, y) in allowed(), files in any::<(bool, bool)>()) {
        let x = if files.0 { x.of_file() } else { x };
        let y = if files.1 { y.of_file() } else { y };
        for (a, b) in [(x.keys(), y.keys()), (y.keys(), x.keys())] {
            let related = related(&a.prefix, &b.prefix) && related(&a.suffix, &b.suffix);
            prop_assert!(related || !x.overlaps(&y), "{:?} {:?}", a, b);
        }
    }

    /// CO-14: as other programs read patterns, where they have the same grammar. There sets may hold `/`, and
    /// a plain path covers itself alone.
    #[test]
    fn others_agree((a, x) in allowed(), at in any::<prop::sample::Index>()) {
        if x.is_literal() || a.contains("[!") || a.contains("[^") || x.as_str().ends_with('/') {
            return Ok(());
        }
        let other = globset::GlobBuilder::new(x.as_str())
            .literal_separator(true)
            .backslash_escape(true)
            .build()
            .unwrap()
            .compile_matcher();
        for path in PATHS.iter().skip(at.index(20)).step_by(20) {
            prop_assert_eq!(x.covers(path), other.is_match(path), "{}", path);
        }
    }

    /// CO-04, K-08: any text gives a result, and an invalid one is widened.
    #[test]
    fn any_text_has_an_answer(a in "[\\[\\]\\\\*?!^/.a\u{e9}\n-]{0,40}", b in "\\PC{0,40}") {
        for text in [&a, &b] {
            let wide = Pattern::widened(text);
            prop_assert!(wide.overlaps(&wide));
            if let Ok(pattern) = Pattern::parse(text) {
                let path = pattern.witness(&pattern).unwrap();
                prop_assert!(pattern.covers(&path), "{}", path);
                prop_assert_eq!(wide.as_str(), pattern.as_str());
            }
            if let Ok(pattern) = Pattern::of_path("/r", text) {
                prop_assert!(pattern.covers(text) || pattern.as_str() == "**");
            }
        }
    }
}
