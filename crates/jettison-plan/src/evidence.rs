//! What was run on an image and what came of it, as a document that is kept
//! beside the image.

use serde::{Deserialize, Serialize};

use crate::{Answer, Probe, Verdict};

/// The evidence for one image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Always [`Evidence::SCHEMA`].
    pub schema: String,
    /// What was judged.
    pub subject: Subject,
    /// How it was isolated while it ran.
    pub isolation: Isolation,
    /// From the start of the program to the first good answer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ready_after_ms: Option<u64>,
    /// Every probe with its answer, in the order in which they ran.
    pub observations: Vec<Observation>,
    /// Further facts for a reader, one sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub notes: Vec<String>,
    /// What follows from the observations.
    pub verdict: Verdict,
}

impl Evidence {
    /// The name and version of the document's form.
    pub const SCHEMA: &'static str = "jettison.evidence/1";
}

/// What was judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// Digest of the manifest.
    pub manifest: String,
    /// `os/architecture[/variant]`.
    pub platform: String,
}

/// How strongly a program was isolated while it was judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Isolation {
    /// In namespaces of its own.
    Sandbox {
        /// Which of the tiers was used, in words.
        tier: String,
        /// `hardened` or `as shipped`.
        profile: String,
    },
    /// As a plain child process, since the machine allows no sandbox.
    Unisolated {
        /// Why no sandbox could be had.
        reason: String,
    },
    /// The image was not run.
    NotRun {
        /// Why.
        reason: String,
    },
}

/// A probe with its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// What was asked.
    pub probe: Probe,
    /// What came back.
    pub answer: Answer,
}
