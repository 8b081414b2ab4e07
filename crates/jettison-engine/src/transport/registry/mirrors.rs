//! Where an image is pulled from: the registry that its name carries, or what
//! containers-registries.conf(5) puts in its place. The same files as podman,
//! buildah and skopeo read; only full names, so search lists and aliases are
//! not looked at.

use std::path::{Path, PathBuf};

use jettison_image::{Reference, escape};
use serde::Deserialize;

use super::RegistryError;
use crate::files::{open_named, read_bounded};
use crate::transport::Environment;

const SYSTEM: &str = "/etc/containers";
const FILE_BYTES: u64 = 4 << 20;
/// Files of one directory, registries of all files, mirrors of one registry.
const ENTRIES: usize = 10_000;

/// What the files say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Mirrors {
    registries: Vec<Registry>,
}

/// One place to pull from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PullSource {
    /// The name there.
    pub(crate) reference: Reference,
    /// Plain HTTP and unknown certificates are accepted.
    pub(crate) insecure: bool,
    /// It stands in for the registry.
    pub(crate) is_mirror: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct File {
    registry: Vec<Registry>,
    registries: OldForm,
}

/// The first version of the format.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OldForm {
    insecure: OldList,
    block: OldList,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OldList {
    registries: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Registry {
    prefix: String,
    location: String,
    insecure: bool,
    blocked: bool,
    mirror: Vec<Mirror>,
    mirror_by_digest_only: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Mirror {
    location: String,
    insecure: bool,
    pull_from_mirror: String,
}

impl Mirrors {
    /// Reads the files of the machine and the user: `CONTAINERS_REGISTRIES_CONF`,
    /// else the user's file, else the machine's; then the directories beside.
    pub(crate) fn read(environment: &Environment) -> Result<Self, RegistryError> {
        let set = |name: &str| {
            let value = environment.variable(name);
            value.filter(|value| !value.is_empty()).map(PathBuf::from)
        };
        let own = set("XDG_CONFIG_HOME").filter(|path| path.is_absolute());
        let own = own.or_else(|| set("HOME").map(|home| home.join(".config")));
        let own = own.map(|own| own.join("containers"));
        let named = set("CONTAINERS_REGISTRIES_CONF");
        let mut files = Vec::new();
        let mut folders = vec![PathBuf::from(SYSTEM).join("registries.conf.d")];
        let users = own.as_ref().map(|own| own.join("registries.conf"));
        match (named, users.filter(|file| file.exists())) {
            (Some(named), _) => files.push(named),
            // A user's file stands for all that the machine says.
            (None, Some(file)) => {
                files.push(file);
                folders.clear();
            }
            (None, None) => {
                let file = PathBuf::from(SYSTEM).join("registries.conf");
                files.extend(file.exists().then_some(file));
            }
        }
        folders.extend(own.map(|own| own.join("registries.conf.d")));
        for folder in folders {
            let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
            let mut found: Vec<PathBuf> = entries.take(ENTRIES).map(|entry| entry.path()).collect();
            found.retain(|path| path.extension().is_some_and(|ending| ending == "conf"));
            found.sort();
            files.extend(found);
        }
        let mut mirrors = Self::default();
        for file in files {
            let wrong = |problem: String| RegistryError::Configuration {
                file: file.clone(),
                problem,
            };
            let bytes = open_named(&file).and_then(|opened| read_bounded(opened, FILE_BYTES));
            let bytes = bytes.map_err(|error| wrong(error.to_string()))?;
            mirrors
                .add(&String::from_utf8_lossy(&bytes))
                .map_err(wrong)?;
        }
        Ok(mirrors)
    }

    /// Adds a file; what it says of a prefix counts instead of what an earlier
    /// one said.
    fn add(&mut self, text: &str) -> Result<(), String> {
        let file: File = toml::from_str(text).map_err(|error| escape(error.message()))?;
        let of = |location: &String| Registry {
            location: location.clone(),
            ..Registry::default()
        };
        let insecure = file.registries.insecure.registries.iter();
        let old = insecure.map(|one| Registry {
            insecure: true,
            ..of(one)
        });
        let blocked = file.registries.block.registries.iter();
        let old = old.chain(blocked.map(|one| Registry {
            blocked: true,
            ..of(one)
        }));
        let all: Vec<Registry> = file.registry.into_iter().chain(old).collect();
        for mut registry in all {
            for place in [&mut registry.prefix, &mut registry.location] {
                *place = place.trim_end_matches('/').to_owned();
                if place.contains("://") {
                    return Err(format!(
                        "`{}` is a URL; names have no scheme",
                        escape(place)
                    ));
                }
            }
            if registry.prefix.is_empty() {
                registry.prefix.clone_from(&registry.location);
            }
            if registry.prefix.is_empty() {
                return Err("a [[registry]] has neither prefix nor location".to_owned());
            }
            if registry.location.is_empty() && !registry.prefix.starts_with("*.") {
                registry.location.clone_from(&registry.prefix);
            }
            for mirror in &mut registry.mirror {
                mirror.location = mirror.location.trim_end_matches('/').to_owned();
                if mirror.location.is_empty() || mirror.location.contains("://") {
                    return Err(format!(
                        "a mirror of {} has no location",
                        escape(&registry.prefix)
                    ));
                }
                let known = ["", "all", "digest-only", "tag-only"];
                if !known.contains(&mirror.pull_from_mirror.as_str()) {
                    return Err(format!(
                        "pull-from-mirror `{}` is none of all, digest-only, tag-only",
                        escape(&mirror.pull_from_mirror)
                    ));
                }
            }
            self.registries
                .retain(|known| known.prefix != registry.prefix);
            self.registries.push(registry);
            if self.registries.len() > ENTRIES {
                return Err("too many registries".to_owned());
            }
        }
        Ok(())
    }

    /// Where to pull a reference from, in turn. An error where it is blocked.
    pub(crate) fn sources(&self, reference: &Reference) -> Result<Vec<PullSource>, RegistryError> {
        let plain = || PullSource {
            reference: reference.clone(),
            insecure: false,
            is_mirror: false,
        };
        let Some((registry, rest)) = self.find(reference) else {
            return Ok(vec![plain()]);
        };
        if registry.blocked {
            return Err(RegistryError::Blocked {
                name: reference.name(),
                prefix: escape(&registry.prefix),
            });
        }
        let has_digest = reference.digest().is_some();
        let mut sources = Vec::new();
        for mirror in &registry.mirror {
            let fits = match mirror.pull_from_mirror.as_str() {
                "digest-only" => has_digest,
                "tag-only" => !has_digest,
                "" if registry.mirror_by_digest_only => has_digest,
                _ => true,
            };
            if fits {
                sources.push(PullSource {
                    reference: moved(reference, &mirror.location, &rest)?,
                    insecure: mirror.insecure,
                    is_mirror: true,
                });
            }
        }
        sources.push(match registry.location.as_str() {
            "" => PullSource {
                insecure: registry.insecure,
                ..plain()
            },
            location => PullSource {
                reference: moved(reference, location, &rest)?,
                insecure: registry.insecure,
                is_mirror: false,
            },
        });
        Ok(sources)
    }

    /// Whether a registry is pushed to by plain HTTP and unknown certificates;
    /// an error where it is blocked.
    pub(crate) fn is_insecure(&self, reference: &Reference) -> Result<bool, RegistryError> {
        match self.find(reference) {
            Some((registry, _)) if registry.blocked => Err(RegistryError::Blocked {
                name: reference.name(),
                prefix: escape(&registry.prefix),
            }),
            found => Ok(found.is_some_and(|(registry, _)| registry.insecure)),
        }
    }

    /// The registry with the longest prefix, and what of the name follows it.
    fn find(&self, reference: &Reference) -> Option<(&Registry, String)> {
        let name = reference.name();
        // A prefix may name a tag or digest, too.
        let tag = reference.tag().map(|tag| format!(":{tag}"));
        let digest = reference.digest().map(|digest| format!("@{digest}"));
        let full = format!(
            "{name}{}{}",
            tag.unwrap_or_default(),
            digest.unwrap_or_default()
        );
        let rest_of = |registry: &Registry| {
            if let Some(domain) = registry.prefix.strip_prefix('*') {
                // `*.example.com`: every host below; what follows is its path.
                let host = reference.domain();
                let is_below = host.ends_with(domain) && host.len() > domain.len();
                return is_below.then(|| name[host.len()..].to_owned());
            }
            let rest = full.strip_prefix(&registry.prefix)?;
            if !rest.is_empty() && !rest.starts_with(['/', ':', '@']) {
                return None;
            }
            // A host's port is part of the host.
            if registry.prefix.len() < reference.domain().len() {
                return None;
            }
            Some(
                name.get(registry.prefix.len()..)
                    .unwrap_or_default()
                    .to_owned(),
            )
        };
        let all = self.registries.iter();
        all.filter_map(|registry| Some((registry, rest_of(registry)?)))
            .max_by_key(|(registry, _)| registry.prefix.len())
    }
}

/// The same image below another location.
fn moved(reference: &Reference, location: &str, rest: &str) -> Result<Reference, RegistryError> {
    let mut text = format!("{location}{rest}");
    if let Some(tag) = reference.tag() {
        text += &format!(":{tag}");
    }
    if let Some(digest) = reference.digest() {
        text += &format!("@{digest}");
    }
    let first = text.split('/').next().unwrap_or_default();
    let is_host = first == "localhost" || first.contains(['.', ':']);
    match Reference::parse(&text) {
        Ok(moved) if is_host && text.contains('/') => Ok(moved),
        _ => Err(RegistryError::Configuration {
            file: Path::new("registries.conf").to_owned(),
            problem: format!("location `{}` gives no image's name", escape(location)),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
unqualified-search-registries = ["docker.io"]
[aliases]
x = "docker.io/x"
[[registry]]
prefix = "docker.io"
location = "registry.example/hub"
[[registry.mirror]]
location = "mirror.example:5000"
insecure = true
[[registry.mirror]]
location = "digests.example/all"
pull-from-mirror = "digest-only"
[[registry]]
prefix = "docker.io/library/secret"
blocked = true
[[registry]]
location = "plain.example:5000"
insecure = true
[[registry]]
prefix = "*.wild.example"
location = "tame.example"
[[registry]]
location = "only.example"
mirror-by-digest-only = true
[[registry.mirror]]
location = "m.example"
"#;

    #[track_caller]
    fn check(name: &str, expected: &str) {
        let mut mirrors = Mirrors::default();
        mirrors.add(TEXT).unwrap();
        let reference = Reference::parse(name).unwrap().with_default_tag();
        let found = match mirrors.sources(&reference) {
            Ok(sources) => {
                let shown = sources.iter().map(|source| {
                    let mark = if source.insecure { "!" } else { "" };
                    format!("{mark}{}", source.reference)
                });
                shown.collect::<Vec<_>>().join(" ")
            }
            Err(error) => error.to_string(),
        };
        let zeros = "0".repeat(64);
        assert_eq!(found.replace(&zeros, "0"), expected, "{name}");
    }

    #[test]
    fn places_in_turn() {
        check(
            "busybox:1",
            "!mirror.example:5000/library/busybox:1 registry.example/hub/library/busybox:1",
        );
        let digest = format!("busybox@sha256:{}", "0".repeat(64));
        check(
            &digest,
            "!mirror.example:5000/library/busybox@sha256:0 \
             digests.example/all/library/busybox@sha256:0 \
             registry.example/hub/library/busybox@sha256:0",
        );
        check(
            "secret",
            "docker.io/library/secret is blocked by docker.io/library/secret in registries.conf",
        );
        check(
            "secrets",
            "!mirror.example:5000/library/secrets:latest registry.example/hub/library/secrets:latest",
        );
        check("plain.example:5000/a", "!plain.example:5000/a:latest");
        check("plain.example/a", "plain.example/a:latest");
        check("a.wild.example/b", "tame.example/b:latest");
        check("wild.example/b", "wild.example/b:latest");
        check("only.example/b", "only.example/b:latest");
        check("other.example/b", "other.example/b:latest");
    }

    #[test]
    fn what_is_refused() {
        for text in [
            "[[registry]]\nlocation = \"https://x.example\"",
            "[[registry]]\ninsecure = true",
            "[[registry]]\nlocation = \"x\"\n[[registry.mirror]]\ninsecure = true",
            "[[registry]]\nlocation = \"x\"\n[[registry.mirror]]\nlocation = \"y\"\npull-from-mirror = \"never\"",
            "[[registry]",
        ] {
            assert!(Mirrors::default().add(text).is_err(), "{text}");
        }
        let mut mirrors = Mirrors::default();
        mirrors
            .add("[[registry]]\nlocation = \"a.example\"\nblocked = true")
            .unwrap();
        mirrors
            .add("[[registry]]\nlocation = \"a.example\"")
            .unwrap();
        let reference = Reference::parse("a.example/b").unwrap();
        assert!(mirrors.sources(&reference).is_ok(), "the later file counts");
    }
}
