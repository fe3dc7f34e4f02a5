//! The problems of a change of a task: two levels of severity, six members.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::{Map, Value};

/// The kind of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A file does not hold the change.
    VerificationFailed,
    /// The files could not be written.
    StatusSyncFailed,
    /// A link is missing.
    ArtifactLinkFailed,
    /// The change lacks something that it needs.
    ValidationFailed,
    /// An artifact does not exist, is empty or is not a file.
    ArtifactValidationFailed,
    /// One of the files does not have the task.
    TaskNotFound,
    /// One of the files has the task twice.
    TaskAmbiguous,
    /// A file does not exist.
    FileNotFound,
    /// A file cannot be read.
    FileUnreadable,
    /// A file does not have the expected form.
    ParseError,
    /// The status may not follow.
    InvalidTransition,
    /// The files disagree, and the caller asked for a refusal in that case.
    MismatchRefused,
    /// The files disagreed.
    StatusMismatch,
    /// Text after the status was left as it is.
    StatusNoteKept,
    /// A rule was overridden on request.
    TransitionForced,
    /// An interrupted change was finished.
    InterruptedChangeSettled,
    /// The files are on a network file system.
    NetworkFileSystem,
    /// The run did not advance.
    RunNotAdvanced,
    /// Git got no commit.
    GitCommitFailed,
    /// The change is committed, and git's index still has the versions before it.
    GitIndexBehind,
}

impl Kind {
    /// Returns the word in lower case, for `type`.
    pub fn word(self) -> &'static str {
        match self {
            Self::VerificationFailed => "verification_failed",
            Self::StatusSyncFailed => "status_sync_failed",
            Self::ArtifactLinkFailed => "artifact_link_failed",
            Self::ValidationFailed => "validation_failed",
            Self::ArtifactValidationFailed => "artifact_validation_failed",
            Self::TaskNotFound => "task_not_found",
            Self::TaskAmbiguous => "task_ambiguous",
            Self::FileNotFound => "file_not_found",
            Self::FileUnreadable => "file_unreadable",
            Self::ParseError => "parse_error",
            Self::InvalidTransition => "invalid_transition",
            Self::MismatchRefused | Self::StatusMismatch => "status_mismatch",
            Self::StatusNoteKept => "status_note_kept",
            Self::TransitionForced => "transition_forced",
            Self::InterruptedChangeSettled => "interrupted_change_settled",
            Self::NetworkFileSystem => "network_file_system",
            Self::RunNotAdvanced => "run_not_advanced",
            Self::GitCommitFailed => "git_commit_failed",
            Self::GitIndexBehind => "git_index_behind",
        }
    }

    /// Checks whether the problem fails the change.
    pub fn is_critical(self) -> bool {
        !matches!(
            self,
            Self::StatusMismatch
                | Self::StatusNoteKept
                | Self::TransitionForced
                | Self::InterruptedChangeSettled
                | Self::NetworkFileSystem
                | Self::RunNotAdvanced
                | Self::GitCommitFailed
                | Self::GitIndexBehind
        )
    }

    /// Checks whether the files or their writing are at fault, and not the request: exit code 2 instead of 1.
    pub fn is_failure(self) -> bool {
        matches!(
            self,
            Self::VerificationFailed
                | Self::StatusSyncFailed
                | Self::ArtifactLinkFailed
                | Self::FileNotFound
                | Self::FileUnreadable
                | Self::ParseError
        )
    }

    fn recommendation(self) -> &'static str {
        match self {
            Self::VerificationFailed | Self::ArtifactLinkFailed => {
                "Look at `git diff` of TODO.md and state.json; `git checkout` of the touched files takes the change back"
            }
            Self::StatusSyncFailed => {
                "Check permissions and free space, then repeat the command; `git status` shows what was touched, `git checkout` of those files restores them"
            }
            Self::ValidationFailed => "Add what is missing and repeat the command",
            Self::ArtifactValidationFailed => {
                "Write the artifact as a file that is not empty, then repeat the command"
            }
            Self::TaskNotFound => {
                "`ic task list` shows the tasks, `ic task audit` what is wrong with the files"
            }
            Self::TaskAmbiguous => "Give one of the two another number: `ic task audit` shows where they are",
            Self::FileNotFound => "Name the directory of the files with --dir, or restore the file from git",
            Self::FileUnreadable => "Check who may read the file",
            Self::ParseError => "Mend the file by hand, or restore it from git: nothing was changed",
            Self::InvalidTransition => {
                "`ic task transitions` shows what may follow; --force goes past the table"
            }
            Self::MismatchRefused => "Without --strict the change is made in both files",
            Self::StatusMismatch => "Nothing to do: both files have the new status now",
            Self::StatusNoteKept => "Edit the text behind the status if it is out of date",
            Self::TransitionForced => "Nothing to do, if it was meant",
            Self::InterruptedChangeSettled => "Look at `git diff` if the change is not expected",
            Self::NetworkFileSystem => "Keep the files on a local file system",
            Self::RunNotAdvanced => "`ic gate check` says what the run needs",
            Self::GitCommitFailed => "The files are up to date: commit them with `git commit` by hand",
            Self::GitIndexBehind => {
                "Run `git reset -q` on the committed files, which leaves the files as they are"
            }
        }
    }
}

