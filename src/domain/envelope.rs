//! The envelope of an event: its policy, caller, trace, input and output.

use serde_json::{Map, Value, json};

use super::time::Stamp;

/// The parts of an envelope that differ between the writers of events.
#[derive(Clone, Copy, Debug)]
pub struct Writer<'a> {
    /// The rules that were applied.
    pub policy_version: &'static str,
    /// The part of the kernel that writes the event.
    pub caller_identity: &'static str,
    /// The data that it may change.
    pub capability_scope: &'a str,
    /// The trace if the caller has none.
    pub trace_id: &'a str,
    /// The prefix of the span's name if the caller has none; the time follows.
    pub span: &'a str,
    /// The parent span if the caller has none.
    pub parent_span_id: Option<&'a str>,
    /// The state before the change.
    pub input: &'a str,
    /// The state after the change.
    pub output: &'a str,
}

/// Builds the envelope. Empty parts are left out; the caller's own trace takes precedence.
pub fn build(writer: &Writer<'_>, stamp: &Stamp) -> Map<String, Value> {
    let trace = &stamp.trace;
    let span = format!("{}:{}", writer.span, stamp.nanos());
    let parent = trace.parent_span_id.as_deref().or(writer.parent_span_id);
    let texts = [
        ("policy_version", Some(writer.policy_version)),
        ("caller_identity", Some(writer.caller_identity)),
        ("capability_scope", Some(writer.capability_scope)),
        ("trace_id", Some(trace.trace_id.as_deref().unwrap_or(writer.trace_id))),
        ("span_id", Some(trace.span_id.as_deref().unwrap_or(&span))),
        ("parent_span_id", parent),
    ];
    let refs = [("input_artifact_refs", writer.input), ("output_artifact_refs", writer.output)];
    let texts =
        texts.into_iter().filter_map(|(key, text)| Some((key, text.filter(|t| !t.is_empty())?.into())));
    let refs = refs.into_iter().filter(|(_, text)| !text.is_empty()).map(|(key, text)| (key, json!([text])));
    texts.chain(refs).map(|(key, value): (&str, Value)| (key.to_owned(), value)).collect()
}
