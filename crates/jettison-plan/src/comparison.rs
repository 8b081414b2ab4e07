//! How two images answered the same questions, as a document that is kept
//! beside the smaller one.

use serde::{Deserialize, Serialize};

use crate::{Answer, Estimate, Isolation, Probe, Subject, Verdict};

/// The evidence that one image does what another one does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// Always [`Comparison::SCHEMA`].
    pub schema: String,
    /// The image that says what is right.
    pub original: Subject,
    /// The image that was held against it.
    pub candidate: Subject,
    /// How both were isolated while they ran.
    pub isolation: Isolation,
    /// How often the original ran; what differs between its own runs is noise.
    pub original_runs: u32,
    /// Every start of the program, in the order in which they ran.
    pub starts: Vec<ComparedStart>,
    /// What the next run would still touch anew, where runs were traced.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub estimate: Option<Estimate>,
    /// Further facts for a reader, one sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub notes: Vec<String>,
    /// What follows from all that.
    pub verdict: Verdict,
}

impl Comparison {
    /// The name and version of the document's form.
    pub const SCHEMA: &'static str = "jettison.comparison/1";

    /// Every probe of every start.
    pub fn probes(&self) -> impl Iterator<Item = &ComparedProbe> {
        self.starts.iter().flat_map(|start| &start.probes)
    }

    /// The first probe that shows a difference, and the start it belongs to. A
    /// request that shows it tells more than the log of the program that was
    /// asked.
    pub fn first_difference(&self) -> Option<(&ComparedStart, &ComparedProbe)> {
        let logs = ["stdout", "stderr", "files"];
        let tells = |difference: &Difference| !logs.contains(&difference.part.as_str());
        let first = |which: &dyn Fn(&ComparedProbe) -> bool| {
            self.starts
                .iter()
                .find_map(|start| Some((start, start.probes.iter().find(|probe| which(probe))?)))
        };
        first(&|probe| probe.differences.iter().any(tells))
            .or_else(|| first(&|probe| !probe.differences.is_empty()))
    }
}

/// One way in which the program was started, on both images alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComparedStart {
    /// What sets it apart from the others, in words.
    pub label: String,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Every probe with both answers, in the order in which they ran.
    pub probes: Vec<ComparedProbe>,
}

/// A probe and how both images answered it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComparedProbe {
    /// What was asked.
    pub probe: Probe,
    /// What the original said in its first run.
    pub original: Answer,
    /// What the other image said.
    pub candidate: Answer,
    /// Where the answers differ although the original's own runs do not.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub differences: Vec<Difference>,
    /// What was passed over since the original's own runs differ in it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub noise: Vec<Noise>,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// `answer`, `status`, `header NAME`, `body`, `reply`, `exit code`,
    /// `stdout`, `stderr`, `files`.
    pub part: String,
    /// What the original has there, the beginning of it.
    pub original: String,
    /// What the other image has there.
    pub candidate: String,
}

/// What differs between runs of the original itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Noise {
    /// As in [`Difference::part`].
    pub part: String,
    /// What varies, with an example.
    pub varies: String,
}
