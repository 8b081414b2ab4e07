//! `jettison completions`: completions for a shell, from the same definition
//! as the help.

use clap::Args;
use clap_complete::Shell;

use crate::cli;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ui::Ui;

/// Print completions for a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  jettison completions bash > ~/.local/share/bash-completion/completions/jettison")]
pub struct CompletionsArgs {
    /// The shell
    pub shell: Shell,
}

/// Prints the script.
pub fn completions(args: &CompletionsArgs, ui: &Ui) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut cli::command(), "jettison", &mut script);
    ui.answer(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Fine)
}
