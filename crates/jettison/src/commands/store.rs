//! `jettison store`: what the local store holds.

use clap::{Args, Subcommand};

use super::shared::FormatArgs;

/// List or tidy the local store
#[derive(Debug, Args)]
pub struct StoreArgs {
    #[command(subcommand)]
    pub command: StoreCommand,
}

/// What is done with the store.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// List the images in the store
    List(FormatArgs),
    /// Remove names from the store
    Remove {
        /// Names as `store list` shows them
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
    },
    /// Remove what no name refers to
    Prune {
        /// Remove named images and caches too
        #[arg(long)]
        all: bool,
    },
}
