//! The recorded JSON answers against the schemas that `ic schema` prints.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use jsonschema::Validator;
use serde_json::Value;

use super::{NAMES, directory, file, leaf_of, recording};
use crate::support::Sandbox;

/// Commands that print no JSON, each with the reason.
const PAGES: &[(&str, &str)] = &[
    ("completions", "a script for a shell"),
    ("demo", "a performance for people"),
    ("help", "text for people"),
];

/// Words that ask for lines that the schema does not describe, each with the reason.
const OTHER_FORMS: &[(&str, &str)] = &[
    ("--format=text", "columns for people"),
    ("dispatch logs", "the bytes that the child wrote"),
    ("compat status", "recorded as a number of lines, because it reads what is in /tmp"),
    ("--format=cloudevents", "the CloudEvents specification has them"),
];

/// Commands of which no line is checked: they are recorded in another form, or print nothing.
const WITHOUT_LINES: [&str; 3] = ["compat status", "dispatch logs", "hook stop"];

/// A recorded call that ended with an answer.
struct Recorded {
    place: String,
    words: String,
    code: String,
    stdout: Vec<String>,
}

/// Returns the recorded calls with exit code 0 or 1 that printed something.
fn recorded_answers() -> Vec<Recorded> {
    let mut out = Vec::new();
    for name in NAMES {
        let path = directory().join(format!("{}.snap", file(name, true)));
        let text = fs::read_to_string(&path).unwrap_or_else(|err| panic!("{}: {err}", path.display()));
        let lines: Vec<&str> = text.lines().collect();
        for (n, pair) in lines.windows(2).enumerate() {
            let (Some((_, typed)), Some(code)) = (pair[0].split_once("$ "), pair[1].strip_prefix("exit: "))
            else {
                continue;
            };
            let Some(at) = typed.find("ic ") else { continue };
            if !["0", "1"].contains(&code) || lines.get(n + 2) != Some(&"--- stdout") {
                continue;
            }
            let stdout = lines[n + 3..].iter().take_while(|line| !line.is_empty() && **line != "--- stderr");
            out.push(Recorded {
                place: format!("{name}:{}", n + 1),
                words: typed[at + 3..].to_owned(),
                code: code.to_owned(),
                stdout: stdout.map(|line| line.trim_end_matches("(no newline)").to_owned()).collect(),
            });
        }
    }
    out
}

/// Returns a line with numbers again where they were masked: a member's value that begins with `<`.
fn unmasked(line: &str) -> String {
    let mut parts = line.split("\":<");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (_, rest) = part.split_once('>').unwrap_or_else(|| panic!("no end of a mask: {line}"));
        out.push_str("\":1");
        out.push_str(rest);
    }
    out
}

const UNIONS: [&str; 3] = ["anyOf", "oneOf", "allOf"];

/// Makes a schema refuse members that it does not name: as it is printed it allows them, so that more can be added. The
/// parts of a union are left as they are, because the whole has members beside them.
fn close(schema: &mut Value) {
    let mut parts = BTreeSet::new();
    close_within(schema, &mut parts);
    let Some(Value::Object(definitions)) = schema.get_mut("$defs") else { return };
    for definition in definitions.values_mut() {
        close_within(definition, &mut parts);
    }
    for part in parts {
        if let Some(Value::Object(members)) = definitions.get_mut(part.trim_start_matches("#/$defs/")) {
            members.remove("unevaluatedProperties");
        }
    }
}

