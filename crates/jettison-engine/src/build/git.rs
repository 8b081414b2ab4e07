//! What git knows about the sources, for labels and the version stamp. No git,
//! or no repository, is no error: there is just nothing to know.

use std::path::Path;
use std::process::{Command, Stdio};

/// Facts about a checkout; each may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Checkout {
    /// `git describe --tags --always --dirty`.
    pub(crate) version: Option<String>,
    /// The commit.
    pub(crate) revision: Option<String>,
    /// When it was made, seconds since 1970.
    pub(crate) committed: Option<u64>,
    /// Where it was cloned from, credentials and all.
    pub(crate) remote: Option<String>,
}

impl Checkout {
    /// Asks git about `directory`.
    pub(crate) fn of(directory: &Path) -> Self {
        let revision = ask(directory, &["rev-parse", "--verify", "HEAD"]);
        if revision.is_none() {
            return Self::default();
        }
        let remote = ask(directory, &["config", "--get", "remote.origin.url"]);
        Self {
            version: ask(directory, &["describe", "--tags", "--always", "--dirty"]),
            revision,
            committed: ask(directory, &["log", "-1", "--format=%ct"])
                .and_then(|text| text.parse().ok()),
            remote,
        }
    }
}

fn ask(directory: &Path, arguments: &[&str]) -> Option<String> {
    let answer = Command::new("git")
        .arg("-C")
        .arg(directory)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(answer.stdout).ok()?.trim().to_owned();
    (answer.status.success() && !text.is_empty()).then_some(text)
}
