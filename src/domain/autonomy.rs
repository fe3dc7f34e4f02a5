//! Delegation: how much a project leaves to its agents, and what follows for new runs.

/// A level from 0 (everything by hand) to 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(u8);

impl Default for Level {
    /// Level 2, which nobody had to declare.
    fn default() -> Self {
        Self(2)
    }
}

impl std::str::FromStr for Level {
    type Err = String;

    /// Reads `0` to `5`, with or without an `L` before it.
    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix(['L', 'l']).unwrap_or(text);
        match digits.parse::<u8>() {
            Ok(number @ 0..=5) if digits.len() == 1 => Ok(Self(number)),
            _ => Err(format!("delegation level must be 0-5, got {text}")),
        }
    }
}

/// What a project delegates, and whether anybody said so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delegation {
    pub level: Level,
    /// Whether it was declared, or is the one that holds when nobody declares any.
    pub declared: bool,
}

impl Level {
    /// Returns the number.
    pub fn number(self) -> u8 {
        self.0
    }

    /// Returns the level's name.
    pub fn name(self) -> &'static str {
        ["manual", "assisted", "supervised", "delegated", "trusted", "autonomous"][usize::from(self.0.min(5))]
    }

    /// Returns true if new runs advance by themselves.
    pub fn auto_advance(self) -> bool {
        self.0 >= 2
    }
}
