//! Our hooks in the files of other programs: added and removed, with everything else unchanged.

use super::ordered::{Ordered, indent_of};

/// The hooks in an agent's settings: the event, its tools, and our command.
///
/// `Stop` is not one of them, because it comes at the end of every turn.
pub const AGENT_HOOKS: [(&str, Option<&str>, &str); 3] = [
    ("PreToolUse", Some(TOOLS), "ic hook pre-edit"),
    ("PostToolUse", Some(TOOLS), "ic hook post-edit"),
    ("SessionEnd", None, "ic hook stop"),
];
/// The hooks that an earlier release installed, which those above replace: the event and our command.
const FORMER_HOOKS: [(&str, &str); 2] = [("Stop", "ic hook stop"), ("SubagentStop", "ic hook stop")];
/// The tools that change files.
const TOOLS: &str = "Edit|Write|MultiEdit|NotebookEdit";
/// The time that the agent waits for us, in seconds.
const LIMIT: &str = "5";
/// The first line of our part of a script.
const BEGIN: &str = "# >>> ic hook pre-commit >>>";
const END: &str = "# <<< ic hook pre-commit <<<";
/// The call of the hook. Only a refusal (exit code 1) stops the commit: neither a missing `ic` nor any other
/// failure of it does.
const CALL: &str = "if command -v ic >/dev/null 2>&1; then ic hook pre-commit || [ $? -ne 1 ] || exit 1; fi";
const SHEBANG: &str = "#!/bin/sh";

/// The change of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// No change is needed.
    None,
    /// The file gets this text.
    Write(String),
    /// The file is removed, because it held nothing else. If it cannot be removed, it gets this text.
    Remove(&'static str),
}

/// Returns an agent's settings with our hooks; `None` is a missing file.
///
/// # Errors
/// The reason why the file cannot be changed.
pub fn settings_with(text: Option<&str>) -> Result<Change, String> {
    let old = text.filter(|text| !text.trim().is_empty());
    let mut settings = old.map_or(Ok(Ordered::Object(Vec::new())), parsed)?;
    let hooks =
        settings.member("hooks", || Ordered::Object(Vec::new())).ok_or("the settings are no object")?;
    let mut changed = match hooks.open() {
        Ordered::Object(events) => remove(events, FORMER_HOOKS),
        _ => false,
    };
    for (event, tools, command) in AGENT_HOOKS {
        let groups = hooks.member(event, || Ordered::Array(Vec::new())).ok_or("\"hooks\" is no object")?;
        let Ordered::Array(groups) = groups.open() else {
            return Err(format!("\"hooks\".\"{event}\" is no array"));
        };
        if groups.iter().any(|group| has(group, command)) {
            continue;
        }
        changed = true;
        let own = [("type", Ordered::text("command")), ("command", Ordered::text(command))];
        let own = own.into_iter().chain([("timeout", Ordered::Raw(LIMIT.to_owned()))]);
        let hook = Ordered::Object(own.map(|(name, value)| (name.to_owned(), value)).collect());
        let matcher = tools.map(|tools| ("matcher".to_owned(), Ordered::text(tools)));
        let list = ("hooks".to_owned(), Ordered::Array(vec![hook]));
        groups.push(Ordered::Object(matcher.into_iter().chain([list]).collect()));
    }
    Ok(if changed { Change::Write(settings.pretty(&indent_of(old.unwrap_or("")))) } else { Change::None })
}

/// Returns an agent's settings without our hooks, and without the members that were made for them alone.
///
/// # Errors
/// The reason why the file cannot be changed.
pub fn settings_without(text: Option<&str>) -> Result<Change, String> {
    let Some(old) = text.filter(|text| !text.trim().is_empty()) else { return Ok(Change::None) };
    let mut settings = parsed(old)?;
    let mut changed = false;
    if let Ordered::Object(members) = settings.open()
        && let Some((_, hooks)) = members.iter_mut().rev().find(|(name, _)| name == "hooks")
        && let Ordered::Object(events) = hooks.open()
    {
        let ours = AGENT_HOOKS.map(|(event, _, command)| (event, command));
        changed = remove(events, ours.into_iter().chain(FORMER_HOOKS));
        if changed && events.is_empty() {
            members.retain(|(name, _)| name != "hooks");
        }
    }
    Ok(match settings {
        _ if !changed => Change::None,
        Ordered::Object(members) if members.is_empty() => Change::Remove("{}\n"),
        settings => Change::Write(settings.pretty(&indent_of(old))),
    })
}

