//! Failures of the database, told apart by what a caller can do about them.

use std::path::{Path, PathBuf};

/// A failure of the engine or of the file under it.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// Another writer held the lock for longer than the busy timeout.
    #[error("the database stayed busy for longer than the busy timeout")]
    Busy,
    /// There is no database file.
    #[error("no database at {}", .0.display())]
    Missing(PathBuf),
    /// The file holds no schema.
    #[error("the database at {} is not initialised", .0.display())]
    NotInitialised(PathBuf),
    /// The schema is older than that of this program.
    #[error("the database at {} has schema v{found}, this program needs v{known}", path.display())]
    SchemaTooOld {
        path: PathBuf,
        found: i64,
        /// The version of this program.
        known: i64,
    },
    /// The schema is newer than that of this program.
    #[error("the database schema (v{found}) is newer than this program supports (v{known})")]
    SchemaTooNew {
        /// The file's schema version.
        found: i64,
        /// The version of this program.
        known: i64,
    },
    /// A SQLite file of another program.
    #[error("{} is a SQLite database of another program (application id {application_id})", path.display())]
    Foreign { path: PathBuf, application_id: i64 },
    /// A database of the Go program of the same name.
    #[error("{} is a database of the Go program `ic` (schema v{version})", path.display())]
    GoProgram { path: PathBuf, version: i64 },
    /// A database of a newer version of the Go program than can be read.
    #[error("{} has schema v{found} of the Go program, this program knows it up to v{known}", path.display())]
    GoTooNew {
        path: PathBuf,
        found: i64,
        /// The newest version that can be read.
        known: i64,
    },
    /// There is no file to import.
    #[error("there is no database of the Go program at {}", .0.display())]
    NoSource(PathBuf),
    /// The file to import is not a database of the Go program.
    #[error("{} is not a database of the Go program", .0.display())]
    NotGo(PathBuf),
    /// A database with content is where a new one should be created.
    #[error("{} is a database of this program already, and not empty", .0.display())]
    Occupied(PathBuf),
    /// Not a SQLite file at all.
    #[error("{} is not a database", .0.display())]
    NotADatabase(PathBuf),
    /// The file's content is damaged.
    #[error("the database is damaged: {0}")]
    Corrupt(String),
    /// Tables or indexes differ from those of the schema version.
    #[error("the schema is not what its version says: {0}")]
    Altered(String),
    /// A file cannot be used as a source.
    #[error("the file {} cannot be used: {source}", path.display())]
    Unusable { path: PathBuf, source: Box<DbError> },
    /// A file that should be created exists.
    #[error("the file {} exists already", .0.display())]
    Exists(PathBuf),
    /// The file was moved away or replaced while it was open.
    #[error("another file is at {} by now", .0.display())]
    Moved(PathBuf),
    /// Other processes have the damaged file open.
    #[error("other processes hold {}", .0.display())]
    InUse(PathBuf),
    /// A symbolic link is in the place of a file of ours.
    #[error("{} is a symlink: refusing to follow it", .0.display())]
    Symlink(PathBuf),
    /// A log without its database.
    #[error("{} exists without its database: creating one beside it would corrupt both", .0.display())]
    OrphanLog(PathBuf),
    /// The engine found no space left. It has undone the transaction.
    #[error("the disk is full")]
    Full,
    /// A file operation beside the database found no space left, or reached a file size limit.
    #[error("the disk is full: {what} {}: {source}", path.display())]
    NoSpace { what: &'static str, path: PathBuf, source: std::io::Error },
    /// The disk or the file system failed. The transaction is undone, and nothing of it is in the log.
    #[error("{0}")]
    Disk(String),
    /// A commit failed, and could not be taken back.
    #[error("it is not known whether the change was made: {0}")]
    InDoubt(String),
    /// The process has reached its limit of open files.
    #[error("too many files are open")]
    TooManyFiles,
    /// The file or its directory cannot be written.
    #[error("the database at {} cannot be written", .0.display())]
    ReadOnly(PathBuf),
    /// A file beside the database, or its directory, is not accessible to this user.
    #[error("{what} {}: {source}", path.display())]
    Denied { what: &'static str, path: PathBuf, source: std::io::Error },
    /// A constraint of the schema refused the change.
    #[error("a constraint refused the change: {0}")]
    Constraint(String),
    /// A cell does not have the type of its column.
    #[error("column {column}: {problem}")]
    Decode { column: String, problem: String },
    /// A file operation beside the database failed.
    #[error("{what} {}: {source}", path.display())]
    File { what: &'static str, path: PathBuf, source: std::io::Error },
    /// Any other failure of the engine.
    #[error("{0}")]
    Engine(String),
}

impl DbError {
    /// Turns the failure of a file operation that a transaction needs into one that says that nothing was
    /// changed.
    pub(super) fn before_commit(self) -> Self {
        if let Self::File { .. } = self { Self::Disk(self.to_string()) } else { self }
    }

    /// Wraps an I/O error with the operation and the path.
    pub(super) fn file(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| match source.kind() {
            std::io::ErrorKind::StorageFull
            | std::io::ErrorKind::QuotaExceeded
            | std::io::ErrorKind::FileTooLarge => Self::NoSpace { what, path: path.to_owned(), source },
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                Self::Denied { what, path: path.to_owned(), source }
            }
            _ => Self::File { what, path: path.to_owned(), source },
        }
    }
}
