//! Detection of text that looks like a secret. No message repeats a secret.

use crate::domain::order;
use std::borrow::Cow;
use std::ops::Range;

/// The words that name a secret. The first two name passwords, which may be dictionary words.
const NAMES: [&str; 9] =
    ["password", "passwd", "secret", "token", "api_key", "apikey", "api-key", "access_key", "private_key"];

/// Returns true if a text contains a key, a token or a private key in the form of a known issuer.
pub fn has_token(text: &str) -> bool {
    find_token(&text.to_ascii_lowercase(), 0).is_some()
}

/// Returns the start of the first token at or after `from`. The text must be lower-case already.
fn find_token(lower: &str, from: usize) -> Option<usize> {
    starts(lower, from).find(|&at| starts_with_token(&lower[at..]))
}

/// Returns the positions where a token may begin, which are not inside a word.
fn starts(lower: &str, from: usize) -> impl Iterator<Item = usize> {
    let bytes = lower.as_bytes();
    (from..bytes.len())
        .filter(move |&at| lower.is_char_boundary(at) && (at == 0 || !bytes[at - 1].is_ascii_alphanumeric()))
}

/// Returns the text with every secret replaced: for text that must be kept, such as the reason of an
/// override, and for messages about text that was refused. Everything after the head of a private key is
/// replaced.
pub fn redact(text: &str) -> Cow<'_, str> {
    let lower = text.to_ascii_lowercase();
    let values = assigned(text, &lower);
    replaced(text, &lower, values)
}

/// Redacts a message that repeats an argument, as [`redact`] does. A colon, a space and a plain word after an
/// argument belong to the message, as in `…/passwd: expected`.
pub fn redact_message(text: &str) -> Cow<'_, str> {
    let lower = text.to_ascii_lowercase();
    let mut values = assigned(text, &lower);
    let digit = |value: &Range<usize>| text[value.clone()].bytes().any(|b| b.is_ascii_digit());
    values.retain(|value| !text[..value.start].ends_with(' ') || digit(value));
    replaced(text, &lower, values)
}

fn replaced<'a>(text: &'a str, lower: &str, values: Vec<Range<usize>>) -> Cow<'a, str> {
    let mut values = values.into_iter().peekable();
    let mut token = find_word(lower, 0);
    let mut out = String::new();
    let mut kept = 0;
    loop {
        if token.as_ref().is_some_and(|token| token.start < kept) {
            token = find_word(lower, kept);
        }
        while values.next_if(|value| value.start < kept).is_some() {}
        let value = values.peek().cloned();
        let Some(next) = token.iter().cloned().chain(value).min_by_key(|found| found.start) else { break };
        out.push_str(&text[kept..next.start]);
        out.push_str("[redacted]");
        kept = next.end;
    }
    if out.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(out + &text[kept..]) }
}

/// Returns the first token at or after `from`, also one without a digit: redacting too much does no harm.
fn find_word(lower: &str, from: usize) -> Option<Range<usize>> {
    let start = starts(lower, from).find(|&at| {
        let rest = &lower[at..];
        starts_with_token(rest) || begins_with_token(rest)
    })?;
    let part = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let token = &lower[start..];
    let private = token.starts_with("-----");
    let length = if private { token.len() } else { token.find(|c| !part(c)).unwrap_or(token.len()) };
    Some(start..start + length)
}

/// The number of bytes of a token that are examined. Every token shows its shape before that, and the limit
/// keeps a hostile text from being slow.
const LOOK: usize = 128;
/// The same for web tokens, whose header alone may be longer.
const LOOK_WEB: usize = 512;

fn starts_with_token(text: &str) -> bool {
    let web = &text[..text.floor_char_boundary(LOOK_WEB)];
    let text = &text[..text.floor_char_boundary(LOOK)];
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let dashed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let run = |text: &str, of: fn(char) -> bool| text.find(|c| !of(c)).unwrap_or(text.len());
    let digit = |text: &str| text.bytes().any(|b| b.is_ascii_digit());
    for prefix in ["sk", "pk", "rk", "ak"] {
        if let Some(rest) = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix(['-', '_'])) {
            // Issuers put words with hyphens before the random part, and only that part counts.
            let body = &rest[..run(rest, dashed)];
            let longest = body.split(['-', '_']).map(str::len).max().unwrap_or(0);
            if body.len() >= 20 && longest >= 16 && digit(body) {
                return true;
            }
        }
    }
    let long = |prefix: &str, least: usize, of: fn(char) -> bool| {
        text.strip_prefix(prefix).is_some_and(|rest| run(rest, of) >= least && digit(&rest[..run(rest, of)]))
    };
    let github = ["ghp_", "gho_", "ghu_", "ghs_", "ghr_"].iter().any(|prefix| long(prefix, 30, word));
    let slack = ["xoxb-", "xoxp-", "xoxr-", "xoxa-", "xoxs-"].iter().any(|prefix| long(prefix, 20, dashed));
    let web_token = web.strip_prefix("eyj").is_some_and(|rest| {
        let mut parts = rest.split('.');
        let part = |part: Option<&str>| part.is_some_and(|part| part.len() >= 20 && part.chars().all(dashed));
        part(parts.next()) && part(parts.next()) && parts.next().is_some()
    });
    let pem = text.strip_prefix("-----begin ").is_some_and(|rest| {
        ["", "rsa ", "ec ", "dsa ", "openssh "]
            .iter()
            .any(|kind| rest.strip_prefix(kind).is_some_and(|rest| rest.starts_with("private key")))
    });
    github
        || slack
        || web_token
        || pem
        || long("github_pat_", 20, word)
        || long("akia", 16, |c| c.is_ascii_alphanumeric())
}

