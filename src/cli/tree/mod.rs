//! The command tree: every noun and verb, looked up before anything is built.
//!
//! Building one parser for the whole tree costs more than reading from the database. So the words are walked by hand and
//! only the command that was named gets its parser; the whole tree is built for help, and to say what a mistyped word may
//! have meant.

mod root;

use std::any::type_name;
use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};
use schemars::Schema;

use super::args;
use super::command::{self, Access, PageCommand, Rendered, StreamCommand};
use super::commands::help;
use super::globals;
use super::output::Output;
use crate::app::{CommandContext, Error, Verdict, external};

pub(super) use root::ROOT;

/// A word of the command line.
pub(super) struct Node {
    pub name: &'static str,
    pub kind: Kind,
}

/// What a word stands for.
pub(super) enum Kind {
    Group {
        about: &'static str,
        nodes: &'static [Node],
    },
    Leaf {
        build: fn() -> Command,
        run: Run,
        hidden: bool,
        /// Returns the path of the command's type, which tells the module that it is in.
        type_name: fn() -> &'static str,
    },
}

/// How a command is carried out.
#[derive(Clone, Copy)]
pub(super) enum Run {
    /// It returns one answer.
    Answer { call: Call, schema: fn() -> Schema, access: Access },
    /// It returns a stream of items.
    Stream {
        call: fn(&ArgMatches, Output, &mut CommandContext) -> Result<Verdict, Error>,
        schema: fn() -> Schema,
        access: Access,
    },
    /// It prints text in either mode.
    Page { call: fn(&ArgMatches, Output, &mut CommandContext) -> Result<(), Error>, access: Access },
}

impl Run {
    /// Returns what the command may do.
    pub(super) fn access(self) -> Access {
        match self {
            Self::Answer { access, .. } | Self::Stream { access, .. } | Self::Page { access, .. } => access,
        }
    }

    fn schema(self) -> Option<Schema> {
        match self {
            Self::Page { .. } => None,
            Self::Answer { schema, .. } | Self::Stream { schema, .. } => Some(schema()),
        }
    }
}

/// Computes the answer of a command from its parsed arguments.
pub(super) type Call = fn(&ArgMatches, &mut CommandContext) -> Result<Box<dyn Rendered>, Error>;

/// Makes a node of a noun, or of a group of verbs below one.
pub(super) const fn group(name: &'static str, about: &'static str, nodes: &'static [Node]) -> Node {
    Node { name, kind: Kind::Group { about, nodes } }
}

/// Makes a node of a command that returns one answer.
pub(super) const fn command<C: command::Command>(name: &'static str) -> Node {
    let run = Run::Answer { call: call::<C>, schema: command::answer_schema::<C::Answer>, access: C::ACCESS };
    Node { name, kind: Kind::Leaf { build: C::command, run, hidden: false, type_name: type_name::<C> } }
}

fn call<C: command::Command>(
    matches: &ArgMatches,
    cx: &mut CommandContext,
) -> Result<Box<dyn Rendered>, Error> {
    Ok(Box::new(C::from_arg_matches(matches)?.run(cx)?))
}

/// Makes a node of a command that returns a stream.
pub(super) const fn stream<C: StreamCommand>(name: &'static str) -> Node {
    let run = Run::Stream { call: pour::<C>, schema: command::schema_of::<C::Line>, access: C::ACCESS };
    Node { name, kind: Kind::Leaf { build: C::command, run, hidden: false, type_name: type_name::<C> } }
}

fn pour<C: StreamCommand>(
    matches: &ArgMatches,
    out: Output,
    cx: &mut CommandContext,
) -> Result<Verdict, Error> {
    let command = C::from_arg_matches(matches)?;
    let mut sink = command.sink(out)?;
    command.run(cx, &mut *sink)
}

/// Makes a node of a command that prints text in either mode.
pub(super) const fn page<C: PageCommand>(name: &'static str) -> Node {
    let run = Run::Page { call: print::<C>, access: C::ACCESS };
    Node { name, kind: Kind::Leaf { build: C::command, run, hidden: false, type_name: type_name::<C> } }
}

fn print<C: PageCommand>(matches: &ArgMatches, out: Output, cx: &mut CommandContext) -> Result<(), Error> {
    C::from_arg_matches(matches)?.run(cx, &mut |text| out.raw(text.as_bytes()))
}

/// Checks whether a word is the first of a command of this program.
pub(super) fn is_noun(word: &OsStr) -> bool {
    ROOT.iter().any(|node| word == node.name)
}

