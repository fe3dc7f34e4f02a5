//! The limits of a pattern, and the reasons to refuse one.

/// The maximum length of a pattern in bytes, which is that of a path.
pub const MAX_BYTES: usize = 4096;
/// The maximum number of wildcards in a pattern: each `*`, each `?` and each pair of brackets is one.
pub const MAX_WILDCARDS: usize = 10;

/// The reason to refuse a pattern. Never repeats the pattern, which may be huge.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    #[error("bad pattern: must not be empty (\".\" is the whole scope)")]
    Empty,
    /// More than [`MAX_BYTES`].
    #[error("pattern too complex: {0} bytes exceeds limit of {MAX_BYTES}")]
    TooLong(usize),
    /// More than [`MAX_WILDCARDS`].
    #[error("pattern too complex: {0} wildcards exceeds limit of {MAX_WILDCARDS}")]
    TooMany(usize),
    /// An absolute path outside the scope.
    #[error("bad pattern: an absolute path outside the scope")]
    Outside,
    /// A segment `..`.
    #[error("bad pattern: \"..\" is not allowed")]
    Parent,
    /// A `[` without its `]` in the same segment.
    #[error(
        "bad pattern: \"[\" without \"]\" before the next \"/\" or the end (write \"\\[\" for the character)"
    )]
    Unclosed,
    /// A range whose end comes before its start.
    #[error("bad pattern: range {0:?} to {1:?} is the wrong way round")]
    Range(char, char),
    /// A `\` at the end of its segment.
    #[error("bad pattern: \"\\\" with nothing behind it (write \"\\\\\" for the character)")]
    Escape,
    /// A NUL character, which no path contains.
    #[error("bad pattern: holds a NUL character")]
    Nul,
    /// A segment that matches no name, such as `[.]`.
    #[error("bad pattern: segment {0} can match no file name")]
    Nothing(usize),
}