/// Returns true if a text begins like a key or a token, also without digits. Stricter than [`has_token`], for
/// single values; in prose the same letters may be words.
pub fn begins_with_token(text: &str) -> bool {
    // Prefixes, the minimum number of following characters, and those allowed besides letters and digits.
    let shapes: [(&[&str], usize, &str); 4] = [
        (&["sk-", "sk_", "pk-", "pk_", "rk-", "rk_", "ak-", "ak_"], 20, ""),
        (&["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], 30, "_"),
        (&["xoxb-", "xoxp-", "xoxr-", "xoxa-", "xoxs-"], 20, "-"),
        (&["AKIA"], 16, ""),
    ];
    let begins = |prefix: &str, least: usize, besides: &str| {
        let Some((start, rest)) = text.split_at_checked(prefix.len()) else { return false };
        let body = rest.get(..least).unwrap_or_default();
        start.eq_ignore_ascii_case(prefix)
            && !body.is_empty()
            && body.chars().all(|c| c.is_ascii_alphanumeric() || besides.contains(c))
    };
    shapes.iter().any(|(prefixes, least, besides)| prefixes.iter().any(|p| begins(p, *least, besides)))
}

/// Returns true if a text assigns a value to the name of a secret: `password: …`, `token=…`.
pub fn has_assignment(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    NAMES
        .iter()
        .any(|name| lower.match_indices(name).any(|(at, _)| value_of(text, &lower, name, at).is_some()))
}

/// Returns every value that is assigned to the name of a secret, in order.
fn assigned(text: &str, lower: &str) -> Vec<Range<usize>> {
    let of = |name: &'static str| {
        lower.match_indices(name).filter_map(move |(at, _)| value_of(text, lower, name, at))
    };
    let mut found: Vec<_> = NAMES.into_iter().flat_map(of).collect();
    order::by_key(&mut found, |value| value.start);
    found
}

/// Returns the secret value that is assigned to the name at `at`, as in `name: value`, `name=value` or
/// `"name":"value"`.
fn value_of(text: &str, lower: &str, name: &str, at: usize) -> Option<Range<usize>> {
    let rest = &lower[at + name.len()..];
    let rest = rest.strip_prefix(['"', '\'']).unwrap_or(rest).trim_start();
    let value = rest.strip_prefix([':', '='])?.trim_start();
    let bare = value.trim_start_matches(['"', '\'']);
    let start = text.len() - bare.len();
    let quoted = bare.len() < value.len();
    let ends = |c: char| c.is_whitespace() || (quoted && (c == '"' || c == '\''));
    let near = &text[start..];
    let near = &near[..near.floor_char_boundary(LOOK)];
    if !is_secret_value(name, near.split(ends).next().unwrap_or("")) {
        return None;
    }
    let length = text[start..].find(ends).unwrap_or(text.len() - start);
    Some(start..start + length)
}

/// Returns true if a member's name and value together are a secret, as in `{"password": "…"}`.
pub fn is_secret_member(name: &str, value: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    !value.contains(char::is_whitespace)
        && NAMES.iter().any(|known| lower.ends_with(known) && is_secret_value(known, value))
}

/// Returns true if a value has eight characters or more, and is not the name of a variable. Unless the name
/// is that of a password, a plain word is not a secret either: `secret: rotation-policy-doc` names a
/// document.
fn is_secret_value(name: &str, value: &str) -> bool {
    let value = value.trim_matches(['"', '\'']);
    let variable = value.starts_with('$')
        || value.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    let password = name.starts_with("passw");
    value.chars().count() >= 8 && !variable && (password || value.bytes().any(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(prefix: &str) -> String {
        format!("{prefix}{}", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6")
    }

    /// K-16
    #[test]
    fn the_shapes_of_known_issuers_are_found_anywhere() {
        for prefix in ["sk-", "pk_", "sk-ant-api03-", "sk_live_", "ghp_", "github_pat_11A_", "xoxb-", "AKIA"]
        {
            let secret = key(prefix);
            for text in [secret.clone(), format!("prefix {secret} suffix"), format!("x=\"{secret}\"")] {
                assert!(has_token(&text), "{prefix}: {text}");
            }
        }
        let web_token = format!("{}.{}.x", key("eyJ"), key(""));
        assert!(has_token(&web_token));
        for kind in ["", "RSA ", "OPENSSH "] {
            assert!(has_token(&format!("-----BEGIN {kind}PRIVATE KEY-----")));
        }
    }

    /// A hostile text is not slow: this would take long if each start were followed to the end.
    #[test]
    fn hostile_repetition_is_cheap() {
        for unit in ["sk-", "token=", "eyj.", "password : ", "password=hunter2hunter2 ", "ghp_x1 "] {
            let text = unit.repeat((1 << 18) / unit.len());
            assert!(!has_token(&text), "{unit}");
            has_assignment(&text);
            redact(&text);
        }
    }

    /// K-16
    #[test]
    fn what_has_to_be_kept_is_redacted() {
        let text = format!("before {} between ü {}, after", key("sk-"), key("ghp_"));
        assert_eq!(redact(&text), "before [redacted] between ü [redacted], after");
        assert_eq!(redact("x -----BEGIN RSA PRIVATE KEY----- abc\ndef"), "x [redacted]");
        assert_eq!(redact(&key("sk-")), "[redacted]");
        assert!(matches!(redact("nothing here"), Cow::Borrowed("nothing here")));
        for (text, expected) in [
            ("password: hunter2hunter2 and more", "password: [redacted] and more"),
            ("'{\"token\":\"abcdefg1\",\"n\":12345678}'", "'{\"token\":\"[redacted]\",\"n\":12345678}'"),
            ("'sk-abcdefghijklmnopqrstuvwxyz' is wrong", "'[redacted]' is wrong"),
            ("token=sk-a1B2c3D4e5F6g7H8i9J0k1L2 x", "token=[redacted] x"),
            ("{\"token\":\"A\",\"n\":12345678}", "{\"token\":\"A\",\"n\":12345678}"),
        ] {
            assert_eq!(redact(text), expected);
        }
        assert_eq!(redact_message("/etc/passwd: expected a value"), "/etc/passwd: expected a value");
        assert_eq!(redact_message("invalid 'passwd:expected'"), "invalid 'passwd:[redacted]");
        assert_eq!(redact_message("no password: hunter2hunter2"), "no password: [redacted]");
    }

    #[test]
    fn ordinary_words_are_no_secrets() {
        for text in [
            "",
            "sk-",
            "task-force-of-the-year-2026-and-beyond",
            "risk-a1B2c3D4e5F6g7H8i9J0k1L2",
            "pk_short1",
            "sk-a-branch-of-mine-with-many-words-2",
            "AKIA",
            "eyJ.a.b",
            "-----BEGIN CERTIFICATE-----",
            "ghp_x1",
            "sk-onlylettersandnodigitsatall",
        ] {
            assert!(!has_token(text), "{text}");
        }
    }

    /// K-16: the shapes of the contract at their edges.
    #[test]
    fn a_value_that_stands_alone_needs_no_digit() {
        for (prefix, least) in [("sk-", 20), ("AK_", 20), ("ghp_", 30), ("xoxs-", 20), ("akia", 16)] {
            let of = |length: usize| format!("{prefix}{}", "x".repeat(length));
            assert!(begins_with_token(&of(least)) && begins_with_token(&of(least + 9)), "{prefix}");
            assert!(!begins_with_token(&of(least - 1)) && !has_token(&of(least)), "{prefix}");
            assert!(!begins_with_token(&format!("x {}", of(least))), "{prefix}: in prose");
        }
        assert!(!begins_with_token("") && !begins_with_token("sk-ü") && !begins_with_token("s→"));
    }

    /// K-16
    #[test]
    fn assigned_secrets_are_found_and_names_of_things_are_not() {
        for text in
            ["password: hunterhunter", "the API_KEY = abcdefg1", "x token=\"abcd1234\"", "Passwd:xxxxxxxx"]
        {
            assert!(has_assignment(text), "{text}");
        }
        for text in [
            "secret: rotation-policy-doc",
            "password: short",
            "token=$MY_TOKEN_1",
            "token: TOKEN_VAR_1",
            "secrets",
        ] {
            assert!(!has_assignment(text), "{text}");
        }
        assert!(
            is_secret_member("password", "hunter2hunter2") && is_secret_member("db_password", "hunterhunter")
        );
        assert!(
            !is_secret_member("password", "DB_PASSWORD") && !is_secret_member("passwords", "hunter2hunter2")
        );
        assert!(!is_secret_member("token", "a sentence with 12345678"));
    }
}