/// Runs the command that the words name. A first word that is no noun of this program may name an external command, which
/// then replaces this process.
pub(super) fn dispatch(words: &[OsString], out: Output, cx: &mut CommandContext) -> Result<ExitCode, Error> {
    let Some((first, _)) = words.split_first() else {
        return show_help(&[], out, cx);
    };
    if first == "-h" || first == "--help" {
        return show_help(&[], out, cx);
    }
    let version = [OsString::from("version")];
    let mut nodes = ROOT;
    let mut path = vec!["ic"];
    let mut rest = if first == "--version" || first == "-V" { &version } else { words };
    loop {
        let Some((word, below)) = rest.split_first() else {
            return Err(missing(&path, nodes));
        };
        if path.len() > 1 && (word == "-h" || word == "--help" || word == "help") {
            return show_help(&path[1..], out, cx);
        }
        let Some(node) = nodes.iter().find(|node| word == node.name) else {
            if path.len() == 1
                && let Some(program) = external::find(&cx.env, word)
            {
                match external::exec(cx, &program, below)? {}
            }
            return Err(unknown(&path, nodes, word));
        };
        path.push(node.name);
        rest = below;
        match &node.kind {
            Kind::Group { nodes: inner, .. } => nodes = inner,
            Kind::Leaf { build, run, .. } => {
                let command = parser(build(), node.name, &path.join(" "));
                let matches = match command.try_get_matches_from(rest) {
                    Ok(matches) => matches,
                    Err(err) if !err.use_stderr() => {
                        out.raw(err.render().to_string().as_bytes())?;
                        return Ok(ExitCode::SUCCESS);
                    }
                    Err(err) => return Err(args::refused(err, rest)),
                };
                return match run {
                    Run::Page { call, .. } => call(&matches, out, cx).map(|()| ExitCode::SUCCESS),
                    Run::Stream { call, .. } => Ok(match call(&matches, out, cx)? {
                        Verdict::Yes => ExitCode::SUCCESS,
                        Verdict::No(_) => ExitCode::from(1),
                    }),
                    Run::Answer { call, .. } => {
                        let reply = call(&matches, cx)?;
                        out.reply(&*reply)?;
                        Ok(ExitCode::from(reply.exit()))
                    }
                };
            }
        }
    }
}

/// Returns a command's parser, with the conventions that all commands follow.
fn parser(command: Command, name: &'static str, path: &str) -> Command {
    named(command, name, path).mut_args(apply_conventions)
}

fn named(command: Command, name: &'static str, path: &str) -> Command {
    command
        .name(name)
        .bin_name(path.to_owned())
        .no_binary_name(true)
        .disable_version_flag(true)
        .args_override_self(true)
}

fn apply_conventions(arg: Arg) -> Arg {
    match arg.get_action() {
        // A boolean takes `--flag`, `--flag=true`, `--flag=1` and their opposites, and nothing else.
        ArgAction::SetTrue => arg
            .action(ArgAction::Set)
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .default_value("false")
            .value_parser(args::switch)
            .value_name("BOOL")
            .hide_default_value(true),
        ArgAction::Set => arg.allow_negative_numbers(true),
        _ => arg,
    }
}

fn missing(path: &[&str], nodes: &[Node]) -> Error {
    let expected: Vec<&str> = nodes.iter().map(|node| node.name).collect();
    Error::Usage {
        message: format!("{}: missing subcommand", path[1..].join(" ")),
        hint: Some(format!("expected one of: {}", expected.join(", "))),
    }
}

/// Returns the parser's own error for an unknown word, with similar commands as a hint.
fn unknown(path: &[&str], nodes: &'static [Node], word: &OsString) -> Error {
    let command = nodes
        .iter()
        .filter(|node| !node.is_hidden())
        .fold(Command::new("ic"), |command, node| command.subcommand(Command::new(node.name)));
    let line = path.join(" ");
    let command =
        command.bin_name(line).no_binary_name(true).disable_help_subcommand(true).disable_help_flag(true);
    match command.try_get_matches_from([word]) {
        Err(err) => err.into(),
        Ok(_) => Error::usage(format!("unknown command {}", word.to_string_lossy())),
    }
}

impl Node {
    /// Returns the same command, left out of help and completions.
    pub(super) const fn hidden(mut self) -> Self {
        if let Kind::Leaf { hidden, .. } = &mut self.kind {
            *hidden = true;
        }
        self
    }

