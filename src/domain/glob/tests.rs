//! The meaning of patterns, pair by pair, and the patterns that are refused.

use super::*;

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).unwrap_or_else(|err| panic!("{text:?}: {err}"))
}

/// Returns the result, which must be the same both ways, and checks the witness.
fn overlap(a: &str, b: &str) -> bool {
    let (x, y) = (pattern(a), pattern(b));
    let answer = x.overlaps(&y);
    assert_eq!(answer, y.overlaps(&x), "{a} {b}");
    for (x, y) in [(&x, &y), (&y, &x)] {
        let witness = x.witness(y);
        assert_eq!(witness.is_some(), answer, "{a} {b}: {witness:?}");
        if let Some(path) = witness {
            assert!(x.covers(&path) && y.covers(&path), "{a} {b}: {path}");
        }
    }
    answer
}

/// CO-05: the worked pairs.
#[test]
fn worked_pairs() {
    let yes = [
        (1, "src/a.go", "src/a.go"),
        (3, "src/*.go", "src/a.go"),
        (6, "src/*", "src"),
        (7, "src/*", "src/"),
        (8, "src/**", "src/a.go"),
        (9, "src/**", "src/sub/a.go"),
        (10, "src/**", "src/sub/deep/a.go"),
        (11, "**", "a"),
        (12, "**", "a/b"),
        (13, "**/*.go", "a.go"),
        (14, "**/*.go", "x/a.go"),
        (15, "**/*.go", "x/y/a.go"),
        (16, "src/**/a.go", "src/a.go"),
        (17, "src/**/a.go", "src/x/a.go"),
        (19, "*", ".git"),
        (20, "*.go", "*_test.go"),
        (22, "a*", "*b"),
        (23, "*a*", "*b*"),
        (24, "a*b*c", "abc"),
        (28, "??", "a?"),
        (30, "[a-c]x", "bx"),
        (32, "[!a]", "b"),
        (33, "[a-c]", "[c-e]"),
        (35, "[^a]", "[ab]"),
        (36, r"a\*b", "a*b"),
        (38, r"[\]]", "]"),
        (40, "./a", "a"),
        (41, "a//b", "a/b"),
        (42, "a/", "a"),
        (44, "é", "?"),
        (45, "a/*/c", "*/b/*"),
        (47, "dir", "dir/*"),
        (48, "dir/*", "dir/**"),
        (49, "***", "abc"),
    ];
    let no = [
        (2, "src/a.go", "src/b.go"),
        (4, "src/*.go", "src/a.rs"),
        (5, "src/*", "src/sub/a.go"),
        (18, "*", "a/b"),
        (21, "*.go", "*.rs"),
        (25, "a*b*c", "acb"),
        (26, "?", "ab"),
        (27, "a?c", "ac"),
        (29, "[abc]", "d"),
        (31, "[^a]", "a"),
        (34, "[a-c]", "[d-e]"),
        (37, r"a\*b", "axb"),
        (39, "{a,b}", "a"),
        (43, "A", "a"),
        (46, "docs/*.md", "src/*.md"),
    ];
    for (row, a, b) in yes {
        assert!(overlap(a, b), "row {row}");
    }
    for (row, a, b) in no {
        assert!(!overlap(a, b), "row {row}");
    }
    assert!(Pattern::parse("**/**/**/**/**/x").is_ok(), "row 50");
    assert_eq!(Pattern::parse("**/**/**/**/**/x*"), Err(PatternError::TooMany(11)), "row 50");
}