/// Closes a schema and those of its members, and collects the definitions that are parts of unions.
fn close_within(schema: &mut Value, parts: &mut BTreeSet<String>) {
    let Value::Object(members) = schema else { return };
    for union in UNIONS {
        for part in members.get_mut(union).and_then(Value::as_array_mut).into_iter().flatten() {
            parts.extend(part.get("$ref").and_then(Value::as_str).map(ToOwned::to_owned));
            close_within(part, parts);
            part.as_object_mut().map(|part| part.remove("unevaluatedProperties"));
        }
    }
    if let Some(Value::Object(properties)) = members.get_mut("properties") {
        properties.values_mut().for_each(|property| close_within(property, parts));
    }
    if let Some(items) = members.get_mut("items") {
        close_within(items, parts);
    }
    let has_members =
        members.contains_key("properties") || UNIONS.iter().any(|key| members.contains_key(*key));
    if has_members && !members.contains_key("additionalProperties") {
        members.insert("unevaluatedProperties".to_owned(), false.into());
    }
}

/// VW-02: every recorded answer is as its schema says, and has no member that the schema does not name.
#[test]
fn answers_are_as_their_schemas_say() {
    if recording() {
        return;
    }
    let schemas: BTreeMap<String, Value> =
        serde_json::from_str(&Sandbox::bare().ok(["schema", "--json"])).unwrap();
    let validators: BTreeMap<&str, Validator> = schemas
        .iter()
        .map(|(command, schema)| {
            let mut schema = schema.clone();
            close(&mut schema);
            let validator = jsonschema::validator_for(&schema);
            (command.as_str(), validator.unwrap_or_else(|err| panic!("{command}: {err}: {schema}")))
        })
        .collect();
    let (mut checked, mut wrong, mut skipped) =
        (BTreeMap::<String, usize>::new(), Vec::new(), BTreeMap::new());
    for call in recorded_answers() {
        let Some(leaf) = leaf_of(&call.words) else { continue };
        let leaf = leaf.strip_prefix("ic ").unwrap();
        let Some(validator) = validators.get(leaf) else {
            *skipped.entry(leaf.to_owned()).or_insert(0) += 1;
            continue;
        };
        if call.words.contains(" --help") || OTHER_FORMS.iter().any(|(form, _)| call.words.contains(form)) {
            continue;
        }
        for line in &call.stdout {
            let document: Value = match serde_json::from_str(&unmasked(line)) {
                Ok(document) => document,
                Err(err) => {
                    wrong.push(format!("{} ic {}: {err}: {line}", call.place, call.words));
                    continue;
                }
            };
            let errors: Vec<_> = validator
                .iter_errors(&document)
                .map(|err| format!("{err} (at `{}`)", err.instance_path()))
                .collect();
            if !errors.is_empty() {
                wrong.push(format!(
                    "{} ic {} (exit {}): {errors:#?}: {line}",
                    call.place, call.words, call.code
                ));
            }
            *checked.entry(leaf.to_owned()).or_default() += 1;
        }
    }
    println!("checked: {checked:?}");
    println!("skipped, without a schema: {skipped:?}");
    println!("skipped, in another form: {OTHER_FORMS:?}");
    assert!(wrong.is_empty(), "{} answers:\n{}", wrong.len(), wrong.join("\n"));
    let unchecked: Vec<_> = schemas.keys().filter(|command| !checked.contains_key(*command)).collect();
    let unchecked: Vec<_> =
        unchecked.iter().filter(|command| !WITHOUT_LINES.contains(&command.as_str())).collect();
    assert!(unchecked.is_empty(), "no recorded answer of {unchecked:?} was checked");
}

/// VW-02: every command has a schema, but for those that print no JSON.
#[test]
fn every_command_has_a_schema() {
    let schemas: BTreeMap<String, Value> =
        serde_json::from_str(&Sandbox::bare().ok(["schema", "--json"])).unwrap();
    let leaves = intercore::cli::listing();
    let missing: BTreeSet<&str> = leaves
        .iter()
        .map(|leaf| leaf.strip_prefix("ic ").unwrap())
        .filter(|leaf| !schemas.contains_key(*leaf))
        .collect();
    let pages: BTreeSet<&str> = PAGES.iter().map(|(command, _)| *command).collect();
    assert_eq!(missing, pages);
    for (command, schema) in &schemas {
        assert!(jsonschema::meta::is_valid(schema), "{command}: {schema}");
    }
}
