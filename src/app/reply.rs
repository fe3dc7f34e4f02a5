//! What a command returns: one answer for every outcome.

use std::sync::atomic::AtomicBool;

use super::{Code, Error};

/// The answer of a command that ended well, or in an expected negative.
#[derive(Debug)]
pub(crate) struct Reply<A> {
    /// The one document of this outcome.
    pub answer: A,
    /// Whether it is the expected negative.
    pub verdict: Verdict,
    /// How the answer is shown where the caller did not ask for JSON.
    pub style: Style,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Done, found, allowed: exit code 0.
    Yes,
    /// The expected negative: exit code 1, or that of the error.
    No(Refusal),
}

/// Why a command ended in the expected negative.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The answer is a list, which says everything.
    List,
    /// The answer says everything; its document has this code as a member.
    Code(Code),
    /// The answer's document has the code of the error as a member; people are shown its sentence and its
    /// hint. The exit code is the error's.
    Error(Box<Error>),
    /// As [`Self::Error`], but the answer is a list, whose document has no place for the code.
    ListError(Box<Error>),
}

/// How an answer is shown where the caller did not ask for JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Style {
    /// In its text form.
    #[default]
    Text,
    /// As indented JSON. Callers of old read the answers of some commands so.
    PrettyJson,
    /// As one line of JSON.
    Json,
    /// Not at all, not even as JSON: the caller takes no output for the answer.
    Silent,
}

impl<A> Reply<A> {
    /// Returns a reply that ends in exit code 0.
    pub(crate) fn yes(answer: A) -> Self {
        Self { answer, verdict: Verdict::Yes, style: Style::default() }
    }

    /// Returns a reply that ends in exit code 1; the answer says everything.
    pub(crate) fn no(answer: A, code: Code) -> Self {
        Self { answer, verdict: Verdict::No(Refusal::Code(code)), style: Style::default() }
    }

    /// Returns a reply that ends in exit code 1; the answer is a list.
    pub(crate) fn no_list(answer: A) -> Self {
        Self { answer, verdict: Verdict::No(Refusal::List), style: Style::default() }
    }

    /// Returns a reply that ends in exit code 0 if `good`, otherwise in exit code 1 with `code`.
    pub(crate) fn of(answer: A, good: bool, code: Code) -> Self {
        if good { Self::yes(answer) } else { Self::no(answer, code) }
    }

    /// Returns a reply that ends in the exit code of the error that is its reason.
    pub(crate) fn refused(answer: A, why: impl Into<Error>) -> Self {
        Self { answer, verdict: Verdict::No(Refusal::Error(Box::new(why.into()))), style: Style::default() }
    }

    /// Returns a reply that ends as [`Self::refused`] says; the answer is a list.
    pub(crate) fn refused_list(answer: A, why: impl Into<Error>) -> Self {
        let why = Refusal::ListError(Box::new(why.into()));
        Self { answer, verdict: Verdict::No(why), style: Style::default() }
    }

    /// Returns the same reply, shown in another style.
    pub(crate) fn styled(self, style: Style) -> Self {
        Self { style, ..self }
    }
}

/// Whether a stream goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// The consumer takes more.
    Continue,
    /// The consumer is gone, or was asked to stop.
    Stop,
}

/// The consumer of a stream: a command puts its items there as they come.
///
/// No transaction is open while items are delivered, so that a slow consumer blocks no checkpoint. `stop` is
/// raised when the caller is asked to end; a stalled consumer is then no longer waited for.
pub(crate) trait Sink<T> {
    /// Takes an item. It may be kept back until [`Self::deliver`].
    ///
    /// # Errors
    /// [`Error::Output`] if the item cannot be taken.
    fn put(&mut self, item: &T) -> Result<(), Error>;

    /// Hands on everything that was put so far.
    ///
    /// # Errors
    /// [`Error::Output`] if the consumer failed.
    fn deliver(&mut self, stop: &AtomicBool) -> Result<Flow, Error>;

    /// Waits until the consumer has taken everything that was delivered: from then on it cannot be lost.
    ///
    /// # Errors
    /// As [`Self::deliver`].
    fn settle(&mut self, stop: &AtomicBool) -> Result<Flow, Error>;

    /// Checks whether nothing reads the stream any more.
    fn is_abandoned(&self) -> bool;

    /// Checks whether the items make one document: a part of it is of no use to its reader.
    fn is_whole(&self) -> bool {
        false
    }
}
