//! What of an image is kept, and why: the document that `slim` writes, that
//! `why` reads and that a later `slim --plan` replays.

use serde::{Deserialize, Serialize};

use crate::{FilePath, Reason, Subject};

/// Reasons in one chain; a plan may come from a registry.
const MOST_REASONS: usize = 1000;

/// A plan for one image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Always [`Plan::SCHEMA`].
    pub schema: String,
    /// The image that the plan was made for.
    pub image: Subject,
    /// How much comes along with what was touched.
    pub grain: Grain,
    /// Every kept path, in byte order.
    pub kept: Vec<Kept>,
    /// Kept files whose content is made new, in byte order of their paths.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rewritten: Vec<Rewritten>,
    /// What went, in groups, largest first.
    pub dropped: Vec<Dropped>,
    /// What was kept beyond what is known to be needed, largest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub generosities: Vec<Generosity>,
    /// What bounds the reach of each program that stays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reach: Vec<Reach>,
    /// Directories that were listed and are shorter now, without any answer
    /// having changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suspects: Vec<FilePath>,
    /// Further facts for a reader, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Plan {
    /// The name and version of the document's form.
    pub const SCHEMA: &'static str = "jettison.plan/1";

    /// The kept path of this name.
    pub fn find(&self, path: &FilePath) -> Option<&Kept> {
        let at = self.kept.binary_search_by(|kept| kept.path.cmp(path));
        self.kept.get(at.ok()?)
    }

    /// The kept path of this name and what led to it, one reason after the
    /// other; ends where a chain begins, would go round in a circle, or is
    /// longer than anything explains.
    pub fn chain(&self, path: &FilePath) -> Vec<&Kept> {
        let mut chain: Vec<&Kept> = Vec::new();
        let mut next = self.find(path);
        while let Some(kept) = next {
            if chain.len() >= MOST_REASONS || chain.iter().any(|known| known.path == kept.path) {
                break;
            }
            chain.push(kept);
            next = kept.reason.by.as_ref().and_then(|by| self.find(by));
        }
        chain
    }
}

/// How much is kept along with a file that is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grain {
    /// By what the file is: compiled programs file by file, modules of
    /// interpreted languages with their whole distribution package.
    #[default]
    Auto,
    /// Nothing.
    File,
    /// The rest of its package, always.
    Package,
    /// The rest of the layer that it came in.
    Layer,
}

/// A kept path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The path.
    pub path: FilePath,
    /// Why.
    #[serde(flatten)]
    pub reason: Reason,
}

/// A kept file whose content is made new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rewritten {
    /// The path.
    pub path: FilePath,
    /// What is different.
    pub change: String,
}

/// A group of paths that are not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dropped {
    /// Why they may go: a droppable class (`documentation`, `headers`, …) or
    /// `out of reach`.
    pub class: String,
    /// The package they belong to, where one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// Number of regular files.
    pub files: u64,
    /// Bytes of the regular files.
    pub size_bytes: u64,
    /// The paths; a directory stands for everything below it.
    pub paths: Vec<FilePath>,
}

/// Something that was kept in doubt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generosity {
    /// What is kept.
    pub what: String,
    /// Why it cannot be told whether it is needed.
    pub because: String,
    /// Number of regular files.
    pub files: u64,
    /// Bytes of the regular files that nothing else keeps.
    pub size_bytes: u64,
    /// What would save it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saved_by: Option<String>,
}

/// What bounds the reach of one program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reach {
    /// The program.
    pub program: FilePath,
    /// What bounds it.
    pub bound: Bound,
    /// How that is known.
    pub because: String,
}

/// What bounds the paths that a program can come to need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// Everything it can name was read from its bytes.
    Closure,
    /// Probes that a person asked for showed what it touches.
    Trace,
    /// The packages it can load from are kept whole.
    Package,
    /// Nothing: whether it is whole cannot be told.
    Nothing,
}

#[cfg(test)]
mod tests {
    use super::{Kept, Plan};
    use crate::{FilePath, Reason, ReasonKind};

    fn kept(path: &str, reason: Reason) -> Kept {
        let path = FilePath::new(path);
        Kept { path, reason }
    }

    #[test]
    fn chains_end() {
        let by = |path| FilePath::new(path);
        let plan: Plan = serde_json::from_value(serde_json::json!({
            "schema": Plan::SCHEMA, "grain": "auto", "dropped": [],
            "image": { "manifest": "sha256:0", "platform": "linux/amd64" },
            "kept": serde_json::to_value([
                kept("bin/app", Reason::first(ReasonKind::Started, "ENTRYPOINT")),
                kept("lib/a.so", Reason::because(ReasonKind::Needed, by("bin/app"), "loads a.so")),
                kept("lib/x", Reason::because(ReasonKind::Needed, by("lib/y"), "names it")),
                kept("lib/y", Reason::because(ReasonKind::Needed, by("lib/x"), "names it")),
            ]).expect("values"),
        }))
        .expect("a plan");
        let names = |path: &str| -> Vec<String> {
            let chain = plan.chain(&FilePath::new(path));
            chain.iter().map(|kept| kept.path.to_string()).collect()
        };
        assert_eq!(names("lib/a.so"), ["/lib/a.so", "/bin/app"]);
        assert_eq!(names("lib/x"), ["/lib/x", "/lib/y"]);
        assert_eq!(names("lib/none"), [""; 0]);
    }
}
