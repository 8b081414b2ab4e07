//! Asks plans: why a path stayed or went, and what differs between two.

use jettison_plan::{FilePath, Kept, Plan};
use serde::Serialize;

/// Why a path is, or is not, in a small image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Why {
    /// It stayed.
    Kept {
        /// The path and what led to it, one after the other, up to the probe
        /// or the command that the chain begins with.
        chain: Vec<Kept>,
        /// What was changed in it, where anything was.
        #[serde(skip_serializing_if = "Option::is_none")]
        rewritten: Option<String>,
    },
    /// It went.
    Dropped {
        /// The path.
        path: FilePath,
        /// Why it could go: a droppable class, or `out of reach`.
        class: String,
        /// The package it belongs to.
        #[serde(skip_serializing_if = "Option::is_none")]
        package: Option<String>,
        /// What would keep it.
        kept_by: Vec<String>,
    },
    /// The original has no such path.
    Unknown {
        /// The path.
        path: FilePath,
        /// Kept or dropped paths that end in the same name.
        alike: Vec<FilePath>,
    },
}

/// Asks a plan about a path.
pub fn why(plan: &Plan, path: &FilePath) -> Why {
    let chain: Vec<Kept> = plan.chain(path).into_iter().cloned().collect();
    if !chain.is_empty() {
        let changed = plan.rewritten.iter().find(|file| file.path == *path);
        return Why::Kept {
            chain,
            rewritten: changed.map(|file| file.change.clone()),
        };
    }
    for group in &plan.dropped {
        if group.paths.iter().any(|dropped| holds(dropped, path)) {
            let mut kept_by = vec![format!("--keep {path}")];
            kept_by.extend(
                group
                    .package
                    .iter()
                    .map(|package| format!("--keep {package}")),
            );
            kept_by.push("a --probe that makes the program use it".to_owned());
            return Why::Dropped {
                path: path.clone(),
                class: group.class.clone(),
                package: group.package.clone(),
                kept_by,
            };
        }
    }
    Why::Unknown {
        path: path.clone(),
        alike: alike(plan, path),
    }
}

/// More than anybody reads.
const MOST_ALIKE: usize = 8;

fn alike(plan: &Plan, path: &FilePath) -> Vec<FilePath> {
    let name = |path: &FilePath| -> Vec<u8> {
        let name = path.as_bytes().rsplit(|&byte| byte == b'/').next();
        name.unwrap_or_default().to_vec()
    };
    let wanted = name(path);
    let kept = plan.kept.iter().map(|kept| &kept.path);
    let dropped = plan.dropped.iter().flat_map(|group| &group.paths);
    kept.chain(dropped)
        .filter(|known| !wanted.is_empty() && name(known) == wanted)
        .take(MOST_ALIKE)
        .cloned()
        .collect()
}

/// True when `path` is `directory` or lies below it.
fn holds(directory: &FilePath, path: &FilePath) -> bool {
    let rest = path.as_bytes().strip_prefix(directory.as_bytes());
    rest.is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

/// What is different between two plans.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanDiff {
    /// Always `jettison.plan-diff/1`.
    pub schema: &'static str,
    /// Paths that only the second keeps.
    pub added: Vec<Kept>,
    /// Paths that only the first keeps.
    pub removed: Vec<Kept>,
    /// Paths that both keep, for another reason: first and second.
    pub changed: Vec<(Kept, Kept)>,
}

/// Compares two plans path by path.
pub fn diff(old: &Plan, new: &Plan) -> PlanDiff {
    let only = |these: &Plan, those: &Plan| -> Vec<Kept> {
        let kept = these.kept.iter();
        kept.filter(|kept| those.find(&kept.path).is_none())
            .cloned()
            .collect()
    };
    let both = old.kept.iter().filter_map(|was| {
        let is = new.find(&was.path)?;
        (is.reason != was.reason).then(|| (was.clone(), is.clone()))
    });
    PlanDiff {
        schema: "jettison.plan-diff/1",
        added: only(new, old),
        removed: only(old, new),
        changed: both.collect(),
    }
}

#[cfg(test)]
mod tests {
    use jettison_plan::{Dropped, FilePath, Grain, Kept, Plan, Reason, ReasonKind, Subject};

    use super::{Why, diff, why};

    fn plan(kept: &[&str]) -> Plan {
        Plan {
            schema: Plan::SCHEMA.to_owned(),
            image: Subject {
                manifest: String::new(),
                platform: String::new(),
            },
            grain: Grain::Auto,
            kept: kept
                .iter()
                .map(|path| Kept {
                    path: FilePath::new(path),
                    reason: Reason::first(ReasonKind::Started, "CMD"),
                })
                .collect(),
            rewritten: Vec::new(),
            dropped: vec![Dropped {
                class: "documentation".to_owned(),
                package: Some("tool".to_owned()),
                files: 2,
                size_bytes: 10,
                paths: vec![FilePath::new("usr/share/doc")],
            }],
            generosities: Vec::new(),
            reach: Vec::new(),
            suspects: Vec::new(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn answers() {
        let plan = plan(&["bin/app"]);
        let ask = |path| why(&plan, &FilePath::new(path));
        assert!(matches!(ask("/bin/app"), Why::Kept { chain, .. } if chain.len() == 1));
        assert!(matches!(
            ask("/usr/share/doc/tool/README"),
            Why::Dropped { class, package: Some(package), kept_by, .. }
                if class == "documentation" && package == "tool" && kept_by[1] == "--keep tool"
        ));
        assert!(matches!(ask("/usr/share/docs"), Why::Unknown { alike, .. } if alike.is_empty()));
        assert!(matches!(ask("/x/app"), Why::Unknown { alike, .. } if alike.len() == 1));
    }

    #[test]
    fn differences() {
        let (old, new) = (plan(&["a", "b"]), plan(&["b", "c"]));
        let found = diff(&old, &new);
        assert_eq!(found.added[0].path, FilePath::new("c"));
        assert_eq!(found.removed[0].path, FilePath::new("a"));
        assert!(found.changed.is_empty());
    }
}