/// A problem of a change or of the files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "ProblemMembers")]
pub struct Problem {
    /// The kind, which decides everything but the message.
    pub kind: Kind,
    /// One sentence without a full stop.
    pub message: String,
}

/// The members of a problem as callers see them.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProblemMembers {
    /// The type in capitals.
    code: String,
    message: String,
    recommendation: &'static str,
    recoverable: bool,
    severity: Severity,
    #[serde(rename = "type")]
    kind: &'static str,
}

/// Whether a problem fails the change.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
enum Severity {
    #[serde(rename = "CRITICAL")]
    Critical,
    #[serde(rename = "NON-CRITICAL")]
    NonCritical,
}

impl From<Problem> for ProblemMembers {
    fn from(Problem { kind, message }: Problem) -> Self {
        let is_critical = kind.is_critical();
        Self {
            code: kind.word().to_uppercase(),
            message,
            recommendation: kind.recommendation(),
            recoverable: !is_critical,
            severity: if is_critical { Severity::Critical } else { Severity::NonCritical },
            kind: kind.word(),
        }
    }
}

impl JsonSchema for Problem {
    fn schema_name() -> Cow<'static, str> {
        "Problem".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        ProblemMembers::json_schema(generator)
    }
}

impl Problem {
    /// Returns a problem of a kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// Returns the six members of the problem.
    pub fn members(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(members)) => members,
            _ => Map::new(),
        }
    }
}

/// Checks whether one of the problems fails the change.
pub fn any_critical(problems: &[Problem]) -> bool {
    problems.iter().any(|problem| problem.kind.is_critical())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// TS-41
    #[test]
    fn an_error_has_exactly_six_members() {
        for kind in [Kind::InvalidTransition, Kind::GitCommitFailed, Kind::MismatchRefused] {
            let members = Problem::new(kind, "m").members();
            let mut keys: Vec<_> = members.keys().map(String::as_str).collect();
            keys.sort_unstable();
            assert_eq!(keys, ["code", "message", "recommendation", "recoverable", "severity", "type"]);
            let critical = members["severity"] == "CRITICAL";
            assert_eq!(members["recoverable"], !critical);
            assert_eq!(critical, kind.is_critical());
        }
        assert_eq!(Problem::new(Kind::GitCommitFailed, "").members()["code"], "GIT_COMMIT_FAILED");
    }

    /// TS-48
    #[test]
    fn after_a_failed_write_the_advice_is_git() {
        for kind in [Kind::StatusSyncFailed, Kind::VerificationFailed, Kind::ArtifactLinkFailed] {
            let members = Problem::new(kind, "m").members();
            let advice = members["recommendation"].as_str().unwrap();
            assert!(advice.contains("git checkout") && !advice.contains("backup"), "{advice}");
        }
    }
}