/// Removes our commands from their events, and the events that are empty after that. Returns whether there
/// were any.
fn remove(
    events: &mut Vec<(String, Ordered)>,
    ours: impl IntoIterator<Item = (&'static str, &'static str)>,
) -> bool {
    let mut changed = false;
    for (event, command) in ours {
        let Some((_, groups)) = events.iter_mut().rev().find(|(name, _)| name == event) else { continue };
        if !list(groups).iter().any(|group| has(group, command)) {
            continue;
        }
        let Ordered::Array(groups) = groups.open() else { continue };
        groups.retain_mut(|group| !take_out(group, command));
        changed = true;
        if groups.is_empty() {
            events.retain(|(name, _)| name != event);
        }
    }
    changed
}

fn parsed(text: &str) -> Result<Ordered, String> {
    Ordered::parse(text).map_err(|err| format!("the settings are not valid JSON: {err}"))
}

/// Returns the items of an array.
fn list(value: &Ordered) -> Vec<Ordered> {
    match value.clone().open() {
        Ordered::Array(items) => std::mem::take(items),
        _ => Vec::new(),
    }
}

/// Returns a member of an object.
fn member(value: &Ordered, name: &str) -> Option<Ordered> {
    match value.clone().open() {
        Ordered::Object(members) => {
            members.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.clone())
        }
        _ => None,
    }
}

/// Returns true if our hook is in a group.
fn has(group: &Ordered, command: &str) -> bool {
    member(group, "hooks").is_some_and(|hooks| list(&hooks).iter().any(|hook| is(hook, command)))
}

/// Returns true if a hook is ours, with or without flags.
fn is(hook: &Ordered, command: &str) -> bool {
    let text = member(hook, "command").as_ref().and_then(Ordered::as_text);
    let flags = |rest: &str| {
        rest.is_empty() || rest.starts_with(' ') && rest.split_whitespace().all(|word| word.starts_with("--"))
    };
    text.is_some_and(|text| text.strip_prefix(command).is_some_and(flags))
}

/// Removes our hook from a group. Returns whether the group is empty after that.
fn take_out(group: &mut Ordered, command: &str) -> bool {
    if !has(group, command) {
        return false;
    }
    let Ordered::Object(members) = group.open() else { return false };
    let Some((_, hooks)) = members.iter_mut().rev().find(|(name, _)| name == "hooks") else { return false };
    let Ordered::Array(hooks) = hooks.open() else { return false };
    hooks.retain(|hook| !is(hook, command));
    hooks.is_empty()
}

/// Returns a git hook with ours, which comes first because the rest may end the script. `None` is a missing
/// file.
///
/// # Errors
/// The reason why the file cannot be changed.
pub fn script_with(text: Option<&str>) -> Result<Change, String> {
    let block = format!("{BEGIN}\n{CALL}\n{END}\n");
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else {
        return Ok(Change::Write(format!("{SHEBANG}\n{block}")));
    };
    if text.contains(BEGIN) {
        return Ok(Change::None);
    }
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    if !first.starts_with("#!") {
        return Ok(Change::Write(format!("{block}{text}")));
    }
    let shells = ["sh", "bash", "dash", "zsh", "ksh", "ash"];
    let mut words = first[2..].split_whitespace().filter_map(|word| word.rsplit('/').next());
    if !words.any(|word| shells.contains(&word)) {
        return Err(format!("the hook is no shell script ({first}): call `ic hook pre-commit` from it"));
    }
    Ok(Change::Write(format!("{first}\n{block}{rest}")))
}

