//! `jettison doctor`: what this machine allows, and how to get what is missing.

use clap::Args;

use super::shared::FormatArgs;

/// Say what this machine allows, and how to get what is missing
#[derive(Debug, Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    pub format: FormatArgs,
}
