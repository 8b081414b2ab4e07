//! `Cargo.toml`, as far as it names programs, members and the facts for
//! labels. Unknown keys are none of our business; cargo judges them.

use serde::Deserialize;

use crate::project::DetectError;
use crate::recipe::PackageFacts;
use crate::source::{self, Source};

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct Manifest {
    pub(super) package: Option<Package>,
    pub(super) workspace: Option<Workspace>,
    bin: Vec<BinTable>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Package {
    name: String,
    #[serde(default)]
    default_run: Option<String>,
    #[serde(default)]
    autobins: Option<bool>,
    #[serde(flatten)]
    facts: FactKeys,
}

/// Keys that may say `{ workspace = true }` instead of a value.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct FactKeys {
    version: Option<toml::Value>,
    description: Option<toml::Value>,
    license: Option<toml::Value>,
    repository: Option<toml::Value>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct Workspace {
    members: Vec<String>,
    exclude: Vec<String>,
    pub(super) default_members: Option<Vec<String>>,
    package: FactKeys,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct BinTable {
    name: Option<String>,
    path: Option<String>,
    required_features: Vec<String>,
}

/// A program of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bin {
    pub(super) name: String,
    pub(super) required_features: Vec<String>,
}

/// The manifest of a directory.
pub(super) fn path(directory: &str) -> String {
    within(directory, "Cargo.toml")
}

fn within(directory: &str, name: &str) -> String {
    if directory.is_empty() {
        name.into()
    } else {
        format!("{directory}/{name}")
    }
}

impl Manifest {
    pub(super) fn read(source: &dyn Source, directory: &str) -> Result<Self, DetectError> {
        let path = path(directory);
        let failed = |reason: String| DetectError::Manifest {
            path: path.clone(),
            reason,
        };
        let bytes = source.read(&path, source::TEXT_BYTES).map_err(failed)?;
        let text = String::from_utf8(bytes).map_err(|e| failed(e.to_string()))?;
        toml::from_str(&text).map_err(|e| failed(e.to_string().trim_end().to_owned()))
    }

    pub(super) fn default_run(&self) -> Option<&str> {
        self.package.as_ref()?.default_run.as_deref()
    }

    /// Version, description, licence and repository, inherited ones included.
    pub(super) fn facts(&self, workspace: Option<&Workspace>) -> PackageFacts {
        let Some(package) = &self.package else {
            return PackageFacts::default();
        };
        let shared = workspace
            .map(|workspace| workspace.package.clone())
            .unwrap_or_default();
        let text = |own: &Option<toml::Value>, inherited: &Option<toml::Value>| match own {
            Some(toml::Value::String(text)) => Some(text.clone()),
            Some(toml::Value::Table(_)) => inherited.as_ref()?.as_str().map(str::to_owned),
            _ => None,
        };
        let own = &package.facts;
        PackageFacts {
            version: text(&own.version, &shared.version),
            description: text(&own.description, &shared.description),
            license: text(&own.license, &shared.license),
            repository: text(&own.repository, &shared.repository),
        }
    }

    /// The package's programs as cargo's target discovery finds them:
    /// `[[bin]]`, then src/main.rs, src/bin/*.rs and src/bin/*/main.rs.
    pub(super) fn bins(&self, source: &dyn Source, directory: &str) -> Vec<Bin> {
        let Some(package) = &self.package else {
            return Vec::new();
        };
        let mut bins: Vec<(Bin, Option<String>)> = self
            .bin
            .iter()
            .filter_map(|table| {
                let bin = Bin {
                    name: table.name.clone()?,
                    required_features: table.required_features.clone(),
                };
                let path = table.path.as_ref().and_then(|path| source::join("", path));
                Some((bin, path))
            })
            .collect();
        if package.autobins.unwrap_or(true) {
            let sources = within(directory, "src");
            for path in source::below(source, &sources) {
                let inside = path
                    .strip_prefix(directory)
                    .unwrap_or(path)
                    .trim_start_matches('/');
                let Some(name) = inferred_name(inside, &package.name) else {
                    continue;
                };
                let is_named = bins
                    .iter()
                    .any(|(bin, at)| bin.name == name || at.as_deref() == Some(inside));
                if !is_named {
                    bins.push((
                        Bin {
                            name: name.to_owned(),
                            required_features: Vec::new(),
                        },
                        None,
                    ));
                }
            }
        }
        bins.into_iter().map(|(bin, _)| bin).collect()
    }
}

fn inferred_name<'p>(path: &'p str, package: &'p str) -> Option<&'p str> {
    if path == "src/main.rs" {
        return Some(package);
    }
    let inside = path.strip_prefix("src/bin/")?;
    match inside.split_once('/') {
        None => inside.strip_suffix(".rs"),
        Some((directory, "main.rs")) => Some(directory),
        Some(_) => None,
    }
}

impl Workspace {
    /// The directories of its members, as far as the listing has them.
    pub(super) fn members(&self, source: &dyn Source, root: &str) -> Vec<String> {
        self.matching(source, root, &self.members)
    }

    /// True when `cargo build` at the root builds this member.
    pub(super) fn is_default(&self, source: &dyn Source, root: &str, member: &str) -> bool {
        let defaults = self.default_members.as_deref().unwrap_or(&self.members);
        self.matching(source, root, defaults)
            .iter()
            .any(|found| found == member)
    }

    /// True when the workspace at `root` says that `directory` is none of its members.
    pub(super) fn excludes(&self, root: &str, directory: &str) -> bool {
        self.exclude
            .iter()
            .filter_map(|path| source::join(root, path))
            .any(|excluded| {
                directory == excluded
                    || directory
                        .strip_prefix(&excluded)
                        .is_some_and(|rest| rest.starts_with('/'))
            })
    }

    pub(super) fn has_members(&self) -> bool {
        !self.members.is_empty()
    }

    fn matching(&self, source: &dyn Source, root: &str, patterns: &[String]) -> Vec<String> {
        let patterns: Vec<String> = patterns
            .iter()
            .filter_map(|pattern| source::join(root, pattern))
            .collect();
        source::below(source, root)
            .filter(|path| source::file_name(path) == "Cargo.toml")
            .map(source::parent)
            .filter(|directory| patterns.iter().any(|pattern| matches(pattern, directory)))
            .filter(|directory| !self.excludes(root, directory))
            .map(str::to_owned)
            .collect()
    }
}

/// A glob over path components: `*` and `?` stay within one, `**` spans any number.
fn matches(pattern: &str, path: &str) -> bool {
    let patterns: Vec<&str> = pattern.split('/').collect();
    let parts: Vec<&str> = path.split('/').collect();
    components_match(&patterns, &parts)
}

fn components_match(patterns: &[&str], parts: &[&str]) -> bool {
    // Row by row: which prefixes of the path the patterns so far can match.
    let mut reachable = vec![false; parts.len() + 1];
    reachable[0] = true;
    for pattern in patterns {
        let mut next = vec![false; parts.len() + 1];
        for at in 0..=parts.len() {
            if *pattern == "**" {
                next[at] = reachable[at] || (at > 0 && next[at - 1]);
            } else if at > 0 {
                next[at] = reachable[at - 1]
                    && component_matches(pattern.as_bytes(), parts[at - 1].as_bytes());
            }
        }
        reachable = next;
    }
    reachable[parts.len()]
}

/// `*` and `?` in one component, without recursion.
fn component_matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == b'?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((at, taken)) = star else {
                    return false;
                };
                star = Some((at, taken + 1));
                p = at + 1;
                t = taken + 1;
            }
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_globs_over_components() {
        for (pattern, path, expected) in [
            ("crates/*", "crates/a", true),
            ("crates/*", "crates/a/b", false),
            ("crates/**", "crates/a/b", true),
            ("crates/app-?", "crates/app-1", true),
            ("*", "a", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXbY", false),
            ("crates/a", "crates/a", true),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }
}
