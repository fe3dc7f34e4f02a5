//! Token budgets: one threshold rule for every command and gate.

/// A run's token budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Tokens that may be used.
    pub tokens: i64,
    /// The percentage from which a warning is due.
    pub warn_pct: i64,
}

/// The state of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Below the warning threshold.
    Ok,
    /// At or above the warning threshold.
    Warning,
    /// At or above the budget.
    Exceeded,
}

impl Budget {
    /// Returns the state of the budget after `used` tokens.
    pub fn standing(self, used: i64) -> Standing {
        let warn_at = i128::from(self.tokens) * i128::from(self.warn_pct) / 100;
        if used >= self.tokens {
            Standing::Exceeded
        } else if i128::from(used) >= warn_at {
            Standing::Warning
        } else {
            Standing::Ok
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_exceeded_when_it_is_used_up() {
        let budget = Budget { tokens: 1000, warn_pct: 80 };
        let standings = [799, 800, 999, 1000, i64::MAX].map(|used| budget.standing(used));
        assert_eq!(
            standings,
            [Standing::Ok, Standing::Warning, Standing::Warning, Standing::Exceeded, Standing::Exceeded]
        );
        assert_eq!(Budget { tokens: i64::MAX, warn_pct: 99 }.standing(0), Standing::Ok);
    }
}