/// CO-14: a plain path that is known to be a file holds itself alone.
#[test]
fn a_file_has_nothing_below() {
    let file = |text: &str| pattern(text).of_file();
    for other in ["src/a.txt", "src/*", "src", "**/a.*", "src/a.txt/", "src/**"] {
        assert!(file("src/a.txt").overlaps(&pattern(other)), "{other}");
        assert!(pattern(other).overlaps(&file("src/a.txt")), "{other}");
    }
    for other in ["**/*.rs", "src/a.txt/b", "src/*/*", "src/a.txt/**", "src/a", "src/a.tx"] {
        assert!(!file("src/a.txt").overlaps(&pattern(other)), "{other}");
        assert!(!pattern(other).overlaps(&file("src/a.txt")), "{other}");
    }
    assert!(file("a").overlaps(&file("a")) && !file("a").overlaps(&file("a/b")));
    assert!(!file("src/*").is_file() && file("src/*") == pattern("src/*"));
    assert_eq!(file("src/a").keys().suffix.as_str(), "a/crs");
}

/// CO-05, CO-14: what the worked pairs leave open.
#[test]
fn more_pairs() {
    let yes = [
        ("src/*", "src/sub"),
        ("**/a/**/b", "x/a/b"),
        ("**/a/**", "x/*/a/y"),
        ("a/**/z", "a/b/**/y/z"),
        ("**/a/b/**/c", "**/c/**/a/c"),
        ("*/", "a/b/c"),
        ("a*/", "ab"),
        ("a?/", "ab/c/*"),
        ("[a-]", "-"),
        ("[]a]", "]"),
        ("[!]a]", "b"),
        (r"[\!a]", "!"),
        (r"\[a]", "[[]a]"),
        (".", "a/b/c"),
        ("./", "*"),
        ("**/b.rs", "src/a.rs"),
        ("*.*", ".*."),
        (".*", "[.]*[!a-z]?a"),
        ("日本/*", "日?/語"),
        ("[あ-ん]x", "?x"),
        ("a\nb", "a?b"),
        ("*aab*", "aaab"),
        ("*?b*", "aab?"),
    ];
    let no = [
        ("a/**/b", "*/c"),
        ("**/a", "*/b"),
        ("a/*", "a/b/*"),
        ("src", "srcs"),
        ("src/a", "src/ab/*"),
        ("*", "src/**"),
        ("src/*", "src/sub/**"),
        ("[a-m]/**", "[n-z]/**"),
        ("*/a/**/b", "*/*/c"),
        ("[あ-ん]", "[ア-ン]"),
        // Only `.` and `..` are left, which are not names.
        (".?", "?."),
        ("[+-9]", "*.*"),
        ("[.-0]*", "[!0]"),
    ];
    for (a, b) in yes {
        assert!(overlap(a, b), "{a} {b}");
    }
    for (a, b) in no {
        assert!(!overlap(a, b), "{a} {b}");
    }
}

/// CO-13, CO-21: one pattern has one text, and reading that changes nothing.
#[test]
fn the_canonical_text() {
    for (text, canonical) in [
        ("./src//a.rs", "src/a.rs"),
        ("src/", "src"),
        ("src/.", "src"),
        ("src/./a/", "src/a"),
        ("a*/", "a*/"),
        ("a*/.//", "a*/"),
        (".", "**"),
        ("./", "**"),
        ("**/", "**"),
        ("***/a", "*/a"),
        ("a**b", "a*b"),
        ("a/**/**/b/**/", "a/**/b/**"),
        (r"\a\*\[\]\\", r"a\*\[]\\"),
        ("[^a-z]", "[!a-z]"),
        (r"[\]^]", r"[\]^]"),
        ("{a,b}", "{a,b}"),
        (".git/x", ".git/x"),
        ("...", "..."),
        (r"\./a", "a"),
    ] {
        let read = pattern(text);
        assert_eq!(read.as_str(), canonical, "{text}");
        assert_eq!(read, pattern(canonical));
        assert_eq!(pattern(canonical).as_str(), canonical);
    }
}

