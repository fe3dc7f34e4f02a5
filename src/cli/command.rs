//! What every command is, and how its answer is rendered.

use std::io::{self, Write};

use clap::Parser;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::json;

use super::output::Output;

use crate::app::reply::{Refusal, Sink, Style};
use crate::app::{CommandContext, Error, Reply, Verdict};

/// What a command may do, for front ends that have to know before they call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// It only reads.
    Read,
    /// It changes the database, or files.
    Write,
    /// It starts or ends processes.
    Process,
}

/// A command: its arguments, and the answer that it computes from them.
pub(super) trait Command: Parser {
    /// The answer, one type for every outcome.
    type Answer: Serialize + JsonSchema + Text + 'static;
    /// What the command may do.
    const ACCESS: Access;

    /// Carries the command out.
    ///
    /// # Errors
    /// [`Error`] where there is no answer: exit code 2 or 3, or 1 if what was named does not exist.
    fn run(self, cx: &mut CommandContext) -> Result<Reply<Self::Answer>, Error>;
}

/// A command whose answer is a stream of items that are handed on as they come.
pub(super) trait StreamCommand: Parser {
    /// One item of the stream.
    type Item;
    /// One line of the stream as JSON.
    type Line: JsonSchema;
    /// What the command may do.
    const ACCESS: Access;

    /// Returns how the command line writes the items.
    ///
    /// # Errors
    /// [`Error::Usage`] if the arguments contradict each other.
    fn sink(&self, out: Output) -> Result<Box<dyn Sink<Self::Item>>, Error>;

    /// Puts the items into the sink.
    ///
    /// # Errors
    /// As [`Command::run`].
    fn run(self, cx: &mut CommandContext, sink: &mut dyn Sink<Self::Item>) -> Result<Verdict, Error>;
}

/// A command that prints text even where the caller asked for JSON: help, a script for a shell.
pub(super) trait PageCommand: Parser {
    /// What the command may do.
    const ACCESS: Access;

    /// Hands the text to `page`, in one piece or as it comes.
    ///
    /// # Errors
    /// As [`Command::run`].
    fn run(self, cx: &mut CommandContext, page: &mut Page<'_>) -> Result<(), Error>;
}

/// Takes the text of a [`PageCommand`].
pub(super) type Page<'a> = dyn FnMut(&str) -> Result<(), Error> + 'a;

/// The text form of an answer, for people.
pub(super) trait Text {
    /// Writes the text form to stdout, each line with its newline.
    ///
    /// # Errors
    /// What the writer fails with.
    fn text(&self, w: &mut dyn Write) -> io::Result<()>;

    /// Returns lines for stderr that go with the text form: the JSON form holds what they say.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }

    /// Returns the JSON form if the answer holds it as text: a document of the caller's keeps its spelling.
    fn verbatim_json(&self) -> Option<&str> {
        None
    }
}

/// A reply whose type no longer matters.
pub(super) trait Rendered {
    /// Returns the answer as JSON on one line, without the newline.
    ///
    /// # Errors
    /// What the serializer fails with.
    fn json(&self) -> serde_json::Result<String>;

    /// Returns the answer as indented JSON.
    ///
    /// # Errors
    /// What the serializer fails with.
    fn pretty_json(&self) -> serde_json::Result<String>;

    /// Writes the text form.
    ///
    /// # Errors
    /// What the writer fails with.
    fn text(&self, w: &mut dyn Write) -> io::Result<()>;

    /// Returns the lines for stderr that go with the text form.
    fn remarks(&self) -> Vec<String>;

    /// Returns why the answer is a refusal, if it is one with a reason.
    fn refusal(&self) -> Option<&Error>;

    /// Returns the exit code: 0, 1, or that of the refusal.
    fn exit(&self) -> u8;

    /// Returns how the answer is shown where JSON was not asked for.
    fn style(&self) -> Style;
}

/// The answer with the code of its refusal as one more member.
#[derive(Serialize)]
struct WithCode<'a, A> {
    #[serde(flatten)]
    answer: &'a A,
    code: &'static str,
}

impl<A> Reply<A> {
    fn code(&self) -> Option<&'static str> {
        match &self.verdict {
            Verdict::No(Refusal::Error(why)) => Some(why.code().as_str()),
            Verdict::No(Refusal::Code(code)) => Some(code.as_str()),
            Verdict::Yes | Verdict::No(Refusal::List | Refusal::ListError(_)) => None,
        }
    }
}

impl<A: Serialize + Text> Rendered for Reply<A> {
    fn json(&self) -> serde_json::Result<String> {
        match self.code() {
            Some(code) => serde_json::to_string(&WithCode { answer: &self.answer, code }),
            None => match self.answer.verbatim_json() {
                Some(text) => Ok(text.to_owned()),
                None => serde_json::to_string(&self.answer),
            },
        }
    }

    fn pretty_json(&self) -> serde_json::Result<String> {
        match self.code() {
            Some(code) => serde_json::to_string_pretty(&WithCode { answer: &self.answer, code }),
            None => serde_json::to_string_pretty(&self.answer),
        }
    }

    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        self.answer.text(w)
    }

    fn remarks(&self) -> Vec<String> {
        self.answer.remarks()
    }

    fn refusal(&self) -> Option<&Error> {
        match &self.verdict {
            Verdict::No(Refusal::Error(why) | Refusal::ListError(why)) => Some(why),
            Verdict::No(Refusal::Code(_) | Refusal::List) | Verdict::Yes => None,
        }
    }

    fn exit(&self) -> u8 {
        match self.verdict {
            Verdict::Yes => 0,
            Verdict::No(Refusal::Error(ref why) | Refusal::ListError(ref why)) => why.exit(),
            Verdict::No(Refusal::Code(_) | Refusal::List) => 1,
        }
    }

    fn style(&self) -> Style {
        self.style
    }
}

/// Returns the JSON Schema of a type as it is serialized.
pub(super) fn schema_of<T: JsonSchema>() -> Schema {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    SchemaGenerator::new(settings).into_root_schema_for::<T>()
}

/// Returns the JSON Schema of an answer: that of its type, and the code of a refusal.
pub(super) fn answer_schema<T: JsonSchema>() -> Schema {
    let mut schema = schema_of::<T>();
    let is_object = ["properties", "anyOf", "oneOf"].iter().any(|key| schema.get(*key).is_some());
    if let (true, Some(members)) = (is_object, schema.as_object_mut()) {
        let properties = members.entry("properties").or_insert_with(|| json!({}));
        if let Some(properties) = properties.as_object_mut() {
            let description = "Why the exit code is 1: a code of `ic help errors`.";
            properties
                .entry("code")
                .or_insert_with(|| json!({ "type": "string", "description": description }));
        }
    }
    schema
}