    /// Checks whether the command is left out of help.
    pub(super) fn is_hidden(&self) -> bool {
        matches!(self.kind, Kind::Leaf { hidden: true, .. })
    }

    fn command(&self, path: &str, leaf: Leaf) -> Command {
        let path = format!("{path} {}", self.name);
        match &self.kind {
            Kind::Group { about, nodes } => full(Command::new(self.name).about(*about), nodes, &path, leaf),
            Kind::Leaf { build, .. } => leaf(build(), self.name, &path),
        }
    }
}

/// What is made of a command's own parser.
type Leaf = fn(Command, &'static str, &str) -> Command;

fn full(command: Command, nodes: &[Node], path: &str, leaf: Leaf) -> Command {
    let command = command.bin_name(path.to_owned()).no_binary_name(true).disable_help_subcommand(true);
    nodes
        .iter()
        .filter(|node| !node.is_hidden())
        .fold(command, |command, node| command.subcommand(node.command(path, leaf).no_binary_name(false)))
}

/// Returns the schema of the answer of the command that the words name, if there is such a command.
pub(super) fn schema(words: &[&str]) -> Option<Schema> {
    let mut nodes = ROOT;
    let mut words = words.iter();
    loop {
        let word = words.next()?;
        match &nodes.iter().find(|node| *word == node.name)?.kind {
            Kind::Group { nodes: inner, .. } => nodes = inner,
            Kind::Leaf { run, .. } => return if words.next().is_none() { run.schema() } else { None },
        }
    }
}

/// Returns an object with the schemas of all commands that users see, by their words.
pub(super) fn schemas() -> Schema {
    fn walk(nodes: &[Node], path: &str, out: &mut serde_json::Map<String, serde_json::Value>) {
        for node in nodes.iter().filter(|node| !node.is_hidden()) {
            let path = if path.is_empty() { node.name.to_owned() } else { format!("{path} {}", node.name) };
            match &node.kind {
                Kind::Group { nodes, .. } => walk(nodes, &path, out),
                Kind::Leaf { run, .. } => out.extend(run.schema().map(|schema| (path, schema.to_value()))),
            }
        }
    }
    let mut out = serde_json::Map::new();
    walk(ROOT, "", &mut out);
    out.into()
}

/// Returns the whole tree as one parser, for help and for checks of the tree itself.
pub(super) fn whole() -> Command {
    tree(parser)
}

fn tree(leaf: Leaf) -> Command {
    full(
        Command::new("ic")
            .about("The orchestration kernel under coding agents")
            .after_help(
                "Global flags, anywhere in the line: --db PATH, --timeout DURATION, --json, --verbose, -vv.\n\
                 Exit codes: 0 done, 1 expected negative, 2 error, 3 usage. More: ic help exit-codes, ic help errors, \
                 ic help environment.",
            ),
        ROOT,
        "ic",
        leaf,
    )
}

/// Returns the whole tree for completions: booleans are plain flags, and every command has the global flags, although they
/// are taken out of the line before any parser sees it.
pub(super) fn completed() -> Command {
    with_globals(tree(named))
}

fn with_globals(command: Command) -> Command {
    let own: Vec<String> =
        command.get_arguments().filter_map(|arg| arg.get_long().map(ToOwned::to_owned)).collect();
    let flags = globals::described().into_iter();
    let flags = flags.filter(|arg| !own.iter().any(|own| arg.get_long() == Some(own)));
    command.args(flags).mut_subcommands(with_globals)
}

/// Returns the whole tree for manual pages: booleans are plain flags, and the first page has the global flags.
pub(super) fn described() -> Command {
    tree(named).args(globals::described())
}

fn show_help(path: &[&str], out: Output, cx: &CommandContext) -> Result<ExitCode, Error> {
    out.raw(help::command_help(path, &cx.env)?.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_tree_is_sound() {
        whole().debug_assert();
    }

    /// K-07: the same checks for each parser as it is used.
    #[test]
    fn every_command_is_sound_by_itself() {
        fn walk(nodes: &[Node], path: &str) {
            for node in nodes {
                let path = format!("{path} {}", node.name);
                match &node.kind {
                    Kind::Group { nodes, .. } => walk(nodes, &path),
                    Kind::Leaf { build, .. } => {
                        parser(build(), node.name, &path).debug_assert();
                    }
                }
            }
        }
        walk(ROOT, "ic");
    }
}