/// CO-13
#[test]
fn absolute_patterns_belong_to_their_scope() {
    let within = |scope: &str, text: &str| Pattern::parse_in(scope, text).map(|p| p.to_string());
    for (scope, text, canonical) in [
        ("/r", "/r/src/*.rs", "src/*.rs"),
        ("/r/", "//r/./src", "src"),
        ("/r", "/r", "**"),
        ("/r", "/r/", "**"),
        ("/", "/a/b", "a/b"),
        ("/r/[x]", r"/r/\[x]/*", "*"),
        ("/r", "src", "src"),
        ("Sylveste", "src", "src"),
    ] {
        assert_eq!(within(scope, text).as_deref(), Ok(canonical), "{scope} {text}");
    }
    for (scope, text) in [("/r", "/rs/a"), ("/r", "/"), ("/r/s", "/r"), ("Sylveste", "/r/a"), ("/r", "/*/a")]
    {
        assert_eq!(within(scope, text), Err(PatternError::Outside), "{scope} {text}");
    }
    assert_eq!(within("/r", "/r/../r/a"), Err(PatternError::Parent));
    assert_eq!(Pattern::of_path("/r", "/r/a*[b]?.rs").unwrap().as_str(), r"a\*\[b]\?.rs");
    assert!(Pattern::of_path("/r", r"x\y").unwrap().covers(r"x\y"));
}

/// CO-14
#[test]
fn a_pattern_covers_paths() {
    for (text, path, covered) in [
        ("src", "src", true),
        ("src", "src/a/b.rs", true),
        ("src", "srcs", false),
        ("src/", "./src//a", true),
        ("src/**", "src", false),
        ("src/**", "src/a", true),
        ("*", ".git", true),
        ("*", "a/b", false),
        ("a*/", "ab/c/d", true),
        ("a?c", "aéc", true),
        ("{a,b}", "{a,b}", true),
        ("**", "", false),
        ("**", ".", false),
        ("**", "/a", false),
        ("**", "a/../b", false),
        ("**", "a\0", false),
        ("**", "*", true),
        (r"\*", "*", true),
        (r"\*", "a", false),
    ] {
        assert_eq!(pattern(text).covers(path), covered, "{text} {path}");
    }
}

