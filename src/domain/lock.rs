//! Locks made of directories: their names, and the form of their age.

use std::fmt;
use std::str::FromStr;

/// The maximum length of a name in bytes, which is that of a directory's name.
const MAX: usize = 255;

/// The name or the scope of a lock: a word that is safe as the name of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| Err(format!("invalid lock name or scope: {why}"));
        if text.is_empty() || text == "." {
            return wrong("must not be empty or \".\"");
        }
        if text.contains("..") || text.contains(['/', '\\']) {
            return wrong("must not contain \"..\", \"/\" or \"\\\"");
        }
        if text.chars().any(char::is_control) {
            return wrong("must not contain control characters");
        }
        if text.len() > MAX {
            return Err(format!("invalid lock name or scope: {} bytes (max {MAX})", text.len()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Formats whole seconds as `1h2m3s`, without leading zeros.
pub fn age(seconds: i64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// K-08
    #[test]
    fn names_are_safe_as_directories() {
        for good in ["a", "a b", "ü→", ".hidden", "a.b", "-x", &"x".repeat(255)] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        let long = "x".repeat(256);
        for bad in ["", ".", "..", "a..b", "../x", "a/b", "/", "a\\b", "a\tb", "a\nb", "\u{1b}[0m", &long] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
    }

    #[test]
    fn ages_are_told_in_whole_seconds() {
        for (seconds, text) in
            [(0, "0s"), (59, "59s"), (60, "1m0s"), (3599, "59m59s"), (3600, "1h0m0s"), (90_061, "25h1m1s")]
        {
            assert_eq!(age(seconds), text);
        }
    }
}
