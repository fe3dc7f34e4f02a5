//! The command line as data, for documents and tests that have to agree with it.

use clap::Arg;

use super::args;
use super::command::Access;
use super::tree::{Kind, Node, ROOT};

/// Returns every command that help shows, as it is typed: `ic run create`, ….
pub fn listing() -> Vec<String> {
    fn walk(nodes: &[Node], path: &str, out: &mut Vec<String>) {
        for node in nodes.iter().filter(|node| !node.is_hidden()) {
            let path = format!("{path} {}", node.name);
            match &node.kind {
                Kind::Group { nodes, .. } => walk(nodes, &path, out),
                Kind::Leaf { .. } => out.push(path),
            }
        }
    }
    let mut out = Vec::new();
    walk(ROOT, "ic", &mut out);
    out
}

/// Returns every command that help shows, and whether it only reads, as far as that is known.
pub fn readers() -> Vec<(String, bool)> {
    fn walk(nodes: &[Node], path: &str, out: &mut Vec<(String, bool)>) {
        for node in nodes.iter().filter(|node| !node.is_hidden()) {
            let path = format!("{path} {}", node.name);
            match &node.kind {
                Kind::Group { nodes, .. } => walk(nodes, &path, out),
                Kind::Leaf { run, .. } => out.push((path, run.access() == Access::Read)),
            }
        }
    }
    let mut out = Vec::new();
    walk(ROOT, "ic", &mut out);
    out
}

/// Returns every command, hidden ones too, and the path of its type: `intercore::cli::commands::run::create::Create`.
pub fn command_types() -> Vec<(String, &'static str)> {
    fn walk(nodes: &[Node], path: &str, out: &mut Vec<(String, &'static str)>) {
        for node in nodes {
            let path = format!("{path} {}", node.name);
            match &node.kind {
                Kind::Group { nodes, .. } => walk(nodes, &path, out),
                Kind::Leaf { type_name, .. } => out.push((path, type_name())),
            }
        }
    }
    let mut out = Vec::new();
    walk(ROOT, "ic", &mut out);
    out
}

/// An argument that takes text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// As it is typed: `--goal`, or `<ID>` for a word without a flag.
    pub name: String,
    /// Whether its text is kept, in the database or in an event.
    pub kept: bool,
}

/// Returns every command that help shows with its arguments that take text, words before flags.
pub fn arguments() -> Vec<(String, Vec<Argument>)> {
    fn walk(nodes: &[Node], path: &str, out: &mut Vec<(String, Vec<Argument>)>) {
        for node in nodes.iter().filter(|node| !node.is_hidden()) {
            let path = format!("{path} {}", node.name);
            match &node.kind {
                Kind::Group { nodes, .. } => walk(nodes, &path, out),
                Kind::Leaf { build, .. } => {
                    let command = build();
                    let (words, flags): (Vec<_>, Vec<_>) = command
                        .get_arguments()
                        .filter(|arg| arg.get_action().takes_values())
                        .partition(|arg| arg.is_positional());
                    let told = |arg: &&Arg| Argument { name: args::typed(arg), kept: args::is_stored(arg) };
                    out.push((path, words.iter().chain(&flags).map(told).collect()));
                }
            }
        }
    }
    let mut out = Vec::new();
    walk(ROOT, "ic", &mut out);
    out
}
