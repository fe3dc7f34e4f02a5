//! The codes and hints of the errors of overrides and of git.

use super::class::Classified;
use crate::app::Code;
use crate::ops::interspect::Refusal;
use crate::os::git::GitError;

impl Classified for Refusal {
    fn class(&self) -> (Code, Option<&'static str>) {
        match self {
            Self::AlreadyApplied { .. } => (
                Code::AlreadyApplied,
                Some("--update changes what it says of itself; `ic interspect revert` takes it back"),
            ),
            Self::NoProposal(_) => (Code::NoProposal, Some("`ic interspect propose` makes one")),
            Self::Blacklisted { .. } => {
                (Code::Blacklisted, Some("`ic interspect unblock` takes it off the blacklist"))
            }
            Self::NotBlacklisted(_) => (Code::NotBlacklisted, None),
            Self::BelowThreshold { .. } => (
                Code::BelowThreshold,
                Some("`ic interspect eligible` shows what there is; --force decides without it"),
            ),
            Self::UnknownAgent(_) => (
                Code::UnknownAgent,
                Some(
                    "--roster or INTERSPECT_ROSTER names the directory that it is defined in; \
                     --allow-unknown goes on without",
                ),
            ),
            Self::CanaryActive { .. } => (
                Code::CanaryActive,
                Some("wait for its verdict (`ic interspect canary check`), or revert it first"),
            ),
            Self::AutonomyOff => {
                (Code::AutonomyOff, Some("propose instead, or set `autonomy` in confidence.json"))
            }
            Self::CircuitOpen { .. } => {
                (Code::CircuitOpen, Some("a person may still apply it, without --auto"))
            }
            Self::RateLimited { .. } => {
                (Code::RateLimited, Some("a person may still apply it, without --auto"))
            }
            Self::ProposeFirst(_) => {
                (Code::ProposeFirst, Some("`ic interspect propose`, then `ic interspect approve`"))
            }
            Self::Forbidden { .. } => (
                Code::PathProtected,
                Some(
                    "`.clavain/interspect/protected-paths.json` says what may be changed: \
                     {\"modification_allow_list\": [\".claude/routing-overrides.json\"]}",
                ),
            ),
            Self::Outside(_) => {
                (Code::PathOutside, Some("nothing was changed; put the file itself in that place"))
            }
            Self::Malformed { .. } => {
                (Code::OverridesUnreadable, Some("put it right, or take back the last change of it"))
            }
            Self::Held { .. } => (Code::OverridesLocked, Some("try again, or wait for longer with --wait")),
            Self::Intent(_) => (Code::Internal, None),
        }
    }
}

impl Classified for GitError {
    fn class(&self) -> (Code, Option<&'static str>) {
        match self {
            Self::NoGit => (Code::GitMissing, None),
            Self::NotARepository { .. } => {
                (Code::NotARepository, Some("overrides are kept in a git repository"))
            }
            Self::Detached => (Code::GitDetached, Some("check out a branch; nothing was changed")),
            Self::InProgress(_) => {
                (Code::GitInProgress, Some("finish or abort it first; nothing was changed"))
            }
            Self::IndexLocked(_) => {
                (Code::GitLocked, Some("another git process is at work, or was killed; nothing was changed"))
            }
            Self::NoIdentity(_) => (
                Code::GitIdentity,
                Some("set user.name and user.email with `git config`; nothing was changed"),
            ),
            Self::Hook { .. } | Self::HookMeddled => {
                (Code::GitHook, Some("nothing was changed; without --verify the hooks are not asked"))
            }
            Self::BadPath { .. } => (Code::PathOutside, None),
            Self::Ignored(_) => {
                (Code::GitIgnored, Some("take the path out of .gitignore; nothing was changed"))
            }
            Self::Changed { .. } => (
                Code::GitUncommitted,
                Some("commit that version or take it back, then try again; nothing was changed"),
            ),
            Self::Nothing
            | Self::KeepsMoving
            | Self::TimedOut(_)
            | Self::TooLarge { .. }
            | Self::Failed { .. }
            | Self::Io(_) => (Code::GitFailed, Some("nothing was changed")),
        }
    }
}