/// Returns a git hook without our part.
pub fn script_without(text: Option<&str>) -> Change {
    let found = text.and_then(|text| Some((text, text.find(BEGIN)?, text.find(END)?)));
    let Some((text, begin, end)) = found.filter(|(_, begin, end)| begin < end) else { return Change::None };
    let behind = text[end + END.len()..].strip_prefix('\n').unwrap_or(&text[end + END.len()..]);
    let rest = format!("{}{behind}", &text[..begin]);
    if rest.trim() == SHEBANG || rest.trim().is_empty() {
        Change::Remove("#!/bin/sh\n")
    } else {
        Change::Write(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(change: Change) -> String {
        match change {
            Change::Write(text) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn settings_come_back_as_they_were() {
        let olds = [
            "{\n  \"model\": \"x\",\n  \"hooks\": {\n    \"Stop\": [\n      {\n        \"hooks\": [\n          {\n            \
             \"type\": \"command\",\n            \"command\": \"say done\"\n          }\n        ]\n      }\n    ]\n  },\n  \
             \"a\": 1.50\n}\n",
            "{\n\t\"z\": [],\n\t\"a\": {}\n}\n",
            "{\n  \"permissions\": {\"allow\": [\"Bash(ls)\", \"Read\"]},\n  \"hooks\": {\n    \"Stop\": [\n      \
             {\"hooks\": [{\"command\": \"ic hook stop && notify-send done\"}]}\n    ]\n  }\n}\n",
        ];
        for old in olds {
            let with = written(settings_with(Some(old)).unwrap());
            assert!(AGENT_HOOKS.iter().all(|(_, _, command)| with.contains(command)), "{with}");
            assert_eq!(settings_with(Some(&with)), Ok(Change::None), "once is enough");
            assert_eq!(written(settings_without(Some(&with)).unwrap()), old);
            assert_eq!(settings_without(Some(old)), Ok(Change::None));
        }
        let new = written(settings_with(None).unwrap());
        assert_eq!(settings_without(Some(&new)), Ok(Change::Remove("{}\n")));
        assert_eq!(settings_without(None), Ok(Change::None));
    }

    /// HK-03
    #[test]
    fn an_earlier_installation_is_replaced() {
        let former = "{\"hooks\": {\"Stop\": [{\"hooks\": [{\"command\": \"say done\"}, {\"command\": \"ic hook stop\"}]}], \
                      \"SubagentStop\": [{\"hooks\": [{\"type\": \"command\", \"command\": \"ic hook stop\"}]}]}}";
        let with = written(settings_with(Some(former)).unwrap());
        let read: serde_json::Value = serde_json::from_str(&with).unwrap();
        assert_eq!(read["hooks"]["Stop"][0]["hooks"], serde_json::json!([{"command": "say done"}]));
        assert_eq!(read["hooks"]["SubagentStop"], serde_json::Value::Null);
        assert_eq!(read["hooks"]["SessionEnd"][0]["hooks"][0]["command"], "ic hook stop");
        assert_eq!(with.matches("ic hook stop").count(), 1);
        assert_eq!(settings_with(Some(&with)), Ok(Change::None));
        let both = with.replacen("say done", "ic hook stop", 1);
        assert_eq!(settings_without(Some(&both)), Ok(Change::Remove("{}\n")));
    }

    #[test]
    fn settings_that_are_odd_are_left_alone() {
        for odd in ["[]", "{\"hooks\": []}", "{\"hooks\": {\"SessionEnd\": {}}}", "{,}", "1"] {
            assert!(settings_with(Some(odd)).is_err(), "{odd}");
        }
        let own =
            "{\"hooks\": {\"PreToolUse\": [{\"hooks\": [{\"command\": \"ic hook pre-edit --strict\"}]}]}}";
        let with = written(settings_with(Some(own)).unwrap());
        assert_eq!(with.matches("ic hook pre-edit").count(), 1, "a call of ours with a flag is ours: {with}");
    }

    #[test]
    fn scripts_come_back_as_they_were() {
        for old in ["#!/bin/sh\nexit 0\n", "#!/usr/bin/env bash\n\nset -e\nmake lint", "echo hi\n"] {
            let with = written(script_with(Some(old)).unwrap());
            assert!(with.find(CALL) < with.find(old.lines().last().unwrap()), "{with}");
            assert_eq!(script_with(Some(&with)), Ok(Change::None));
            assert_eq!(script_without(Some(&with)), Change::Write(old.to_owned()));
            assert_eq!(script_without(Some(old)), Change::None);
        }
        let new = written(script_with(None).unwrap());
        assert!(new.starts_with("#!/bin/sh\n"));
        assert_eq!(script_without(Some(&new)), Change::Remove("#!/bin/sh\n"));
        assert!(script_with(Some("#!/usr/bin/env python3\nprint(1)\n")).is_err());
    }
}
