//! Delegation: how much a project leaves to its agents, and the consequences for new runs.

/// A level from 0 (everything by hand) to 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(u8);

impl Default for Level {
    /// Returns level 2, which holds unless a level is declared.
    fn default() -> Self {
        Self(2)
    }
}

impl std::str::FromStr for Level {
    type Err = String;

    /// Parses `0` to `5`, with or without an `L` before it.
    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix(['L', 'l']).unwrap_or(text);
        match digits.parse::<u8>() {
            Ok(number @ 0..=5) if digits.len() == 1 => Ok(Self(number)),
            _ => Err(format!("delegation level must be 0-5, got {text}")),
        }
    }
}

/// The delegation level of a project.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delegation {
    pub level: Level,
    /// Whether the level was declared, and is not the default.
    pub declared: bool,
}

impl Level {
    pub fn number(self) -> u8 {
        self.0
    }

    pub fn name(self) -> &'static str {
        ["manual", "assisted", "supervised", "delegated", "trusted", "autonomous"][usize::from(self.0.min(5))]
    }

    /// Returns true if new runs advance by themselves.
    pub fn auto_advance(self) -> bool {
        self.0 >= 2
    }
}
