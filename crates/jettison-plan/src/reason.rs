//! Why one path is kept.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::FilePath;

/// Why one path is kept. Reasons form chains: `by` names another kept path,
/// whose own reason goes on from there, up to a probe, a start or a person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reason {
    /// What kind of reason.
    pub kind: ReasonKind,
    /// The kept path that leads here; none where the chain begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<FilePath>,
    /// In what way, for a person: `loads libssl.so.3`, `GET /health`, `python3-flask`.
    #[serde(rename = "as")]
    pub detail: String,
}

/// What kind of reason keeps a path. The order is that of preference: where
/// several apply, the first one is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReasonKind {
    /// The image starts it: entry point, command, health check, `--cmd`.
    Started,
    /// A person asked for it: `--keep`, a replayed plan, a volume.
    Asked,
    /// A probe touched it; `as` is the probe.
    Traced,
    /// A kept file needs it: loads, runs, imports or names it.
    Needed,
    /// Data that a kind of program needs without naming it.
    Companion,
    /// A sibling of a file that was found by a computed name or a listing.
    Family,
    /// It belongs to a package that is kept as a whole; `as` is the package.
    Package,
    /// A probe on the small image looked for it.
    Missed,
    /// A record of what the image holds: package databases, `os-release`.
    Record,
    /// A directory that holds a kept path, or a link that leads to one.
    OnTheWay,
}

impl Reason {
    /// A reason in which a chain begins.
    pub fn first(kind: ReasonKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            by: None,
            detail: detail.into(),
        }
    }

    /// A reason that goes on from another kept path.
    pub fn because(kind: ReasonKind, by: FilePath, detail: impl Into<String>) -> Self {
        Self {
            kind,
            by: Some(by),
            detail: detail.into(),
        }
    }
}

impl fmt::Display for ReasonKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Started => "started",
            Self::Asked => "asked for",
            Self::Traced => "touched by a probe",
            Self::Needed => "needed",
            Self::Companion => "companion",
            Self::Family => "family",
            Self::Package => "part of a package",
            Self::Missed => "missed by a probe",
            Self::Record => "record",
            Self::OnTheWay => "on the way",
        })
    }
}
