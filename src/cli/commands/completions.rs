//! `ic completions`: scripts that complete the command line.

use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::app::{CommandContext, Error};
use crate::cli::command::{Access, Page, PageCommand};
use crate::cli::tree;
use crate::domain::words;

words!(
    /// A shell that has a completion script.
    Shell, "shell" {
        /// GNU bash.
        Bash = "bash",
        /// The Z shell.
        Zsh = "zsh",
        /// The friendly interactive shell.
        Fish = "fish",
    }
);

/// Print a script that completes `ic` in a shell
#[derive(Debug, clap::Parser)]
#[command(after_help = "Examples:\n  source <(ic completions bash)\n  ic completions zsh > ~/.zfunc/_ic\n  \
                  ic completions fish > ~/.config/fish/completions/ic.fish")]
pub(in crate::cli) struct Completions {
    /// The shell
    #[arg(value_parser = PossibleValuesParser::new(["bash", "zsh", "fish"]).try_map(|word| word.parse::<Shell>()))]
    shell: Shell,
}

impl PageCommand for Completions {
    const ACCESS: Access = Access::Read;

    fn run(self, _: &mut CommandContext, page: &mut Page<'_>) -> Result<(), Error> {
        use clap_complete::{Shell as Target, generate};
        let target = match self.shell {
            Shell::Bash => Target::Bash,
            Shell::Zsh => Target::Zsh,
            Shell::Fish => Target::Fish,
        };
        let mut script = Vec::new();
        generate(target, &mut tree::completed(), "ic", &mut script);
        page(&String::from_utf8_lossy(&script))
    }
}
