//! What can go wrong between a mirror and a composed base.

use std::io;

pub(crate) use jettison_image::escape;

use crate::fetch::{FetchError, Location};
use crate::release::VerifyError;

/// Why packages could not be had, or are not what they must be.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No archive is known that could serve the suite.
    #[error("no Debian archive is known{}{}", for_suite(.suite.as_deref()), passed_over(.skipped))]
    NoMirror {
        /// The suite that was asked for.
        suite: Option<String>,
        /// Sources of apt that were passed over, each with the reason, escaped.
        skipped: Vec<String>,
    },
    /// A file of an archive could not be fetched.
    #[error("{location}")]
    Fetch {
        /// Where it was looked for.
        location: Location,
        /// The cause.
        #[source]
        source: FetchError,
    },
    /// A file ended early, has the wrong hash, or does not decompress.
    #[error("{what} cannot be read")]
    Read {
        /// The file.
        what: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A Release file is not signed by a known key, or is not the asked one.
    #[error("{location} does not verify")]
    Verify {
        /// Where the file came from.
        location: Location,
        /// What is wrong with it.
        #[source]
        source: VerifyError,
    },
    /// A text contradicts its format.
    #[error("{what}: {problem}")]
    Malformed {
        /// The file or paragraph.
        what: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A package is in none of the indexes.
    #[error("package {name} is not in {suite} for {architecture}")]
    NoPackage {
        /// The package.
        name: String,
        /// The suite.
        suite: String,
        /// Debian's name of the architecture.
        architecture: String,
    },
    /// A package that was named is in none of the indexes.
    #[error(
        "package {name} is not in {suite} for {architecture}{}",
        similar_names(similar)
    )]
    UnknownPackage {
        /// The package.
        name: String,
        /// The suite.
        suite: String,
        /// Debian's name of the architecture.
        architecture: String,
        /// Names that look like it.
        similar: Vec<String>,
    },
    /// The packages that were named cannot be together.
    #[error("the packages cannot be installed together: {}", lines.join("; "))]
    Unsolvable {
        /// The rules that contradict each other.
        lines: Vec<String>,
    },
    /// A certificate file is not what it must be.
    #[error("{what} is not a certificate file: {problem}")]
    Certificate {
        /// Which file.
        what: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A time zone is in none of the packages.
    #[error("time zone {name} is not in tzdata")]
    NoZone {
        /// The zone.
        name: String,
    },
    /// Something is larger than its bound.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// The file.
        what: String,
        /// The bound.
        limit: u64,
    },
}

impl Error {
    /// What the person can do about it, where that is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoMirror { .. } => Some(
                "name one with --mirror URL, or set `mirror` under [base] in jettison.toml; \
                 on Debian the machine's own apt sources are used",
            ),
            Self::Verify {
                source: VerifyError::NoKnownKey { .. },
                ..
            } => {
                Some("if the archive is signed with keys of its own, name them with --keyring FILE")
            }
            Self::Read { .. } => Some(
                "a mirror that is being updated, or a proxy with an old copy, serves files that its \
                 signed index does not list; try again later, or name another with --mirror URL",
            ),
            _ => None,
        }
    }

    pub(crate) fn malformed(what: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Malformed {
            what: escape(&what.into()),
            problem: escape(&problem.into()),
        }
    }

    pub(crate) fn read(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Read {
            what: escape(&what),
            source,
        }
    }
}

/// Sources that an error lists.
const MOST_SKIPPED: usize = 6;

fn for_suite(suite: Option<&str>) -> String {
    suite.map_or(String::new(), |suite| format!(" for {suite}"))
}

fn passed_over(skipped: &[String]) -> String {
    let shown = skipped.iter().take(MOST_SKIPPED);
    let mut text: String = shown.map(|line| format!("; passed over {line}")).collect();
    if skipped.len() > MOST_SKIPPED {
        text += &format!("; and {} more", skipped.len() - MOST_SKIPPED);
    }
    text
}

fn similar_names(similar: &[String]) -> String {
    match similar {
        [] => String::new(),
        similar => format!("; there is {}", similar.join(", ")),
    }
}
