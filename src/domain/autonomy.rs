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

impl Level {
    /// The number.
    pub fn number(self) -> u8 {
        self.0
    }

    /// The level's name.
    pub fn name(self) -> &'static str {
        ["manual", "assisted", "supervised", "delegated", "trusted", "autonomous"][usize::from(self.0.min(5))]
    }

    /// Whether new runs advance by themselves.
    pub fn auto_advance(self) -> bool {
        self.0 >= 2
    }
}
