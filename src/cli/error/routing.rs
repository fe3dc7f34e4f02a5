//! The rows of overrides and of git.

use super::Classified;
use crate::ops::routing::Refusal;
use crate::os::git::GitError;

impl Classified for Refusal {
    fn class(&self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::AlreadyApplied { .. } => (
                "already_applied",
                Some("--update changes what it says of itself; `ic interspect revert` takes it back"),
            ),
            Self::NoProposal(_) => ("no_proposal", Some("`ic interspect propose` makes one")),
            Self::Blacklisted { .. } => {
                ("blacklisted", Some("`ic interspect unblock` takes it off the blacklist"))
            }
            Self::NotBlacklisted(_) => ("not_blacklisted", None),
            Self::BelowThreshold { .. } => (
                "below_threshold",
                Some("`ic interspect eligible` shows what there is; --force decides without it"),
            ),
            Self::UnknownAgent(_) => (
                "unknown_agent",
                Some(
                    "--roster or INTERSPECT_ROSTER names the directory that it is defined in; --allow-unknown goes on without",
                ),
            ),
            Self::CanaryActive { .. } => (
                "canary_active",
                Some("wait for its verdict (`ic interspect canary check`), or revert it first"),
            ),
            Self::AutonomyOff => {
                ("autonomy_off", Some("propose instead, or set `autonomy` in confidence.json"))
            }
            Self::CircuitOpen { .. } => ("circuit_open", Some("a person may still apply it, without --auto")),
            Self::RateLimited { .. } => ("rate_limited", Some("a person may still apply it, without --auto")),
            Self::ProposeFirst(_) => {
                ("propose_first", Some("`ic interspect propose`, then `ic interspect approve`"))
            }
            Self::Forbidden { .. } => (
                "path_protected",
                Some(
                    "`.clavain/interspect/protected-paths.json` says what may be changed: \
                     {\"modification_allow_list\": [\".claude/routing-overrides.json\"]}",
                ),
            ),
            Self::Outside(_) => {
                ("path_outside", Some("nothing was changed; put the file itself in that place"))
            }
            Self::Malformed { .. } => {
                ("overrides_unreadable", Some("put it right, or take back the last change of it"))
            }
            Self::Held { .. } => ("overrides_locked", Some("try again, or wait for longer with --wait")),
            Self::Intent(_) => ("internal", None),
        }
    }
}

impl Classified for GitError {
    fn class(&self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::NoGit => ("git_missing", None),
            Self::NotARepository { .. } => {
                ("not_a_repository", Some("overrides are kept in a git repository"))
            }
            Self::Detached => ("git_detached", Some("check out a branch; nothing was changed")),
            Self::InProgress(_) => ("git_in_progress", Some("finish or abort it first; nothing was changed")),
            Self::IndexLocked(_) => {
                ("git_locked", Some("another git process is at work, or was killed; nothing was changed"))
            }
            Self::NoIdentity(_) => {
                ("git_identity", Some("set user.name and user.email with `git config`; nothing was changed"))
            }
            Self::Hook { .. } | Self::HookMeddled => {
                ("git_hook", Some("nothing was changed; without --verify the hooks are not asked"))
            }
            Self::BadPath { .. } => ("path_outside", None),
            Self::Ignored(_) => ("git_ignored", Some("take the path out of .gitignore; nothing was changed")),
            Self::Changed { .. } => (
                "git_uncommitted",
                Some("commit that version or take it back, then try again; nothing was changed"),
            ),
            Self::Nothing
            | Self::KeepsMoving
            | Self::TimedOut(_)
            | Self::TooLarge { .. }
            | Self::Failed { .. }
            | Self::Io(_) => ("git_failed", Some("nothing was changed")),
        }
    }
}
