//! Actions: what is due when a run enters a phase.

use serde_json::Value;

use super::ids::RunId;
use super::phase::Phase;

words!(
    /// The kind of caller that carries out an action.
    ActionMode, "action mode" {
        /// A person at the keyboard.
        Interactive = "interactive",
        /// An agent without a person.
        Autonomous = "autonomous",
        /// Either.
        Both = "both",
    }
);

words!(
    /// The kind of an action.
    ActionType, "action type" {
        /// A command to run.
        Command = "command",
        /// A child to start.
        Spawn = "spawn",
        /// A hook to call.
        Hook = "hook",
    }
);

/// A row of `phase_actions`.
#[derive(Clone, Debug)]
pub struct Action {
    /// The number that the database assigned.
    pub id: i64,
    /// The run it belongs to.
    pub run_id: RunId,
    /// The phase that triggers it.
    pub phase: Phase,
    pub action_type: ActionType,
    pub command: String,
    /// Text that is meant to be JSON, with `${…}` templates.
    pub args: Option<String>,
    pub mode: ActionMode,
    /// The order within the phase, lowest first.
    pub priority: i64,
}

/// Fills the templates `${artifact:TYPE}`, `${run_id}` and `${project_dir}` in `args`.
///
/// `lookup` returns the value of the name between the braces; a name that it does not know is left in place.
/// Values are escaped for the inside of a JSON string, so a path with quotes cannot break out of its
/// argument.
pub fn fill_templates(args: &str, mut lookup: impl FnMut(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(args.len());
    let mut rest = args;
    while let Some(start) = rest.find("${") {
        let (before, from) = rest.split_at(start);
        out.push_str(before);
        let Some(end) = from.find('}') else {
            rest = from;
            break;
        };
        match lookup(&from[2..end]) {
            Some(value) => {
                let quoted = Value::from(value).to_string();
                out.push_str(&quoted[1..quoted.len() - 1]);
            }
            None => out.push_str(&from[..=end]),
        }
        rest = &from[end + 1..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_filled_and_escaped() {
        let filled = fill_templates(r#"["${artifact:plan}","${run_id}","${x}","${"]"#, |name| match name {
            "artifact:plan" => Some(r#"a "b".md"#.into()),
            "run_id" => Some("r1".into()),
            _ => None,
        });
        assert_eq!(filled, r#"["a \"b\".md","r1","${x}","${"]"#);
    }
}
