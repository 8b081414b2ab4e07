//! `jettison reference`, hidden: the pages that are derived from the definition of the command line, for `cargo xtask docs` and
//! `cargo xtask dist`: `cli.md`, `man/*.1`, `completions/*`, and `parts/*`, tables for pages that people write. It writes below the folder that it is given and nowhere else.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Command, ValueEnum};
use clap_complete::Shell;
use jettison_engine::base::shipped_keys;
use jettison_image::Limits;

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
    let parts = folder.join("parts");
    std::fs::create_dir_all(&parts)?;
    std::fs::write(parts.join("limits.md"), limits())?;
    std::fs::write(parts.join("archive-keys.md"), archive_keys()?)?;
    // Without a page for `help help`.
    clap_mangen::generate_to(for_man, &man)
}

/// The bounds that `--limit` sets, with their defaults.
fn limits() -> String {
    let mut table = String::from("| name | default | bounds |\n|---|---:|---|\n");
    let defaults = Limits::default();
    for (name, what) in Limits::BOUNDS {
        let default = defaults.get(name).map(grouped).unwrap_or_default();
        table.push_str(&format!("| `{name}` | {default} | {what} |\n"));
    }
    table
}

/// The keys that are believed when nobody names others.
fn archive_keys() -> io::Result<String> {
    let mut table = String::from("| fingerprint | key |\n|---|---|\n");
    for key in shipped_keys().map_err(io::Error::other)? {
        let name = key.name.split(" <").next().unwrap_or_default();
        table.push_str(&format!("| `{}` | {name} |\n", key.fingerprint));
    }
    Ok(table)
}

/// Digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
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
