//! `jettison reference`, hidden: the pages that are derived from the definition of the command line, for `cargo xtask docs` and
//! `cargo xtask dist`: `cli.md`, `man/*.1`, `completions/*`. It writes below the folder that it is given and nowhere else.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Command, ValueEnum};
use clap_complete::Shell;

use crate::cli;
use crate::exit::Exit;
use crate::failure::Failure;

/// Write the reference pages of the command line
#[derive(Debug, Args)]
#[command(hide = true)]
pub struct ReferenceArgs {
    /// The folder to write into
    pub folder: PathBuf,
}

/// Writes them.
pub fn reference(args: &ReferenceArgs) -> Result<Exit, Failure> {
    write(cli::command(), &args.folder).map_err(Failure::new)?;
    Ok(Exit::Fine)
}

fn write(command: Command, folder: &Path) -> io::Result<()> {
    // The terminal of whoever renders must not shape what is committed.
    let mut command = command.term_width(100);
    let for_man = command.clone().disable_help_subcommand(true);
    command.build();
    let (man, completions) = (folder.join("man"), folder.join("completions"));
    std::fs::create_dir_all(&man)?;
    std::fs::create_dir_all(&completions)?;
    let mut page = String::from(
        "# The command line\n\nGenerated from its definition by `cargo xtask docs`.\n",
    );
    describe(&mut command.clone(), &mut page);
    std::fs::write(folder.join("cli.md"), page)?;
    for shell in Shell::value_variants() {
        clap_complete::generate_to(*shell, &mut command.clone(), "jettison", &completions)?;
    }
    // Without a page for `help help`.
    clap_mangen::generate_to(for_man, &man)
}

fn describe(command: &mut Command, page: &mut String) {
    let name = command
        .get_bin_name()
        .unwrap_or_else(|| command.get_name())
        .to_owned();
    let help = command.render_long_help().to_string();
    // Trailing blanks come from the wrapping and mean nothing.
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    write!(
        page,
        "\n## `{name}`\n\n```text\n{}\n```\n",
        help.join("\n").trim_end()
    )
    .expect("a string takes whatever is written to it");
    for subcommand in command.get_subcommands_mut() {
        if !subcommand.is_hide_set() && subcommand.get_name() != "help" {
            describe(subcommand, page);
        }
    }
}
