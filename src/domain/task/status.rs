//! The statuses of a task, and which may follow which.

words!(
    /// The status of a task. The word is that of `state.json`; `TODO.md` has it as a
    /// [`marker`](Status::marker).
    Status, "task status" {
        /// Work has not begun.
        NotStarted = "not_started",
        /// Research is under way.
        Researching = "researching",
        /// There is a report.
        Researched = "researched",
        /// A plan is being made.
        Planning = "planning",
        /// There is a plan.
        Planned = "planned",
        /// The plan is being revised.
        Revising = "revising",
        /// There is another plan.
        Revised = "revised",
        /// The plan is being carried out.
        Implementing = "implementing",
        /// A part is done, and the work may go on.
        Partial = "partial",
        /// Everything is done.
        Completed = "completed",
        /// The task waits for something.
        Blocked = "blocked",
        /// The task was given up, but may be taken up again.
        Abandoned = "abandoned",
        /// The task was divided into others.
        Expanded = "expanded",
        /// The task was put aside.
        OnHold = "on_hold",
        /// Unspecified work, in older files.
        InProgress = "in_progress",
    }
);

/// Every status, in the usual order.
pub const ALL: [Status; 15] = {
    use Status as S;
    [
        S::NotStarted,
        S::Researching,
        S::Researched,
        S::Planning,
        S::Planned,
        S::Revising,
        S::Revised,
        S::Implementing,
        S::Partial,
        S::Completed,
        S::Blocked,
        S::Abandoned,
        S::Expanded,
        S::OnHold,
        S::InProgress,
    ]
};

impl Status {
    /// Returns the text for `TODO.md`, without its brackets: capitals, with a space between two words.
    pub fn marker(self) -> String {
        self.as_str().to_uppercase().replace('_', " ")
    }

    /// Reads a word of `state.json`, a marker without its brackets, or an alias. Aliases are never written.
    pub fn read(text: &str) -> Option<Self> {
        let word = text.trim().to_lowercase().replace(' ', "_");
        match word.as_str() {
            "implemented" => Some(Self::Completed),
            "superseded" => Some(Self::Abandoned),
            "active" => Some(Self::InProgress),
            word => word.parse().ok(),
        }
    }

    /// Returns the statuses that may follow.
    pub fn next(self) -> &'static [Self] {
        use Status as S;
        match self {
            S::NotStarted => {
                &[S::Researching, S::Planning, S::Implementing, S::Blocked, S::Expanded, S::InProgress]
            }
            S::Researching => &[S::Researched, S::Blocked, S::Abandoned],
            S::Researched => &[
                S::Planning,
                S::Planned,
                S::Implementing,
                S::Researching,
                S::Blocked,
                S::Expanded,
                S::Abandoned,
                S::InProgress,
            ],
            S::Planning => &[S::Planned, S::Blocked, S::Abandoned],
            S::Planned => &[
                S::Revising,
                S::Implementing,
                S::Researching,
                S::Blocked,
                S::Expanded,
                S::Abandoned,
                S::InProgress,
            ],
            S::Revising => &[S::Revised, S::Blocked, S::Abandoned],
            S::Revised => &[
                S::Implementing,
                S::Revising,
                S::Researching,
                S::Planning,
                S::Blocked,
                S::Expanded,
                S::Abandoned,
            ],
            S::Implementing => {
                &[S::Completed, S::Partial, S::Blocked, S::Abandoned, S::Researching, S::Revising]
            }
            S::Partial => &[
                S::Implementing,
                S::Completed,
                S::Abandoned,
                S::Researching,
                S::Planning,
                S::Revising,
                S::Blocked,
            ],
            S::Blocked => &[
                S::Researching,
                S::Planning,
                S::Implementing,
                S::Abandoned,
                S::Expanded,
                S::Revising,
                S::InProgress,
            ],
            S::InProgress => &[
                S::Researched,
                S::Planned,
                S::Completed,
                S::Blocked,
                S::Abandoned,
                S::Researching,
                S::Implementing,
            ],
            S::OnHold => &[S::NotStarted, S::Researching, S::Planning, S::Implementing, S::Abandoned],
            S::Abandoned => &[S::NotStarted],
            S::Completed | S::Expanded => &[],
        }
    }

    /// Returns the names of the field that holds the date of the status, in `TODO.md` and in `state.json`.
    pub fn stage(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Researched => Some(("Researched", "researched")),
            Self::Planned => Some(("Planned", "planned")),
            Self::Revised => Some(("Revised", "revised")),
            Self::Implementing | Self::InProgress => Some(("Started", "started")),
            Self::Completed => Some(("Completed", "completed")),
            Self::Blocked => Some(("Blocked", "blocked")),
            Self::Abandoned => Some(("Abandoned", "abandoned")),
            _ => None,
        }
    }

    /// Returns the names of the field that holds the reason, in `TODO.md` and in `state.json`, if the status
    /// needs one.
    pub fn reason(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Blocked => Some(("Blocking Reason", "blocked_reason")),
            Self::Abandoned => Some(("Abandonment Reason", "abandoned_reason")),
            _ => None,
        }
    }

    /// Checks whether the status ends a step of the work, which has an artifact to link.
    pub fn is_done_step(self) -> bool {
        use Status as S;
        matches!(self, S::Researched | S::Planned | S::Revised | S::Partial | S::Completed)
    }

    /// Checks whether an artifact may be linked while the status stays.
    pub fn takes_links(self) -> bool {
        self.is_done_step() || self == Self::Implementing
    }

    /// Checks whether the status means that work is under way.
    pub fn is_in_progress(self) -> bool {
        use Status as S;
        matches!(self, S::Researching | S::Planning | S::Revising | S::Implementing | S::InProgress)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// TS-18
    #[test]
    fn words_and_markers_are_the_same_both_ways() {
        for status in ALL {
            assert_eq!(Status::read(status.as_str()), Some(status));
            assert_eq!(Status::read(&status.marker()), Some(status));
            assert!(!status.marker().contains('_'), "{status}");
        }
        assert_eq!(Status::NotStarted.marker(), "NOT STARTED");
        assert_eq!(Status::OnHold.marker(), "ON HOLD");
        assert_eq!(Status::read("In Progress"), Some(Status::InProgress));
        assert_eq!(Status::read("implemented"), Some(Status::Completed));
        assert_eq!(Status::read("done"), None);
    }

    /// TS-02
    #[test]
    fn what_never_follows() {
        use Status as S;
        assert!(S::Completed.next().is_empty() && S::Expanded.next().is_empty());
        for (from, to) in [
            (S::NotStarted, S::Completed),
            (S::NotStarted, S::Abandoned),
            (S::Abandoned, S::Completed),
            (S::Planned, S::Completed),
        ] {
            assert!(!from.next().contains(&to), "{from} → {to}");
        }
        assert!(ALL.iter().all(|status| !status.next().contains(status)), "no status follows itself");
    }
}