/// CO-04
#[test]
fn what_is_refused_and_why() {
    use PatternError::{Empty, Escape, Nothing, Nul, Outside, Parent, Range, TooLong, TooMany, Unclosed};
    for (text, error) in [
        ("", Empty),
        ("/etc/passwd", Outside),
        ("..", Parent),
        ("../r/a", Parent),
        ("a/../b", Parent),
        (r"\../b", Parent),
        ("[", Unclosed),
        ("[]", Unclosed),
        ("[!]", Unclosed),
        ("[a/b]", Unclosed),
        (r"[a\]", Unclosed),
        (r"[a-\", Unclosed),
        ("[a-", Unclosed),
        ("a[z-a]", Range('z', 'a')),
        (r"a\", Escape),
        (r"a\/b", Escape),
        ("a\0b", Nul),
        ("a/[.]", Nothing(2)),
        ("[.][.]", Nothing(1)),
        ("[!\u{1}-\u{10ffff}]", Nothing(1)),
        ("???????????", TooMany(11)),
        ("[a][a][a][a][a]**/*?/a**c", TooMany(11)),
    ] {
        let refused = Pattern::parse(text).unwrap_err();
        assert_eq!(refused, error, "{text:?}");
        assert!(refused.to_string().len() < 120 && !refused.to_string().contains('\n'));
    }
    for (text, bytes) in
        [("x".repeat(1 << 20), 1 << 20), ("[".repeat(10_000), 10_000), ("[".repeat(4097), 4097)]
    {
        assert_eq!(Pattern::parse(&text), Err(TooLong(bytes)));
        assert_eq!(Pattern::parse_in("/r", &format!("/r/{text}")), Err(TooLong(bytes + 3)));
        assert!(Pattern::widened(&text).overlaps(&pattern("x")));
    }
    assert_eq!(Pattern::parse(&"[".repeat(4096)), Err(Unclosed));
    assert_eq!(Pattern::parse(&"*".repeat(4096)), Err(TooMany(4096)));
    assert_eq!(Pattern::parse(&r"\".repeat(4095)), Err(Escape));
}

/// CO-04: literal text does not count.
#[test]
fn long_paths_are_ordinary() {
    assert!(
        pattern("internal/scheduler/very_long_directory_name/another_component/file_test.go").is_literal()
    );
    let deep = vec!["segment"; 300].join("/");
    assert!(overlap(&deep, "segment/**/segment"));
    assert!(overlap(&"[a-z]/x".repeat(10), "a/**"));
    assert_eq!(pattern(&r"\".repeat(4096)).as_str().len(), 4096);
    assert_eq!(pattern(&"a/".repeat(2048)).as_str().len(), 4095);
}

/// CO-04: a stored text that cannot be parsed blocks everything that it could have meant.
#[test]
fn unreadable_text_is_widened() {
    for (text, canonical) in [
        ("src/gen/[z-a].rs", "src/gen"),
        ("src/*/[z-a].rs", "src"),
        ("[", "**"),
        ("", "**"),
        ("src/../x", "**"),
        ("/etc/[", "**"),
        ("src/a\0", "src"),
        (r"a\*b/[", r"a\*b"),
        ("src/*.rs", "src/*.rs"),
        ("src/???????????", "src"),
    ] {
        assert_eq!(Pattern::widened(text).as_str(), canonical, "{text:?}");
    }
    let long = Pattern::widened(&"ab/".repeat(2000));
    assert!(long.as_str().len() > 4000 && long.is_literal());
}

/// CO-18
#[test]
fn keys_hold_the_literal_ends() {
    let keys = |text: &str| {
        let keys = pattern(text).keys();
        (keys.prefix.as_str().to_owned(), keys.suffix.as_str().chars().rev().collect::<String>())
    };
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(keys("src/a.rs"), pair("src/a.rs", ""));
    assert_eq!(keys(r"src/a\*"), pair("src/a*", ""));
    assert_eq!(keys("src/a*.rs"), pair("src", ".rs"));
    assert_eq!(keys("src/**"), pair("src", ""));
    assert_eq!(keys("src/**/a.rs"), pair("src", "a.rs"));
    assert_eq!(keys("src/*/a.rs"), pair("src", "/a.rs"));
    assert_eq!(keys("*x/y/a.rs"), pair("", "x/y/a.rs"));
    assert_eq!(keys("*_17.rs"), pair("", "_17.rs"));
    assert_eq!(keys("a*/"), pair("", ""));
    assert_eq!(keys("**"), pair("", ""));
    assert_eq!(pattern("*_17.rs").keys().longer().side(), Side::Suffix);

    let Keys { prefix, suffix } = pattern("a/b/*é.r").keys();
    assert_eq!(prefix.ancestors().collect::<Vec<_>>(), ["a/b", "a", ""]);
    assert_eq!(suffix.ancestors().collect::<Vec<_>>(), ["r.é", "r.", "r", ""]);
    for (key, inside) in
        [("a/b", false), ("a/b/c", true), ("a/b/c/d", true), ("a/b!", false), ("a/bc", false)]
    {
        assert_eq!(prefix.below().contains(key), inside, "{key}");
    }
    for (key, inside) in [("r.é", false), ("r.éx", true), ("r.é\u{10ffff}x", true), ("r.f", false)] {
        assert_eq!(suffix.below().contains(key), inside, "{key}");
    }
    let last = pattern("*\u{10ffff}").keys().suffix;
    assert!(last.below().contains("\u{10ffff}a") && last.below().to.is_none());
    assert_eq!(pattern("*\u{d7ff}").keys().suffix.below().to.as_deref(), Some("\u{e000}"));
    let deep = pattern(&"ab/".repeat(300)).keys().prefix;
    assert_eq!(deep.ancestors().count(), 33);
}
